"""The queue of a broadcast: which message is sent next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING

from airflow_provider_itnio.api.errors import InvalidMessageError, RecordError
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.status_codes import MESSAGE_CODES, status_code
from airflow_provider_itnio.broadcast.accepted_messages import AcceptedMessages
from airflow_provider_itnio.broadcast.pace import BatchSize
from airflow_provider_itnio.broadcast.queued_message import QueuedMessage
from airflow_provider_itnio.broadcast.recipients import InvalidRecipient, Recipient, Recipients
from airflow_provider_itnio.broadcast.summary import MAX_LOGGED, Report
from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord, RecordedOutcome
from airflow_provider_itnio.delivery.policy import FALLBACK_REMOVED, Cleared, should_resend

if TYPE_CHECKING:
    from airflow_provider_itnio.api.checks import Delivery
    from airflow_provider_itnio.api.models import Message
    from airflow_provider_itnio.broadcast.fallbacks import Fallbacks

log = NeverRaisingLog(__name__)


class MessageQueue:
    """The messages that this try of the task sends, in the list's order, never two at a time to one number.

    Messages are created on demand. With ``at_most_once`` and a record, each is recorded as intended before it
    is returned, in batches for about a second, since a killed worker leaves a whole batch unknown.

    :param recipients: the recipients.
    :param message_for: creates the message for one recipient, or raises ``InvalidMessageError``.
    :param record: the delivery record, with the outcomes of previous tries.
    :param report: counts recipients who get no message.
    :param accepted: gets the messages that previous tries have sent, and has the fallbacks to send.
    :param delivery: what to do if a message's outcome is unknown.
    :param fallbacks: creates the fallbacks.
    :param max_waiting: most messages that may wait for another one to the same number.
    :param first_batch: the size of the first batch of intended messages.
    """

    def __init__(
        self,
        recipients: Recipients,
        *,
        message_for: Callable[[Recipient], Message],
        record: BroadcastRecord,
        report: Report,
        accepted: AcceptedMessages,
        delivery: Delivery,
        fallbacks: Fallbacks | None,
        max_waiting: int,
        first_batch: int = 1,
    ) -> None:
        self._message_for = message_for
        self._record = record
        self._report = report
        self._accepted = accepted
        self._fallbacks = fallbacks
        self._delivery: Delivery = delivery
        self._records_intent = delivery == "at_most_once" and record.is_persistent
        self._batch_size = BatchSize(first_batch, max_waiting)
        # Messages that wait for another one to the same number are intended too.
        self._max_waiting = min(max_waiting, first_batch) if self._records_intent else max_waiting
        self._messages = self._messages_to_send(recipients)
        self._intended: deque[QueuedMessage] = deque()
        self._in_flight: set[str] = set()
        self._waiting_by_number: dict[str, deque[QueuedMessage]] = {}
        self._waiting_count = 0
        self._released: deque[QueuedMessage] = deque()
        self._returned: list[QueuedMessage] = []
        self._resent_unknown = 0
        self._changed = asyncio.Event()
        self._is_closed = False

    async def take(self) -> QueuedMessage | None:
        """Return the next message whose number has no other in flight; ``None`` if there is none left.

        :raises RecordError: if it could not be recorded as intended.
        """
        while not self._is_closed:
            if self._released:
                return self._released.popleft()
            if self._waiting_count < self._max_waiting:
                queued = self._next()
                if queued is None:
                    if not self._waiting_count:
                        return None
                elif queued.recipient.person in self._in_flight:
                    self._waiting_by_number.setdefault(queued.recipient.person, deque()).append(queued)
                    self._waiting_count += 1
                    continue
                else:
                    self._in_flight.add(queued.recipient.person)
                    return queued
            self._changed.clear()
            await self._changed.wait()
        return None

    def done(self, queued: QueuedMessage) -> None:
        """Release the next message to the same number.

        :param queued: a message whose outcome is known.
        """
        person = queued.recipient.person
        if waiting := self._waiting_by_number.get(person):
            self._released.append(waiting.popleft())
            self._waiting_count -= 1
            if not waiting:
                del self._waiting_by_number[person]
        else:
            self._in_flight.discard(person)
        self._changed.set()

    def put_back(self, queued: QueuedMessage) -> None:
        """Put back a message that was not sent."""
        self._returned.append(queued)

    def close(self) -> None:
        """Return no more messages: current and later calls of :meth:`take` return ``None``."""
        self._is_closed = True
        self._changed.set()

    def unsent_intended(self) -> Iterator[QueuedMessage]:
        """Yield the messages that are recorded as intended and were not sent."""
        if self._records_intent:
            waiting = chain.from_iterable(self._waiting_by_number.values())
            yield from chain(self._intended, self._released, self._returned, waiting)

    def _next_message(self) -> QueuedMessage | None:
        fallbacks = self._accepted.fallbacks
        return fallbacks.popleft() if fallbacks else next(self._messages, None)

    def _next(self) -> QueuedMessage | None:
        if not self._records_intent:
            return self._next_message()
        if not self._intended:
            self._record_intent()
        return self._intended.popleft() if self._intended else None

    def _record_intent(self) -> None:
        """Record a batch as intended before any of it is sent."""
        intended = list(islice(iter(self._next_message, None), self._batch_size.next()))
        if not intended:
            return
        try:
            self._record.record_intent([(queued.key, queued.is_fallback) for queued in intended])
        except RecordError:
            # The write may have succeeded; but certainly nothing was sent.
            self._returned += intended
            raise
        self._intended.extend(intended)

    def _messages_to_send(self, recipients: Recipients) -> Iterator[QueuedMessage]:
        """Yield each message that this try sends, and count those that it does not send."""
        add_failure = self._report.add_failure
        for recipient in recipients:
            if isinstance(recipient, InvalidRecipient):
                position, problem, last_digits, number = recipient
                add_failure("invalid", position, last_digits, None, problem, number=number)
                continue
            prior = self._record.previous_outcome(recipient.key)
            if prior is not None and not self._should_resend(recipient, *prior):
                continue
            uses_fallback = prior is not None and prior[0].is_fallback and prior[0].outcome != "refused"
            if prior is not None and uses_fallback and self._fallbacks is None and prior[1] == "no":
                add_failure("not_sent", recipient.position, recipient.number[-4:], None, FALLBACK_REMOVED)
                continue
            try:
                if uses_fallback and self._fallbacks is not None:
                    queued = self._fallbacks.create(recipient)
                else:
                    queued = QueuedMessage(recipient, self._message_for(recipient))
            except InvalidMessageError as error:
                add_failure("invalid", recipient.position, recipient.number[-4:], None, str(error))
                continue
            yield queued

    def _should_resend(self, recipient: Recipient, previous: RecordedOutcome, cleared: Cleared) -> bool:
        position, last_digits = recipient.position, recipient.number[-4:]
        if should_resend(previous.outcome, cleared, self._delivery):
            if previous.outcome == "unknown":
                self._resent_unknown += 1
                if self._resent_unknown <= MAX_LOGGED:
                    log.warning(
                        "Sending again to recipients[%s] (…%s), although a previous try may have sent it",
                        position,
                        last_digits,
                    )
            return True
        if previous.outcome == "accepted" or previous.message_id:
            self._accepted.add_previous(recipient, previous)
            return False
        reason = "a previous try of this task may have sent it"
        if previous.outcome == "refused":
            meaning = "" if previous.code is None else status_code(MESSAGE_CODES, previous.code).meaning
            reason = f"refused in a previous try of this task{meaning and ': '}{meaning}"
        self._report.add_failure(previous.outcome, position, last_digits, previous.code, reason)
        return False

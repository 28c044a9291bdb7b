"""Follow the accepted messages of a broadcast, and queue the fallbacks of those that fail."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.broadcast.queued_message import QueuedMessage
from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord, RecordedOutcome
from airflow_provider_itnio.status_texts import WINDOW_CODES, describe_failure

if TYPE_CHECKING:
    from airflow_provider_itnio.api.receiver import MessageStatus
    from airflow_provider_itnio.broadcast.fallbacks import Fallbacks
    from airflow_provider_itnio.broadcast.recipients import Recipient, Recipients
    from airflow_provider_itnio.broadcast.status_watch import StatusWatch
    from airflow_provider_itnio.broadcast.summary import Report

_FALLBACKS: Final = 1000
"""Most fallbacks that may wait to be sent. While there are so many, no more statuses are requested."""


class AcceptedMessages:
    """Counts and records the statuses of accepted messages, if the task waits for them.

    :param recipients: the recipients.
    :param report: counts the messages.
    :param record: the delivery record, with the outcomes of previous tries.
    :param keep: adds an outcome to the record.
    :param watch: asks for the statuses; ``None`` if the task does not wait.
    :param fallbacks: creates the fallbacks, if the task has a fallback.
    """

    def __init__(
        self,
        recipients: Recipients,
        *,
        report: Report,
        record: BroadcastRecord,
        keep: Callable[[RecordedOutcome], None],
        watch: StatusWatch | None,
        fallbacks: Fallbacks | None,
    ) -> None:
        self.fallbacks: deque[QueuedMessage] = deque()
        """Fallbacks to send instead of messages that have failed."""
        self._recipients = recipients
        self._report = report
        self._record = record
        self._keep = keep
        self._watch = watch
        self._made_by = fallbacks
        self._with_fallback: set[int] = set()
        if watch is not None:
            watch.settle = self._settle
            watch.has_room = lambda: len(self.fallbacks) < _FALLBACKS

    def add(self, queued: QueuedMessage, message_id: str) -> None:
        """Add a message that was accepted."""
        if queued.is_fallback:
            self._with_fallback.add(queued.recipient.position)
        self._wait_for(queued.recipient, message_id)

    def add_previous(self, recipient: Recipient, kept: RecordedOutcome) -> None:
        """Add and count a message that was accepted in a previous try of the task.

        If it is known to have failed afterwards, it counts as a failure, even if the task no longer waits.

        :param recipient: the message's recipient.
        :param kept: the message's entry in the record.
        """
        why = "" if kept.code is None else f": {describe_failure(str(kept.code))}"
        if kept.outcome == "refused" and self._watch is None:
            reason = f"accepted in a previous try of this task, then failed{why}"
            self._report.add_failure("refused", recipient.position, recipient.number[-4:], kept.code, reason)
            return
        self._report.add_previously_accepted(kept, recipient.number)
        if kept.is_fallback:
            self._with_fallback.add(recipient.position)
        if kept.outcome == "accepted":
            self._wait_for(recipient, kept.message_id)
        elif self._watch is not None:
            self._has_not_arrived(recipient, f"failed in a previous try of this task{why}", kept.code)

    def _wait_for(self, recipient: Recipient, message_id: str) -> None:
        if self._watch is not None and (problem := self._watch.add(message_id, recipient.position)):
            self._has_not_arrived(recipient, problem)

    def _settle(self, position: int, status: MessageStatus, late: str) -> None:
        self._report.keep_status(status)
        if late:
            self._has_not_arrived(self._recipients.at(position), late, for_retry=True)
        elif status.status == "failed":
            self._has_failed(self._recipients.at(position), status)
        else:
            self._report.add_arrived(status)

    def _has_failed(self, recipient: Recipient, status: MessageStatus) -> None:
        why, has_fallback = status.failure or "", recipient.position in self._with_fallback
        is_outside_window = status.code in WINDOW_CODES and self._report.kind != "template"
        if self._made_by is not None and is_outside_window and not has_fallback:
            try:
                fallback = self._made_by.of(recipient)
            except InvalidMessageError as error:
                why = f"{status.code}, and the fallback can't be sent: {error}"
            else:
                self._fall_back(fallback, status.message_id, why)
                return
        self._has_not_arrived(recipient, why, status.code)
        self._keep(
            RecordedOutcome(
                recipient.key, "refused", status.message_id, code=status.code, is_fallback=has_fallback
            )
        )

    def _fall_back(self, fallback: QueuedMessage, message_id: str, why: str) -> None:
        recipient, known = fallback.recipient, self._record.previous_outcome(fallback.key)
        self._report.fall_back(
            message_id,
            recipient.position,
            recipient.number[-4:],
            why,
            by_previous_try=known is not None and known[0].message_id == message_id,
        )
        self._keep(RecordedOutcome(recipient.key, "not_sent", is_fallback=True))
        self.fallbacks.append(fallback)

    def _has_not_arrived(
        self, recipient: Recipient, why: str, code: int | None = None, *, for_retry: bool = False
    ) -> None:
        self._report.add_failure(
            "not_delivered",
            recipient.position,
            recipient.number[-4:],
            code,
            why,
            for_retry=for_retry,
        )

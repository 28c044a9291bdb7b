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

_MAX_FALLBACKS: Final = 1000
"""Most fallbacks that may wait to be sent. While there are so many, no more statuses are requested."""


class AcceptedMessages:
    """Counts and records the statuses of accepted messages, if the task waits for them.

    :param recipients: the recipients.
    :param report: counts the messages.
    :param record: the delivery record, with the outcomes of previous tries.
    :param add: adds an outcome to the record.
    :param watch: asks for the statuses; ``None`` if the task does not wait.
    :param fallbacks: creates the fallbacks, if the task has a fallback.
    """

    def __init__(
        self,
        recipients: Recipients,
        *,
        report: Report,
        record: BroadcastRecord,
        add: Callable[[RecordedOutcome], None],
        watch: StatusWatch | None,
        fallbacks: Fallbacks | None,
    ) -> None:
        self.fallbacks: deque[QueuedMessage] = deque()
        """Fallbacks to send instead of messages that have failed."""
        self._recipients = recipients
        self._report = report
        self._record = record
        self._record_outcome = add
        self._watch = watch
        self._fallback_source = fallbacks
        self._fallback_positions: set[int] = set()
        if watch is not None:
            watch.on_final = self._handle_final_status
            watch.has_capacity = lambda: len(self.fallbacks) < _MAX_FALLBACKS

    def add(self, queued: QueuedMessage, message_id: str) -> None:
        """Add a message that was accepted."""
        if queued.is_fallback:
            self._fallback_positions.add(queued.recipient.position)
        self._wait_for(queued.recipient, message_id)

    def add_previous(self, recipient: Recipient, old: RecordedOutcome) -> None:
        """Add and count a message that was accepted in a previous try of the task.

        If it is known to have failed afterwards, it counts as a failure, even if the task no longer waits.

        :param recipient: the message's recipient.
        :param old: the message's entry in the record.
        """
        detail = "" if old.code is None else f": {describe_failure(str(old.code))}"
        if old.outcome == "refused" and self._watch is None:
            reason = f"accepted in a previous try of this task, then failed{detail}"
            self._report.add_failure("refused", recipient.position, recipient.number[-4:], old.code, reason)
            return
        self._report.add_previously_accepted(old, recipient.number)
        if old.is_fallback:
            self._fallback_positions.add(recipient.position)
        if old.outcome == "accepted":
            self._wait_for(recipient, old.message_id)
        elif self._watch is not None:
            self._add_failure(recipient, f"failed in a previous try of this task{detail}", old.code)

    def _wait_for(self, recipient: Recipient, message_id: str) -> None:
        if self._watch is not None and (problem := self._watch.add(message_id, recipient.position)):
            self._add_failure(recipient, problem)

    def _handle_final_status(self, position: int, status: MessageStatus, timeout_reason: str) -> None:
        self._report.store_status(status)
        if timeout_reason:
            self._add_failure(self._recipients.at(position), timeout_reason, for_retry=True)
        elif status.status == "failed":
            self._handle_failure(self._recipients.at(position), status)
        else:
            self._report.add_arrived(status)

    def _handle_failure(self, recipient: Recipient, status: MessageStatus) -> None:
        reason, has_fallback = status.failure or "", recipient.position in self._fallback_positions
        is_outside_window = status.code in WINDOW_CODES and self._report.kind != "template"
        if self._fallback_source is not None and is_outside_window and not has_fallback:
            try:
                fallback = self._fallback_source.create(recipient)
            except InvalidMessageError as error:
                reason = f"{status.code}, and the fallback can't be sent: {error}"
            else:
                self._fall_back(fallback, status.message_id, reason)
                return
        self._add_failure(recipient, reason, status.code)
        self._record_outcome(
            RecordedOutcome(
                recipient.key, "refused", status.message_id, code=status.code, is_fallback=has_fallback
            )
        )

    def _fall_back(self, fallback: QueuedMessage, message_id: str, reason: str) -> None:
        recipient, previous = fallback.recipient, self._record.previous_outcome(fallback.key)
        self._report.replace_by_fallback(
            message_id,
            recipient.position,
            recipient.number[-4:],
            reason,
            by_previous_try=previous is not None and previous[0].message_id == message_id,
        )
        self._record_outcome(RecordedOutcome(recipient.key, "not_sent", is_fallback=True))
        self.fallbacks.append(fallback)

    def _add_failure(
        self, recipient: Recipient, reason: str, code: int | None = None, *, for_retry: bool = False
    ) -> None:
        self._report.add_failure(
            "not_delivered",
            recipient.position,
            recipient.number[-4:],
            code,
            reason,
            for_retry=for_retry,
        )

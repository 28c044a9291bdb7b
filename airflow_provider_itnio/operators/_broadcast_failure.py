"""Whether the task of a broadcast fails, with which error, and with or without retries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout

from airflow_provider_itnio._compat import is_task_terminated
from airflow_provider_itnio.api.errors import ItnioError, NotDeliveredError, RecordError
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog

if TYPE_CHECKING:
    from airflow_provider_itnio.api.checks import Delivery
    from airflow_provider_itnio.broadcast.engine import Broadcast

log = NeverRaisingLog(__name__)

_WITHOUT_RECORD: Final = "Not retried: without a delivery record, a retry would message people again"
_NOTHING_PUSHED: Final = (
    "The receiver got no push about any message: Itniotech does not push to it (see docs/receiver.md)"
)
_MAX_LISTED: Final = 50
"""Messages that an error names one by one."""


@dataclass(frozen=True)
class BroadcastFailurePolicy:
    """The error with which a broadcast's task ends, if any.

    :param broadcast: the broadcast.
    :param delivery: the task's ``delivery``.
    :param is_recorded: whether this try's messages are in the delivery record.
    """

    broadcast: Broadcast
    delivery: Delivery
    is_recorded: bool

    @property
    def retry_would_resend(self) -> bool:
        """Whether a retry would message people again, because this try's messages are not recorded."""
        report = self.broadcast.report
        may_have_messaged = report.counts.unknown > 0 and self.delivery == "at_most_once"
        return (report.has_messaged or may_have_messaged) and not self.is_recorded

    def exception_after_error(self, error: BaseException) -> BaseException:
        """Return the exception to raise after an error has ended the broadcast."""
        if (failure := self._unrecorded_error()) is None:
            # After AirflowTaskTerminated, Airflow keeps the state that a person has set.
            if is_task_terminated(error) or not self.retry_would_resend:
                return error
            failure = AirflowFailException(f"{type(error).__name__}: {error}. {_WITHOUT_RECORD}")
        failure.__cause__ = error
        return failure

    def exception_at_end(self, *, may_fail: bool, timed_out: bool) -> BaseException | None:
        """Return the exception to raise after the broadcast has ended, ``None`` for success."""
        broadcast, report = self.broadcast, self.broadcast.report
        counts = report.describe()
        if (unrecorded := self._unrecorded_error()) is not None:
            return unrecorded
        if not report.failed and not report.not_attempted and not report.waiting:
            return None
        if broadcast.stop_reason is None and may_fail and report.succeeded:
            log.warning("Some messages failed. Clearing this task sends to all recipients again: %s", counts)
            return None
        cause = broadcast.stop_error
        reason = report.describe_failures()
        if broadcast.stop_reason:
            reason = f"stopped: {broadcast.stop_reason}. {counts}"
        if broadcast.watch is not None and broadcast.watch.has_no_status and report.statuses.not_delivered:
            reason = f"{reason}. {_NOTHING_PUSHED}"
        if not report.left_for_retry or self.retry_would_resend:
            if report.left_for_retry:
                reason = f"{reason}. {_WITHOUT_RECORD}"
            failure = AirflowFailException(reason)
            failure.__cause__ = cause or self._not_delivered_error(reason)
            return failure
        if timed_out and (cause is None or isinstance(cause, RecordError)):
            return AirflowTaskTimeout(reason)
        if cause is not None:
            cause.others = counts
            return cause
        return self._not_delivered_error(reason) or ItnioError(reason)

    def _not_delivered_error(self, reason: str) -> NotDeliveredError | None:
        """Return the error of a broadcast whose messages were all accepted but not all delivered."""
        report = self.broadcast.report
        if report.counts.failed or report.not_attempted:
            return None
        return NotDeliveredError(reason, status="none" if report.left_for_retry else "failed")

    def _unrecorded_error(self) -> AirflowFailException | None:
        """Return the error that lists the messages that were accepted but not recorded."""
        unrecorded = self.broadcast.accepted_but_unrecorded
        if not unrecorded:
            return None
        consequence = "send them again" if self.delivery == "at_least_once" else "treat them as unknown"
        listed = ", ".join(unrecorded[:_MAX_LISTED]) + (", …" if len(unrecorded) > _MAX_LISTED else "")
        return AirflowFailException(
            f"RecordError: {len(unrecorded)} messages were accepted but not recorded, so a retry would "
            f"{consequence} ({listed}): {self.broadcast.stop_reason}. {self.broadcast.report.describe()}"
        )

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
_LISTED: Final = 50
"""Messages that an error names one by one."""


@dataclass(frozen=True)
class BroadcastEnding:
    """The error with which a broadcast's task ends, if any.

    :param broadcast: the broadcast.
    :param delivery: the task's ``delivery``.
    :param is_recorded: whether this try's messages are in the delivery record.
    """

    broadcast: Broadcast
    delivery: Delivery
    is_recorded: bool

    @property
    def would_message_again(self) -> bool:
        """Whether a retry would message people again, because this try's messages are not recorded."""
        report = self.broadcast.report
        may_have = report.counts.unknown > 0 and self.delivery == "at_most_once"
        return (report.has_messaged or may_have) and not self.is_recorded

    def failure_of(self, error: BaseException) -> BaseException:
        """Return the exception to raise after an error has ended the broadcast."""
        if (failure := self._unrecorded()) is None:
            # After AirflowTaskTerminated, Airflow keeps the state that a person has set.
            if is_task_terminated(error) or not self.would_message_again:
                return error
            failure = AirflowFailException(f"{type(error).__name__}: {error}. {_WITHOUT_RECORD}")
        failure.__cause__ = error
        return failure

    def failure(self, *, may_fail: bool, is_over: bool) -> BaseException | None:
        """Return the exception to raise after the broadcast has ended, ``None`` for success."""
        broadcast, report = self.broadcast, self.broadcast.report
        words = report.describe()
        if (unrecorded := self._unrecorded()) is not None:
            return unrecorded
        if not report.failed and not report.not_attempted and not report.waiting:
            return None
        if broadcast.stopped is None and may_fail and report.succeeded:
            log.warning("Some messages failed. Clearing this task sends to all recipients again: %s", words)
            return None
        cause = broadcast.stopped_by
        why = f"stopped: {broadcast.stopped}. {words}" if broadcast.stopped else report.describe_failures()
        if broadcast.watch is not None and broadcast.watch.knows_nothing and report.statuses.not_delivered:
            why = f"{why}. {_NOTHING_PUSHED}"
        if not report.left_for_retry or self.would_message_again:
            if report.left_for_retry:
                why = f"{why}. {_WITHOUT_RECORD}"
            failure = AirflowFailException(why)
            failure.__cause__ = cause or self._not_delivered(why)
            return failure
        if is_over and (cause is None or isinstance(cause, RecordError)):
            return AirflowTaskTimeout(why)
        if cause is not None:
            cause.others = words
            return cause
        return self._not_delivered(why) or ItnioError(why)

    def _not_delivered(self, why: str) -> NotDeliveredError | None:
        """Return the error of a broadcast whose messages were all accepted but not all delivered."""
        report = self.broadcast.report
        if report.counts.failed or report.not_attempted:
            return None
        return NotDeliveredError(why, status="none" if report.left_for_retry else "failed")

    def _unrecorded(self) -> AirflowFailException | None:
        """Return the error that lists the messages that were accepted but not recorded."""
        unrecorded = self.broadcast.accepted_but_unrecorded
        if not unrecorded:
            return None
        again = "send them again" if self.delivery == "at_least_once" else "treat them as unknown"
        listed = ", ".join(unrecorded[:_LISTED]) + (", …" if len(unrecorded) > _LISTED else "")
        return AirflowFailException(
            f"RecordError: {len(unrecorded)} messages were accepted but not recorded, so a retry would "
            f"{again} ({listed}): {self.broadcast.stopped}. {self.broadcast.report.describe()}"
        )

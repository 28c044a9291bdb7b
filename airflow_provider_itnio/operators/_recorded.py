"""Sending single messages with a delivery record, so that a retry does not send them again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_itnio._compat import is_task_terminated
from airflow_provider_itnio.api.errors import (
    ItnioError,
    NotSentError,
    UnknownOutcomeError,
    is_marked_as_not_sent,
)
from airflow_provider_itnio.operators._sending import WhatsAppOperator
from airflow_provider_itnio.operators._waiting import end_retries

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_itnio.api.receipt import Receipt
    from airflow_provider_itnio.delivery.message_record import DeliveryRecord
    from airflow_provider_itnio.hooks.prepared_message import PreparedMessage


class RecordedSending(WhatsAppOperator):
    """An operator that sends messages one by one and records the outcome of each."""

    _record: DeliveryRecord | None = None
    _record_task_instance: Any = None
    _cancel_wait: Callable[[], None] | None = None
    _stop_error: BaseException | None = None
    """The reason why this process must not send or wait any more."""

    def _before_rendering(self, context: Context) -> None:
        if getattr(context.get("ti"), "next_method", None) and not context.get("task_state_store"):
            end_retries(self)

    def on_kill(self) -> None:
        """Send no further message, and end a pause between two attempts.

        An open request is finished, because its outcome must be recorded.

        :raises NotSentError: if there is a pause; its message was not sent.
        """
        self._stop_error = NotSentError("Nothing more is sent: the task was ended from outside")
        if self._cancel_wait is not None:
            self._cancel_wait()

    def _delivery_record(self, context: Context) -> DeliveryRecord:
        """Return the delivery record of this try; the same one if the operator is executed again in it."""
        from airflow_provider_itnio.delivery.message_record import DeliveryRecord

        instance = context.get("ti")
        if self._record is None or instance is not self._record_task_instance:
            self._record = DeliveryRecord.from_context(context, self.task_id)
            self._record_task_instance = instance
            self._finish_after_post_execute()
        return self._record

    def _send(self, prepared: PreparedMessage, record: DeliveryRecord) -> Receipt:
        from airflow_provider_itnio.api.client import cancel_wait
        from airflow_provider_itnio.delivery.graceful_timeout import GracefulTimeout

        self._raise_if_stopped()
        hook, recipient = self.hook, prepared.recipient
        with GracefulTimeout() as timeout:
            record.store.call = timeout.call
            if self.delivery == "at_most_once":
                try:
                    with timeout.airflow_behaviour():
                        record.record_intent(recipient)
                except BaseException:  # it may have been written anyway
                    record.withdraw_intent(recipient)
                    raise
            receipt: Receipt | None = None
            try:
                if record.store:
                    self._cancel_wait = cancel_wait
                with timeout.airflow_behaviour():
                    receipt = hook.send_prepared(prepared, self.delivery)
            except BaseException as error:
                if receipt is None:
                    self._handle_send_error(recipient, error, record)
                    raise
            record.record_acceptance(receipt)
        if timeout.has_timed_out:
            self._stop_error = AirflowTaskTimeout("execution_timeout is over")
        hook.log_accepted(receipt)
        return receipt

    def _raise_if_stopped(self) -> None:
        """Raise before a further message or a wait, if the task's time is over or the task was ended."""
        if self._stop_error is not None:
            raise self._stop_error

    def _handle_send_error(self, recipient: str, error: BaseException, record: DeliveryRecord) -> None:
        failure = _as_itnio_error(error)
        record.record_failure(recipient, failure)
        if self.delivery == "at_most_once" and isinstance(failure, UnknownOutcomeError):
            if is_task_terminated(error):  # with this error, Airflow keeps the state that a person has set
                end_retries(self)
                raise error from failure
            # Airflow would retry after the original error, but the message may have been sent.
            raise failure from (None if failure is error else error)


def _as_itnio_error(error: BaseException) -> ItnioError:
    """Return the error of a message whose sending an exception has ended."""
    if isinstance(error, ItnioError):
        return error
    cause = "the task's execution_timeout" if isinstance(error, AirflowTaskTimeout) else type(error).__name__
    if is_marked_as_not_sent(error):
        return NotSentError(f"The message was not sent: {cause} ended the task while no request was open")
    return UnknownOutcomeError(f"The message may have been sent: {cause} ended the request")

"""The sensor that waits until messages of upstream tasks are delivered."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
)

from airflow_provider_itnio._compat import is_from_mapped, without_guard
from airflow_provider_itnio.api.checks import REACHABLE, STATUS_ORDER, check_choice, check_name
from airflow_provider_itnio.api.errors import TRANSIENT, ConnectionLookupError, ItnioError, NotDeliveredError
from airflow_provider_itnio.api.masking import mask_phone_numbers
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.argument_errors import with_named_errors
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.operators._waiting import (
    TRIGGERER_MARGIN,
    check_deferrable,
    is_deferrable,
    is_trigger_timeout,
)
from airflow_provider_itnio.sensors._messages import (
    DeliveredDict,
    SentMessages,
    describe,
    sent_messages,
    summarize,
)
from airflow_provider_itnio.templating import is_rendered_later, leaves

if TYPE_CHECKING:
    from typing import Unpack

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_itnio.api.receipt import ReceiptDict
    from airflow_provider_itnio.api.status_wait import StatusWait
    from airflow_provider_itnio.message_types import XComArgLike
    from airflow_provider_itnio.operators._task_arguments import SensorArguments

    _Sensor = BaseSensorOperator
else:
    _Sensor = with_named_errors(BaseSensorOperator)

__all__ = ["WhatsAppDeliveredSensor"]

log = NeverRaisingLog(__name__)


class WhatsAppDeliveredSensor(_Sensor):
    """Waits until messages that upstream tasks have sent are delivered. It sends nothing.

    .. code-block:: python

        tell = WhatsAppSendOperator.partial(task_id="tell", text="…").expand(recipient=people())
        WhatsAppDeliveredSensor(task_id="everyone_has_it", messages=tell.output, timeout=3600)

    It asks the connection's receiver (``itnio-receiver``) at each ``poke_interval``; with ``deferrable``, it
    asks continuously in the triggerer, without a worker slot.

    :param messages: a receipt, as ``WhatsAppSendOperator`` and ``@task.whatsapp`` return it, the summary of a
        broadcast with ``keep_receipts=True``, a message id, or a list of these, also nested, such as the
        output of a mapped task or of several tasks. (templated)
    :param until: the status to wait for: ``sent``, ``delivered`` or ``read``.
    :param itnio_conn_id: the connection that names the receiver. (templated)
    :param deferrable: wait in the triggerer, without a worker slot. ``None`` takes Airflow's
        ``[operators] default_deferrable``. ``poke_interval`` and ``mode`` are not used then.
    :param kwargs: the arguments of ``BaseSensorOperator``: ``timeout`` (seconds or a timedelta; 7 days),
        ``poke_interval`` (seconds or a timedelta; 60 s), ``mode``, ``soft_fail`` and so on.
    :return: the number of messages by last status, and the status of each: ``{"none": 0, "sent": 0,
        "delivered": 1, "read": 1, "failed": 0, "not_accepted": 0, "statuses": {<message id>: {"recipient",
        "status", "at", "failure", "code"}, …}}``. ``failure`` and WhatsApp's ``code`` are the reason of a
        failure. Times are in ISO 8601 and UTC. The result is also in XCom if the task fails because of a
        message, or times out.
    :raises InvalidParameterError: if a value in the DAG file is invalid.
    :raises AirflowFailException: at once and without retries, as soon as a message has failed, with all
        failed messages and their reasons; if the summary of a broadcast counts recipients without an
        accepted message (``not_accepted``); if ``messages`` contains anything else; or if the connection
        names no receiver.
    :raises AirflowSensorTimeout: if messages have not reached ``until`` within ``timeout``; it lists them.
    :raises AirflowSkipException: instead of both, with ``soft_fail``.
    """

    template_fields: Sequence[str] = ("messages", "itnio_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"messages": "json"}
    ui_color = "#d9fdd3"
    _ends_at = math.inf
    """Unix time in seconds."""

    def __init__(
        self,
        *,
        messages: ReceiptDict | str | Sequence[Any] | XComArgLike,
        until: Literal["sent", "delivered", "read"] = "delivered",
        itnio_conn_id: str = ItnioHook.default_conn_name,
        deferrable: bool | None = None,
        **kwargs: Unpack[SensorArguments],
    ) -> None:
        super().__init__(**kwargs)
        self.messages = messages
        self.until = until
        self.itnio_conn_id = itnio_conn_id
        self.deferrable = deferrable
        # A mapped operator is made when its task runs. Its values are checked in execute().
        if not is_from_mapped(self):
            check_choice("until", until, REACHABLE)
            check_deferrable(deferrable)
            if not is_rendered_later(itnio_conn_id):
                check_name("itnio_conn_id", itnio_conn_id)
            if not any(is_rendered_later(leaf) for _, leaf in leaves(messages)):
                sent_messages(messages)

    @cached_property
    def hook(self) -> ItnioHook:
        """The hook that asks the receiver."""
        return ItnioHook(self.itnio_conn_id)

    @cached_property
    def _sent(self) -> SentMessages:
        return sent_messages(self.messages)

    @cached_property
    def _wait(self) -> StatusWait:
        from airflow_provider_itnio.api.status_wait import StatusWait

        return StatusWait(self._sent.recipients, self.until, math.inf, ends_on_failure=True)

    def execute(self, context: Context) -> DeliveredDict:
        """Wait until each message has reached ``until``.

        :param context: the task's context.
        """
        self._ends_at = time.time() + self.timeout
        try:
            check_choice("until", self.until, REACHABLE)
            check_deferrable(self.deferrable)
            log.info("Waiting until %s messages are %s", len(self._sent.recipients), self.until)
        except ItnioError as error:
            raise AirflowFailException(f"{type(error).__name__}: {error}") from error
        if is_deferrable(self.deferrable):
            return self._poke_once(context) or self._defer()
        try:
            result: DeliveredDict = without_guard(super().execute)(self, context)
        except AirflowSensorTimeout as error:
            raise AirflowSensorTimeout(f"{error} {self._pending(context, self._wait.result())}") from None
        except AirflowSkipException as error:
            reason = error.__cause__ or self._pending(context, self._wait.result())
            raise AirflowSkipException(f"{error} {reason}") from error.__cause__
        return result

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask the receiver once. If it is unreachable, the next poke asks again.

        :param context: the task's context.
        """
        from airflow_provider_itnio.api.status_wait import RESPONSE_GRACE

        try:
            within = max(0.0, self._ends_at - time.time()) + RESPONSE_GRACE
            statuses = self.hook.message_status(self._sent.recipients, until=self.until, within=within)
            pause = self._wait.take(statuses)
        except ConnectionLookupError:  # the connection may not exist
            raise
        except TRANSIENT as error:  # also HTTP 401 and 404, which a proxy returns while the receiver restarts
            pause = self._wait.take(error)
        except ItnioError as error:
            raise AirflowFailException(f"{type(error).__name__}: {error}") from error
        if pause is not None and not self._sent.not_accepted:
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._check_statuses(context, self._wait.result()))

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> DeliveredDict:
        """Resume after the wait in the triggerer.

        :param context: the task's context.
        :param event: the result of the wait.
        """
        from airflow_provider_itnio.api.status_wait import RESPONSE_GRACE

        if event["problem"]:
            try:
                self.hook.check_receiver(within=RESPONSE_GRACE)
            except TRANSIENT:
                pass  # the time is over
            except ItnioError as error:
                raise AirflowFailException(f"{type(error).__name__}: {error}") from error
        return self._check_statuses(context, event)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after a deferral. If no triggerer has asked the receiver in time, the task asks it.

        :param next_method: as Airflow passes it.
        :param next_kwargs: as Airflow passes it.
        :param context: the task's context.
        """
        if is_trigger_timeout(next_kwargs):
            next_method, next_kwargs = self._last_poke.__name__, None
        return super().resume_execution(next_method, next_kwargs, context)

    def _last_poke(self, context: Context) -> DeliveredDict:
        return self._poke_once(context) or self.execute_complete(context, self._wait.result())

    def _poke_once(self, context: Context) -> DeliveredDict | None:
        try:
            result: DeliveredDict | None = self.poke(context).xcom_value
        except AirflowFailException as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(str(error)) from error
            raise
        return result

    def _defer(self) -> NoReturn:
        from airflow_provider_itnio.triggers.whatsapp import WhatsAppStatusTrigger

        self.defer(
            trigger=WhatsAppStatusTrigger(
                list(self._sent.recipients),
                self.until,
                self._ends_at,
                self.itnio_conn_id,
                ends_on_failure=True,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout) + TRIGGERER_MARGIN,
        )

    def _check_statuses(self, context: Context, event: Mapping[str, Any]) -> DeliveredDict:
        """Return the result, or raise if a message failed or the time is over."""
        result = summarize(self._sent, event["statuses"])
        reasons = []
        if result["failed"]:
            failed = {name: one for name, one in result["statuses"].items() if one["status"] == "failed"}
            reasons.append(
                f"{len(failed):,} of {len(self._sent.recipients):,} messages were accepted by Itniotech and "
                f"then failed: {describe(failed)}"
            )
        if result["not_accepted"]:
            reasons.append(self._sent.describe_not_accepted())
        if reasons:
            error = NotDeliveredError("; ".join(reasons), status="failed" if result["failed"] else "none")
            self._push(context, result)
            self._fail(AirflowFailException(f"{type(error).__name__}: {error}"), error)
        if any(status["status"] in _before(self.until) for status in result["statuses"].values()):
            if remaining := event.get("left"):  # the DAG file has changed during the wait
                self._ends_at = time.time() + remaining
                self._defer()
            self._fail(
                AirflowSensorTimeout(
                    f"The sensor's timeout of {timedelta(seconds=self.timeout)} is over. "
                    f"{self._pending(context, event)}"
                )
            )
        return result

    def _pending(self, context: Context, event: Mapping[str, Any]) -> str:
        """Push the result to XCom, and return an error with the messages that have not reached ``until``."""
        result = summarize(self._sent, event["statuses"])
        self._push(context, result)
        pending = {
            name: one for name, one in result["statuses"].items() if one["status"] in _before(self.until)
        }
        count = f"{len(pending):,} of {len(self._sent.recipients):,}"
        text = f"{count} messages are not {self.until}: {describe(pending)}"
        if event["problem"]:
            return f"{text}. {event['problem']}"
        if result["none"] == len(self._sent.recipients):
            text += ". If the receiver gets no push about any message, Itniotech does not push to it"
            text += " (see docs/receiver.md)"
        return text

    def _fail(self, error: Exception, cause: Exception | None = None) -> NoReturn:
        if self.soft_fail or self.never_fail:
            log.warning("%s", error)  # Airflow skips the task without logging the reason
        raise error from cause

    def _push(self, context: Context, result: DeliveredDict) -> None:
        if not self.do_xcom_push or "ti" not in context:
            return
        try:
            context["ti"].xcom_push(key="return_value", value=result)
        except Exception as error:  # the task must still fail with its own error
            error_text = mask_phone_numbers(f"{type(error).__name__}: {error}")
            log.error("The statuses of the messages could not be pushed to XCom: %s", error_text)


def _before(until: str) -> tuple[str, ...]:
    """Return the statuses before ``until``."""
    return STATUS_ORDER[: STATUS_ORDER.index(until)]

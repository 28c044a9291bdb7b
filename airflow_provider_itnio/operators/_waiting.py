"""Waiting until a message that was accepted is sent, delivered or read."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
)

from airflow_provider_itnio._compat import is_airflow_3
from airflow_provider_itnio.api.checks import REACHABLE, STATUS_ORDER, check_choice, check_flag, check_seconds
from airflow_provider_itnio.api.errors import (
    TRANSIENT,
    InvalidParameterError,
    NotDeliveredError,
    ReceiverAccessError,
    ReceiverError,
)
from airflow_provider_itnio.api.masking import mask_phone
from airflow_provider_itnio.api.message_ids import message_id_problem
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog

if TYPE_CHECKING:
    from airflow_provider_itnio.api.answer_wait import AnswerWait
    from airflow_provider_itnio.api.receipt import ReceiptDict
    from airflow_provider_itnio.delivery.message_record import DeliveryRecord
    from airflow_provider_itnio.hooks.itnio import ItnioHook

WaitFor: TypeAlias = Literal["accepted", "sent", "delivered", "read"]
"""The status of a message at which the task succeeds."""

_MAX_WAIT: Final = timedelta(days=7)
_WAIT_TIMEOUT: Final = 600.0
"""Seconds, the default of ``wait_timeout``."""
TRIGGERER_MARGIN: Final = timedelta(minutes=5)
"""Added to a deferral's timeout, so that a triggerer can restart."""
_TRIGGER_TIMEOUT: Final = "Trigger timeout"
"""Airflow's error for a deferral that took longer than its ``timeout``."""

log = NeverRaisingLog(__name__)


def wait_seconds(wait_timeout: object, name: str = "wait_timeout") -> float:
    """Check a time to wait, and return it in seconds.

    :param wait_timeout: 1 s to 7 days, a timedelta or seconds.
    :param name: the parameter's name, for the error.
    :raises InvalidParameterError: if it is no such time, or out of its range.
    """
    return check_seconds(name, wait_timeout, 1, _MAX_WAIT.total_seconds())


def check_deferrable(deferrable: object) -> None:
    """Check the parameter ``deferrable``.

    :param deferrable: the task's parameter; ``None`` for Airflow's default.
    :raises InvalidParameterError: if it is neither a bool nor ``None``, such as the text "no".
    """
    if deferrable is not None:
        check_flag("deferrable", deferrable)


def is_deferrable(deferrable: bool | None) -> bool:
    """Return whether a task waits in the triggerer.

    :param deferrable: the task's ``deferrable``; ``None`` for ``[operators] default_deferrable``.
    """
    from airflow.providers.common.compat.sdk import conf

    if deferrable is not None:
        return deferrable
    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


def is_trigger_timeout(next_kwargs: Mapping[str, Any] | None) -> bool:
    """Return whether Airflow ended a deferral because no trigger did in time, and log it.

    :param next_kwargs: as Airflow passes it to ``resume_execution``.
    """
    if (next_kwargs or {}).get("error") != _TRIGGER_TIMEOUT:
        return False
    log.warning("The triggerer did not end the wait in time. Is it running?")
    return True


def check_wait(wait_for: object, wait_timeout: object, defaults: Collection[str]) -> None:
    """Check the parameters of a wait.

    :param wait_for: one of the values of ``WaitFor``.
    :param wait_timeout: 1 s to 7 days, a timedelta or seconds.
    :param defaults: names of parameters that come from ``default_args``, and may be for other tasks.
    :raises InvalidParameterError: if one of them is invalid, or the task has a ``wait_timeout`` itself and
        waits for nothing.
    """
    check_choice("wait_for", wait_for, ("accepted", *REACHABLE))
    is_own = wait_seconds(wait_timeout) != _WAIT_TIMEOUT and "wait_timeout" not in defaults
    if is_own and wait_for == "accepted":
        raise InvalidParameterError(
            'wait_timeout: needs wait_for="sent", "delivered" or "read"; without it, the task does not wait'
        )


def check_receiver(hook: ItnioHook, seconds: float, *, has_messaged: bool = False) -> None:
    """Check the connection's receiver before a message is sent and waited for.

    An unreachable receiver is logged only: it may be reachable again when the task waits.

    :param hook: the hook that asks the receiver.
    :param seconds: how long the task will wait.
    :param has_messaged: whether a previous try has sent messages. Then a refused token is only logged,
        because a proxy answers HTTP 404 while the receiver restarts.
    :raises ConfigurationError: if the connection names no receiver, or the receiver refuses the token.
    """
    from airflow_provider_itnio.api.status_wait import RESPONSE_GRACE

    try:
        hook.check_receiver(within=seconds + RESPONSE_GRACE)
    except ReceiverError as error:
        log.warning("%s. The message is sent anyway, and the task waits for it afterwards", error)
    except ReceiverAccessError as error:
        if not has_messaged:
            raise
        log.warning("%s. The task waits for the messages of a previous try anyway", error)


def check_message_id_is_usable(receipt: ReceiptDict) -> None:
    """Check that pushes can be matched to a message, which needs a usable id.

    :param receipt: the receipt.
    :raises AirflowFailException: at once and without retries, if the id is not usable.
    """
    if problem := message_id_problem(receipt["message_id"]):
        number = mask_phone(receipt["recipient"])
        error = NotDeliveredError(
            f"The {receipt['type']} message to {number} was accepted by Itniotech and {problem}",
            status="none",
        )
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error


def wait_for_status(hook: ItnioHook, message_id: str, until: str, seconds: float) -> dict[str, Any]:
    """Block until a message has a status or has failed.

    :param hook: the hook that asks the receiver.
    :param message_id: the message's id.
    :param until: ``sent``, ``delivered`` or ``read``.
    :param seconds: how long to wait at most.
    :return: as :meth:`StatusWait.result`.
    :raises ConfigurationError: if the connection names no receiver.
    """
    from airflow_provider_itnio.api.status_wait import StatusWait

    wait = StatusWait([message_id], until, time.time() + seconds)
    while True:
        try:
            pause = wait.take(hook.message_status(**wait.query()))
        except TRANSIENT as error:
            pause = wait.take(error)
        if pause is None:
            return wait.result()
        time.sleep(pause)


def wait_for_answer(hook: ItnioHook, wait: AnswerWait) -> dict[str, Any]:
    """Block until a question is answered, or can't be answered any more.

    :param hook: the hook that asks the receiver.
    :param wait: the wait.
    :return: as :meth:`AnswerWait.result`.
    :raises ConfigurationError: if the connection names no receiver.
    """
    while True:
        try:
            incoming = hook.incoming(**wait.incoming_query())
            pause = wait.take(incoming, hook.message_status(**wait.status_query()))
            if pause is not None and (open_arguments := wait.open_arguments()):
                hook.open_question(*open_arguments)
                wait.mark_opened()
        except TRANSIENT as error:
            pause = wait.take_error(error)
        if pause is None:
            return wait.result()
        time.sleep(pause)


def with_status(receipt: ReceiptDict, event: Mapping[str, Any], until: str, seconds: float) -> ReceiptDict:
    """Add the message's status to its receipt.

    :param receipt: the receipt.
    :param event: the result of the wait, as :meth:`StatusWait.result` returns it.
    :param until: the status that the task waited for.
    :param seconds: how long the task waited.
    :raises NotDeliveredError: if the message has failed or has not reached that status.
    """
    if until == "accepted":  # the DAG file has changed during the wait
        return receipt
    message_id, recipient = receipt["message_id"], receipt["recipient"]
    number = mask_phone(recipient)
    message = f"The {receipt['type']} message to {number} ({message_id.replace(recipient, number)})"
    last_status = event["statuses"].get(message_id) or {"status": "none", "at": None, "failure": None}
    status = last_status["status"]
    if status == "failed":
        raise NotDeliveredError(
            f"{message} was accepted by Itniotech and then failed: {last_status['failure']}",
            status=status,
            code=last_status.get("code"),
        )
    if STATUS_ORDER.index(status) < STATUS_ORDER.index(until):
        within = f"{until} within {timedelta(seconds=seconds)}"
        known = f"its last status is {status}" if status != "none" else _NOTHING_PUSHED
        outcome = f"was not {within}: {known}"
        if event["problem"]:
            outcome = f"it is unknown whether it was {within}: {event['problem']}"
        raise NotDeliveredError(
            f"{message} was accepted by Itniotech, and {outcome}",
            status=status,
        )
    log.info("%s was %s at %s", message, status, last_status["at"])
    return cast("ReceiptDict", {**receipt, "status": status, "status_at": last_status["at"]})


_FINAL_EXCEPTIONS: Final = (AirflowFailException, AirflowSkipException)
"""Exceptions that already end the task without retries."""

_NOTHING_PUSHED: Final = (
    "the receiver got no push about it (if this happens for every message, Itniotech does not push to the "
    "receiver: see docs/receiver.md)"
)


def end_retries(operator: Any) -> None:
    """Prevent a retry on Airflow 2, whatever fails later in this try, and keep a state that a person sets.

    It reads the operator's ``retries`` when the try fails. 3.0 and later do not, so nothing is done there.

    :param operator: the operator whose message was accepted, on an Airflow without a delivery record.
    """
    if operator.retries and not is_airflow_3():
        log.info("Not retried from here on: without a delivery record, a retry would send the message again")
        operator.retries = 0


@contextmanager
def prevent_resend(operator: Any, record: DeliveryRecord, recipient: str) -> Iterator[None]:
    """Turn errors during a wait into failures after which no retry sends the message again.

    With a delivery record, a retry continues the wait. Without one (before Airflow 3.3), a retry would send
    the message again, so the task fails without retries.

    :param operator: the operator that waits.
    :param record: the task's delivery record.
    :param recipient: the recipient of the message.
    """
    if not record.store:
        end_retries(operator)
    try:
        yield
    except NotDeliveredError as error:
        if error.status == "failed":
            record.record_failure(recipient, error)
        if error.status != "failed" and record.store:
            raise
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error
    except (Exception, AirflowTaskTimeout) as error:
        if record.store or isinstance(error, _FINAL_EXCEPTIONS):
            raise
        raise AirflowFailException(
            f"{type(error).__name__}: {error}. Not retried: the message was accepted, and without a delivery "
            "record (Airflow 3.3) a retry would send it again"
        ) from error

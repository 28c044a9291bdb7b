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

from airflow_provider_itnio._compat import is_task_terminated
from airflow_provider_itnio.api.checks import REACHABLE, STATUS_ORDER, check_choice, check_flag, check_seconds
from airflow_provider_itnio.api.errors import (
    MAY_PASS,
    InvalidParameterError,
    NotDeliveredError,
    ReceiverAccessError,
    ReceiverError,
)
from airflow_provider_itnio.api.masking import mask_phone
from airflow_provider_itnio.api.message_ids import why_not_waited_for
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog

if TYPE_CHECKING:
    from airflow_provider_itnio.api.answer_wait import AnswerWait
    from airflow_provider_itnio.api.receipt import ReceiptDict
    from airflow_provider_itnio.delivery.message_record import DeliveryRecord
    from airflow_provider_itnio.hooks.itnio import ItnioHook

WaitFor: TypeAlias = Literal["accepted", "sent", "delivered", "read"]
"""What a task that is green says of its message."""

_LONGEST: Final = timedelta(days=7)
_WAIT_TIMEOUT: Final = 600.0
"""Seconds, where a task does not say."""
OF_TRIGGERER: Final = timedelta(minutes=5)
"""How much longer a triggerer that has stopped is waited for."""

log = NeverRaisingLog(__name__)


def seconds_of(wait_timeout: object, name: str = "wait_timeout") -> float:
    """Check how long is waited, and return it in seconds.

    :param wait_timeout: a timedelta, or seconds.
    :param name: the name an error gives it.
    :raises InvalidParameterError: if it is none, or out of its range.
    """
    return check_seconds(name, wait_timeout, 1, _LONGEST.total_seconds())


def check_deferrable(given: object) -> None:
    """Check the parameter of this name.

    :param given: what the task says; ``None`` if that is up to Airflow.
    :raises InvalidParameterError: if it is something else, such as the text "no".
    """
    if given is not None:
        check_flag("deferrable", given)


def is_deferrable(given: bool | None) -> bool:
    """Return whether a task waits in the triggerer.

    :param given: what the task says; ``None`` if that is up to ``[operators] default_deferrable``.
    """
    from airflow.providers.common.compat.sdk import conf

    if given is not None:
        return given
    return bool(conf.getboolean("operators", "default_deferrable", fallback=False))


def check_wait(wait_for: object, wait_timeout: object, defaults: Collection[str]) -> None:
    """Check the parameters of a wait.

    :param wait_for: one of the words of ``WaitFor``.
    :param wait_timeout: a timedelta, or seconds.
    :param defaults: parameters that ``default_args`` say: those may be meant for other tasks.
    :raises InvalidParameterError: if one of them is something else, or the task is given a ``wait_timeout``
        and waits for nothing.
    """
    check_choice("wait_for", wait_for, ("accepted", *REACHABLE))
    is_own = seconds_of(wait_timeout) != _WAIT_TIMEOUT and "wait_timeout" not in defaults
    if is_own and wait_for == "accepted":
        raise InvalidParameterError(
            'wait_timeout: needs wait_for="sent", "delivered" or "read"; without it, nothing is waited for'
        )


def check_receiver(hook: ItnioHook, seconds: float, *, has_messaged: bool = False) -> None:
    """Make sure, before a message is sent, that it can be waited for.

    A receiver that is not reached just now does not hold the message up: it may be there for the wait.

    :param hook: what asks.
    :param seconds: how long the message will be waited for.
    :param has_messaged: whether an earlier try has sent messages, which are waited for in any case: a proxy
        answers HTTP 404 while the receiver restarts.
    :raises ConfigurationError: if the connection names no receiver, or that does not accept the token.
    """
    from airflow_provider_itnio.api.status_wait import LAST_ANSWER

    try:
        hook.check_receiver(within=seconds + LAST_ANSWER)
    except ReceiverError as error:
        log.warning("%s. The message is sent anyway, and the task waits for it afterwards", error)
    except ReceiverAccessError as error:
        if not has_messaged:
            raise
        log.warning("%s. The task waits for the messages of an earlier try anyway", error)


def check_can_be_waited_for(receipt: ReceiptDict) -> None:
    """Make sure that it is of use to wait for a message: no push is about one without a usable id.

    :param receipt: the receipt.
    :raises AirflowFailException: at once and without retries, if its id can't be used.
    """
    if problem := why_not_waited_for(receipt["message_id"]):
        number = mask_phone(receipt["recipient"])
        error = NotDeliveredError(
            f"The {receipt['type']} message to {number} was accepted by Itniotech and {problem}",
            status="none",
        )
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error


def wait_for_status(hook: ItnioHook, message_id: str, until: str, seconds: float) -> dict[str, Any]:
    """Block until a message has a status or has failed.

    :param hook: what asks.
    :param message_id: the message.
    :param until: ``sent``, ``delivered`` or ``read``.
    :param seconds: how long at most.
    :return: as :meth:`StatusWait.result`.
    :raises ConfigurationError: if the connection names no receiver.
    """
    from airflow_provider_itnio.api.status_wait import StatusWait

    wait = StatusWait([message_id], until, time.time() + seconds)
    while True:
        try:
            pause = wait.take(hook.message_status(**wait.question()))
        except MAY_PASS as error:
            pause = wait.take(error)
        if pause is None:
            return wait.result()
        time.sleep(pause)


def wait_for_answer(hook: ItnioHook, wait: AnswerWait) -> dict[str, Any]:
    """Block until a question has its answer, or nobody can give one any more.

    :param hook: what asks.
    :param wait: what is waited for.
    :return: as :meth:`AnswerWait.result`.
    :raises ConfigurationError: if the connection names no receiver.
    """
    while True:
        try:
            incoming = hook.incoming(**wait.what_to_read())
            pause = wait.take(incoming, hook.message_status(**wait.what_to_ask()))
            if pause is not None and (again := wait.to_open()):
                hook.open_question(*again)
                wait.opened()
        except MAY_PASS as error:
            pause = wait.take_error(error)
        if pause is None:
            return wait.result()
        time.sleep(pause)


def with_status(receipt: ReceiptDict, event: Mapping[str, Any], until: str, seconds: float) -> ReceiptDict:
    """Add to a receipt what became of its message.

    :param receipt: the receipt.
    :param event: how the wait ended, as :meth:`StatusWait.result` has it.
    :param until: the status that was waited for.
    :param seconds: how long it was waited for.
    :raises NotDeliveredError: if the message has failed or has not come that far.
    """
    message_id, recipient = receipt["message_id"], receipt["recipient"]
    number = mask_phone(recipient)
    message = f"The {receipt['type']} message to {number} ({message_id.replace(recipient, number)})"
    told = event["statuses"].get(message_id) or {"status": "none", "at": None, "failure": None}
    status = told["status"]
    if status == "failed":
        raise NotDeliveredError(
            f"{message} was accepted by Itniotech and then failed: {told['failure']}",
            status=status,
            code=told.get("code"),
        )
    if STATUS_ORDER.index(status) < STATUS_ORDER.index(until):
        within = f"{until} within {timedelta(seconds=seconds)}"
        known = f"its last status is {status}" if status != "none" else _NOTHING_PUSHED
        outcome = f"was not {within}: {known}"
        if event["problem"]:
            outcome = f"it is not known whether it was {within}: {event['problem']}"
        raise NotDeliveredError(
            f"{message} was accepted by Itniotech, and {outcome}",
            status=status,
        )
    log.info("%s is %s since %s", message, status, told["at"])
    return cast("ReceiptDict", {**receipt, "status": status, "status_at": told["at"]})


_AS_IT_IS: Final = (AirflowFailException, AirflowSkipException)
"""What lets Airflow try nothing again."""

_NOTHING_PUSHED: Final = (
    "the receiver knows of no status of it (if that is so of each message, Itniotech does not push to the "
    "receiver: see docs/receipts.md)"
)


@contextmanager
def never_sending_again(record: DeliveryRecord, recipient: str) -> Iterator[None]:
    """Let what ends a wait be a failure that makes no retry send the message again.

    With a delivery record a retry goes on waiting. Without one, as before Airflow 3.3, it would send: then
    the task fails at once.

    :param record: the task's.
    :param recipient: whose message is waited for.
    """
    try:
        yield
    except NotDeliveredError as error:
        if error.status == "failed":
            record.failed(recipient, error)
        if error.status != "failed" and record.store:
            raise
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error
    except BaseException as error:
        ends_the_wait = isinstance(error, (Exception, AirflowTaskTimeout)) or is_task_terminated(error)
        if record.store or not ends_the_wait or isinstance(error, _AS_IT_IS):
            raise
        raise AirflowFailException(
            f"{type(error).__name__}: {error}. The message was accepted before, and without a delivery "
            "record (Airflow 3.3) a retry would send it again"
        ) from error

"""The WhatsApp template that is sent instead of a message outside the 24-hour window."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_itnio.api.describe import describe_key, describe_value
from airflow_provider_itnio.api.errors import InvalidMessageError, NotDeliveredError, ReceiverError
from airflow_provider_itnio.api.masking import mask_phone
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.message_fields import MESSAGE_FIELDS

if TYPE_CHECKING:
    from airflow_provider_itnio.api.models import Message
    from airflow_provider_itnio.api.receipt import ReceiptDict
    from airflow_provider_itnio.hooks.itnio import ItnioHook
    from airflow_provider_itnio.hooks.prepared_message import PreparedMessage

log = NeverRaisingLog(__name__)


def check_fallback(fallback: Any, is_unrendered: Callable[[Any], bool] = lambda value: False) -> None:
    """Check that a fallback is a WhatsApp template, as ``message`` takes it.

    :param fallback: the fallback; ``None`` for none.
    :param is_unrendered: returns whether a value is known only after rendering.
    :raises InvalidMessageError: if it is another message, or breaks a rule.
    """
    from airflow_provider_itnio.api.models import check_fields

    if fallback is None or is_unrendered(fallback):
        return
    if not isinstance(fallback, Mapping):
        raise _not_a_template_error(describe_value(fallback))
    kinds = [name for name in MESSAGE_FIELDS if fallback.get(name) is not None]
    if kinds != ["template"]:
        raise _not_a_template_error(", ".join(kinds or map(describe_key, fallback)) or "an empty dict")
    try:
        check_fields({"message": fallback}, is_unrendered=is_unrendered)
    except InvalidMessageError as error:
        paths = (problem.removeprefix("message.") for problem in error.problems)
        raise InvalidMessageError(*(f"fallback.{path}" for path in paths)) from None


def _not_a_template_error(description: str) -> InvalidMessageError:
    return InvalidMessageError(
        'fallback: must be {"template": template_message(…)}, because only a WhatsApp template reaches a '
        f"recipient who has not written in the last 24 hours; {description} given"
    )


def fallback_message(fallback: Any) -> Message:
    """Check a rendered fallback and return it as a message.

    :param fallback: the fallback.
    :raises InvalidMessageError: if it breaks a rule, or is ``None``.
    """
    from airflow_provider_itnio.api.models import message_from

    if fallback is None:
        raise _not_a_template_error("None")
    check_fallback(fallback)
    return message_from({"message": fallback})


def prepare_fallback(hook: ItnioHook, recipient: str, fallback: Any) -> PreparedMessage:
    """Check a rendered fallback and prepare it for sending.

    :param hook: the hook that sends it.
    :param recipient: the phone number, digits only.
    :param fallback: the fallback.
    :raises InvalidMessageError: if it breaks a rule.
    :raises ConfigurationError: if a field of the connection is missing.
    """
    check_fallback(fallback)
    return hook.prepare(recipient, message=fallback)


def is_window_closed(hook: ItnioHook, recipient: str) -> bool:
    """Return whether the receiver reports that a recipient's 24-hour window is closed.

    ``False`` if the receiver is unreachable: the message itself is sent then.

    :param hook: the hook that asks the receiver.
    :param recipient: the phone number, digits only.
    :raises ConfigurationError: if the connection names no receiver, or the receiver refuses the token.
    """
    return recipient in closed_windows(hook, [recipient])


def closed_windows(hook: ItnioHook, recipients: Collection[str]) -> frozenset[str]:
    """Return the recipients whose 24-hour window the receiver reports as closed.

    None if the receiver is unreachable, or takes over ten seconds for all of them: the messages themselves
    are sent then.

    :param hook: the hook that asks the receiver.
    :param recipients: the phone numbers, digits only.
    :raises ConfigurationError: if the connection names no receiver, or the receiver refuses the token.
    """
    if not recipients:
        return frozenset()
    try:
        windows = hook.windows(recipients)
    except ReceiverError as error:
        log.warning("%s. The message itself is sent, not the WhatsApp template", error)
        return frozenset()
    closed = {number: window for number, window in windows.items() if not window.is_open}
    for number, window in closed.items():
        last_at = window.last_incoming_at
        log.info(
            "The 24-hour window of %s is closed (%s): a WhatsApp template is sent instead of the message",
            mask_phone(number),
            f"their last message came at {last_at}" if last_at else "the receiver has no message from them",
        )
    return frozenset(closed)


def failed_outside_window(receipt: ReceiptDict, error: NotDeliveredError) -> bool:
    """Return whether a message failed because the 24-hour window was closed, and is no WhatsApp template.

    :param receipt: the message's receipt.
    :param error: the error with which it failed.
    """
    from airflow_provider_itnio.status_texts import WINDOW_CODES

    return error.code in WINDOW_CODES and receipt["type"] != "template"

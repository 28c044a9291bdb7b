"""Which messages are waited for, and what became of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypedDict

from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import InvalidParameterError
from airflow_provider_itnio.api.masking import mask_phone
from airflow_provider_itnio.api.values import integral, plain_scalar
from airflow_provider_itnio.templating import is_list_in_text

_LONGEST_ID: Final = 128
_LEVELS: Final = 5
"""How deep lists may be nested: a list of the outputs of mapped tasks needs three levels."""
_LISTED: Final = 20
"""Messages that an error lists."""
_LONGEST_LITERAL: Final = 1_000_000


class StatusDict(TypedDict):
    """What became of one message."""

    recipient: str | None
    status: str
    at: str | None
    failure: str | None
    code: int | None


class DeliveredDict(TypedDict):
    """What :class:`WhatsAppDeliveredSensor` returns: each message counts once, under its last status."""

    none: int
    sent: int
    delivered: int
    read: int
    failed: int
    statuses: dict[str, StatusDict]


def sent_messages(given: Any) -> dict[str, str | None]:
    """Find the messages in what earlier tasks have returned.

    :param given: a receipt, a broadcast's summary with receipts, a message id, or a list of them, also of
        lists; a list may stand in a text, as JSON or as Python writes it.
    :return: each message's recipient by its id, ``None`` if only the id is known.
    :raises InvalidParameterError: if there is no message, or something else stands among them.
    """
    found: dict[str, str | None] = {}
    for message_id, recipient in _messages(given, "messages", 0):
        found[message_id] = found.get(message_id) or recipient
    if not found:
        raise InvalidParameterError(
            "messages: must hold at least one receipt or message id, an empty list given"
        )
    return found


def _messages(given: Any, path: str, level: int) -> Iterator[tuple[str, str | None]]:
    given = plain_scalar(given)
    if isinstance(given, Mapping) and "receipts" in given and "accepted" in given:
        yield from _messages(given["receipts"], f"{path}.receipts", level + 1)
    elif isinstance(given, Mapping):
        yield _message_of(given, path)
    elif (number := integral(given)) is not None:  # what native rendering makes of an id of digits
        yield _checked(str(number), path), None
    elif isinstance(given, str):
        if is_list_in_text(given):
            yield from _messages(_read(given, path), path, level + 1)
        else:
            yield _checked(given.strip(), path), None
    elif _is_list(given) and level < _LEVELS:
        for index, one in enumerate(given):
            yield from _messages(one, f"{path}[{index}]", level + 1)
    else:
        hint = "; a task that is skipped or sends nothing has no receipt" if given is None else ""
        raise InvalidParameterError(
            f"{path}: must be a receipt or a message id, {describe_value(given)} given{hint}"
        )


def _message_of(receipt: Mapping[Any, Any], path: str) -> tuple[str, str | None]:
    recipient = plain_scalar(receipt.get("recipient"))
    if "message_id" in receipt:
        (found,) = _messages(receipt["message_id"], f"{path}.message_id", _LEVELS)
        return found[0], recipient if isinstance(recipient, str) and recipient else None
    if "accepted" in receipt and "recipients" in receipt:
        raise InvalidParameterError(
            f"{path}: the summary of a broadcast holds message ids only with keep_receipts=True of the "
            "broadcast; set it, or let the broadcast itself wait (wait_for)"
        )
    raise InvalidParameterError(f"{path}: must be a receipt, an object without message_id given")


def _checked(message_id: str, path: str) -> str:
    if message_id.startswith("(accepted; its id"):
        raise InvalidParameterError(
            f"{path}: Itniotech accepted this message under an id that can't be used {message_id}, "
            "so it can't be waited for"
        )
    if message_id.startswith("LazyXComSequence(") or message_id.startswith("LazySelectSequence("):
        raise InvalidParameterError(
            f"{path}: Jinja has made a text of a mapped task's outputs; give them as they are "
            "(messages=task.output)"
        )
    if not 0 < len(message_id) <= _LONGEST_ID or not message_id.isprintable():
        raise InvalidParameterError(
            f"{path}: a message id is printable text of 1 to {_LONGEST_ID} characters, "
            f"{describe_value(message_id)} ({len(message_id):,} characters) given"
        )
    return message_id


def _is_list(given: Any) -> bool:
    if isinstance(given, (bytes, bytearray, memoryview)):
        return False
    return isinstance(given, Iterable) or (hasattr(given, "__getitem__") and hasattr(given, "__len__"))


def _read(text: str, path: str) -> Any:
    """Read what Jinja makes of a receipt or a list, unless it renders natively."""
    import ast

    readers: tuple[Callable[[str], Any], ...] = (json.loads, ast.literal_eval)
    for read in readers if len(text) <= _LONGEST_LITERAL else ():
        try:
            return read(text.strip())
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    raise InvalidParameterError(
        f"{path}: a text that begins with {text.strip()[0]} must be JSON, or what Python writes; give the "
        "output of the earlier task as it is (messages=task.output)"
    )


def outcome(recipients: Mapping[str, str | None], statuses: Mapping[str, Mapping[str, Any]]) -> DeliveredDict:
    """Return what became of messages.

    :param recipients: each message's recipient by its id.
    :param statuses: what the receiver knows, as :meth:`StatusWait.result` has it.
    """
    unknown = {"status": "none", "at": None, "failure": None, "code": None}
    every: dict[str, Any] = {
        message_id: {"recipient": recipient, **statuses.get(message_id, unknown)}
        for message_id, recipient in recipients.items()
    }
    names = [one["status"] for one in every.values()]
    return {
        "none": names.count("none"),
        "sent": names.count("sent"),
        "delivered": names.count("delivered"),
        "read": names.count("read"),
        "failed": names.count("failed"),
        "statuses": every,
    }


def listed(messages: Mapping[str, StatusDict]) -> str:
    """List messages in words, each with its recipient's number shortened and why it stands there.

    :param messages: the messages.
    """
    shown = [_shown(message_id, one) for message_id, one in list(messages.items())[:_LISTED]]
    more = len(messages) - len(shown)
    return "; ".join([*shown, f"and {more:,} more"] if more else shown)


def _shown(message_id: str, one: StatusDict) -> str:
    why = one["failure"] if one["status"] == "failed" else f"status {one['status']}"
    if not (recipient := one["recipient"]):
        return f"{message_id}: {why}"
    number = mask_phone(recipient)
    return f"{number} ({message_id.replace(recipient, number)}): {why}"

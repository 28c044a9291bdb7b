"""The messages that a sensor waits for, and their statuses."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias, TypedDict

from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import InvalidParameterError
from airflow_provider_itnio.api.masking import mask_phone
from airflow_provider_itnio.api.message_ids import MAX_ID_LENGTH, message_id_problem
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.api.values import integral, plain_scalar
from airflow_provider_itnio.templating import is_list_in_text

_MAX_LEVELS: Final = 5
"""How deep lists may be nested: a list of the outputs of mapped tasks needs three levels."""
_MAX_LISTED: Final = 20
"""Messages that an error lists."""
_MAX_LITERAL_LENGTH: Final = 1_000_000
_NOT_ACCEPTED: Final = ("refused", "invalid", "not_sent", "unknown", "not_attempted")
"""The counts in a broadcast's summary of recipients without a message that is known to be accepted."""


class StatusDict(TypedDict):
    """The last status of one message."""

    recipient: str | None
    status: str
    at: str | None
    failure: str | None
    code: int | None


class DeliveredDict(TypedDict):
    """The result of :class:`WhatsAppDeliveredSensor`. Each message counts once, under its last status.

    ``not_accepted`` counts the recipients of a broadcast without an accepted message.
    """

    none: int
    sent: int
    delivered: int
    read: int
    failed: int
    not_accepted: int
    statuses: dict[str, StatusDict]


class SentMessages(NamedTuple):
    """The messages that upstream tasks have sent, and the number of recipients without one.

    :param recipients: the recipients by message id; ``None`` if only the id is known.
    :param not_accepted: the number of recipients without an accepted message, by the summary's key.
    """

    recipients: dict[str, str | None]
    not_accepted: Counter[str]

    def describe_not_accepted(self) -> str:
        """Return the number of recipients without an accepted message, as a part of an error."""
        counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in self.not_accepted.items())
        count = self.not_accepted.total()
        people = f"{count:,} recipient{'' if count == 1 else 's'} of the broadcast ({counts})"
        return f"no message is known to be accepted for {people}: see the broadcast's log and summary"


def sent_messages(value: Any) -> SentMessages:
    """Find the messages in what upstream tasks have returned.

    :param value: a receipt, a broadcast's summary with receipts, a message id, or a list of these, also
        nested. A list may also be a text, in JSON or as a Python literal.
    :raises InvalidParameterError: if there is no message, a value is none of these, or a message can't be
        waited for.
    """
    recipients: dict[str, str | None] = {}
    not_accepted: Counter[str] = Counter()
    for message_id, recipient, path in _read_messages(value, "messages", 0, not_accepted):
        if problem := message_id_problem(message_id, recipient, recipients.get(message_id)):
            raise InvalidParameterError(f"{path}: the message was accepted and {problem}")
        recipients[message_id] = recipients.get(message_id) or recipient
    if not recipients and not not_accepted:
        raise InvalidParameterError(
            "messages: must contain at least one receipt or message id, an empty list given"
        )
    return SentMessages(recipients, not_accepted)


_Message: TypeAlias = tuple[str, str | None, str]
"""A message's id, its recipient or ``None``, and its path in ``messages``."""


def _read_messages(value: Any, path: str, level: int, not_accepted: Counter[str]) -> Iterator[_Message]:
    value = value.as_dict() if isinstance(value, Receipt) else plain_scalar(value)
    if isinstance(value, str) and value == "None":  # how Jinja writes None
        value = None
    if isinstance(value, Mapping) and "receipts" in value and "accepted" in value:
        yield from _read_summary(value, path, level, not_accepted)
    elif isinstance(value, Mapping):
        yield _read_receipt(value, path)
    elif isinstance(value, str) and is_list_in_text(value):
        yield from _read_messages(_parse_text(value, path), path, level + 1, not_accepted)
    elif isinstance(value, str) or integral(value) is not None:
        yield _read_id(value, path), None, path
    elif _is_list(value) and level < _MAX_LEVELS:
        for index, entry in enumerate(value):
            yield from _read_messages(entry, f"{path}[{index}]", level + 1, not_accepted)
    else:
        raise _invalid_message(value, path)


def _invalid_message(value: Any, path: str) -> InvalidParameterError:
    hint = "; a task that is skipped or sends nothing has no receipt" if value is None else ""
    return InvalidParameterError(
        f"{path}: must be a receipt or a message id, {describe_value(value)} given{hint}"
    )


def _read_summary(
    summary: Mapping[Any, Any], path: str, level: int, not_accepted: Counter[str]
) -> Iterator[_Message]:
    ids: set[str] = set()
    for message in _read_messages(summary["receipts"], f"{path}.receipts", level + 1, not_accepted):
        ids.add(message[0])
        yield message
    accepted = sum(_count(summary, name) for name in ("accepted", "accepted_earlier"))
    if len(ids) < accepted:
        raise InvalidParameterError(
            f"{path}.receipts: the summary counts {accepted:,} accepted messages and has {len(ids):,} ids, "
            "so the others can't be waited for; to wait only for these, pass the receipts, not the summary"
        )
    for name in _NOT_ACCEPTED:
        if count := _count(summary, name):
            not_accepted[name] += count


def _count(summary: Mapping[Any, Any], name: str) -> int:
    return integral(plain_scalar(summary.get(name))) or 0


def _read_receipt(receipt: Mapping[Any, Any], path: str) -> _Message:
    if "message_id" in receipt:
        recipient = plain_scalar(receipt.get("recipient"))
        if (number := integral(recipient)) is not None:  # native rendering makes numbers of digits
            recipient = str(number)
        id_path = f"{path}.message_id"
        message_id = _read_id(plain_scalar(receipt["message_id"]), id_path)
        return message_id, recipient if isinstance(recipient, str) and recipient else None, id_path
    if "accepted" in receipt and "recipients" in receipt:
        raise InvalidParameterError(
            f"{path}: the summary of a broadcast contains message ids only with keep_receipts=True; set it, "
            "or let the broadcast itself wait (wait_for)"
        )
    raise InvalidParameterError(f"{path}: must be a receipt, an object without message_id given")


def _read_id(value: Any, path: str) -> str:
    if (number := integral(value)) is not None:  # native rendering makes a number of an id of digits
        value = str(number)
    if not isinstance(value, str):
        raise _invalid_message(value, path)
    message_id = value.strip()
    if message_id.startswith("LazyXComSequence(") or message_id.startswith("LazySelectSequence("):
        raise InvalidParameterError(
            f"{path}: Jinja has turned a mapped task's outputs into a text; pass them directly "
            "(messages=task.output)"
        )
    if not 0 < len(message_id) <= MAX_ID_LENGTH or not message_id.isprintable():
        raise InvalidParameterError(
            f"{path}: a message id is printable text of 1 to {MAX_ID_LENGTH} characters, "
            f"{describe_value(message_id)} ({len(message_id):,} characters) given"
        )
    return message_id


def _is_list(value: Any) -> bool:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return False
    return isinstance(value, Iterable) or (hasattr(value, "__getitem__") and hasattr(value, "__len__"))


def _parse_text(text: str, path: str) -> Any:
    """Read a receipt or a list that Jinja has turned into a text."""
    import ast

    readers: tuple[Callable[[str], Any], ...] = (json.loads, ast.literal_eval)
    for read in readers if len(text) <= _MAX_LITERAL_LENGTH else ():
        try:
            return read(text.strip())
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    raise InvalidParameterError(
        f"{path}: a text that begins with {text.strip()[0]} must be JSON or a Python literal; pass the "
        "output of the upstream task directly (messages=task.output)"
    )


def summarize(sent: SentMessages, statuses: Mapping[str, Mapping[str, Any]]) -> DeliveredDict:
    """Return the sensor's result.

    :param sent: the messages.
    :param statuses: the statuses in the receiver, as :meth:`StatusWait.result` returns them.
    """
    unknown = {"status": "none", "at": None, "failure": None, "code": None}
    details: dict[str, Any] = {
        message_id: {"recipient": recipient, **statuses.get(message_id, unknown)}
        for message_id, recipient in sent.recipients.items()
    }
    names = [detail["status"] for detail in details.values()]
    return {
        "none": names.count("none"),
        "sent": names.count("sent"),
        "delivered": names.count("delivered"),
        "read": names.count("read"),
        "failed": names.count("failed"),
        "not_accepted": sent.not_accepted.total(),
        "statuses": details,
    }


def describe(messages: Mapping[str, StatusDict]) -> str:
    """List messages for an error, each with its recipient's masked number and its status or failure.

    :param messages: the messages.
    """
    shown = [_shown(message_id, one) for message_id, one in list(messages.items())[:_MAX_LISTED]]
    more = len(messages) - len(shown)
    return "; ".join([*shown, f"and {more:,} more"] if more else shown)


def _shown(message_id: str, status: StatusDict) -> str:
    reason = status["failure"] if status["status"] == "failed" else f"status {status['status']}"
    if not (recipient := status["recipient"]):
        return f"{message_id}: {reason}"
    number = mask_phone(recipient)
    return f"{number} ({message_id.replace(recipient, number)}): {reason}"

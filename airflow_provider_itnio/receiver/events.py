"""Parse Itniotech's pushes: statuses of messages, incoming messages, and events of unknown shape.

The vendor documents the push of statuses (page pushMsgReport) and of texts, media and locations (page
pushMoReport), but not of taps on buttons and rows. For these, all shapes of WhatsApp's own API are read, in
``message`` or at the top level. An event that can't be read is stored as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

STATUSES: Final = ("sent", "delivered", "read", "failed", "deleted")
MAX_ID_LENGTH: Final = 200
_MAX_WORD_LENGTH: Final = 64
_MAX_TEXT_LENGTH: Final = 20_000
_FIRST_MILLISECONDS: Final = 100_000_000_000
"""A number from here on is a time in milliseconds or smaller units: in seconds it would be after the year
5000."""
_UNIX: Final = re.compile(r"\d{1,20}([.,]\d*)?(E\+?\d{1,2})?", re.ASCII | re.IGNORECASE)

_CLOCK_SKEW: Final = 300
"""Seconds that Itniotech's clock may be ahead of this machine's."""
_MAX_ZONE_OFFSET: Final = 24 * 3600
"""Seconds that a time may be ahead because of another time zone. Later times are invalid."""


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """A message reached a status.

    :param at: Unix seconds by Itniotech's clock; the time of the push if that can't be read.
    :param failure: the reason, with the status ``failed``.
    """

    message_id: str
    status: str
    at: int
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A person wrote a message, or chose a button or a row.

    :param sender: the person's number, digits only.
    :param business_phone: the number that it was written to, digits only; empty if unknown.
    :param option_id: the id of the button or row that was chosen.
    :param reply_to: the id of the message that it answers.
    :param at: Unix seconds by Itniotech's clock; the time of the push if that can't be read.
    :param opens_window: whether its time could be read, so that it opens a 24-hour window.
    """

    message_id: str
    sender: str
    name: str
    business_phone: str
    type: str
    text: str
    option_id: str | None
    option_title: str | None
    reply_to: str | None
    at: int
    opens_window: bool


@dataclass(frozen=True, slots=True)
class UnreadEvent:
    """An event of an unknown kind, or one without a required field.

    :param kind: its ``eventType``, if it has one.
    :param reason: why it can't be read.
    :param body: the event as JSON.
    """

    kind: str
    reason: str
    body: str


Event = StatusEvent | IncomingMessage | UnreadEvent


def read_events(push: object, now: int) -> list[Event]:
    """Parse a push.

    :param push: the parsed JSON of the push's body.
    :param now: Unix seconds, used if the event has no valid time.
    :return: the event; and the push as an :class:`UnreadEvent` too, if a part of it could not be read.
    """
    if not isinstance(push, Mapping):
        return [_unread_event(push, "", "not a JSON object")]
    at = _parse_time(push.get("timestamp"))
    if at is not None and at > now + _MAX_ZONE_OFFSET:
        at = None
    event = _parse_event(push, at, now)
    if isinstance(event, UnreadEvent):
        return [event]
    kind, reason = "up-message-event", "timestamp can't be read" if at is None else ""
    if isinstance(event, StatusEvent):
        kind = "message-status-event"
        reason = "failed without a reason" if event.failure == "" else reason
    return [event, _unread_event(push, kind, reason)] if reason else [event]


def _parse_event(push: Mapping[Any, Any], at: int | None, now: int) -> Event:
    kind = _text(push.get("eventType"), _MAX_WORD_LENGTH)
    if kind not in ("message-status-event", "up-message-event"):
        return _unread_event(push, kind, "unknown eventType")
    message_id = _text(push.get("messageId"), MAX_ID_LENGTH + 1)
    if not 0 < len(message_id) <= MAX_ID_LENGTH:
        return _unread_event(push, kind, f"messageId is missing or over {MAX_ID_LENGTH} characters")
    if kind == "message-status-event":
        return _parse_status(push, kind, message_id, now if at is None else at)
    return _parse_incoming(push, kind, message_id, at, now)


def _parse_status(push: Mapping[Any, Any], kind: str, message_id: str, at: int) -> Event:
    status = _text(push.get("status"), _MAX_WORD_LENGTH).lower()
    if status not in STATUSES:
        return _unread_event(push, kind, "unknown status")
    return StatusEvent(message_id, status, at, _reason(push) if status == "failed" else None)


def _reason(push: Mapping[Any, Any]) -> str:
    """Return why a message failed: text as it is, other values as JSON."""
    for name in ("failure", "errors", "error", "reason"):
        value = push.get(name)
        if isinstance(value, Mapping | list | float) and value:
            value = json.dumps(_code_first(value), ensure_ascii=False)
        if (text := _text(value, _MAX_TEXT_LENGTH)).strip():
            return text
    return ""


def _code_first(value: object) -> object:
    """Move the code of an object to the front, so that it survives when the text is cut."""
    if isinstance(value, Mapping):
        return {name: value[name] for name in ("code", *value) if name in value}
    if isinstance(value, list):
        return [_code_first(item) if isinstance(item, Mapping) else item for item in value]
    return value


def _parse_incoming(push: Mapping[Any, Any], kind: str, message_id: str, at: int | None, now: int) -> Event:
    origin = push.get("from")
    person = origin if isinstance(origin, Mapping) else {"phone": origin}
    sender = digits_of(person.get("phone"))
    if not sender:
        return _unread_event(push, kind, "from.phone is missing")
    message = _object(push, "message")
    option_id, option_title = _parse_option(message) or _parse_option(push) or (None, None)
    message_type = _text(message.get("type"), _MAX_WORD_LENGTH)
    context = _object(message, "context") or _object(push, "context")
    return IncomingMessage(
        message_id=message_id,
        sender=sender,
        name=_text(person.get("name"), _MAX_WORD_LENGTH),
        business_phone=digits_of(push.get("businessPhone")),
        type=message_type or "unknown",
        text=option_title or _message_text(message, message_type),
        option_id=option_id,
        option_title=option_title,
        reply_to=_text(context.get("id") or context.get("refMessageId"), MAX_ID_LENGTH) or None,
        at=now if at is None or at > now + _CLOCK_SKEW else at,  # so that no window is open over 24 hours
        opens_window=at is not None,
    )


def _parse_option(holder: Mapping[Any, Any]) -> tuple[str, str] | None:
    """Return the id and the title of the option that was chosen."""
    for parent in (holder, _object(holder, "interactive")):
        for name in ("button_reply", "list_reply", "buttonReply", "listReply"):
            if option := _object(parent, name):
                return _text(option.get("id"), _MAX_TEXT_LENGTH), _text(option.get("title"), _MAX_TEXT_LENGTH)
    if button := _object(holder, "button"):
        text = _text(button.get("text"), _MAX_TEXT_LENGTH)
        return _text(button.get("payload") or button.get("id"), _MAX_TEXT_LENGTH) or text, text
    return None


def _message_text(message: Mapping[Any, Any], message_type: str) -> str:
    text = message.get("text")
    if isinstance(text, str):
        return _text(text, _MAX_TEXT_LENGTH)
    content = _object(message, message_type)
    return _text(_object(message, "text").get("body") or content.get("caption"), _MAX_TEXT_LENGTH)


def _object(holder: Mapping[Any, Any], name: str) -> Mapping[Any, Any]:
    value = holder.get(name)
    return value if isinstance(value, Mapping) else {}


def _text(value: object, max_length: int) -> str:
    """Return a value as text that all databases accept: shortened, without NUL and lone surrogates."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    if isinstance(value, int):
        value = str(value) if abs(value) < 10**40 else ""
    return value[:max_length].replace("\0", "").encode("utf-8", "replace").decode()


def digits_of(value: object) -> str:
    """Return the digits of a phone number in JSON; empty if there are none."""
    return "".join(filter(str.isdecimal, _text(value, _MAX_WORD_LENGTH)))


def _parse_time(value: object) -> int | None:
    """Read a time: Unix time in any unit down to nanoseconds, or ISO 8601, in UTC if it has no zone."""
    text = repr(value) if isinstance(value, float) else _text(value, _MAX_WORD_LENGTH).strip()
    try:
        if _UNIX.fullmatch(text):
            seconds = int(Decimal(text.replace(",", ".")))
            while _FIRST_MILLISECONDS <= seconds < _FIRST_MILLISECONDS * 10**9:
                seconds //= 1000
        else:
            moment = datetime.fromisoformat(text)
            seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None


def _unread_event(push: object, kind: str, reason: str) -> UnreadEvent:
    return UnreadEvent(kind, reason, json.dumps(push))

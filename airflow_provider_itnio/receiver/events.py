"""What Itniotech pushes: a status of a message, what a person wrote, or something of another shape.

The vendor documents the status push (page pushMsgReport) and the push of texts, media and locations (page
pushMoReport). How taps on buttons and rows arrive is not documented: each shape that WhatsApp itself has is
read, inside ``message`` or beside it. An event that can't be read is kept whole.
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
LONGEST_ID: Final = 200
_LONGEST_WORD: Final = 64
_LONGEST_TEXT: Final = 20_000
_MILLISECONDS: Final = 100_000_000_000
"""A time from here on counts milliseconds, or thousandths of them: as seconds it would be after the year
5000."""
_UNIX: Final = re.compile(r"\d{1,20}([.,]\d*)?(E\+?\d{1,2})?", re.ASCII | re.IGNORECASE)

_CLOCKS_APART: Final = 300
"""Seconds by which Itniotech's clock may be ahead of this machine's."""
_ZONES_APART: Final = 24 * 3600
"""Seconds by which a time may be ahead that was written in another zone. Later ones are no times."""


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """A message reached a status.

    :param at: Unix seconds, by Itniotech's clock; when it was pushed if that can't be read.
    :param failure: the reason, beside ``failed``.
    """

    message_id: str
    status: str
    at: int
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A person wrote, or chose a button or a row.

    :param sender: the person's number, digits only.
    :param business_phone: the number that they wrote to, digits only; empty if that is not known.
    :param option_id: the id of the button or row that was chosen.
    :param reply_to: the id of the message that it answers.
    :param at: Unix seconds, by Itniotech's clock; when it came if that can't be read.
    :param opens_window: whether it is known when it was written.
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
    """An event of another kind, or one that lacks what its kind must have.

    :param kind: its ``eventType``, if it has one.
    :param reason: why it can't be read.
    :param body: the event as JSON.
    """

    kind: str
    reason: str
    body: str


Event = StatusEvent | IncomingMessage | UnreadEvent


def read_events(pushed: object, now: int) -> list[Event]:
    """Read a push.

    :param pushed: the push's body, parsed.
    :param now: Unix seconds, used where the event has no time that can be.
    :return: the event; and the push once more, unread, if a part of it could not be read.
    """
    if not isinstance(pushed, Mapping):
        return [_unread(pushed, "", "is no object")]
    at = _seconds(pushed.get("timestamp"))
    if at is not None and at > now + _ZONES_APART:
        at = None
    event = _read(pushed, at, now)
    if isinstance(event, UnreadEvent):
        return [event]
    kind, reason = "up-message-event", "timestamp can't be read" if at is None else ""
    if isinstance(event, StatusEvent):
        kind = "message-status-event"
        reason = "failed without a reason" if event.failure == "" else reason
    return [event, _unread(pushed, kind, reason)] if reason else [event]


def _read(pushed: Mapping[Any, Any], at: int | None, now: int) -> Event:
    kind = _text(pushed.get("eventType"), _LONGEST_WORD)
    if kind not in ("message-status-event", "up-message-event"):
        return _unread(pushed, kind, "eventType is not known")
    message_id = _text(pushed.get("messageId"), LONGEST_ID + 1)
    if not 0 < len(message_id) <= LONGEST_ID:
        return _unread(pushed, kind, f"messageId is missing or over {LONGEST_ID} characters")
    if kind == "message-status-event":
        return _status(pushed, kind, message_id, now if at is None else at)
    return _incoming(pushed, kind, message_id, at, now)


def _status(pushed: Mapping[Any, Any], kind: str, message_id: str, at: int) -> Event:
    status = _text(pushed.get("status"), _LONGEST_WORD).lower()
    if status not in STATUSES:
        return _unread(pushed, kind, "status is not known")
    return StatusEvent(message_id, status, at, _reason(pushed) if status == "failed" else None)


def _reason(pushed: Mapping[Any, Any]) -> str:
    """Return why a message failed: a text as it is, all else as JSON."""
    for name in ("failure", "errors", "error", "reason"):
        value = pushed.get(name)
        if isinstance(value, Mapping | list | float) and value:
            value = json.dumps(_code_first(value), ensure_ascii=False)
        if (text := _text(value, _LONGEST_TEXT)).strip():
            return text
    return ""


def _code_first(value: object) -> object:
    """Let an object begin with its code, which a reader who gets the beginning alone must have."""
    if isinstance(value, Mapping):
        return {name: value[name] for name in ("code", *value) if name in value}
    if isinstance(value, list):
        return [_code_first(one) if isinstance(one, Mapping) else one for one in value]
    return value


def _incoming(pushed: Mapping[Any, Any], kind: str, message_id: str, at: int | None, now: int) -> Event:
    origin = pushed.get("from")
    who = origin if isinstance(origin, Mapping) else {"phone": origin}
    sender = digits_of(who.get("phone"))
    if not sender:
        return _unread(pushed, kind, "from.phone is missing")
    message = _object(pushed, "message")
    option_id, option_title = _option(message) or _option(pushed) or (None, None)
    word = _text(message.get("type"), _LONGEST_WORD)
    context = _object(message, "context") or _object(pushed, "context")
    return IncomingMessage(
        message_id=message_id,
        sender=sender,
        name=_text(who.get("name"), _LONGEST_WORD),
        business_phone=digits_of(pushed.get("businessPhone")),
        type=word or "unknown",
        text=option_title or _words(message, word),
        option_id=option_id,
        option_title=option_title,
        reply_to=_text(context.get("id") or context.get("refMessageId"), LONGEST_ID) or None,
        at=now if at is None or at > now + _CLOCKS_APART else at,  # a window is not open longer than a day
        opens_window=at is not None,
    )


def _option(holder: Mapping[Any, Any]) -> tuple[str, str] | None:
    """Find the id and the title of what was chosen."""
    for place in (holder, _object(holder, "interactive")):
        for name in ("button_reply", "list_reply", "buttonReply", "listReply"):
            if chosen := _object(place, name):
                return _text(chosen.get("id"), _LONGEST_TEXT), _text(chosen.get("title"), _LONGEST_TEXT)
    if button := _object(holder, "button"):
        text = _text(button.get("text"), _LONGEST_TEXT)
        return _text(button.get("payload") or button.get("id"), _LONGEST_TEXT) or text, text
    return None


def _words(message: Mapping[Any, Any], word: str) -> str:
    text = message.get("text")
    if isinstance(text, str):
        return _text(text, _LONGEST_TEXT)
    held = _object(message, word)
    return _text(_object(message, "text").get("body") or held.get("caption"), _LONGEST_TEXT)


def _object(holder: Mapping[Any, Any], name: str) -> Mapping[Any, Any]:
    value = holder.get(name)
    return value if isinstance(value, Mapping) else {}


def _text(value: object, longest: int) -> str:
    """Return a value as text that every database takes: without NUL and lone surrogates, and cut."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    if isinstance(value, int):
        value = str(value) if abs(value) < 10**40 else ""
    return value[:longest].replace("\0", "").encode("utf-8", "replace").decode()


def digits_of(value: object) -> str:
    """Return a phone number's digits, of a JSON value: none if it has none."""
    return "".join(filter(str.isdecimal, _text(value, _LONGEST_WORD)))


def _seconds(value: object) -> int | None:
    """Read a time: a Unix time of any unit down to nanoseconds, or ISO 8601, in UTC if it names no zone."""
    text = repr(value) if isinstance(value, float) else _text(value, _LONGEST_WORD).strip()
    try:
        if _UNIX.fullmatch(text):
            seconds = int(Decimal(text.replace(",", ".")))
            while _MILLISECONDS <= seconds < _MILLISECONDS * 10**9:
                seconds //= 1000
        else:
            moment = datetime.fromisoformat(text)
            seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None


def _unread(pushed: object, kind: str, reason: str) -> UnreadEvent:
    return UnreadEvent(kind, reason, json.dumps(pushed))

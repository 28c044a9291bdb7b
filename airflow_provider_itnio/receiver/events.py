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
LONGEST_ID: Final = 200
_LONGEST_WORD: Final = 64
_LONGEST_TEXT: Final = 20_000
_MILLISECONDS: Final = 100_000_000_000
"""A number from here on is a time in milliseconds or smaller units: in seconds it would be after the year
5000."""
_UNIX: Final = re.compile(r"\d{1,20}([.,]\d*)?(E\+?\d{1,2})?", re.ASCII | re.IGNORECASE)

_CLOCKS_APART: Final = 300
"""Seconds that Itniotech's clock may be ahead of this machine's."""
_ZONES_APART: Final = 24 * 3600
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


def read_events(pushed: object, now: int) -> list[Event]:
    """Parse a push.

    :param pushed: the parsed JSON of the push's body.
    :param now: Unix seconds, used if the event has no valid time.
    :return: the event; and the push as an :class:`UnreadEvent` too, if a part of it could not be read.
    """
    if not isinstance(pushed, Mapping):
        return [_unread(pushed, "", "not a JSON object")]
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
        return _unread(pushed, kind, "unknown eventType")
    message_id = _text(pushed.get("messageId"), LONGEST_ID + 1)
    if not 0 < len(message_id) <= LONGEST_ID:
        return _unread(pushed, kind, f"messageId is missing or over {LONGEST_ID} characters")
    if kind == "message-status-event":
        return _status(pushed, kind, message_id, now if at is None else at)
    return _incoming(pushed, kind, message_id, at, now)


def _status(pushed: Mapping[Any, Any], kind: str, message_id: str, at: int) -> Event:
    status = _text(pushed.get("status"), _LONGEST_WORD).lower()
    if status not in STATUSES:
        return _unread(pushed, kind, "unknown status")
    return StatusEvent(message_id, status, at, _reason(pushed) if status == "failed" else None)


def _reason(pushed: Mapping[Any, Any]) -> str:
    """Return why a message failed: text as it is, other values as JSON."""
    for name in ("failure", "errors", "error", "reason"):
        value = pushed.get(name)
        if isinstance(value, Mapping | list | float) and value:
            value = json.dumps(_code_first(value), ensure_ascii=False)
        if (text := _text(value, _LONGEST_TEXT)).strip():
            return text
    return ""


def _code_first(value: object) -> object:
    """Move the code of an object to the front, so that it survives when the text is cut."""
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
        at=now if at is None or at > now + _CLOCKS_APART else at,  # so that no window is open over 24 hours
        opens_window=at is not None,
    )


def _option(holder: Mapping[Any, Any]) -> tuple[str, str] | None:
    """Return the id and the title of the option that was chosen."""
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
    """Return a value as text that all databases accept: shortened, without NUL and lone surrogates."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    if isinstance(value, int):
        value = str(value) if abs(value) < 10**40 else ""
    return value[:longest].replace("\0", "").encode("utf-8", "replace").decode()


def digits_of(value: object) -> str:
    """Return the digits of a phone number in JSON; empty if there are none."""
    return "".join(filter(str.isdecimal, _text(value, _LONGEST_WORD)))


def _seconds(value: object) -> int | None:
    """Read a time: Unix time in any unit down to nanoseconds, or ISO 8601, in UTC if it has no zone."""
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

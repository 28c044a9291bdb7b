"""Replies of recipients: what a person chose or typed becomes what the vendor could push for it.

The vendor documents its push of texts and locations. How it passes on the choice of a button or a row is not
documented; the shape here is WhatsApp's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from airflow_provider_itnio.sandbox.api_models import LONGEST_NUMBER, REPLIES, Place, ReplyGiven
from airflow_provider_itnio.sandbox.store.entries import ReceivedMessage, Reply
from airflow_provider_itnio.sandbox.store.store import Store

EVENT = "up-message-event"


@dataclass(frozen=True)
class Content:
    """
    What a reply says.

    :param type: its type
    :param text: its words
    :param choice: the id of what was chosen, None if nothing was
    :param message: the ``message`` of the vendor's push
    """

    type: str
    text: str
    choice: str | None
    message: dict[str, Any]


def reply_from(given: ReplyGiven, store: Store, now: float, app_id: str, business_phone: str) -> Reply:
    """
    Make a reply of what is given.

    :param given: what the recipient answers
    :param now: the sandbox's time, in Unix seconds
    :param app_id: the application that it is pushed to if the sender has got no message
    :param business_phone: the business's number that it is sent to if the sender has got no message
    :raises ValueError: if it does not fit the message; the text begins with the name of the field
    """
    (kind,) = (name for name in REPLIES if getattr(given, name) is not None)
    answered = _answered(given.message_id, store)
    sender = _sender(given.recipient, answered)
    content = READERS[kind](getattr(given, kind), answered)
    latest = answered or next((one for one in reversed(store.messages) if one.recipient == sender), None)
    envelope = {"appId": app_id, "businessPhone": business_phone} | (latest.body if latest else {})
    return _reply(content, sender, answered, envelope, now)


def _answered(message_id: str | None, store: Store) -> ReceivedMessage | None:
    if message_id is None:
        return None
    exchange = store.exchange_of(message_id)
    if exchange and exchange.message:
        return exchange.message
    raise ValueError("message_id: no message with this id is kept")


def _sender(recipient: str | None, answered: ReceivedMessage | None) -> str:
    if recipient is None and answered is not None:
        return answered.recipient
    if recipient is None or len(recipient) > LONGEST_NUMBER:
        raise ValueError(f"recipient: a phone number of up to {LONGEST_NUMBER} digits, or give message_id")
    if answered is not None and answered.recipient != recipient:
        raise ValueError("recipient: the message of message_id went to another number")
    return recipient


def _reply(
    content: Content,
    sender: str,
    answered: ReceivedMessage | None,
    envelope: Mapping[str, Any],
    now: float,
) -> Reply:
    reply_id = uuid4().hex
    business_phone = str(envelope["businessPhone"])
    message = dict(content.message)
    if answered:
        message["context"] = {"from": business_phone, "id": answered.id}
    body = {
        "appId": str(envelope["appId"]),
        "channelType": 0,
        "messageId": reply_id,
        "timestamp": int(now),
        "eventType": EVENT,
        "businessPhone": business_phone,
        "from": {"phone": sender, "name": ""},
        "message": message,
    }
    return Reply(
        id=reply_id,
        sender=sender,
        type=content.type,
        text=content.text,
        choice=content.choice,
        answers=answered.id if answered else None,
        at=datetime.fromtimestamp(now, UTC),
        body=body,
    )


def _text(value: str, answered: ReceivedMessage | None) -> Content:
    return Content("text", value, None, {"type": "text", "text": {"body": value}})


def _button(value: str | int, answered: ReceivedMessage | None) -> Content:
    buttons = [one.get("reply") for one in _objects(_inside(answered, "interactive", "action", "buttons"))]
    chosen = _chosen("button", value, buttons)
    return _choice("button_reply", {"id": str(chosen.get("id")), "title": str(chosen.get("title", ""))})


def _row(value: str | int, answered: ReceivedMessage | None) -> Content:
    sections = _objects(_inside(answered, "interactive", "action", "sections"))
    chosen = _chosen("row", value, [row for section in sections for row in _objects(section.get("rows"))])
    held = {"id": str(chosen.get("id")), "title": str(chosen.get("title", ""))}
    if chosen.get("description"):
        held["description"] = str(chosen["description"])
    return _choice("list_reply", held)


def _choice(kind: str, held: dict[str, str]) -> Content:
    message = {"type": "interactive", "interactive": {"type": kind, kind: held}}
    return Content(kind, held["title"], held["id"], message)


def _quick_reply(value: str | int, answered: ReceivedMessage | None) -> Content:
    for component in _objects(_inside(answered, "template", "components")):
        if component.get("sub_type") == "quick_reply" and str(component.get("index")) == str(value):
            payloads = [str(one.get("payload", "")) for one in _objects(component.get("parameters"))]
            payload = next(iter(payloads), "")
            button = {"payload": payload, "text": payload}
            return Content("quick_reply", payload, payload, {"type": "button", "button": button})
    raise ValueError("quick_reply: the message of message_id has no such button")


def _location(value: Place, answered: ReceivedMessage | None) -> Content:
    text = f"{value.latitude}, {value.longitude}"
    return Content("location", text, None, {"type": "location", "location": value.model_dump()})


def _chosen(name: str, value: str | int, choices: list[Any]) -> Mapping[str, Any]:
    for choice in choices:
        if isinstance(choice, dict) and "id" in choice and str(choice["id"]) == str(value):
            return choice
    raise ValueError(f"{name}: the message of message_id has none with this id")


def _inside(answered: ReceivedMessage | None, *names: str) -> Any:
    value: Any = answered.body if answered else None
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


READERS: Mapping[str, Callable[[Any, ReceivedMessage | None], Content]] = {
    "text": _text,
    "button": _button,
    "row": _row,
    "quick_reply": _quick_reply,
    "location": _location,
}

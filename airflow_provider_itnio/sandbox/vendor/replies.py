"""Build the vendor's push for a recipient's reply.

The vendor documents the push of texts and locations, but not of the choice of a button or a row. For these,
the format is that of WhatsApp's own API.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from airflow_provider_itnio.sandbox.api_models import ReplyGiven
from airflow_provider_itnio.sandbox.json_path import objects_at, text_at
from airflow_provider_itnio.sandbox.store.entries import Reply
from airflow_provider_itnio.sandbox.store.store import Store
from airflow_provider_itnio.sandbox.vendor.account import Account

CHOICES = {"button": ("action", "buttons", "reply"), "row": ("action", "sections", "rows")}
"""The path of the options in an interactive message, by the field of a reply."""


def reply_from(given: ReplyGiven, store: Store, now: float, account: Account) -> Reply:
    """
    Create a reply.

    :param now: the sandbox's time, in Unix seconds
    :raises ValueError: if it does not fit the message; the text begins with the name of the field
    """
    answered = None if given.message_id is None else store.message(given.message_id)
    sender = given.recipient or (answered.recipient if answered else "")
    if answered and answered.recipient != sender:
        raise ValueError("recipient: the message of message_id went to another number")
    kind, text, choice, message = _content(given, answered.body if answered else {})
    latest = answered or next((one for one in reversed(store.messages) if one.recipient == sender), None)
    app_id = str(latest.body["appId"]) if latest else account.app_id
    business_phone = str(latest.body["businessPhone"]) if latest else account.business_phone
    if answered:
        message["context"] = {"from": business_phone, "id": answered.id}
    reply_id = uuid4().hex
    body = {
        "appId": app_id,
        "channelType": 0,
        "messageId": reply_id,
        "timestamp": int(now),
        "eventType": "up-message-event",
        "businessPhone": business_phone,
        "from": {"phone": sender, "name": ""},
        "message": message,
    }
    return Reply(
        id=reply_id,
        sender=sender,
        type=kind,
        text=text,
        choice=choice,
        answers=answered.id if answered else None,
        at=datetime.fromtimestamp(now, UTC),
        body=body,
    )


def _content(given: ReplyGiven, body: dict[str, Any]) -> tuple[str, str, str | None, dict[str, Any]]:
    """Return type, text and chosen id of a reply to a message, and the ``message`` of the vendor's push."""
    if given.text is not None:
        return "text", given.text, None, {"type": "text", "text": {"body": given.text}}
    if location := given.location:
        text = f"{location.latitude}, {location.longitude}"
        return "location", text, None, {"type": "location", "location": location.model_dump()}
    if given.quick_reply is not None:
        payload = _payload(str(given.quick_reply), body)
        button = {"payload": payload, "text": payload}
        return "quick_reply", payload, payload, {"type": "button", "button": button}
    field, value = ("button", given.button) if given.button is not None else ("row", given.row)
    for one in objects_at(body, "interactive", *CHOICES[field]):
        if "id" in one and str(one["id"]) == str(value):
            option = {"id": str(value), "title": text_at(one, "title")}
            if description := text_at(one, "description"):
                option["description"] = description
            kind = "button_reply" if field == "button" else "list_reply"
            interactive = {"type": kind, kind: option}
            return kind, option["title"], option["id"], {"type": "interactive", "interactive": interactive}
    raise ValueError(f"{field}: the message of message_id has none with this id")


def _payload(index: str, body: dict[str, Any]) -> str:
    for component in objects_at(body, "template", "components"):
        if component.get("sub_type") == "quick_reply" and str(component.get("index")) == index:
            payloads = [text_at(one, "payload") for one in objects_at(component, "parameters")]
            return next(iter(payloads), "")
    raise ValueError("quick_reply: the message of message_id has no such button")

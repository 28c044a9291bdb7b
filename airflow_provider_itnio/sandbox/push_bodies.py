"""What Itniotech pushes of the statuses of a message, as its page pushMsgReport has it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

if TYPE_CHECKING:
    from airflow_provider_itnio.sandbox.store.entries import DeliveryStatus, ReceivedMessage

CONVERSATION = timedelta(hours=24)


def status_push(message: ReceivedMessage, status: DeliveryStatus) -> dict[str, Any]:
    """
    Make the push of a status.

    The page says of ``expiresAt``, ``conversationId`` and ``conversationType`` which statuses have them, not
    how they come about. Here a conversation is one day of messages of one type to one recipient, and expires
    24 hours after the message.
    """
    kind = "utility" if message.type == "template" else "service"
    push: dict[str, Any] = {
        "appId": str(message.body["appId"]),
        "channelType": 0,
        "messageId": message.id,
        "eventType": "message-status-event",
        "billable": "false" if status.status == "failed" else "true",
        "form": str(message.body["businessPhone"]),  # the page's own name for the sender
        "recipient": message.recipient,
        "status": status.status,
        "timestamp": int(status.at.timestamp()),
    }
    if status.status == "failed":
        push["failure"] = status.failure
    if status.status in ("sent", "delivered"):
        day = f"{push['form']} {message.recipient} {kind} {message.at:%Y-%m-%d}"
        push |= {"conversationId": uuid5(NAMESPACE_URL, day).hex, "conversationType": kind}
    if status.status == "sent":
        push["expiresAt"] = int((message.at + CONVERSATION).timestamp())
    return push

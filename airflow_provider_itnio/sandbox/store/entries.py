"""The stored entries of requests and replies, and the status pushes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, NamedTuple, TypeAlias
from uuid import NAMESPACE_URL, uuid5

from pydantic import PlainSerializer, TypeAdapter, computed_field

from airflow_provider_itnio.sandbox.status_codes import BALANCE_PATH

Time: TypeAlias = Annotated[datetime, PlainSerializer(datetime.isoformat)]
SeenHeaders: TypeAlias = Annotated[Mapping[str, str], PlainSerializer(dict, dict[str, str])]
RawBody: TypeAlias = Annotated[bytes, PlainSerializer(lambda raw: raw.decode("utf-8", "replace"))]

WINDOW = timedelta(hours=24)
"""The length of a 24-hour window and of a conversation."""

RANKS = ("accepted", "sent", "delivered", "failed", "read", "deleted")
"""The statuses of a message in order: a status only moves forward, in whatever order statuses arrive."""


@dataclass(frozen=True)
class DeliveryStatus:
    """
    A status of an accepted message, as Itniotech pushes it.

    :param status: ``sent``, ``delivered``, ``read``, ``failed`` or ``deleted``
    :param at: when it was reached, in UTC by the sandbox's clock
    :param failure: why it failed; empty for all other statuses
    """

    status: str
    at: Time
    failure: str = ""


class Window(NamedTuple):
    """The 24-hour window of a recipient, named by digits, and when it closes or closed."""

    recipient: str
    until: datetime


@dataclass(frozen=True)
class ReceivedMessage:
    """
    A message that was accepted.

    :param id: the message id in the answer, 32 hex digits
    :param type: the vendor's name of the type, ``template`` for a WhatsApp template
    :param recipient: the recipient's number as it was sent
    :param text: its main text: body, caption, name, or template with its parameters
    :param body: the whole JSON as received
    :param at: when it was accepted, in UTC by the sandbox's clock
    :param path: the endpoint it came to
    :param notes: what the vendor accepts against its documentation or WhatsApp's rules; "looks like a
        duplicate: …" if it equals another message of the last 10 minutes; and "would not arrive: …" outside
        the recipient's 24-hour window
    :param statuses: the statuses that it has reached, in order
    """

    id: str
    type: str
    recipient: str
    text: str
    body: dict[str, Any]
    at: Time
    path: str
    notes: list[str] = field(default_factory=list)
    statuses: list[DeliveryStatus] = field(default_factory=list)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def status(self) -> str:
        """The furthest status: ``accepted``, ``sent``, ``delivered``, ``failed``, ``read`` or ``deleted``."""
        return max((one.status for one in self.statuses), key=RANKS.index, default=RANKS[0])

    @computed_field  # type: ignore[prop-decorator]
    @property
    def failure(self) -> str:
        """Why it did not arrive; empty unless its status is ``failed``."""
        reasons = (one.failure for one in self.statuses if one.status == self.status)
        return next(reasons, "")


@dataclass(frozen=True)
class RefusedRequest:
    """
    A request that was answered with a negative status.

    :param status: the code in the answer
    :param meaning: the code's meaning
    :param why: what is wrong with this request
    :param advice: what to change; empty for a code that the vendor's pages do not list
    :param path: the endpoint it came to
    :param headers: its headers, with secrets masked
    :param body: its JSON, None if there is none
    :param at: when it was refused, in UTC by the sandbox's clock
    """

    status: int
    meaning: str
    why: str
    advice: str
    path: str
    headers: SeenHeaders
    body: Any
    at: Time


@dataclass(frozen=True)
class SeenRequest:
    """
    Any request to the vendor, also one with a fault or to an unknown path.

    :param method: its HTTP method
    :param path: the endpoint it came to
    :param headers: its headers, case-insensitive, with secrets masked
    :param raw_body: its body byte for byte; empty if it was over the limit
    :param body: its JSON, None if there is none
    :param answer: the JSON or text that was answered, None if the connection was dropped
    :param http_status: the HTTP code that was answered, None if the connection was dropped
    :param at: when it was read, in UTC by the sandbox's clock
    :param sign_is_valid: whether Api-Key, Timestamp and Sign fit each other and the account
    :param timestamp: the Timestamp header as text, empty if there is none
    :param sign_fingerprint: identifies a sign without showing it, empty if there is none
    :param cause: why it got this answer instead of the vendor's usual one; empty if it got the usual one
    """

    method: str
    path: str
    headers: SeenHeaders
    raw_body: RawBody
    body: Any
    answer: Any
    http_status: int | None
    at: Time
    sign_is_valid: bool
    timestamp: str
    sign_fingerprint: str
    cause: str

    @property
    def accepted(self) -> bool:
        """Whether the answer is a success, with a message id if it was a message."""
        answer = self.answer if self.http_status == 200 and isinstance(self.answer, dict) else {}
        if str(answer.get("status")) != "0":
            return False
        data = answer.get("data")
        return self.path == BALANCE_PATH or bool(isinstance(data, dict) and data.get("messageId"))


@dataclass(frozen=True)
class Reply:
    """
    A recipient's reply, made on the inbox page or by the JSON API.

    :param id: the id of this incoming message; a message that answers it has it in ``refMessageId``
    :param sender: the number of the recipient who replies, digits only
    :param type: ``text``, ``button_reply``, ``list_reply``, ``quick_reply`` or ``location``
    :param text: what was typed, or the title of what was chosen
    :param choice: the id of the button or row, the payload of a quick reply; None if nothing was chosen
    :param answers: the id of the message that it answers, None if it answers none
    :param at: when it was made, in UTC by the sandbox's clock
    :param body: the JSON that the vendor could push for it
    """

    id: str
    sender: str
    type: str
    text: str
    choice: str | None
    answers: str | None
    at: Time
    body: dict[str, Any]


Entry: TypeAlias = ReceivedMessage | RefusedRequest | SeenRequest | Reply


WRITERS = {one: TypeAdapter(one) for one in (ReceivedMessage, RefusedRequest, SeenRequest, Reply)}


def as_json(entry: Entry, exclude: set[str] | None = None) -> dict[str, Any]:
    """Return an entry as in the JSON API, including the properties of a message, without excluded fields."""
    data: dict[str, Any] = WRITERS[type(entry)].dump_python(entry, mode="json", exclude=exclude)
    return data


def status_push(message: ReceivedMessage, status: DeliveryStatus) -> dict[str, Any]:
    """
    Return the push of a status, as documented on Itniotech's page pushMsgReport.

    The page documents which statuses have ``expiresAt``, ``conversationId`` and ``conversationType``, but not
    their values. Here a conversation is one day of messages of one type to one recipient, and expires 24
    hours after the message.
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
        push["expiresAt"] = int((message.at + WINDOW).timestamp())
    return push

"""An exchange: one request with its outcome, or one reply."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, TypeAlias

from starlette.datastructures import Headers

from airflow_provider_itnio.sandbox.phone_numbers import digits_of
from airflow_provider_itnio.sandbox.status_codes import BALANCE_PATH
from airflow_provider_itnio.sandbox.store.entries import (
    DeliveryStatus,
    Entry,
    ReceivedMessage,
    RefusedRequest,
    Reply,
    SeenRequest,
    as_json,
)

Kind: TypeAlias = Literal["message", "reply", "failure", "other"]

ENTRY_TYPES: dict[str, type[Entry]] = {
    one.__name__: one for one in (ReceivedMessage, RefusedRequest, SeenRequest, Reply)
}

LONGEST_NUMBER = 40
"""Characters of a recipient, as it was sent, that a chat is kept for."""


@dataclass
class Exchange:
    """
    One request with its outcome, or one reply.

    :param entries: its entries: at most one ``message``, ``refused``, ``request`` and ``reply``
    :param chosen: the id of the option that the recipient last chose in its message, None if there is none
    :param json_cache: cache of its JSON for the page, and of the values that the JSON depends on
    :param searched: cache of its texts for the search, in lower case
    """

    number: int
    entries: tuple[Entry, ...]
    chosen: str | None = None
    json_cache: tuple[object, bytes] | None = field(default=None, repr=False, compare=False)
    searched: str | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        of_type: dict[type, Any] = {type(one): one for one in self.entries}
        self.message: ReceivedMessage | None = of_type.get(ReceivedMessage)
        self.refused: RefusedRequest | None = of_type.get(RefusedRequest)
        self.request: SeenRequest | None = of_type.get(SeenRequest)
        self.reply: Reply | None = of_type.get(Reply)
        self.update_trouble()

    def update_trouble(self) -> None:
        """Update whether the sender did not learn of a success, or the message does not arrive."""
        self.has_trouble = self.failed or (self.message is not None and self.message.status == "failed")

    @cached_property
    def kind(self) -> Kind:
        """Its kind in the inbox; ``other`` is not shown there."""
        if self.message:
            return "message"
        if self.reply:
            return "reply"
        return "failure" if self.failed else "other"

    @cached_property
    def chat_number(self) -> str:
        """The digits of the recipient whose chat shows it; empty if none does."""
        if self.message:
            return self.message.recipient
        if self.reply:
            return self.reply.sender
        if self.kind == "other":
            return ""
        return recipient_in(self.request.body) if self.request else ""

    @property
    def failed(self) -> bool:
        """Whether the sender did not learn of a success, or got a success without a stored message."""
        request = self.request
        if self.refused or request is None:
            return self.refused is not None
        return not request.accepted or (request.path != BALANCE_PATH and not self.message)

    @cached_property
    def memory(self) -> int:
        """Its approximate size in bytes: a message and a refusal share the JSON of their request."""
        if self.reply:
            return 16 * len(self.reply.text)
        if self.request is None:
            return 0
        answer = self.request.answer if isinstance(self.request.answer, str) else ""
        return memory_of(self.request.raw_body) + memory_of(answer.encode("utf-8", "surrogatepass"))

    def row(self) -> tuple[int, str, str, bytes]:
        """Return it as a row of the file; data that entries share with the request is stored once."""
        request = self.request
        shared = {"body", "headers", "raw_body"} if request else None
        data: dict[str, Any] = {type(one).__name__: as_json(one, shared) for one in self.entries}
        if request is None:
            return self.number, json.dumps(data), "null", b""
        data["headers"] = list(request.headers.items())
        return self.number, json.dumps(data), json.dumps(request.body), request.raw_body


def recipient_in(body: Any) -> str:
    """Return the digits of a request's recipient, empty if there is none."""
    recipient = body.get("recipient") if isinstance(body, dict) else None
    text = str(recipient) if isinstance(recipient, (str, int)) else ""
    return digits_of(text) if len(text) <= LONGEST_NUMBER else ""


def exchange_from(number: int, entries: str, body: str, raw_body: bytes) -> Exchange:
    """Create an exchange from a row of the file."""
    data = json.loads(entries)
    shared = {"body": json.loads(body), "headers": headers_of(data.pop("headers", ())), "raw_body": raw_body}
    return Exchange(
        number, tuple(_entry_from(ENTRY_TYPES[name], shared | values) for name, values in data.items())
    )


def _entry_from(kind: type[Entry], values: dict[str, Any]) -> Entry:
    values["at"] = datetime.fromisoformat(values["at"])
    if kind is ReceivedMessage:
        reached = (one | {"at": datetime.fromisoformat(one["at"])} for one in values["statuses"])
        values["statuses"] = [DeliveryStatus(**one) for one in reached]
    return kind(**{one.name: values[one.name] for one in fields(kind)})


def headers_of(pairs: Iterable[tuple[str, str]]) -> Headers:
    """Return case-insensitive headers."""
    return Headers(raw=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs])


def memory_of(raw_body: bytes) -> int:
    """
    Estimate the memory of a request's body and its parsed JSON, in bytes.

    Text is stored as bytes and as characters, and each value is a separate object: a body of ``[[],[],…]``
    takes 25 times its size.
    """
    values = raw_body.count(b",") + raw_body.count(b"[") + raw_body.count(b"{")
    return 3 * len(raw_body) + 64 * values

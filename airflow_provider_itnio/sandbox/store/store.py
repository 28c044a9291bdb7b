"""What the sandbox got, kept in memory up to a number of entries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import takewhile
from typing import Any, TypeAlias, TypeVar
from uuid import uuid4

from airflow_provider_itnio.sandbox.phone_numbers import shortened
from airflow_provider_itnio.sandbox.status_codes import BALANCE_PATH
from airflow_provider_itnio.sandbox.store.ring_buffer import RingBuffer, memory_of


@dataclass(frozen=True)
class ReceivedMessage:
    """
    A message that was accepted.

    :param id: the message id that the answer held, 32 hex digits
    :param type: the vendor's name of the type, ``template`` for a WhatsApp template
    :param recipient: the recipient's number as it was sent
    :param text: its main words: body, caption, name, template with its parameters
    :param body: the whole JSON as received
    :param at: when it was accepted, in UTC by the sandbox's clock
    :param path: the endpoint it came to
    :param notes: what the vendor lets pass though the page or WhatsApp does not
    """

    id: str
    type: str
    recipient: str
    text: str
    body: dict[str, Any]
    at: datetime
    path: str
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RefusedRequest:
    """
    A request that was answered with a negative status.

    :param status: the code that was answered
    :param meaning: what the code means
    :param why: what is wrong with this request, in words
    :param advice: what to change, in words; empty for a code that the vendor's pages do not list
    :param path: the endpoint it came to
    :param headers: its headers, with what must stay secret masked
    :param body: its JSON, None if there is none
    :param at: when it was refused, in UTC by the sandbox's clock
    """

    status: int
    meaning: str
    why: str
    advice: str
    path: str
    headers: Mapping[str, str]
    body: Any
    at: datetime


@dataclass(frozen=True)
class SeenRequest:
    """
    Any request to the vendor, also one that met a fault or went to a path at which the vendor has nothing.

    :param method: its HTTP method
    :param path: the endpoint it came to
    :param headers: its headers, case-insensitive, with what must stay secret masked
    :param raw_body: its body byte for byte; empty if it was over the limit
    :param body: its JSON, None if there is none
    :param answer: the JSON or text that was answered, None if the connection was dropped
    :param http_status: the HTTP code that was answered, None if the connection was dropped
    :param at: when it was read, in UTC by the sandbox's clock
    :param sign_is_valid: whether Api-Key, Timestamp and Sign fit each other and the account
    :param timestamp: the Timestamp header as text, empty if there is none
    :param sign_fingerprint: tells two signs apart without showing them, empty if there is none
    :param cause: why it got this answer in place of the vendor's own, in words; empty if it got that
    """

    method: str
    path: str
    headers: Mapping[str, str]
    raw_body: bytes
    body: Any
    answer: Any
    http_status: int | None
    at: datetime
    sign_is_valid: bool
    timestamp: str
    sign_fingerprint: str
    cause: str

    @property
    def accepted(self) -> bool:
        """Whether the answer says that all is well, with the id of the message if one was sent."""
        answer = self.answer if self.http_status == 200 and isinstance(self.answer, dict) else {}
        if str(answer.get("status")) != "0":
            return False
        data = answer.get("data")
        return self.path == BALANCE_PATH or bool(isinstance(data, dict) and data.get("messageId"))


@dataclass(frozen=True)
class Reply:
    """
    What a recipient answered, as a person did it on the inbox page or a test by the JSON API.

    :param id: the id of this incoming message, what a message that answers it names in ``refMessageId``
    :param sender: the recipient who answers, digits
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
    at: datetime
    body: dict[str, Any]


Entry: TypeAlias = ReceivedMessage | RefusedRequest | SeenRequest | Reply

Kind = TypeVar("Kind")

SHOWN_OF_EACH = 10


@dataclass(frozen=True)
class Exchange:
    """
    One request with what became of it, or one reply.

    :param number: its place in the order of all that came, from 1
    :param entries: what was kept of it
    :param written: room for how it is written for the page, which is done once
    """

    number: int
    entries: tuple[Entry, ...]
    written: list[bytes] = field(default_factory=list, repr=False, compare=False)

    @property
    def message(self) -> ReceivedMessage | None:
        """The message that was accepted."""
        return self._only(ReceivedMessage)

    @property
    def refused(self) -> RefusedRequest | None:
        """The refusal that was answered."""
        return self._only(RefusedRequest)

    @property
    def request(self) -> SeenRequest | None:
        """The request as it came."""
        return self._only(SeenRequest)

    @property
    def reply(self) -> Reply | None:
        """The recipient's reply."""
        return self._only(Reply)

    @property
    def failed(self) -> bool:
        """Whether the sender did not learn of a success, or no message is kept of the success it was told."""
        request = self.request
        if self.refused or request is None:
            return self.refused is not None
        return not request.accepted or (request.path != BALANCE_PATH and not self.message)

    def _only(self, kind: type[Kind]) -> Kind | None:
        return next((one for one in self.entries if isinstance(one, kind)), None)


@dataclass(frozen=True)
class News:
    """
    What happened since a reader looked last.

    :param cleared: whether the inbox was cleared since, before the first of these exchanges
    :param exchanges: what came since and is still kept, oldest first
    :param number: where to go on from
    """

    cleared: bool
    exchanges: list[Exchange]
    number: int


@dataclass
class Store:
    """
    The last messages, refusals, requests and replies, safe to read from any thread.

    ``name`` tells this store from that of another sandbox, for readers that outlive one.

    :param keep: how many of each are kept, at least 1; older ones are forgotten, and of large ones fewer are
        kept, see :class:`RingBuffer`
    """

    keep: int

    def __post_init__(self) -> None:
        """Make room."""
        self._messages: RingBuffer[ReceivedMessage] = RingBuffer(self.keep)
        self._refused: RingBuffer[RefusedRequest] = RingBuffer(self.keep)
        self._requests: RingBuffer[SeenRequest] = RingBuffer(self.keep)
        self._replies: RingBuffer[Reply] = RingBuffer(self.keep)
        # Apart, so that a flood of refusals pushes no message off the page.
        self._exchanges: dict[str, RingBuffer[Exchange]] = {
            kind: RingBuffer(self.keep) for kind in ("messages", "failed", "replies")
        }
        self._number = self._cleared = 0
        self._listeners: list[Callable[[], None]] = []
        self._changed = threading.Condition()
        self.name = uuid4().hex[:12]

    def add(self, *entries: Entry) -> None:
        """
        Keep entries, all at once for whoever reads.

        :param entries: what came
        """
        size = sum(_memory_of(one) for one in entries)
        with self._changed:
            self._number += 1
            exchange = Exchange(self._number, entries)
            if exchange.message:
                self._messages.append(exchange.message, size)
                self._exchanges["messages"].append(exchange, size)
            elif exchange.reply:
                self._replies.append(exchange.reply, size)
                self._exchanges["replies"].append(exchange, size)
            elif exchange.failed:
                self._exchanges["failed"].append(exchange, size)
            if exchange.refused:
                self._refused.append(exchange.refused, size)
            if exchange.request:
                self._requests.append(exchange.request, size)
            self._tell()

    @property
    def messages(self) -> list[ReceivedMessage]:
        """The accepted messages, oldest first."""
        with self._changed:
            return list(self._messages)

    @property
    def refused(self) -> list[RefusedRequest]:
        """The refused requests, oldest first."""
        with self._changed:
            return list(self._refused)

    @property
    def requests(self) -> list[SeenRequest]:
        """All requests to the vendor's paths, oldest first."""
        with self._changed:
            return list(self._requests)

    @property
    def replies(self) -> list[Reply]:
        """The replies of recipients, oldest first."""
        with self._changed:
            return list(self._replies)

    @property
    def exchanges(self) -> list[Exchange]:
        """What the inbox page shows: messages, replies and requests that failed, oldest first."""
        return self.since(0).exchanges

    def since(self, number: int) -> News:
        """
        Give what a reader has not seen yet.

        :param number: where the reader stands, 0 for one who has seen nothing
        """
        with self._changed:
            exchanges = [
                exchange
                for kept in self._exchanges.values()
                for exchange in takewhile(lambda one: one.number > number, reversed(kept))
            ]
            cleared = number < self._cleared
            last = self._number
        return News(cleared, sorted(exchanges, key=lambda one: one.number), last)

    @contextmanager
    def listen(self, told: Callable[[], None]) -> Iterator[None]:
        """
        Be told of every change, in the thread that makes it.

        :param told: called without arguments; it must neither wait nor read the store
        """
        with self._changed:
            self._listeners.append(told)
        try:
            yield
        finally:
            with self._changed:
                self._listeners.remove(told)

    def clear(self) -> None:
        """Forget everything."""
        with self._changed:
            for kept in (self._messages, self._refused, self._requests, self._replies):
                kept.clear()
            for exchanges in self._exchanges.values():
                exchanges.clear()
            self._number += 1
            self._cleared = self._number
            self._tell()

    def _tell(self) -> None:
        self._changed.notify_all()
        for told in self._listeners:
            told()

    def wait_for(self, count: int, timeout: float) -> list[ReceivedMessage]:
        """
        Wait until at least that many messages are kept.

        :param count: how many, at most what is kept
        :param timeout: how long to wait, in seconds
        :return: all messages kept by then
        :raises TimeoutError: if fewer came; it says what came instead
        :raises ValueError: if so many are never kept
        """
        if count > self.keep:
            raise ValueError(f"waiting for {count} messages, but the sandbox keeps {self.keep}")
        with self._changed:
            if self._changed.wait_for(lambda: len(self._messages) >= count, timeout):
                return list(self._messages)
            came = [f"{one.type} to {shortened(one.recipient)}: {one.text[:40]!r}" for one in self._messages]
            refused = [f"{one.status} ({one.meaning}): {one.why}" for one in self._refused]
        raise TimeoutError(
            f"{count} accepted messages were expected within {timeout:g} s, {len(came)} came"
            + "".join(_lines("accepted", came))
            + "".join(_lines("refused with", refused))
        )


def _lines(what: str, came: list[str]) -> Iterator[str]:
    if len(came) > SHOWN_OF_EACH:
        yield f"\n  ... and {len(came) - SHOWN_OF_EACH} more {what.split(maxsplit=1)[0]} before these"
    yield from (f"\n  {what} {one}" for one in came[-SHOWN_OF_EACH:])


def _memory_of(entry: Entry) -> int:
    """Estimate what an entry takes by itself: a message and a refusal share the JSON of their request."""
    if isinstance(entry, SeenRequest):
        answer = entry.answer if isinstance(entry.answer, str) else ""
        return memory_of(entry.raw_body) + memory_of(answer.encode("utf-8", "surrogatepass"))
    return 16 * len(entry.text) if isinstance(entry, Reply) else 0


def as_json(entry: Entry) -> dict[str, Any]:
    """
    Write an entry as plain JSON for the control API.

    :param entry: what was kept
    """
    return {one.name: _plain(getattr(entry, one.name)) for one in fields(entry)}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return dict(value)
    return value

"""What the sandbox got, kept in memory up to a number of entries."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeAlias

from .phone_numbers import shortened


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
    :param path: the endpoint it came to
    :param headers: its headers, with what must stay secret masked
    :param body: its JSON, None if there is none
    :param at: when it was refused, in UTC by the sandbox's clock
    """

    status: int
    meaning: str
    why: str
    path: str
    headers: Mapping[str, str]
    body: Any
    at: datetime


@dataclass(frozen=True)
class SeenRequest:
    """
    Any request to a path of the vendor, also one that met a fault.

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
    :param by_fault: whether a fault made the answer
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
    by_fault: bool


Entry: TypeAlias = ReceivedMessage | RefusedRequest | SeenRequest


@dataclass
class Store:
    """
    The last messages, refusals and requests, safe to read from any thread.

    :param keep: how many of each are kept, at least 1; older ones are forgotten
    """

    keep: int

    def __post_init__(self) -> None:
        """Make room."""
        if self.keep < 1:
            raise ValueError("keep: at least 1")
        self._messages: deque[ReceivedMessage] = deque(maxlen=self.keep)
        self._refused: deque[RefusedRequest] = deque(maxlen=self.keep)
        self._requests: deque[SeenRequest] = deque(maxlen=self.keep)
        self._changed = threading.Condition()

    def add(self, *entries: Entry) -> None:
        """
        Keep entries, all at once for whoever reads.

        :param entries: what came
        """
        with self._changed:
            for entry in entries:
                if isinstance(entry, ReceivedMessage):
                    self._messages.append(entry)
                elif isinstance(entry, RefusedRequest):
                    self._refused.append(entry)
                else:
                    self._requests.append(entry)
            self._changed.notify_all()

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

    def clear(self) -> None:
        """Forget everything."""
        with self._changed:
            self._messages.clear()
            self._refused.clear()
            self._requests.clear()
            self._changed.notify_all()

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
            + "".join(f"\n  accepted {one}" for one in came)
            + "".join(f"\n  refused with {one}" for one in refused)
        )


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

"""What the sandbox got, kept in memory up to a number of entries."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, TypeVar
from uuid import uuid4

from airflow_provider_itnio.sandbox.phone_numbers import shortened
from airflow_provider_itnio.sandbox.store.entries import (
    DeliveryStatus,
    Entry,
    Exchange,
    ReceivedMessage,
    RefusedRequest,
    Reply,
    SeenRequest,
)
from airflow_provider_itnio.sandbox.store.ring_buffer import RingBuffer, memory_of

Kind = TypeVar("Kind")

WINDOW = timedelta(hours=24)
WINDOWS_KEPT = 10_000
SHOWN_OF_EACH = 10


@dataclass(frozen=True)
class Window:
    """
    The 24-hour window of a recipient.

    :param recipient: the recipient's digits
    :param until: when it closes or closed
    """

    recipient: str
    until: datetime


@dataclass(frozen=True)
class News:
    """
    What happened since a reader looked last.

    :param cleared: whether the inbox was cleared since
    :param updates: what changed since, each with its place in the order of all that happened, oldest first:
        a message that has another status, or a window
    :param number: where to go on from, once the exchanges up to it are read too
    """

    cleared: bool
    updates: list[tuple[int, ReceivedMessage | Window]]
    number: int


@dataclass
class Store:
    """
    The last messages, refusals, requests and replies, safe to read from any thread.

    ``name`` tells this store from that of another sandbox, for readers that outlive one.

    :param keep: how many of each are kept, at least 1; older ones are forgotten, and of large ones fewer are
        kept, see :class:`RingBuffer`
    :param open_windows: whether every recipient counts as having written within the last 24 hours
    """

    keep: int
    open_windows: bool = False

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
        # Both by when they changed last, with the number of that change.
        self._statuses: dict[str, tuple[int, ReceivedMessage]] = {}
        self._windows: dict[str, tuple[int, Window]] = {}
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
        return self.exchanges_after(0, 3 * self.keep)

    def exchanges_after(self, number: int, limit: int) -> list[Exchange]:
        """
        Give the first exchanges after one, oldest first.

        :param number: the number of that one, 0 to begin with the oldest
        :param limit: how many at most
        """
        with self._changed:
            found = [
                one
                for kept in self._exchanges.values()
                for one in kept.above(number, limit, lambda exchange: exchange.number)
            ]
        return sorted(found, key=lambda one: one.number)[:limit]

    def exchange(self, number: int) -> Exchange | None:
        """
        Give the exchange with a number, None if none is kept.

        :param number: the number
        """
        found = self.exchanges_after(number - 1, 1)
        return found[0] if found and found[0].number == number else None

    def page(
        self, kind: str, after: int, limit: int, recipient: str | None = None
    ) -> tuple[list[Entry], int]:
        """
        Give a part of what is kept of a kind, oldest first.

        :param kind: ``messages``, ``refused``, ``requests`` or ``replies``
        :param after: where to go on, 0 to begin with the oldest
        :param limit: how many entries at most, at least 1
        :param recipient: only what went to or came from these digits
        :return: the entries, and where to go on; 0 if there is nothing after them
        """
        kinds: dict[str, RingBuffer[Any]] = {
            "messages": self._messages,
            "refused": self._refused,
            "requests": self._requests,
            "replies": self._replies,
        }

        def wanted(entry: Entry) -> bool:
            if isinstance(entry, ReceivedMessage):
                return recipient in (None, entry.recipient)
            return not isinstance(entry, Reply) or recipient in (None, entry.sender)

        with self._changed:
            return kinds[kind].page(after, limit, wanted)

    def since(self, number: int) -> News:
        """
        Give what has changed since a reader looked last.

        :param number: where the reader stands, 0 for one who has seen nothing: the exchanges tell it the
            status of each message
        """
        with self._changed:
            updates: list[tuple[int, ReceivedMessage | Window]] = [*_changed_after(number, self._windows)]
            if number:
                updates += _changed_after(number, self._statuses)
            cleared = number < self._cleared
            last = self._number
        return News(cleared, sorted(updates, key=lambda one: one[0]), last)

    def reach(self, message: ReceivedMessage, status: DeliveryStatus) -> None:
        """
        Let a message reach a status; one that it has reached already changes nothing.

        :param message: the message
        :param status: the status
        """
        with self._changed:
            if all(one.status != status.status for one in message.statuses):
                message.statuses.append(status)
                self._update(self._statuses, message.id, message, self.keep)

    def set_window(self, recipient: str, until: datetime) -> None:
        """
        Open or close the 24-hour window of a recipient. That of the last 10,000 is known.

        :param recipient: the recipient's digits
        :param until: when the window closes
        """
        with self._changed:
            self._update(self._windows, recipient, Window(recipient, until), WINDOWS_KEPT)

    def window_until(self, recipient: str) -> datetime | None:
        """
        Give when the 24-hour window of a recipient closes or closed; None for one who has not written.

        :param recipient: the recipient's digits
        """
        with self._changed:
            known = self._windows.get(recipient)
            return known[1].until if known else None

    def message(self, message_id: object) -> ReceivedMessage | None:
        """
        Give the message with an id, None if none is kept.

        :param message_id: the id
        """
        with self._changed:
            return next((one for one in reversed(self._messages) if one.id == message_id), None)

    def _update(self, changes: dict[str, tuple[int, Any]], key: str, value: Any, most: int) -> None:
        self._number += 1
        changes.pop(key, None)
        changes[key] = (self._number, value)
        if len(changes) > most:
            del changes[next(iter(changes))]
        self._tell()

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
            self._statuses.clear()
            self._windows.clear()
            self._number += 1
            self._cleared = self._number
            self._tell()

    def _tell(self) -> None:
        self._changed.notify_all()
        for told in self._listeners:
            told()

    def wait_for(
        self, count: int, timeout: float, recipient: str | None = None, status: str | None = None
    ) -> list[ReceivedMessage]:
        """
        Wait until at least that many messages are kept.

        :param count: how many, at most what is kept
        :param timeout: how long to wait, in seconds
        :param recipient: count only messages to these digits
        :param status: count only messages that have reached this status
        :return: all such messages kept by then
        :raises TimeoutError: if fewer came; it says what came instead
        :raises ValueError: if so many are never kept
        """
        if count > self.keep:
            raise ValueError(f"waiting for {count} messages, but the sandbox keeps {self.keep}")

        def found() -> list[ReceivedMessage]:
            return [
                one
                for one in self._messages
                if recipient in (None, one.recipient)
                and (status is None or any(reached.status == status for reached in one.statuses))
            ]

        with self._changed:
            if self._changed.wait_for(lambda: len(self._messages) >= count <= len(found()), timeout):
                return found()
            came = len(found())
            messages = [
                f"{one.type} to {shortened(one.recipient)}: {one.text[:40]!r}"
                + (f" ({' '.join(filter(None, (one.status, one.failure)))})" if status else "")
                for one in self._messages
            ]
            refused = [f"{one.status} ({one.meaning}): {one.why}" for one in self._refused]
        wanted = [f"to {shortened(recipient)}"] if recipient else []
        wanted += [f"with status {status}"] if status else []
        raise TimeoutError(
            " ".join([f"{count} accepted messages", *wanted])
            + f" were expected within {timeout:g} s, {came} came"
            + "".join(_lines("accepted", messages))
            + "".join(_lines("refused with", refused))
        )


def _changed_after(number: int, changes: dict[str, Any]) -> Iterator[tuple[int, Any]]:
    return takewhile(lambda change: change[0] > number, reversed(changes.values()))


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

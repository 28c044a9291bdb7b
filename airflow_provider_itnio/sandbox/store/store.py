"""Store received data in memory, up to a number of entries."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from operator import attrgetter
from typing import Any, Literal, TypeAlias, get_args
from uuid import uuid4

from airflow_provider_itnio.sandbox.api_models import WaitAsked
from airflow_provider_itnio.sandbox.phone_numbers import shortened
from airflow_provider_itnio.sandbox.store.data_file import DataFile
from airflow_provider_itnio.sandbox.store.entries import DeliveryStatus, Entry, ReceivedMessage, Window
from airflow_provider_itnio.sandbox.store.exchange import Exchange, Kind, exchange_from

EntryName: TypeAlias = Literal["message", "refused", "request", "reply"]
Change: TypeAlias = Exchange | ReceivedMessage | Window
"""A new exchange, a message with another status or note, a window that was opened or closed."""
Chats: TypeAlias = dict[str, dict[int, Exchange]]
"""The exchanges of each recipient by number, oldest first; the most recent chat is the last one."""

SHOWN: tuple[Kind, ...] = ("message", "failure", "reply")
KINDS_WITH: dict[EntryName, tuple[Kind, ...]] = {
    "message": ("message",),
    "refused": ("message", "failure"),
    "request": ("message", "failure", "other"),
    "reply": ("reply",),
}
"""The kinds of exchanges that have an entry of each name."""

NUMBER: Callable[[Exchange], int] = attrgetter("number")
MAX_LISTED = 10
"""Most messages, and most refusals, that an error lists."""

MAX_WINDOWS = MAX_CHANGES = 10_000
MIN_MEMORY = 64 * 1024 * 1024
MEMORY_PER_EXCHANGE = 64 * 1024


@dataclass
class Store:
    """
    The last messages, refusals, requests and replies, up to ``keep`` of each. Thread-safe for reading.

    Entries of a kind take at most about 64 KiB times ``keep``, at least 64 MiB, so that only bodies much
    larger than a message displace others. The newest entry is always stored.

    ``kinds`` and ``chats`` contain the exchanges by number. ``number`` is the number of the last change,
    ``cleared`` that of the last clearing. ``name`` identifies this store for readers that outlive a sandbox.
    ``file`` is the file of ``--data``, if any. ``changed`` is a condition: hold it to read or change several
    attributes, such as ``kinds`` and ``chats``; it is notified of each change.
    """

    keep: int
    open_windows: bool = False

    def __post_init__(self) -> None:
        """Create the containers."""
        # Separate limits, so that many refusals do not displace messages.
        self.kinds: dict[Kind, OrderedDict[int, Exchange]] = {kind: OrderedDict() for kind in get_args(Kind)}
        self.chats: Chats = {}
        self._memory: Counter[Kind] = Counter()
        self._by_id: dict[str, Exchange] = {}
        self._by_body: dict[bytes, Exchange] = {}
        self._windows: OrderedDict[str, datetime] = OrderedDict()
        # By number: the id of a message with another status, a window; None for a new exchange.
        self._changes: deque[tuple[int, str | Window | None]] = deque(maxlen=MAX_CHANGES)
        self.number = self.cleared = 0
        self._listeners: list[Callable[[], None]] = []
        self.changed = threading.Condition()
        self.file: DataFile | None = None
        self.name = uuid4().hex[:12]

    def open(self, file: DataFile) -> None:
        """Load a file, and write all changes to it from now on."""
        with self.changed, file.errors():
            self._clear_memory()
            evicted: list[Exchange] = []
            for row in file.rows("exchanges"):
                evicted += self._add_to_memory(exchange_from(*row))
            self.number = max(self.number, *(last for _, last in file.rows("sqlite_sequence")), 0)
            for recipient, until in file.rows("windows"):
                self._windows[recipient] = datetime.fromisoformat(until)
            file.delete("exchanges", *(one.number for one in evicted))
            self.cleared = self.number
            self.file = file

    def close(self) -> None:
        """Close the file, if there is one; its data can still be read from memory."""
        with self.changed:
            if self.file:
                self.file.close()
            self.file = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all changes in the block to the file in one transaction."""
        with self.changed, self.file.transaction() if self.file else nullcontext():
            yield

    def add(self, *entries: Entry) -> Exchange:
        """Add entries atomically; if the file can't be written, none is added."""
        with self.transaction():
            exchange = Exchange(self.number + 1, entries)
            if self.file:
                self.file.put("exchanges", *exchange.row())
            evicted = self._add_to_memory(exchange)
            if self.file:
                self.file.delete("exchanges", *(one.number for one in evicted))
            self._notify(None)
        return exchange

    def _add_to_memory(self, exchange: Exchange) -> list[Exchange]:
        """Add an exchange to memory, and return those that it displaces."""
        self.kinds[exchange.kind][exchange.number] = exchange
        self._memory[exchange.kind] += exchange.memory
        add_to_chat(self.chats, exchange)
        if entry := exchange.message or exchange.reply:
            self._by_id[entry.id] = exchange
        if exchange.message and exchange.request:
            self._by_body[exchange.request.raw_body] = exchange
        if (reply := exchange.reply) and reply.choice is not None and reply.answers in self._by_id:
            self._by_id[reply.answers].chosen = reply.choice
        return list(self._evict(exchange.kind))

    def _evict(self, kind: Kind) -> Iterator[Exchange]:
        """Remove and yield the oldest of a kind while there are too many, or they are too large."""
        kept, most = self.kinds[kind], max(MIN_MEMORY, self.keep * MEMORY_PER_EXCHANGE)
        while len(kept) > self.keep or (self._memory[kind] > most and len(kept) > 1):
            number, old = kept.popitem(last=False)
            self._memory[kind] -= old.memory
            if chat := old.chat_number:
                del self.chats[chat][number]
                if not self.chats[chat]:
                    del self.chats[chat]
            if (entry := old.message or old.reply) and self._by_id.get(entry.id) is old:
                del self._by_id[entry.id]
            if old.request and self._by_body.get(old.request.raw_body) is old:
                del self._by_body[old.request.raw_body]
            yield old

    @property
    def messages(self) -> list[ReceivedMessage]:
        """The accepted messages, oldest first."""
        return self.all("message")

    def all(self, name: EntryName) -> list[Any]:
        """Return the entries of a kind, oldest first."""
        with self.changed:
            return [entry for _, entry in self._entries(name)]

    def _entries(self, name: EntryName, after: int = 0) -> Iterator[tuple[int, Any]]:
        """Return the entries of one kind after a number, with the numbers of their exchanges."""
        for exchange in self.exchanges(KINDS_WITH[name], after):
            if (entry := getattr(exchange, name)) is not None:
                yield exchange.number, entry

    def exchanges(self, kinds: Iterable[Kind] = SHOWN, after: int = 0) -> list[Exchange]:
        """Return the exchanges after a number, oldest first; by default those that the inbox page shows."""
        with self.changed:
            newest_first = (reversed(self.kinds[kind].values()) for kind in kinds)
            found = [one for kept in newest_first for one in takewhile(lambda one: one.number > after, kept)]
        return sorted(found, key=NUMBER)

    @property
    def cursor(self) -> str:
        """The current position in the stream of events."""
        return f"{self.name}.{self.number}"

    def exchange(self, number: int) -> Exchange | None:
        """Return the exchange with a number, None if there is none."""
        with self.changed:
            return next((self.kinds[kind][number] for kind in SHOWN if number in self.kinds[kind]), None)

    def page(
        self, name: EntryName, after: int, limit: int, recipient: str | None = None
    ) -> tuple[list[Entry], int]:
        """
        Return a page of entries of a kind, oldest first, and the next ``after``; 0 after the last page.

        :param after: the number after which to start, 0 to begin with the oldest
        :param recipient: only entries of the recipient with these digits
        """
        found: list[Entry] = []
        last = 0
        with self.changed:
            for number, entry in self._entries(name, after):
                of = getattr(entry, "recipient", None) or getattr(entry, "sender", None)
                if recipient in (None, of):
                    if len(found) == limit:
                        return found, last
                    found.append(entry)
                    last = number
        return found, 0

    def wait_for(self, asked: WaitAsked) -> list[ReceivedMessage]:
        """
        Wait until there are at least that many messages, and return all of them.

        :raises TimeoutError: if there are fewer; the error lists what was received instead
        """
        with self.changed:
            if not self.wait_for_count(asked, asked.timeout):
                raise self.timeout_error(asked)
            return self._matching(asked)

    def wait_for_count(self, asked: WaitAsked, seconds: float) -> bool:
        """Wait until there are at least that many messages, or some time has passed."""
        if asked.n > self.keep:
            raise ValueError(f"waiting for {asked.n} messages, but the sandbox keeps {self.keep}")
        with self.changed:
            return self.changed.wait_for(
                lambda: len(self.kinds["message"]) >= asked.n <= len(self._matching(asked)), seconds
            )

    def _matching(self, asked: WaitAsked) -> list[ReceivedMessage]:
        return [
            one
            for one in self.messages
            if asked.recipient in (None, one.recipient)
            and (asked.status is None or any(reached.status == asked.status for reached in one.statuses))
        ]

    def timeout_error(self, asked: WaitAsked) -> TimeoutError:
        """Return the error that lists what was received instead."""
        with self.changed:
            count = len(self._matching(asked))
            messages = [
                f"{one.type} to {shortened(one.recipient)}: {one.text[:40]!r}"
                + (f" ({' '.join(filter(None, (one.status, one.failure)))})" if asked.status else "")
                for one in self.messages
            ]
            refused = [f"{one.status} ({one.meaning}): {one.why}" for one in self.all("refused")]
        wanted = [f"to {shortened(asked.recipient)}"] if asked.recipient else []
        wanted += [f"with status {asked.status}"] if asked.status else []
        return TimeoutError(
            " ".join([f"{asked.n} accepted messages", *wanted])
            + f" were expected within {asked.timeout:g} s, {count} came"
            + "".join(_lines("accepted", messages))
            + "".join(_lines("refused with", refused))
        )

    def since(self, number: int | None) -> tuple[list[tuple[int, Change]] | None, int]:
        """
        Return the changes since a reader's last read.

        :param number: the number of the last change that the reader knows; None if it knows none
        :return: the changes with their numbers, oldest first, or None if the inbox was cleared since or there
            are too many changes; and the number of the last change
        """
        with self.changed:
            if number is None or number < max(self.cleared, self.number - MAX_CHANGES):
                return None, self.number
            newer = takewhile(lambda change: change[0] > number, reversed(self._changes))
            changes = [(one, self._changed_object(one, change)) for one, change in newer]
            return [(one, change) for one, change in reversed(changes) if change], self.number

    def _changed_object(self, number: int, change: str | Window | None) -> Change | None:
        """Return the changed object, None if it is no longer stored."""
        if isinstance(change, str):
            exchange = self._by_id.get(change)
            return exchange and exchange.message
        return change or self.exchange(number)

    def add_status(self, message: ReceivedMessage, status: DeliveryStatus) -> None:
        """Add a status to a message; one that it already has changes nothing."""
        with self.changed:
            if any(one.status == status.status for one in message.statuses):
                return
            message.statuses.append(status)
            self._notify_message(message)

    def note(self, message: ReceivedMessage, note: str) -> None:
        """Add a note to a message."""
        with self.changed:
            message.notes.append(note)
            self._notify_message(message)

    def _notify_message(self, message: ReceivedMessage) -> None:
        if exchange := self._by_id.get(message.id):
            exchange.update_trouble()
            if self.file:
                self.file.put("exchanges", *exchange.row())
        self._notify(message.id)

    def set_window(self, recipient: str, until: datetime) -> None:
        """Open or close the 24-hour window of a recipient. The last 10,000 windows are stored."""
        with self.changed:
            if self.file:
                self.file.put("windows", recipient, until.isoformat())
            self._windows[recipient] = until
            self._windows.move_to_end(recipient)
            if len(self._windows) > MAX_WINDOWS:
                oldest, _ = self._windows.popitem(last=False)
                if self.file:
                    self.file.delete("windows", oldest)
            self._notify(Window(recipient, until))

    def window_until(self, recipient: str) -> datetime | None:
        """Return when the 24-hour window of a recipient closes or closed; None if it was never open."""
        with self.changed:
            return self._windows.get(recipient)

    def exchange_of(self, message_id: object) -> Exchange | None:
        """Return the exchange of the message or reply with an id, None if there is none."""
        with self.changed:
            return self._by_id.get(str(message_id))

    def message(self, message_id: str) -> ReceivedMessage:
        """
        Return the message with an id.

        :raises ValueError: if there is none
        """
        exchange = self.exchange_of(message_id)
        if exchange is None or exchange.message is None:
            raise ValueError("message_id: there is no message with this id")
        return exchange.message

    def last_equal(self, raw_body: bytes) -> ReceivedMessage | None:
        """Return the last message with exactly the same body; None if there is none."""
        with self.changed:
            found = self._by_body.get(raw_body)
            return found.message if found else None

    @contextmanager
    def listen(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call ``listener`` on each change, in the changing thread. It must not block, or read the store."""
        with self.changed:
            self._listeners.append(listener)
        try:
            yield
        finally:
            with self.changed:
                self._listeners.remove(listener)

    def clear(self) -> None:
        """Delete everything."""
        with self.changed:
            if self.file:
                self.file.clear("exchanges", "windows", "pushes")
            self._clear_memory()
            self.cleared = self.number + 1
            self._notify(None)

    def _clear_memory(self) -> None:
        for kept in self.kinds.values():
            kept.clear()
        for known in (self.chats, self._memory, self._by_id, self._by_body, self._windows):
            known.clear()

    def _notify(self, change: str | Window | None) -> None:
        self.number += 1
        self._changes.append((self.number, change))
        self.changed.notify_all()
        for listener in self._listeners:
            listener()


def add_to_chat(chats: Chats, exchange: Exchange) -> None:
    """Add an exchange to its chat, if it has one."""
    if number := exchange.chat_number:
        chats[number] = chat = chats.pop(number, {})  # the last one now
        chat[exchange.number] = exchange


def _lines(change: str, texts: list[str]) -> Iterator[str]:
    if len(texts) > MAX_LISTED:
        yield f"\n  ... and {len(texts) - MAX_LISTED} more {change.split(maxsplit=1)[0]} before these"
    yield from (f"\n  {change} {one}" for one in texts[-MAX_LISTED:])

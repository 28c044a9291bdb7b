"""The file of ``--data``: what the sandbox got, in SQLite, so that it survives the process."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers

from airflow_provider_itnio.sandbox.store.entries import (
    DeliveryStatus,
    Entry,
    ReceivedMessage,
    RefusedRequest,
    Reply,
    SeenRequest,
    as_json,
)
from airflow_provider_itnio.sandbox.store.exchange import Exchange

FORMAT = 1
"""The version of the tables below, kept in the file."""

APPLICATION_ID = 0x49544E49
"""Marks a SQLite file as the sandbox's own."""

TABLES = """
CREATE TABLE exchanges (number INTEGER PRIMARY KEY AUTOINCREMENT, entries TEXT, body TEXT, raw_body BLOB);
CREATE TABLE statuses (number INTEGER, status TEXT, at TEXT, failure TEXT, PRIMARY KEY (number, status));
CREATE TABLE windows (recipient TEXT PRIMARY KEY, until TEXT);
CREATE TABLE pushes (id INTEGER PRIMARY KEY, key TEXT, body BLOB);
"""

ENTRY_TYPES: dict[str, tuple[type[Entry], list[str]]] = {
    one.__name__: (one, [field.name for field in fields(one)])
    for one in (ReceivedMessage, RefusedRequest, SeenRequest, Reply)
}
SHARED = ("body", "headers")
"""What the other entries of an exchange have from its request."""


class DataFileError(RuntimeError):
    """The file of ``--data`` cannot be used: the text names it and says why."""


class DataFile:
    """
    An open file that no other process can open meanwhile. It may be used from any thread.

    Whatever was written is there after the process ended, however it ended. A power cut may take the last
    seconds away; it leaves no damaged file. All methods raise :class:`DataFileError`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self._lock = threading.Lock()
        with self._errors():
            # Its owner alone may read what people were sent.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            with suppress(PermissionError):  # it belongs to another user
                self.path.chmod(0o600)
            self._db = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with self._errors():
                self._open()
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> None:
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("BEGIN EXCLUSIVE")
        (mark,) = self._db.execute("PRAGMA application_id").fetchone()
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and mark != APPLICATION_ID:
            raise DataFileError(f"data: {self.path} is a SQLite file of another program; name another file")
        if tables and version != FORMAT:
            raise DataFileError(
                f"data: {self.path} has the format {version} of another version of itnio-sandbox, "
                f"this one reads format {FORMAT}; name another file"
            )
        self._db.execute("COMMIT")
        # With NORMAL, only a checkpoint waits for the disk.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        if not tables:
            marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};"
            self._db.executescript(f"BEGIN; {TABLES} {marks} COMMIT;")
        elif (found := self._db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise DataFileError(f"data: {self.path} is damaged: {found}")

    def close(self) -> None:
        """Let go of the file."""
        with self._errors():
            self._db.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write all that is written meanwhile at once. The thread that calls this has locked the store."""
        if self._db.in_transaction:
            yield
            return
        self._do("BEGIN")
        end = "ROLLBACK"
        try:
            yield
            end = "COMMIT"
        finally:
            # SQLite has rolled back by itself if the disk is full.
            if self._db.in_transaction:
                self._do(end)

    def read(self) -> Iterator[Exchange]:
        """Read the exchanges, oldest first, each with the statuses that its message has reached."""
        with self._errors():
            reached: dict[int, list[DeliveryStatus]] = {}
            for number, status, at, failure in self._db.execute("SELECT * FROM statuses ORDER BY rowid"):
                found = DeliveryStatus(status, datetime.fromisoformat(at), failure)
                reached.setdefault(number, []).append(found)
            for number, *row in self._db.execute("SELECT * FROM exchanges ORDER BY number"):
                exchange = Exchange(number, tuple(_entries_of(*row)))
                if exchange.message:
                    exchange.message.statuses[:] = reached.get(number, [])
                yield exchange

    def read_windows(self) -> list[tuple[str, datetime]]:
        """Read until when the window of each recipient is or was open, the last changed last."""
        with self._errors():
            rows = self._db.execute("SELECT recipient, until FROM windows ORDER BY rowid").fetchall()
            return [(recipient, datetime.fromisoformat(until)) for recipient, until in rows]

    def last_number(self) -> int:
        """Read the highest number that an exchange had, 0 for a new file."""
        with self._errors():
            return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()[0])

    def add(self, exchange: Exchange) -> None:
        """Write an exchange."""
        row = (exchange.number, *_row_of(exchange))
        with self.together():
            self._do("INSERT INTO exchanges VALUES (?, ?, ?, ?)", row)
            if exchange.message:
                for status in exchange.message.statuses:
                    self.reach(exchange.number, status)

    def rewrite(self, exchange: Exchange) -> None:
        """Write an exchange whose entries have changed."""
        entries, *_ = _row_of(exchange)
        self._do("UPDATE exchanges SET entries = ? WHERE number = ?", (entries, exchange.number))

    def reach(self, number: int, status: DeliveryStatus) -> None:
        """Write that the message of an exchange has reached a status."""
        values = (number, status.status, status.at.isoformat(), status.failure)
        self._do("INSERT OR IGNORE INTO statuses VALUES (?, ?, ?, ?)", values)

    def set_window(self, recipient: str, until: datetime) -> None:
        """Write until when the window of a recipient is open."""
        self._do("REPLACE INTO windows VALUES (?, ?)", (recipient, until.isoformat()))

    def forget_window(self, recipient: str) -> None:
        """Forget the window of a recipient."""
        self._do("DELETE FROM windows WHERE recipient = ?", (recipient,))

    def forget(self, numbers: Iterable[int]) -> None:
        """Forget exchanges."""
        for number in numbers:
            self._do("DELETE FROM exchanges WHERE number = ?", (number,))
            self._do("DELETE FROM statuses WHERE number = ?", (number,))

    def add_push(self, key: str, body: bytes) -> int:
        """Write a push that is to be tried, and give its number; pushes of one key keep their order."""
        return self._do("INSERT INTO pushes (key, body) VALUES (?, ?)", (key, body))

    def end_push(self, number: int) -> None:
        """Forget a push that was taken or given up."""
        self._do("DELETE FROM pushes WHERE id = ?", (number,))

    def clear_pushes(self) -> None:
        """Forget the pushes that wait."""
        self._do("DELETE FROM pushes")

    def waiting_pushes(self) -> list[tuple[int, str, bytes]]:
        """Read the pushes that wait, each as its number, key and body, oldest first."""
        with self._errors():
            return self._db.execute("SELECT id, key, body FROM pushes ORDER BY id").fetchall()

    def clear(self) -> None:
        """Forget everything; no number is given again."""
        with self.together():
            for table in ("exchanges", "statuses", "windows", "pushes"):
                self._do(f"DELETE FROM {table}")  # noqa: S608

    def _do(self, statement: str, values: tuple[Any, ...] = ()) -> int:
        with self._errors():
            return self._db.execute(statement, values).lastrowid or 0

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Be alone with the connection, and name the file in each error."""
        try:
            with self._lock:
                yield
        except DataFileError:
            raise
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise DataFileError(f"data: {self.path} is in use by another process") from None
            raise DataFileError(f"data: {self.path} cannot be read or written: {error}") from error
        except sqlite3.DatabaseError as error:
            text = f"data: {self.path} is damaged, or no file of itnio-sandbox: {error}"
            raise DataFileError(text) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataFileError(f"data: {self.path} is damaged: it holds what cannot be read") from error
        except OSError as error:
            raise DataFileError(f"data: {self.path} cannot be opened: {error.strerror}") from error


def _row_of(exchange: Exchange) -> tuple[str, str, bytes]:
    """Write an exchange; what its entries share, which is most of it, only once."""
    held = {type(entry).__name__: as_json(entry) for entry in exchange.entries}
    request = exchange.request
    if request is None:
        return json.dumps(held), "null", b""
    for entry in exchange.entries:
        for name in SHARED:
            if getattr(entry, name, None) is getattr(request, name):
                del held[type(entry).__name__][name]
    del held["SeenRequest"]["raw_body"]
    return (
        json.dumps(held | {"headers": list(request.headers.items())}),
        json.dumps(request.body),
        request.raw_body,
    )


def _entries_of(entries: str, body: str, raw_body: bytes) -> Iterator[Entry]:
    held = json.loads(entries)
    shared = {"body": json.loads(body), "headers": headers_of(held.pop("headers", ())), "raw_body": raw_body}
    for name, values in held.items():
        kind, names = ENTRY_TYPES[name]
        known = shared | values | {"at": datetime.fromisoformat(values["at"])}
        yield kind(**{one: known[one] for one in names})


def headers_of(pairs: Iterable[tuple[str, str]]) -> Headers:
    """Make headers that are found whatever their letter case."""
    return Headers(raw=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs])

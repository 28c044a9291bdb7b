"""The file of ``--data``: the sandbox's data in SQLite, to survive the process."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

FORMAT = 2
"""The version of the tables below, which the file contains."""

APPLICATION_ID = 0x49544E49
"""Marks a SQLite file as the sandbox's own."""

TABLES = """
CREATE TABLE exchanges (key INTEGER PRIMARY KEY AUTOINCREMENT, entries TEXT, body TEXT, raw_body BLOB);
CREATE TABLE windows (key TEXT PRIMARY KEY, until TEXT);
CREATE TABLE pushes (key INTEGER PRIMARY KEY, lane TEXT, body BLOB);
"""


class DataFileError(RuntimeError):
    """The file of ``--data`` cannot be used. The text names it and the reason."""


class DataFile:
    """
    An open file, locked against other processes. Thread-safe.

    Written data survives the process, however it ends. After a power cut the last seconds may be lost, but
    the file is not damaged. All methods raise :class:`DataFileError`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self._lock = threading.RLock()
        with self.errors():
            # Only its owner may read the messages.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            with suppress(PermissionError):  # it belongs to another user
                self.path.chmod(0o600)
            self._db = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with self.errors():
                self._open()
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> None:
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("BEGIN EXCLUSIVE")
        (application_id,) = self._db.execute("PRAGMA application_id").fetchone()
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        (tables,) = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application_id != APPLICATION_ID:
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
            placeholders = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};"
            self._db.executescript(f"BEGIN; {TABLES} {placeholders} COMMIT;")
        elif (result := self._db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise DataFileError(f"data: {self.path} is damaged: {result}")

    def close(self) -> None:
        """Close the file."""
        with self.errors():
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write everything in the block in one transaction. The caller must have locked the store."""
        if self._db.in_transaction:
            yield
            return
        self._execute("BEGIN")
        end = "ROLLBACK"
        try:
            yield
            end = "COMMIT"
        finally:
            # SQLite has rolled back by itself if the disk is full.
            if self._db.in_transaction:
                self._execute(end)

    def rows(self, table: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a table, oldest first."""
        with self.errors():
            yield from self._db.execute(f"SELECT * FROM {table} ORDER BY rowid")  # noqa: S608

    def put(self, table: str, *values: Any) -> int:
        """Insert or replace a row, and return its key; a key of None becomes a new one."""
        placeholders = ", ".join("?" * len(values))
        return self._execute(f"REPLACE INTO {table} VALUES ({placeholders})", values)  # noqa: S608

    def delete(self, table: str, *keys: Any) -> None:
        """Delete the rows with these keys."""
        for key in keys:
            self._execute(f"DELETE FROM {table} WHERE key = ?", (key,))  # noqa: S608

    def clear(self, *tables: str) -> None:
        """Empty tables; keys of exchanges are not reused."""
        with self.transaction():
            for table in tables:
                self._execute(f"DELETE FROM {table}")  # noqa: S608

    def _execute(self, statement: str, values: tuple[Any, ...] = ()) -> int:
        with self.errors():
            return self._db.execute(statement, values).lastrowid or 0

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Lock the connection, and name the file in each error."""
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
            raise DataFileError(f"data: {self.path} is damaged: it has unreadable data") from error
        except OSError as error:
            raise DataFileError(f"data: {self.path} cannot be opened: {error.strerror}") from error

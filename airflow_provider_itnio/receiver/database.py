"""The receiver's tables, in SQLite or PostgreSQL."""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
import time
from contextlib import suppress
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

log = logging.getLogger(__name__)

VERSION: Final = 2
"""The version of the tables. Each new version adds its SQL to ``_MIGRATIONS``."""

_MIGRATIONS: Final[dict[int, tuple[str, ...]]] = {
    1: ("ALTER TABLE itnio_incoming ADD COLUMN opens_window BOOLEAN NOT NULL DEFAULT TRUE",),
}
"""SQL that migrates the tables from each version to the next one."""

_LOCK_KEY: Final = 0x17_A1_0C_4E
"""Key of the PostgreSQL advisory lock: one receiver at a time creates tables or numbers messages."""

_BUSY_TIMEOUT: Final = 30_000
"""Milliseconds that SQLite waits for its lock."""

tables = sa.MetaData()

mailbox = sa.Table(
    "itnio_mailbox",
    tables,
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("name", sa.String(16), nullable=False),
)
"""One row. The name is a part of cursors, so that a cursor of another database is recognized."""

statuses = sa.Table(
    "itnio_status",
    tables,
    sa.Column("message_id", sa.String(200), primary_key=True),
    sa.Column("status", sa.String(16), primary_key=True),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("failure", sa.Text),
    sa.Column("received_at", sa.BigInteger, nullable=False, index=True),
)

incoming = sa.Table(
    "itnio_incoming",
    tables,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("message_id", sa.String(200), nullable=False, unique=True),
    sa.Column("sender", sa.String(64), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("business_phone", sa.String(64), nullable=False),
    sa.Column("type", sa.String(64), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("option_id", sa.Text),
    sa.Column("option_title", sa.Text),
    sa.Column("reply_to", sa.String(200)),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.Column("received_at", sa.BigInteger, nullable=False, index=True),
    sa.Column("opens_window", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Index("itnio_incoming_sender", "sender", "at"),
    sqlite_autoincrement=True,
)

unread_events = sa.Table(
    "itnio_unread_event",
    tables,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("kind", sa.String(64), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("received_at", sa.BigInteger, nullable=False, index=True),
    sqlite_autoincrement=True,
)

questions = sa.Table(
    "itnio_asked_question",
    tables,
    sa.Column("question_id", sa.String(64), primary_key=True),
    sa.Column("phone", sa.String(64), primary_key=True),
    sa.Column("opened_after", sa.BigInteger, nullable=False),
    sa.Column("closed_after", sa.BigInteger),
    sa.Column("open_until", sa.BigInteger, nullable=False),
    sa.Column("unclear_for", sa.BigInteger, nullable=False),
    sa.Column("unclear_until", sa.BigInteger, nullable=False),
    sa.Column("task", sa.String(64), nullable=False),
    sa.Column("received_at", sa.BigInteger, nullable=False, index=True),
    sa.Index("itnio_asked_question_phone", "phone"),
)
"""The open questions of each recipient. A message belongs to a question if its number is above
``opened_after`` and not above ``closed_after``, and it was written up to ``open_until``. Until
``unclear_until``, later messages may still be meant for it. ``task`` has one open question at a time; empty
if unknown. The row is deleted ``--keep-days`` after ``received_at``."""


class DatabaseError(Exception):
    """The database can't be used. The text gives the reason, without the URL's password."""


def open_database(url: str) -> tuple[Engine, str]:
    """Connect, and create or migrate the tables.

    :param url: a SQLAlchemy URL of SQLite or PostgreSQL.
    :return: the engine, and the mailbox's name.
    :raises DatabaseError: if the database can't be used.
    """
    engine = _engine(url)
    try:
        with engine.begin() as connection:
            return engine, _migrate(connection)
    except sa.exc.SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise DatabaseError(f"{_masked_url(url)} can't be used: {reason}") from None


def lock(connection: Connection) -> None:
    """Take the lock that all receivers of a PostgreSQL database share, until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})"))


def _engine(url: str) -> Engine:
    try:
        dialect = make_url(url).get_backend_name()
        if dialect == "postgresql":
            return sa.create_engine(url, future=True, pool_pre_ping=True, pool_size=8, max_overflow=8)
        if dialect == "sqlite":
            return _sqlite(url)
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise DatabaseError(
            "--database: must be a URL such as sqlite:////var/lib/itnio/receipts.db or "
            "postgresql+psycopg2://user:password@host/name"
        ) from None
    except ImportError as error:
        raise DatabaseError(f"{_masked_url(url)} can't be used: {error}. Install the driver") from None
    raise DatabaseError(
        f"--database: must begin with sqlite:// or postgresql+psycopg2://; {dialect}:// can't be used"
    )


def _sqlite(url: str) -> Engine:
    if make_url(url).database in (None, "", ":memory:"):
        raise DatabaseError("--database: must be a SQLite file, such as sqlite:///receipts.db")
    path = make_url(url).database or ""
    if not path.startswith("file:"):  # for a SQLite URI, the umask decides
        _restrict_to_owner(path)
    engine = sa.create_engine(
        url, future=True, connect_args={"timeout": _BUSY_TIMEOUT / 1000, "check_same_thread": False}
    )

    @sa.event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _: object) -> None:
        connection.isolation_level = None  # transactions are begun below
        _enable_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")  # commits survive a power cut

    @sa.event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _enable_wal(connection: sqlite3.Connection) -> None:
    """Turn the write-ahead log on. SQLite does not wait for another connection's write here."""
    deadline = time.monotonic() + _BUSY_TIMEOUT / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _restrict_to_owner(path: str) -> None:
    """Create a SQLite file if it is missing, and restrict it to its owner, since it contains messages.

    SQLite's ``-wal`` and ``-shm`` files get the same permissions.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError:
        return  # opening the database will raise a clear error
    for file in (path, f"{path}-wal", f"{path}-shm"):
        with suppress(FileNotFoundError):
            try:
                os.chmod(file, 0o600)
            except PermissionError:
                log.warning("%s belongs to another user; other users may be able to read it", file)


def _migrate(connection: Connection) -> str:
    lock(connection)
    tables.create_all(connection)
    row = connection.execute(sa.select(mailbox)).first()
    if row is None:
        name = secrets.token_hex(4)
        connection.execute(mailbox.insert().values(version=VERSION, name=name))
        return name
    if row.version > VERSION:
        raise DatabaseError(
            f"the database's tables have version {row.version}, this receiver only knows {VERSION}: "
            "install the newer airflow-provider-itnio"
        )
    for version in range(row.version, VERSION):
        for statement in _MIGRATIONS[version]:
            connection.execute(sa.text(statement))
    connection.execute(mailbox.update().values(version=VERSION))
    return str(row.name)


def _masked_url(url: str) -> str:
    return repr(make_url(url))

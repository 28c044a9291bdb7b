"""Store and query the receiver's events. Each method blocks on the database."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine, RowMapping

from airflow_provider_itnio.receiver.database import incoming, lock, questions, statuses, unread_events
from airflow_provider_itnio.receiver.events import Event, IncomingMessage, StatusEvent, UnreadEvent

ORDER: Final = ("none", "sent", "delivered", "read")
"""A status only moves forward. ``failed`` is final, except that ``read`` replaces it."""

WINDOW: Final = 24 * 3600
"""Seconds of a 24-hour window, from a person's last message."""

LATEST: Final = "latest"
_MAX_RESPONSE_SIZE: Final = 900_000
"""Most bytes of JSON in one answer: clients read at most 1 MiB."""
_MAX_FAILURE_SIZE: Final = 400
"""Most bytes of a failure in an answer about many messages, so that a thousand of them fit."""
_MAX_UNREAD: Final = 10_000
_DELETE_BATCH: Final = 5_000


class CursorError(ValueError):
    """The text is not a cursor of a receiver."""


class Mailbox:
    """Statuses by message, incoming messages in order, and events of unknown shape.

    :param engine: the database.
    :param name: the mailbox's name, a part of its cursors.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._reader = engine.execution_options(reads=True)
        self._name = name
        self._opened_at = int(time.time())
        dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
        self._insert: Any = dialect.insert

    def ping(self) -> None:
        """Check that the database answers."""
        with self._reader.connect() as connection:
            connection.execute(sa.text("SELECT 1"))

    def store(self, events: Iterable[Event], now: int) -> None:
        """Store all events in one transaction. Events that are already stored change nothing."""
        rows: dict[type[Event], list[dict[str, Any]]] = {
            StatusEvent: [],
            IncomingMessage: [],
            UnreadEvent: [],
        }
        for event in events:
            rows[type(event)].append(asdict(event) | {"received_at": now})
        with self._engine.begin() as connection:
            # Sorted, so that two receivers that store the same events can't deadlock.
            self._add(connection, statuses, sorted(rows[StatusEvent], key=_identity))
            if rows[IncomingMessage]:
                lock(connection)  # so that numbers are committed in order
                self._add(connection, incoming, rows[IncomingMessage])
            if rows[UnreadEvent]:
                connection.execute(unread_events.insert(), rows[UnreadEvent])

    def _add(self, connection: Connection, table: sa.Table, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            connection.execute(self._insert(table).on_conflict_do_nothing(), rows)

    def delete_old(self, before: int) -> int:
        """Delete a batch of rows from before a time, and all but the newest events of unknown shape.

        :return: how many rows were deleted; 0 if there are no more.
        """
        deleted = 0
        with self._engine.begin() as connection:
            for table in (statuses, incoming, unread_events, questions):
                key = sa.tuple_(*table.primary_key.columns)
                old = sa.select(*table.primary_key.columns).where(table.c.received_at < before)
                deleted += connection.execute(
                    table.delete().where(key.in_(old.limit(_DELETE_BATCH)))
                ).rowcount
            newest = connection.scalar(sa.select(sa.func.max(unread_events.c.number))) or 0
            deleted += connection.execute(
                unread_events.delete().where(unread_events.c.number <= newest - _MAX_UNREAD)
            ).rowcount
        return deleted

    def messages(self, ids: Iterable[str]) -> list[dict[str, Any]]:
        """Return the statuses of messages, one for each id, in the same order."""
        ids = list(ids)
        query = sa.select(statuses).where(statuses.c.message_id.in_(set(ids)))
        rows_by_id: dict[str, list[RowMapping]] = {}
        with self._reader.connect() as connection:
            for row in connection.execute(query).mappings():
                rows_by_id.setdefault(row["message_id"], []).append(row)
        return [_message(message_id, rows_by_id.get(message_id, [])) for message_id in ids]

    def incoming(self, after: str | None, limit: int) -> dict[str, Any]:
        """Return the incoming messages after a cursor, and the next cursor.

        :param after: a cursor, ``latest`` for the end, ``None`` to begin with the oldest message.
        :param limit: the most messages to return; fewer are returned if the answer would be too large.
        :raises CursorError: if ``after`` is not a cursor.
        """
        with self._reader.connect() as connection:
            if after == LATEST:
                return {"messages": [], "cursor": f"{self._name}-{_last(connection)}"}
            start = self._start(connection, after)
            query = sa.select(incoming).where(incoming.c.number > start).order_by(incoming.c.number)
            rows = connection.execute(query.limit(limit)).mappings().all()
            rows_of_senders = self._questions(connection, {row["sender"] for row in rows})
        messages: list[dict[str, Any]] = []
        last, size = start, 0
        for row in rows:
            message = _incoming(row) | _questions_of(row, rows_of_senders)
            size += len(json.dumps(message, ensure_ascii=False).encode())
            if messages and size > _MAX_RESPONSE_SIZE:
                break
            messages.append(message)
            last = row["number"]
        return {"messages": messages, "cursor": f"{self._name}-{last}"}

    def _questions(self, connection: Connection, senders: Collection[str]) -> Sequence[RowMapping]:
        if not senders:
            return []
        asked = sa.select(questions).where(questions.c.phone.in_(senders)).order_by(questions.c.question_id)
        return connection.execute(asked).mappings().all()

    def open_question(
        self, question_id: str, phones: Iterable[str], open_until: int, unclear_for: int = 0, task: str = ""
    ) -> dict[str, Any]:
        """Open a question, and close the previous question of the same task.

        If the question is already stored, it keeps its first cursor.

        :param question_id: the question's id.
        :param phones: the recipients' numbers, digits only.
        :param open_until: Unix seconds.
        :param unclear_for: seconds after it closes in which recipients may still type an answer to it.
        :param task: the id of the task that asks; empty if unknown.
        :return: the cursor after which answers arrive.
        """
        with self._engine.begin() as connection:
            lock(connection)  # so that no message gets a number meanwhile
            last = connection.scalar(sa.select(sa.func.max(incoming.c.number))) or 0
            known = sa.select(sa.func.min(questions.c.opened_after)).where(
                questions.c.question_id == question_id
            )
            start = connection.scalar(known)
            start = last if start is None else start
            connection.execute(questions.delete().where(questions.c.question_id == question_id))
            if task:
                closed = {
                    "closed_after": sa.func.coalesce(questions.c.closed_after, last),
                    "unclear_until": 0,
                }
                connection.execute(questions.update().where(questions.c.task == task).values(closed))
            row = {
                "question_id": question_id,
                "opened_after": start,
                "open_until": open_until,
                "unclear_for": unclear_for,
                "unclear_until": open_until + unclear_for,
                "task": task,
                "received_at": open_until,
            }
            rows = [{**row, "phone": phone} for phone in sorted(set(phones))]
            connection.execute(questions.insert(), rows)
        return {"cursor": f"{self._name}-{start}"}

    def close_question(self, question_id: str, answered_by: Collection[str], now: int) -> None:
        """Close a question.

        :param question_id: the question's id, or the id of the task that asks.
        :param answered_by: the number of the person who answered, in each spelling, digits only.
        :param now: Unix seconds.
        """
        with self._engine.begin() as connection:
            lock(connection)
            last = connection.scalar(sa.select(sa.func.max(incoming.c.number))) or 0
            rows = (questions.c.question_id == question_id) | (questions.c.task == question_id)
            open_rows = rows & questions.c.closed_after.is_(None)
            unclear_until = sa.case(
                (questions.c.phone.in_(answered_by), 0), else_=now + questions.c.unclear_for
            )
            closed = {"closed_after": last, "unclear_until": unclear_until}
            connection.execute(questions.update().where(open_rows).values(closed))

    def window(self, phone: str, business_phone: str = "") -> dict[str, Any]:
        """Return when a person last wrote, and when their 24-hour window closes.

        :param phone: the person's number, digits only.
        :param business_phone: the number that messages come from, digits only: only messages to this number
            count. Empty for any.
        """
        query = sa.select(incoming.c.at).where(incoming.c.sender == phone, incoming.c.opens_window)
        if business_phone:
            query = query.where(incoming.c.business_phone.in_(("", business_phone)))
        query = query.order_by(incoming.c.at.desc()).limit(1)
        with self._reader.connect() as connection:
            last = connection.scalar(query)
        until = None if last is None else _time(last + WINDOW)
        return {"phone": phone, "last_incoming_at": _time(last), "open_until": until}

    def unread(self, limit: int) -> list[dict[str, Any]]:
        """Return the newest events of unknown shape."""
        query = sa.select(unread_events).order_by(unread_events.c.number.desc()).limit(limit)
        with self._reader.connect() as connection:
            return [
                {
                    "eventType": row["kind"],
                    "reason": row["reason"],
                    "received_at": _time(row["received_at"]),
                    "body": row["body"],
                }
                for row in connection.execute(query).mappings()
            ]

    def _start(self, connection: Connection, after: str | None) -> int:
        start, last = self._number(after), _last(connection)
        if start <= last:
            return start
        # A restored backup: the reader with this cursor has read its messages, but none that came since.
        since = sa.select(sa.func.min(incoming.c.number)).where(incoming.c.received_at >= self._opened_at)
        return (connection.scalar(since) or last + 1) - 1

    def _number(self, cursor: str | None) -> int:
        if cursor is None:
            return 0
        name, _, number = cursor.partition("-")
        if not (name.isalnum() and number.isascii() and number.isdecimal() and len(number) < 19):
            raise CursorError("after: must be the cursor of a previous answer, or latest")
        return int(number) if name == self._name else 0


def _last(connection: Connection) -> int:
    """Return the number of the last incoming message."""
    return connection.scalar(sa.select(sa.func.max(incoming.c.number))) or 0


def has_reached(message: Mapping[str, Any], until: str) -> bool:
    """Return whether a message has reached a status, or has failed and never will."""
    status = message["status"]
    return status == "failed" or ORDER.index(status) >= ORDER.index(until)


def shorten_failure(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message's status with a shortened failure, for an answer about many messages."""
    if (failure := message["failure"]) is not None:
        # Without control characters, which JSON writes as six characters.
        printable = "".join(character for character in failure if character >= " ")
        failure = printable.encode()[:_MAX_FAILURE_SIZE].decode(errors="ignore")
    return {**message, "failure": failure}


def _identity(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["message_id"], row["status"]


def _message(message_id: str, rows: Iterable[RowMapping]) -> dict[str, Any]:
    by_status = {row["status"]: row for row in rows}
    status = max((one for one in by_status if one in ORDER), key=ORDER.index, default="none")
    if "failed" in by_status and status != "read":
        status = "failed"
    reached = by_status.get(status)
    history = sorted(by_status.values(), key=lambda row: (row["at"], _rank(row["status"])))
    return {
        "message_id": message_id,
        "status": status,
        "at": _time(reached["at"]) if reached else None,
        "failure": reached["failure"] if reached else None,
        "history": [{"status": row["status"], "at": _time(row["at"])} for row in history],
    }


def _rank(status: str) -> int:
    return ORDER.index(status) if status in ORDER else len(ORDER)


def _incoming(row: RowMapping) -> dict[str, Any]:
    option = {"id": row["option_id"], "title": row["option_title"]}
    return {
        "message_id": row["message_id"],
        "from": row["sender"],
        "name": row["name"],
        "business_phone": row["business_phone"],
        "type": row["type"],
        "text": row["text"],
        "option": None if row["option_id"] is None else option,
        "reply_to": row["reply_to"],
        "at": _time(row["at"]),
    }


def _questions_of(message: RowMapping, asked: Iterable[RowMapping]) -> dict[str, list[str]]:
    """Return the questions that were open to the sender when a message arrived, and those closed so shortly
    before that the message may still be meant for them."""
    result: dict[str, list[str]] = {"questions": [], "closed_questions": []}
    for row in asked:
        if row["phone"] != message["sender"] or row["opened_after"] >= message["number"]:
            continue
        is_closed = row["closed_after"] is not None and message["number"] > row["closed_after"]
        if not is_closed and message["at"] <= row["open_until"]:
            result["questions"].append(row["question_id"])
        elif message["at"] < row["unclear_until"]:
            result["closed_questions"].append(row["question_id"])
    return result


def _time(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()

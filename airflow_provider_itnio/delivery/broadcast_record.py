"""Who of a broadcast already has their message, kept across the tries of a task."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple, Self, TypeAlias

from airflow_provider_itnio.api.errors import RecordError
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.delivery.policy import Cleared, Outcome
from airflow_provider_itnio.delivery.state_store import Entry, TaskStateStore, unreadable

log = NeverRaisingLog(__name__)

_LARGEST_VALUE: Final = 60_000
"""Bytes of JSON in one key. Airflow warns above 64 KiB."""
_HEAD: Final = "whatsapp/broadcast"
_LOOKED_AHEAD: Final = 3
"""Keys behind a missing batch that are looked at: if there is another batch, the missing one is lost."""
_WRITTEN: Final = re.compile(r"([0-9]+)(?:#([0-9]{1,9}))?(f?)")
"""A number, behind a ``#`` which of its messages, and an ``f`` where it is about the fallback."""
_TIMES: Final = (-62_135_596_800, 253_402_300_799)
"""Unix time of the years 1 and 9999, between which a receipt may have any: it says what the server said."""

MessageKey: TypeAlias = tuple[str, int]
"""A message of a broadcast: the number it goes to, and which of that number's messages it is, from 0."""


class RecordedOutcome(NamedTuple):
    """The outcome of one message of a broadcast.

    :param key: which message.
    :param outcome: the message's outcome.
    :param message_id: the vendor's id, if it was accepted; with ``refused``, it failed afterwards.
    :param at: when it was accepted, as Unix time in seconds.
    :param code: the vendor's status code, if it was refused with one; WhatsApp's, if it failed afterwards.
    :param position: where the recipient stands in this try's list, which is not kept.
    :param is_fallback: whether it is about what goes out in place of the message.
    """

    key: MessageKey
    outcome: Outcome
    message_id: str = ""
    at: int | None = None
    code: int | None = None
    position: int = -1
    is_fallback: bool = False


class BroadcastRecord:
    """The outcome of each message of a broadcast.

    A small head says whether the task had finished its work, and so which batches count; each batch stands
    beside it under a key of its own.

    :param store: where it is kept.
    """

    def __init__(self, store: TaskStateStore) -> None:
        self.store = store
        self.unrecorded: list[RecordedOutcome] = []
        """What waits to be written; after a write that failed, what the record may not know."""
        self._generation = 0
        self._next = 0
        self._known: dict[MessageKey, tuple[RecordedOutcome, Cleared]] = {}

    @classmethod
    def from_context(cls, context: Mapping[str, Any], task_id: str) -> Self:
        """Open the record of the task that runs; where Airflow has no store, a line in the log says so.

        :raises RecordError: if it can't be read, or the store does not take its head.
        """
        record = cls(TaskStateStore.from_context(context, task_id))
        if record.is_kept:
            record._open()
        return record

    @property
    def is_kept(self) -> bool:
        """Whether a retry will know what this try has sent."""
        return bool(self.store)

    @property
    def has_messaged(self) -> bool:
        """Whether an earlier try has sent a message that was accepted, whatever became of it."""
        return any(kept.message_id or kept.is_fallback for kept, _ in self._known.values())

    @property
    def all_earlier(self) -> Collection[tuple[RecordedOutcome, Cleared]]:
        """What earlier tries knew of each message, and whether a person has cleared the task since."""
        return self._known.values()

    def earlier(self, key: MessageKey) -> tuple[RecordedOutcome, Cleared] | None:
        """Look up what an earlier try knew of a message.

        :return: its outcome, and whether a person has cleared the task since.
        """
        return self._known.get(key)

    def add(self, outcome: RecordedOutcome) -> None:
        """Take the outcome of a message, to be written with the next ones."""
        if self.store:
            self.unrecorded.append(outcome)

    def flush(self) -> None:
        """Write what waits to be written, in one write if it fits.

        :raises RecordError: if that could not be written, although it was tried again; it stays unrecorded.
        """
        for part in _parts([_row(outcome) for outcome in self.unrecorded]):
            self._write({"outcomes": part}, surely=True)
            del self.unrecorded[: len(part)]

    def intend(self, messages: Collection[tuple[MessageKey, bool]]) -> None:
        """Write that messages are about to leave, so that even a lost worker leaves them unknown.

        What waits to be written is written with it, so that such a worker leaves no more than these unknown.

        :param messages: each message, and whether it goes out in place of another.
        :raises RecordError: if that could not be written; none of them may leave.
        """
        if not self.store:
            return
        outcomes = [_row(outcome) for outcome in self.unrecorded]
        intended = [_written(key, is_fallback) for key, is_fallback in messages]
        if outcomes and len(json.dumps([outcomes, intended])) <= _LARGEST_VALUE:
            self._write({"outcomes": outcomes, "intended": intended}, surely=True)
            self.unrecorded.clear()
            return
        self.flush()
        for part in _parts(intended):
            self._write({"intended": part}, surely=False)

    def finish(self) -> None:
        """Write that the task has done its work: cleared from here on, it sends to everyone again."""
        if not self.store:
            return
        try:
            self.store.set_with_retry(_HEAD, self._head(finished=True))
        except RecordError as error:
            log.error("%s. Cleared by a person, the task will send to those alone who have nothing", error)

    def _open(self) -> None:
        head = self.store.get(_HEAD)
        if head is None:
            if self._has_batch(range(_LOOKED_AHEAD + 1)):
                raise unreadable(_HEAD, "it is missing, and what belongs to it is not")
            self.store.set(_HEAD, self._head(finished=False))
            return
        match head.value:
            case {"generation": generation, "finished": bool(has_finished)} if _is_whole(
                generation, 0, 10**9
            ):
                self._generation = generation
            case _:
                raise unreadable(_HEAD, "it does not say whether the broadcast had finished")
        if has_finished and head.cleared == "certainly":
            self._begin_anew()
            return
        self._load()
        if has_finished and head.cleared == "perhaps":
            # Everyone is sent to anew, but those of whom nobody knows whether they have a message.
            self._begin_anew([kept for kept, _ in self._known.values() if kept.outcome == "unknown"])

    def _begin_anew(self, unknown: Collection[RecordedOutcome] = ()) -> None:
        self._known = {kept.key: (kept, "perhaps") for kept in unknown}
        self._generation, self._next = self._generation + 1, 0
        while self._has_batch(range(1)):  # of a try that could not write its head
            self._generation += 1
        # Before the head, with which it counts: a try that ends in between forgets none of them.
        self.intend([(kept.key, kept.is_fallback) for kept in unknown])
        self.store.set(_HEAD, self._head(finished=False))

    def _load(self) -> None:
        while (entry := self.store.get(self._batch_key())) is not None:
            self._known.update((kept.key, (kept, entry.cleared)) for kept in self._kept_in(entry))
            self._next += 1
        if self._has_batch(range(1, _LOOKED_AHEAD + 1)):
            raise unreadable(self._batch_key(), "it is missing, and one after it is not")

    def _has_batch(self, ahead: range) -> bool:
        """Return whether there is a batch in one of some keys, counted from the next one."""
        return any(self.store.get(self._batch_key(n)) is not None for n in ahead)

    def _kept_in(self, entry: Entry) -> Iterator[RecordedOutcome]:
        intended, outcomes = entry.value.get("intended", []), entry.value.get("outcomes", [])
        if not (isinstance(intended, list) and isinstance(outcomes, list) and (intended or outcomes)):
            raise unreadable(self._batch_key(), "it holds no messages")
        for row in outcomes:
            match row:
                case [
                    written,
                    "accepted" | "unknown" | "not_sent" | "refused" as outcome,
                    str(message_id),
                    at,
                    None | int() as code,
                ] if at is None or _is_whole(at, *_TIMES):
                    key, is_fallback = self._key_in(written)
                    yield RecordedOutcome(key, outcome, message_id, at, code, is_fallback=is_fallback)
                case _:
                    raise unreadable(self._batch_key(), "it does not hold the outcome of a message")
        for written in intended:  # later than what was written with it
            key, is_fallback = self._key_in(written)
            yield RecordedOutcome(key, "unknown", is_fallback=is_fallback)

    def _key_in(self, written: object) -> tuple[MessageKey, bool]:
        match = _WRITTEN.fullmatch(written) if isinstance(written, str) else None
        if match is None:
            raise unreadable(self._batch_key(), "it does not say whose message it is about")
        return (match[1], int(match[2] or 0)), bool(match[3])

    def _write(self, entry: Mapping[str, Any], *, surely: bool) -> None:
        write = self.store.set_with_retry if surely else self.store.set
        write(self._batch_key(), entry)
        self._next += 1

    def _head(self, *, finished: bool) -> dict[str, Any]:
        return {"generation": self._generation, "finished": finished}

    def _batch_key(self, ahead: int = 0) -> str:
        return f"{_HEAD}/{self._generation}/{self._next + ahead}"


def _is_whole(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most  # a bool is an int, but none of ours


def _written(key: MessageKey, is_fallback: bool) -> str:
    number, occurrence = key
    return (f"{number}#{occurrence}" if occurrence else number) + "f" * is_fallback


def _row(outcome: RecordedOutcome) -> list[Any]:
    written = _written(outcome.key, outcome.is_fallback)
    return [written, outcome.outcome, outcome.message_id, outcome.at, outcome.code]


def _parts(rows: list[Any]) -> Iterator[list[Any]]:
    """Divide what does not fit into one key."""
    if not rows:
        return
    if len(rows) > 1 and len(json.dumps(rows)) > _LARGEST_VALUE:
        middle = len(rows) // 2
        yield from _parts(rows[:middle])
        yield from _parts(rows[middle:])
    else:
        yield rows

"""Who of a broadcast already has their message, kept across the tries of a task."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple, Self, TypeAlias

from airflow_provider_itnio.api.errors import RecordError
from airflow_provider_itnio.delivery.policy import Outcome
from airflow_provider_itnio.delivery.state_store import TaskStateStore

__all__ = ["BroadcastRecord", "MessageKey", "RecordedOutcome"]

log = logging.getLogger(__name__)

_LARGEST_VALUE: Final = 60_000
"""Bytes of JSON in one key. Airflow warns above 64 KiB."""
_HEAD: Final = "whatsapp/broadcast"

MessageKey: TypeAlias = tuple[str, int]
"""A message of a broadcast: the number it goes to, and which of that number's messages it is, from 0."""


class RecordedOutcome(NamedTuple):
    """What became of one message of a broadcast.

    :param key: which message.
    :param outcome: what became of it.
    :param message_id: the vendor's id, if it was accepted.
    :param at: when it was accepted, as Unix time in seconds.
    :param code: the vendor's status code, if it was refused with one.
    :param position: where the recipient stands in this try's list, which is not kept.
    """

    key: MessageKey
    outcome: Outcome
    message_id: str = ""
    at: int | None = None
    code: int | None = None
    position: int = -1


class BroadcastRecord:
    """What became of each message of a broadcast.

    A small head says which clearing of the task it belongs to; beside it stands one key for each batch.

    :param store: where it is kept.
    """

    def __init__(self, store: TaskStateStore) -> None:
        self._store = store
        self._generation = 0
        self._next = 0
        self._known: dict[MessageKey, tuple[RecordedOutcome, bool]] = {}
        self.unrecorded: list[RecordedOutcome] = []
        """What waits to be written; after a write that failed, what the record may not know."""

    @classmethod
    def from_context(cls, context: Mapping[str, Any], task_id: str) -> Self:
        """Open the record of the task that runs; where Airflow has no store, a line in the log says so.

        :param context: the task's context.
        :param task_id: the operator's.
        :raises RecordError: if the store does not take its head.
        """
        record = cls(TaskStateStore.from_context(context, task_id))
        if record.is_kept:
            record._open()
        return record

    @property
    def is_kept(self) -> bool:
        """Whether a retry will know what this try has sent."""
        return bool(self._store)

    def earlier(self, key: MessageKey) -> tuple[RecordedOutcome, bool] | None:
        """Look up what an earlier try knew of a message.

        :param key: which message.
        :return: what became of it, and whether a person has cleared the task since.
        """
        return self._known.get(key)

    def add(self, outcome: RecordedOutcome) -> None:
        """Take what became of a message, to be written with the next ones.

        :param outcome: what became of it.
        """
        if self._store:
            self.unrecorded.append(outcome)

    def flush(self) -> None:
        """Write what waits to be written, in one write if it fits.

        :raises RecordError: if that could not be written, although it was tried again; it stays unrecorded.
        """
        rows = [[_written(one.key), one.outcome, one.message_id, one.at, one.code] for one in self.unrecorded]
        for part in _parts(rows):
            self._write({"outcomes": part}, surely=True)
        self.unrecorded.clear()

    def intend(self, keys: Collection[MessageKey]) -> None:
        """Write that messages are about to leave, so that even a lost worker leaves them unknown.

        What waits to be written is written before, so that such a worker leaves no more than these unknown.

        :param keys: which messages.
        :raises RecordError: if that could not be written; none of them may leave.
        """
        if self._store:
            self.flush()
            for part in _parts([_written(key) for key in keys]):
                self._write({"intended": part}, surely=False)

    def finish(self) -> None:
        """Write that the task has done its work: cleared from here on, it sends to everyone again."""
        if not self._store:
            return
        try:
            self._store.set_with_retry(_HEAD, self._head(finished=True))
        except RecordError as error:
            log.error("%s. Cleared by a person, the task will send to those alone who have nothing", error)

    def _open(self) -> None:
        head = self._store.get(_HEAD)
        if head is not None:
            self._generation = int(head["generation"])
            if head["finished"] and head["max_tries"] != self._store.max_tries:
                self._generation += 1
            else:
                self._load()
                if head["max_tries"] == self._store.max_tries:
                    return
        self._store.set(_HEAD, self._head(finished=False))

    def _load(self) -> None:
        while (entry := self._store.get(self._batch_key)) is not None:
            cleared = entry["max_tries"] != self._store.max_tries
            self._known.update((kept.key, (kept, cleared)) for kept in _kept_in(entry))
            self._next += 1

    def _write(self, entry: Mapping[str, Any], *, surely: bool) -> None:
        write = self._store.set_with_retry if surely else self._store.set
        write(self._batch_key, {"max_tries": self._store.max_tries, **entry})
        self._next += 1

    def _head(self, *, finished: bool) -> dict[str, Any]:
        return {
            "generation": self._generation,
            "max_tries": self._store.max_tries,
            "finished": finished,
        }

    @property
    def _batch_key(self) -> str:
        return f"{_HEAD}/{self._generation}/{self._next}"


def _kept_in(entry: Mapping[str, Any]) -> Iterator[RecordedOutcome]:
    for written in entry.get("intended", ()):
        yield RecordedOutcome(_read(written), "unknown")
    for written, outcome, message_id, at, code in entry.get("outcomes", ()):
        yield RecordedOutcome(_read(written), outcome, message_id, at, code)


def _written(key: MessageKey) -> str:
    number, occurrence = key
    return f"{number}#{occurrence}" if occurrence else number


def _read(written: str) -> MessageKey:
    number, _, occurrence = written.partition("#")
    return number, int(occurrence or 0)


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

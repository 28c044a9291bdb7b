"""The delivery record of a broadcast: the outcome of each message, kept across the tries of a task."""

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

_MAX_VALUE_BYTES: Final = 60_000
"""Bytes of JSON in one key. Airflow warns above 64 KiB."""
_HEAD_KEY: Final = "whatsapp/broadcast"
_LOOKAHEAD: Final = 3
"""Keys after a missing batch that are also checked: if one of them exists, the missing batch is lost."""
_MESSAGE_KEY_PATTERN: Final = re.compile(r"([0-9]+)(?:#([0-9]{1,9}))?(f?)")
"""The number; after ``#`` the index of the message among those to that number; ``f`` for the fallback."""
_TIME_RANGE: Final = (-62_135_596_800, 253_402_300_799)
"""Unix time of the years 1 and 9999, the range of a receipt's time, which comes from the server."""

MessageKey: TypeAlias = tuple[str, int]
"""A message of a broadcast: the recipient's number, and its index among the messages to that number."""


class RecordedOutcome(NamedTuple):
    """The outcome of one message of a broadcast.

    :param key: the message.
    :param outcome: the message's outcome.
    :param message_id: the vendor's id, if it was accepted; with ``refused``, it failed afterwards.
    :param at: when it was accepted, as Unix time in seconds.
    :param code: the vendor's status code of a refusal; WhatsApp's code, if it failed after acceptance.
    :param position: the recipient's position in the list of this try; not recorded.
    :param is_fallback: whether this is the outcome of the fallback.
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

    A small head entry says which generation of batches is current, and whether the task finished. Each batch
    of outcomes has a separate key.

    :param store: the task's state store.
    """

    def __init__(self, store: TaskStateStore) -> None:
        self.store = store
        self.unrecorded: list[RecordedOutcome] = []
        """Outcomes that are not written yet; after a failed write, those that the record may lack."""
        self._generation = 0
        self._next_batch = 0
        self._previous: dict[MessageKey, tuple[RecordedOutcome, Cleared]] = {}

    @classmethod
    def from_context(cls, context: Mapping[str, Any], task_id: str) -> Self:
        """Open the record of the running task. Without a state store, log that there is no record.

        :raises RecordError: if it can't be read, or its head can't be written.
        """
        record = cls(TaskStateStore.from_context(context, task_id))
        if record.is_persistent:
            record._open()
        return record

    @property
    def is_persistent(self) -> bool:
        """Whether there is a state store, so that a retry knows what this try has sent."""
        return bool(self.store)

    @property
    def has_messaged(self) -> bool:
        """Whether Itniotech accepted any message of a previous try, delivered or not."""
        return any(old.message_id or old.is_fallback for old, _ in self._previous.values())

    @property
    def previous_outcomes(self) -> Collection[tuple[RecordedOutcome, Cleared]]:
        """The outcomes of previous tries, and whether the task has been cleared since."""
        return self._previous.values()

    def previous_outcome(self, key: MessageKey) -> tuple[RecordedOutcome, Cleared] | None:
        """Look up the outcome of a message in previous tries.

        :return: the outcome, and whether the task has been cleared since; ``None`` if there is none.
        """
        return self._previous.get(key)

    def add(self, outcome: RecordedOutcome) -> None:
        """Add the outcome of a message to the next batch."""
        if self.store:
            self.unrecorded.append(outcome)

    def flush(self) -> None:
        """Write the outcomes that are not written yet, in one write if they fit.

        :raises RecordError: if all attempts to write failed; the outcomes stay in ``unrecorded``.
        """
        for part in _split_to_fit([_encode_outcome(outcome) for outcome in self.unrecorded]):
            self._write({"outcomes": part}, retry=True)
            del self.unrecorded[: len(part)]

    def record_intent(self, messages: Collection[tuple[MessageKey, bool]]) -> None:
        """Write that messages are about to be sent: if the worker is lost, their outcome is unknown.

        Outcomes that are not written yet are written too, so that no other message becomes unknown.

        :param messages: each message, and whether it is the fallback.
        :raises RecordError: if it could not be written; then none of the messages may be sent.
        """
        if not self.store:
            return
        outcomes = [_encode_outcome(outcome) for outcome in self.unrecorded]
        intended = [_encode_key(key, is_fallback) for key, is_fallback in messages]
        if outcomes and len(json.dumps([outcomes, intended])) <= _MAX_VALUE_BYTES:
            self._write({"outcomes": outcomes, "intended": intended}, retry=True)
            self.unrecorded.clear()
            return
        self.flush()
        for part in _split_to_fit(intended):
            self._write({"intended": part}, retry=False)

    def finish(self) -> None:
        """Write that the task has finished: if it is cleared after this, it sends to all recipients again."""
        if not self.store:
            return
        try:
            self.store.set_with_retry(_HEAD_KEY, self._head(finished=True))
        except RecordError as error:
            log.error("%s. If this task is cleared, it will skip those who already have a message", error)

    def _open(self) -> None:
        head = self.store.get(_HEAD_KEY)
        if head is None:
            if self._has_batch(range(_LOOKAHEAD + 1)):
                raise unreadable(_HEAD_KEY, "it is missing, but there are entries that belong to it")
            self.store.set(_HEAD_KEY, self._head(finished=False))
            return
        match head.value:
            case {"generation": generation, "finished": bool(has_finished)} if _is_int_in_range(
                generation, 0, 10**9
            ):
                self._generation = generation
            case _:
                raise unreadable(_HEAD_KEY, "it does not say whether the broadcast finished")
        if has_finished and head.cleared == "certainly":
            self._start_over()
            return
        self._load()
        if has_finished and head.cleared == "perhaps":
            # Send to all recipients again, except those who may or may not have their message.
            self._start_over([old for old, _ in self._previous.values() if old.outcome == "unknown"])

    def _start_over(self, unknown: Collection[RecordedOutcome] = ()) -> None:
        self._previous = {old.key: (old, "perhaps") for old in unknown}
        self._generation, self._next_batch = self._generation + 1, 0
        while self._has_batch(range(1)):  # left by a try that could not write its head
            self._generation += 1
        # Before the head, which makes this generation current: a try that ends in between loses none of them.
        self.record_intent([(old.key, old.is_fallback) for old in unknown])
        self.store.set(_HEAD_KEY, self._head(finished=False))

    def _load(self) -> None:
        while (entry := self.store.get(self._batch_key())) is not None:
            self._previous.update((old.key, (old, entry.cleared)) for old in self._outcomes_in(entry))
            self._next_batch += 1
        if self._has_batch(range(1, _LOOKAHEAD + 1)):
            raise unreadable(self._batch_key(), "it is missing, but there is a later one")

    def _has_batch(self, ahead: range) -> bool:
        """Return whether any of some keys, counted from the next one, has a batch."""
        return any(self.store.get(self._batch_key(n)) is not None for n in ahead)

    def _outcomes_in(self, entry: Entry) -> Iterator[RecordedOutcome]:
        intended, outcomes = entry.value.get("intended", []), entry.value.get("outcomes", [])
        if not (isinstance(intended, list) and isinstance(outcomes, list) and (intended or outcomes)):
            raise unreadable(self._batch_key(), "it contains no messages")
        for row in outcomes:
            match row:
                case [
                    encoded_key,
                    "accepted" | "unknown" | "not_sent" | "refused" as outcome,
                    str(message_id),
                    at,
                    None | int() as code,
                ] if at is None or _is_int_in_range(at, *_TIME_RANGE):
                    key, is_fallback = self._parse_key(encoded_key)
                    yield RecordedOutcome(key, outcome, message_id, at, code, is_fallback=is_fallback)
                case _:
                    raise unreadable(self._batch_key(), "it does not contain the outcome of a message")
        for encoded_key in intended:  # after the outcomes, which are older
            key, is_fallback = self._parse_key(encoded_key)
            yield RecordedOutcome(key, "unknown", is_fallback=is_fallback)

    def _parse_key(self, encoded_key: object) -> tuple[MessageKey, bool]:
        match = _MESSAGE_KEY_PATTERN.fullmatch(encoded_key) if isinstance(encoded_key, str) else None
        if match is None:
            raise unreadable(self._batch_key(), "it does not name the recipient of a message")
        return (match[1], int(match[2] or 0)), bool(match[3])

    def _write(self, entry: Mapping[str, Any], *, retry: bool) -> None:
        write = self.store.set_with_retry if retry else self.store.set
        write(self._batch_key(), entry)
        self._next_batch += 1

    def _head(self, *, finished: bool) -> dict[str, Any]:
        return {"generation": self._generation, "finished": finished}

    def _batch_key(self, ahead: int = 0) -> str:
        return f"{_HEAD_KEY}/{self._generation}/{self._next_batch + ahead}"


def _is_int_in_range(value: object, minimum: int, maximum: int) -> bool:
    return type(value) is int and minimum <= value <= maximum  # not isinstance, since a bool is an int


def _encode_key(key: MessageKey, is_fallback: bool) -> str:
    number, occurrence = key
    return (f"{number}#{occurrence}" if occurrence else number) + "f" * is_fallback


def _encode_outcome(outcome: RecordedOutcome) -> list[Any]:
    encoded_key = _encode_key(outcome.key, outcome.is_fallback)
    return [encoded_key, outcome.outcome, outcome.message_id, outcome.at, outcome.code]


def _split_to_fit(rows: list[Any]) -> Iterator[list[Any]]:
    """Split rows into parts that fit into one key."""
    if not rows:
        return
    if len(rows) > 1 and len(json.dumps(rows)) > _MAX_VALUE_BYTES:
        middle = len(rows) // 2
        yield from _split_to_fit(rows[:middle])
        yield from _split_to_fit(rows[middle:])
    else:
        yield rows

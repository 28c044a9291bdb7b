"""Who already has the message, kept across the tries of a task, so that nobody gets it twice."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Self, TypeAlias

from airflow_provider_itnio.api.errors import ItnioError, NotSentError, RefusedError
from airflow_provider_itnio.api.phone_numbers import without_numbers

if TYPE_CHECKING:
    from airflow_provider_itnio.api.delivery import Delivery
    from airflow_provider_itnio.api.receipt import Receipt, ReceiptDict

__all__ = [
    "BroadcastRecord",
    "DeliveryRecord",
    "Earlier",
    "Kept",
    "MessageKey",
    "Outcome",
    "RecordError",
    "is_sent_again",
    "outcome_of",
]

log = logging.getLogger(__name__)

Outcome: TypeAlias = Literal["accepted", "unknown", "not_sent", "refused"]
"""What became of a message; ``not_sent`` also stands for a refusal that passes."""

_ANY: Final = ("at_least_once", "at_most_once")
# What is sent again, by outcome and delivery: by a retry, and after a person has cleared the failed task.
_SENT_AGAIN: Final[Mapping[tuple[str, str], tuple[bool, bool]]] = {
    **{("accepted", delivery): (False, False) for delivery in _ANY},
    ("unknown", "at_least_once"): (True, True),
    ("unknown", "at_most_once"): (False, True),
    **{("not_sent", delivery): (True, True) for delivery in _ANY},
    **{("refused", delivery): (False, True) for delivery in _ANY},
}

_WRITES: Final = 3
"""How often a write is tried where a message would else be unrecorded."""
_BETWEEN_WRITES: Final = 0.2
"""Seconds between two of them."""
_LARGEST_VALUE: Final = 60_000
"""Bytes of JSON in one key. Airflow warns above 64 KiB."""

_PREFIX: Final = "whatsapp"
_FINISHED: Final = f"{_PREFIX}/finished"


class RecordError(ItnioError):
    """Airflow's task state store did not take or give what the record needs."""


class Earlier(NamedTuple):
    """What an earlier try of the task knew of a message.

    :param outcome: what became of it.
    :param cleared: whether a person has cleared the task since.
    :param receipt: what was given back, if it was accepted.
    :param why: what happened, in words.
    :param code: the vendor's status code, if it was refused with one.
    """

    outcome: Outcome
    cleared: bool
    receipt: ReceiptDict | None = None
    why: str = ""
    code: int | None = None


def is_sent_again(earlier: Earlier, delivery: Delivery) -> bool:
    """Say whether this try sends a message of which an earlier one knows.

    :param earlier: what it knows.
    :param delivery: what matters more where nobody can say what became of a message.
    """
    by_retry, when_cleared = _SENT_AGAIN[earlier.outcome, delivery]
    return when_cleared if earlier.cleared else by_retry


def outcome_of(error: ItnioError) -> Outcome:
    """Say what became of a message that was not accepted.

    :param error: what its sending raised.
    """
    if isinstance(error, NotSentError):
        return "not_sent"
    if isinstance(error, RefusedError):
        return "not_sent" if error.passes else "refused"
    return "unknown"


class _Store:
    """Airflow's task state store, and which of a task's runs this is.

    ``max_tries`` stays as it is when Airflow retries a task and changes when a person clears it.

    :param store: ``context["task_state_store"]``, ``None`` where there is none.
    :param max_tries: the task instance's.
    """

    def __init__(self, store: Any, max_tries: int) -> None:
        self._store = store
        self.max_tries = max_tries

    @classmethod
    def of(cls, context: Mapping[str, Any], task_id: str) -> Self:
        """Take the store of the task that runs.

        :param context: the task's context.
        :param task_id: the operator's; one that another task executes by itself has no record.
        """
        store, instance = context.get("task_state_store"), context.get("ti")
        if store is None or instance is None:
            log.info(
                "No delivery record: there is no task state store here, which Airflow has from 3.3 on. If "
                "this worker is lost after Itniotech accepted a message, a retry of the task sends it again"
            )
            return cls(None, 0)
        if instance.task_id != task_id:
            log.info(
                "No delivery record: %s is executed inside of the task %s, whose retries send again",
                task_id,
                instance.task_id,
            )
            return cls(None, 0)
        return cls(store, instance.max_tries)

    def __bool__(self) -> bool:
        return self._store is not None

    def get(self, key: str) -> dict[str, Any] | None:
        value = self._store.get(key)
        return value if isinstance(value, dict) else None

    def set(self, key: str, value: Mapping[str, Any]) -> None:
        """Write once; for what must be there before a request leaves."""
        try:
            self._store.set(key, dict(value))
        except BaseException as error:
            if not _is_failed_write(error):
                raise
            raise RecordError(f"Airflow's task state store took no record: {_words(error)}") from error

    def set_surely(self, key: str, value: Mapping[str, Any]) -> None:
        """Write, and try again if it fails; for what has happened already."""
        for left in reversed(range(_WRITES)):
            try:
                self.set(key, value)
                return
            except RecordError as error:
                if not left:
                    raise
                log.warning("%s; trying again", error)
                time.sleep(_BETWEEN_WRITES)


def _is_failed_write(error: BaseException) -> bool:
    # Airflow's DeadlockImminentError is no Exception, and stands in no module that may be imported from.
    return isinstance(error, Exception) or type(error).__name__ == "DeadlockImminentError"


def _words(error: BaseException) -> str:
    return without_numbers(f"{type(error).__name__}: {' '.join(str(error).split())}"[:200])


class DeliveryRecord:
    """What became of the one message of a task, by its recipient.

    It knows a message by whom it goes to: a retry does not send to the same number again, whatever the text
    renders to by then.

    :param store: where it is kept.
    """

    def __init__(self, store: _Store) -> None:
        self._store = store
        self._written: set[str] = set()

    @classmethod
    def of(cls, context: Mapping[str, Any], task_id: str) -> Self:
        """Open the record of the task that runs; where Airflow has no store, a line in the log says so.

        :param context: the task's context.
        :param task_id: the operator's.
        """
        return cls(_Store.of(context, task_id))

    def earlier(self, recipient: str) -> Earlier | None:
        """Look up what an earlier try knew of the message.

        :param recipient: whom it goes to, digits only.
        :return: ``None`` if it is to be sent as if for the first time: no try has recorded it, or a person
            cleared the task after it had finished.
        """
        if not self._store or recipient in self._written:  # a second message of this very try
            return None
        entry = self._store.get(_key(recipient))
        if entry is None:
            return None
        cleared = entry["max_tries"] != self._store.max_tries
        if cleared and self._has_finished_since(entry["max_tries"]):
            return None
        self._written.add(recipient)
        return Earlier(
            entry["outcome"], cleared, entry.get("receipt"), entry.get("why") or "", entry.get("code")
        )

    def intend(self, recipient: str) -> None:
        """Write that a message is about to leave, so that even a lost worker leaves it unknown.

        :param recipient: whom it goes to, digits only.
        :raises RecordError: if that could not be written; the message must not leave.
        """
        if self._store:
            at = datetime.now(UTC).isoformat(timespec="seconds")
            why = f"a request may have left at {at}, and no answer is on record"
            self._write(recipient, "unknown", why=why, surely=False)

    def accepted(self, receipt: Receipt) -> None:
        """Write that a message was accepted; if that fails, the log says so.

        :param receipt: what was given back.
        """
        self._write_or_say(receipt.recipient, "accepted", receipt=receipt.as_dict())

    def failed(self, recipient: str, error: ItnioError) -> None:
        """Write what became of a message that was not accepted; if that fails, the log says so.

        :param recipient: whom it goes to, digits only.
        :param error: what its sending raised.
        """
        self._write_or_say(
            recipient, outcome_of(error), why=f"{type(error).__name__}: {error}", code=_code_of(error)
        )

    def finish(self) -> None:
        """Write that the task has done its work: cleared from here on, it sends again."""
        if not self._store or not self._written:
            return
        try:
            self._store.set_surely(_FINISHED, {"max_tries": self._store.max_tries})
        except RecordError as error:
            log.error("%s. Cleared by a person, the task will not send again", error)

    def _has_finished_since(self, max_tries: int) -> bool:
        """Say whether the task has done its work in the clearing of an entry, or in a later one."""
        finished = self._store.get(_FINISHED)
        return finished is not None and int(finished["max_tries"]) >= max_tries

    def _write_or_say(self, recipient: str, outcome: Outcome, **known: Any) -> None:
        if not self._store:
            return
        try:
            self._write(recipient, outcome, **known)
        except RecordError as error:
            log.error("%s. The message was %s; a retry of this task would not know", error, outcome)

    def _write(self, recipient: str, outcome: Outcome, *, surely: bool = True, **known: Any) -> None:
        entry = {
            "max_tries": self._store.max_tries,
            "recipient": recipient,
            "outcome": outcome,
            **{name: value for name, value in known.items() if value},
        }
        write = self._store.set_surely if surely else self._store.set
        write(_key(recipient), entry)
        self._written.add(recipient)


def _key(recipient: str) -> str:
    # Keys stand in the addresses that Airflow's own server logs, so they hold no number.
    return f"{_PREFIX}/message/{hashlib.sha256(recipient.encode()).hexdigest()[:32]}"


def _code_of(error: ItnioError) -> int | None:
    return error.code if isinstance(error, RefusedError) else None


# --- a broadcast ------------------------------------------------------------------------------------------

MessageKey: TypeAlias = tuple[str, int]
"""A message of a broadcast: the number it goes to, and which of that number's messages it is, from 0."""


class Kept(NamedTuple):
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

    def __init__(self, store: _Store) -> None:
        self._store = store
        self._generation = 0
        self._next = 0
        self._known: dict[MessageKey, tuple[Kept, bool]] = {}

    @classmethod
    def of(cls, context: Mapping[str, Any], task_id: str) -> Self:
        """Open the record of the task that runs; where Airflow has no store, a line in the log says so.

        :param context: the task's context.
        :param task_id: the operator's.
        :raises RecordError: if the store does not take its head.
        """
        record = cls(_Store.of(context, task_id))
        if record.is_kept:
            record._open()
        return record

    @property
    def is_kept(self) -> bool:
        """Whether a retry will know what this try has sent."""
        return bool(self._store)

    def earlier(self, key: MessageKey) -> tuple[Kept, bool] | None:
        """Look up what an earlier try knew of a message.

        :param key: which message.
        :return: what became of it, and whether a person has cleared the task since.
        """
        return self._known.get(key)

    def intend(self, keys: Collection[MessageKey]) -> None:
        """Write that messages are about to leave, so that even a lost worker leaves them unknown.

        :param keys: which messages.
        :raises RecordError: if that could not be written; none of them may leave.
        """
        if self._store:
            for part in _parts([_written(key) for key in keys]):
                self._write({"intended": part}, surely=False)

    def keep(self, outcomes: Iterable[Kept]) -> None:
        """Write what became of messages, in one write if it fits.

        :param outcomes: what became of each.
        :raises RecordError: if that could not be written, although it was tried again.
        """
        if self._store:
            rows = [
                [_written(kept.key), kept.outcome, kept.message_id, kept.at, kept.code] for kept in outcomes
            ]
            for part in _parts(rows):
                self._write({"outcomes": part}, surely=True)

    def finish(self) -> None:
        """Write that the task has done its work: cleared from here on, it sends to everyone again."""
        if not self._store:
            return
        try:
            self._store.set_surely(self._head_key, self._head(finished=True))
        except RecordError as error:
            log.error("%s. Cleared by a person, the task will send to those alone who have nothing", error)

    def _open(self) -> None:
        head = self._store.get(self._head_key)
        if head is not None:
            self._generation = int(head["generation"])
            if head["finished"] and head["max_tries"] != self._store.max_tries:
                self._generation += 1
            else:
                self._load()
                if head["max_tries"] == self._store.max_tries:
                    return
        self._store.set(self._head_key, self._head(finished=False))

    def _load(self) -> None:
        while (entry := self._store.get(self._batch_key)) is not None:
            cleared = entry["max_tries"] != self._store.max_tries
            self._known.update((kept.key, (kept, cleared)) for kept in _kept_in(entry))
            self._next += 1

    def _write(self, entry: Mapping[str, Any], *, surely: bool) -> None:
        write = self._store.set_surely if surely else self._store.set
        write(self._batch_key, {"max_tries": self._store.max_tries, **entry})
        self._next += 1

    def _head(self, *, finished: bool) -> dict[str, Any]:
        return {
            "generation": self._generation,
            "max_tries": self._store.max_tries,
            "finished": finished,
        }

    _head_key = f"{_PREFIX}/broadcast"

    @property
    def _batch_key(self) -> str:
        return f"{self._head_key}/{self._generation}/{self._next}"


def _kept_in(entry: Mapping[str, Any]) -> Iterator[Kept]:
    for written in entry.get("intended", ()):
        yield Kept(_read(written), "unknown")
    for written, outcome, message_id, at, code in entry.get("outcomes", ()):
        yield Kept(_read(written), outcome, message_id, at, code)


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

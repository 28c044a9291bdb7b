"""Who already has the message, kept across the tries of a task, so that nobody gets it twice."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from airflow_provider_itnio.api.errors import ItnioError, RecordError, RefusedError
from airflow_provider_itnio.delivery.policy import Outcome, PreviousOutcome, outcome_of
from airflow_provider_itnio.delivery.state_store import TaskStateStore

if TYPE_CHECKING:
    from airflow_provider_itnio.api.receipt import Receipt

__all__ = ["DeliveryRecord"]

log = logging.getLogger(__name__)

_FINISHED: Final = "whatsapp/finished"


class DeliveryRecord:
    """What became of the one message of a task, by its recipient.

    It knows a message by whom it goes to: a retry does not send to the same number again, whatever the text
    renders to by then.

    :param store: where it is kept.
    """

    def __init__(self, store: TaskStateStore) -> None:
        self._store = store
        self._written: set[str] = set()

    @classmethod
    def from_context(cls, context: Mapping[str, Any], task_id: str) -> Self:
        """Open the record of the task that runs; where Airflow has no store, a line in the log says so.

        :param context: the task's context.
        :param task_id: the operator's.
        """
        return cls(TaskStateStore.from_context(context, task_id))

    def earlier(self, recipient: str) -> PreviousOutcome | None:
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
        return PreviousOutcome(
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
            self._store.set_with_retry(_FINISHED, {"max_tries": self._store.max_tries})
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
        write = self._store.set_with_retry if surely else self._store.set
        write(_key(recipient), entry)
        self._written.add(recipient)


def _key(recipient: str) -> str:
    # Keys stand in the addresses that Airflow's own server logs, so they hold no number.
    return f"whatsapp/message/{hashlib.sha256(recipient.encode()).hexdigest()[:32]}"


def _code_of(error: ItnioError) -> int | None:
    return error.code if isinstance(error, RefusedError) else None

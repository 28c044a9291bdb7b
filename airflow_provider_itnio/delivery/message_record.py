"""The delivery record of single messages, kept across the tries of a task, so that a retry skips them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from airflow_provider_itnio.api.errors import ItnioError, RecordError
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.phone_numbers import canonical_number
from airflow_provider_itnio.delivery.policy import Outcome, PreviousOutcome, outcome_of
from airflow_provider_itnio.delivery.state_store import Entry, TaskStateStore, unreadable

if TYPE_CHECKING:
    from airflow_provider_itnio.api.receipt import Receipt

log = NeverRaisingLog(__name__)

_FINISHED: Final = "whatsapp/finished"


class DeliveryRecord:
    """The outcomes of a task's messages, by their recipients.

    A message is identified by its recipient and its index among the messages of the try to that number. Its
    text may render to something else in a retry.

    :param store: the task's state store.
    """

    def __init__(self, store: TaskStateStore) -> None:
        self.store = store
        self.subject_id = ""
        """An id that is part of each message's key, for tasks that send about several subjects."""
        self._counts: Counter[str] = Counter()
        self._accepted_keys: set[str] = set()
        self._written_keys: set[str] = set()
        self._fallback_keys: set[str] = set()

    @classmethod
    def from_context(cls, context: Mapping[str, Any], task_id: str) -> Self:
        """Open the record of the running task. Without a state store, log that there is no record."""
        return cls(TaskStateStore.from_context(context, task_id))

    def begin(self, recipient: str) -> PreviousOutcome | None:
        """Begin the next message to a recipient. All other methods then refer to this message.

        :param recipient: the phone number, digits only.
        :return: as for :meth:`previous_outcome`.
        :raises RecordError: if the record can't be read.
        """
        self._counts[canonical_number(recipient)] += self._key(recipient) in self._accepted_keys
        return self.previous_outcome(recipient)

    def previous_outcome(self, recipient: str) -> PreviousOutcome | None:
        """Look up the outcome of the message in previous tries.

        :param recipient: the phone number, digits only.
        :return: ``None`` if the message counts as new: no previous try has recorded it, or the task was
            cleared after it had finished.
        :raises RecordError: if the record can't be read.
        """
        self._fallback_keys.discard(self._key(recipient))
        if not self.store or self._key(recipient) in self._written_keys:  # written by this try
            return None
        entry = self.store.get(self._key(recipient))
        if entry is None:
            return None
        previous = _parse_outcome(entry, self._key(recipient))
        # A message with an unknown outcome only counts as new if the task was certainly cleared.
        counts_as_new = entry.cleared == "certainly" or (
            entry.cleared == "perhaps" and previous.outcome != "unknown"
        )
        if counts_as_new and has_finished_since(self.store, entry):
            return None
        self._written_keys.add(self._key(recipient))
        if previous.outcome == "accepted":
            self._accepted_keys.add(self._key(recipient))
        if previous.is_fallback and previous.outcome != "refused":  # if refused, a cleared task starts over
            self._fallback_keys.add(self._key(recipient))
        return previous

    def use_fallback(self, recipient: str) -> None:
        """Let further outcomes of this recipient be those of the fallback.

        :param recipient: the phone number, digits only.
        """
        self._fallback_keys.add(self._key(recipient))

    def use_message(self, recipient: str) -> None:
        """Let further outcomes of this recipient be those of the message itself again.

        :param recipient: the phone number, digits only.
        """
        self._fallback_keys.discard(self._key(recipient))

    def uses_fallback(self, recipient: str) -> bool:
        """Return whether to send the fallback instead of the message.

        :param recipient: the phone number, digits only.
        """
        return self._key(recipient) in self._fallback_keys

    def record_fallback(self, recipient: str, error: ItnioError) -> None:
        """Write that the message did not arrive, so that a retry sends the fallback instead.

        :param recipient: the phone number, digits only.
        :param error: the error of the message.
        """
        self.use_fallback(recipient)
        self._write_or_log(recipient, "not_sent", why=str(error))

    def record_intent(self, recipient: str) -> None:
        """Write that a message is about to be sent: if the worker is lost, its outcome is unknown.

        :param recipient: the phone number, digits only.
        :raises RecordError: if it could not be written; then the message must not be sent.
        """
        if self.store:
            at = datetime.now(UTC).isoformat(timespec="seconds")
            reason = f"a request may have been sent at {at}, and no answer was recorded"
            self.store.set(self._key(recipient), self._entry(recipient, "unknown", why=reason))
            self._written_keys.add(self._key(recipient))

    def withdraw_intent(self, recipient: str) -> None:
        """Write that an intended message was not sent; log an error if the write fails.

        :param recipient: the phone number, digits only.
        """
        self._write_or_log(recipient, "not_sent", why="it was not sent before the try ended")

    def record_acceptance(self, receipt: Receipt) -> None:
        """Write that a message was accepted; log an error if the write fails."""
        self._accepted_keys.add(self._key(receipt.recipient))
        self._write_or_log(receipt.recipient, "accepted", receipt=receipt.as_dict())

    def record_failure(self, recipient: str, error: ItnioError) -> None:
        """Write the outcome of a message that was not accepted; log an error if the write fails.

        :param recipient: the phone number, digits only.
        :param error: the error that sending raised.
        """
        self._write_or_log(recipient, outcome_of(error), why=f"{type(error).__name__}: {error}")

    def finish(self) -> None:
        """Write that the task has finished: if it is cleared after this, it sends again."""
        if not self.store or not self._written_keys:
            return
        try:
            self.store.set_with_retry(_FINISHED, {})
        except RecordError as error:
            log.error("%s. If this task is cleared, it will not send again", error)

    def _write_or_log(self, recipient: str, outcome: Outcome, **fields: Any) -> None:
        if not self.store:
            return
        try:
            self.store.set_with_retry(self._key(recipient), self._entry(recipient, outcome, **fields))
            self._written_keys.add(self._key(recipient))
        except RecordError as error:
            log.error(
                "%s. The message was %s; a retry of this task won't know that", error, _OUTCOMES[outcome]
            )

    def _key(self, recipient: str) -> str:
        # A hash, since Airflow's API server logs keys as a part of URLs.
        number = canonical_number(recipient)
        key = number + self.subject_id + (f"#{self._counts[number]}" if self._counts[number] else "")
        return f"whatsapp/message/{hashlib.sha256(key.encode()).hexdigest()[:32]}"

    def _entry(self, recipient: str, outcome: Outcome, **fields: Any) -> dict[str, Any]:
        fallback = {"fallback": True} if self.uses_fallback(recipient) else {}
        return {"recipient": recipient, "outcome": outcome, **fields, **fallback}


_OUTCOMES: Final[Mapping[Outcome, str]] = {
    "accepted": "accepted",
    "refused": "refused",
    "not_sent": "not sent",
    "unknown": "perhaps sent",
}


def has_finished_since(store: TaskStateStore, entry: Entry) -> bool:
    """Return whether the task finished in the try that wrote an entry, or in a later one.

    :param store: the task's state store.
    :param entry: the entry.
    :raises RecordError: if the record can't be read.
    """
    finished = store.get(_FINISHED)
    return finished is not None and finished.task_try.number >= entry.task_try.number


def _parse_outcome(entry: Entry, key: str) -> PreviousOutcome:
    is_fallback = entry.value.get("fallback") is True
    match entry.value:
        case {
            "outcome": "accepted",
            "receipt": {"message_id": str(), "recipient": str(), "type": str(), "timestamp": _} as receipt,
        }:
            return PreviousOutcome("accepted", entry.cleared, receipt, is_fallback=is_fallback)
        case {"outcome": "unknown" | "not_sent" | "refused" as outcome, "why": str(reason)}:
            return PreviousOutcome(outcome, entry.cleared, None, reason, is_fallback)
    raise unreadable(key, "it does not contain the outcome of the message")

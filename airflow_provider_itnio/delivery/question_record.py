"""Which question a task has asked, kept across its tries, so that a retry waits for the answer to that."""

from __future__ import annotations

from typing import Final, NamedTuple

from airflow_provider_itnio.delivery.message_record import has_finished_since
from airflow_provider_itnio.delivery.policy import Cleared
from airflow_provider_itnio.delivery.state_store import TaskStateStore, unreadable

_KEY: Final = "whatsapp/question"


class AskedEarlier(NamedTuple):
    """A question of an earlier try that has no answer on record.

    :param id: its id.
    :param ends_at: Unix time in seconds after which no answer counts.
    :param cleared: whether a person has cleared the task since.
    """

    id: str
    ends_at: float
    cleared: Cleared


def question_of_earlier_try(store: TaskStateStore) -> AskedEarlier | None:
    """Look up the question that an earlier try has asked.

    :param store: the task's.
    :return: ``None`` if there is none, or a person cleared the task after it had its answer.
    :raises RecordError: if it can't be read.
    """
    if not store or (entry := store.get(_KEY)) is None:
        return None
    if entry.cleared != "no" and has_finished_since(store, entry):
        return None
    match entry.value:
        case {"question": str(question_id), "ends_at": int() | float() as ends_at}:
            return AskedEarlier(question_id, ends_at, entry.cleared)
    raise unreadable(_KEY, "it does not hold a question")


def write_question(store: TaskStateStore, question_id: str, ends_at: float) -> None:
    """Write which question the task is about to ask. Nobody must be asked if that fails.

    :param store: the task's.
    :param question_id: the question's id.
    :param ends_at: Unix time in seconds after which no answer counts.
    :raises RecordError: if the store does not take it.
    """
    if store:
        store.set(_KEY, {"question": question_id, "ends_at": ends_at})

"""Which question a task has asked, kept across its tries, so that a retry waits for the answer to that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from airflow_provider_itnio.api.errors import RecordError
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.delivery.message_record import has_finished_since
from airflow_provider_itnio.delivery.policy import Cleared
from airflow_provider_itnio.delivery.state_store import TaskStateStore, unreadable

if TYPE_CHECKING:
    from airflow_provider_itnio.api.question import Question

_KEY: Final = "whatsapp/question"
_SHOWN: Final = ("options", "has_places", "takes_typed", "business_phone")
"""What the answers are read by. A later try of the task may render it to something else."""

log = NeverRaisingLog(__name__)


class AskedEarlier(NamedTuple):
    """A question of an earlier try.

    :param id: its id.
    :param begun_at: Unix time in seconds when it was first about to be asked.
    :param ends_at: Unix time in seconds after which no answer counts.
    :param numbers: who was to be asked, digits only.
    :param answer: its answer, if that was found.
    :param shown: what people see of it, as fields of :class:`Question`; empty if that is not known.
    :param cursor: behind which of the receiver's messages its answers come; empty if that is not known.
    :param cleared: whether a person has cleared the task since.
    """

    id: str
    begun_at: float
    ends_at: float
    numbers: list[str]
    answer: dict[str, Any] | None
    shown: dict[str, Any]
    cursor: str
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
        case {
            "question": str(question_id),
            "begun_at": int() | float() as begun_at,
            "ends_at": int() | float() as ends_at,
            "numbers": list(numbers),
            "answer": dict() | None as answer,
            **more,
        }:
            shown, cursor = dict(more.get("shown") or {}), str(more.get("cursor") or "")
            if shown:
                shown["options"] = dict(shown["options"])
            numbers = list(map(str, numbers))
            return AskedEarlier(question_id, begun_at, ends_at, numbers, answer, shown, cursor, entry.cleared)
    raise unreadable(_KEY, "it does not hold a question")


def write_question(
    store: TaskStateStore,
    question: Question,
    numbers: Sequence[str],
    answer: Mapping[str, Any] | None = None,
) -> None:
    """Write which question the task is about to ask, and later its answer.

    Nobody must be asked if the first fails. If the second fails, the log says so: a retry would look for the
    answer again.

    :param store: the task's.
    :param question: the question.
    :param numbers: who is asked, digits only.
    :param answer: its answer.
    :raises RecordError: if the store does not take the question.
    """
    if not store:
        return
    entry = {
        "question": question.id,
        "begun_at": question.begun_at,
        "ends_at": question.ends_at,
        "numbers": list(numbers),
        "answer": answer,
        "shown": {name: question.as_dict()[name] for name in _SHOWN},
        "cursor": question.cursor,
    }
    if answer is None:
        store.set(_KEY, entry)
        return
    try:
        store.set_with_retry(_KEY, entry)
    except RecordError as error:
        log.warning("%s. A retry of this task would look for the answer again", error)

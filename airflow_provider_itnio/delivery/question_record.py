"""The record of a task's question, kept across its tries, so that a retry waits for the same answer."""

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
_SHOWN_FIELDS: Final = ("options", "has_places", "takes_typed", "business_phone")
"""Fields for reading the answers. In a later try of the task they may render to something else."""

log = NeverRaisingLog(__name__)


class PreviousQuestion(NamedTuple):
    """A question of a previous try.

    :param id: its id.
    :param begun_at: Unix time in seconds just before the first message was sent.
    :param ends_at: Unix time in seconds after which no answer counts.
    :param numbers: the planned recipients, digits only.
    :param answer: its answer, if there was one.
    :param shown: the fields that recipients see, as in :class:`Question`; empty if unknown.
    :param cursor: the receiver's cursor after which its answers arrive; empty if unknown.
    :param cleared: whether the task has been cleared since.
    """

    id: str
    begun_at: float
    ends_at: float
    numbers: list[str]
    answer: dict[str, Any] | None
    shown: dict[str, Any]
    cursor: str
    cleared: Cleared


def previous_question(store: TaskStateStore) -> PreviousQuestion | None:
    """Look up the question of a previous try.

    :param store: the task's state store.
    :return: ``None`` if there is none, or the task was cleared after it had finished.
    :raises RecordError: if the record can't be read.
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
            return PreviousQuestion(
                question_id, begun_at, ends_at, numbers, answer, shown, cursor, entry.cleared
            )
    raise unreadable(_KEY, "it does not contain a question")


def write_question(
    store: TaskStateStore,
    question: Question,
    numbers: Sequence[str],
    answer: Mapping[str, Any] | None = None,
) -> None:
    """Write the question that the task is about to ask, and later its answer.

    If the question can't be written, it must not be sent. If the answer can't be written, that is logged: a
    retry then reads the answer from the receiver again.

    :param store: the task's state store.
    :param question: the question.
    :param numbers: the recipients, digits only.
    :param answer: its answer, ``None`` before the question is asked.
    :raises RecordError: if the question could not be written.
    """
    if not store:
        return
    entry = {
        "question": question.id,
        "begun_at": question.begun_at,
        "ends_at": question.ends_at,
        "numbers": list(numbers),
        "answer": answer,
        "shown": {name: question.as_dict()[name] for name in _SHOWN_FIELDS},
        "cursor": question.cursor,
    }
    if answer is None:
        store.set(_KEY, entry)
        return
    try:
        store.set_with_retry(_KEY, entry)
    except RecordError as error:
        log.warning("%s. A retry of this task will look for the answer again", error)

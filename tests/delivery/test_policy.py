"""What tells a retry from a task that a person has cleared, and what became of a message by its error."""

from __future__ import annotations

from airflow_provider_itnio.api.errors import (
    ContentError,
    ItnioError,
    NotSentError,
    PlatformError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.delivery.policy import TaskTry, is_sent_again, outcome_of
from tests.tables import for_each

FIRST = TaskTry(number=1, max_tries=2, retries=2, clear_number=0)


@for_each(
    ("previous", "now", "is_cleared"),
    [
        (FIRST, FIRST._replace(number=2), "no"),
        (FIRST, FIRST._replace(number=2, max_tries=3, clear_number=1), "certainly"),
        # Lowered from 2 to 1, and cleared behind the first try: 1 + 1 is 2 again.
        (FIRST, TaskTry(2, 2, 1, 1), "perhaps"),
        (FIRST, TaskTry(2, 2, 1, 0), "no"),
        # Lowered before the first try, whose number of tries was set before.
        (TaskTry(1, 2, 1, 0), TaskTry(2, 2, 1, 1), "perhaps"),
        # Another task of the run was cleared: this one's clearing would have made it 3 or more.
        (FIRST, FIRST._replace(number=2, clear_number=1), "no"),
        (TaskTry(3, 4, 2, 1), TaskTry(4, 4, 2, 3), "no"),
        (TaskTry(2, 3, 2, 1), TaskTry(4, 3, 0, 2), "perhaps"),
        # Raised, and cleared.
        (FIRST, TaskTry(2, 6, 5, 1), "certainly"),
    ],
)
def test_whether_a_person_has_cleared_the_task(previous, now, is_cleared):
    assert now.is_cleared_since(previous) == is_cleared


@for_each("delivery", ["at_least_once", "at_most_once"])
@for_each("outcome", ["accepted", "unknown", "not_sent", "refused"])
def test_perhaps_cleared_is_cleared_but_for_an_unknown_message_at_most_once(outcome, delivery):
    perhaps = is_sent_again(outcome, "perhaps", delivery)
    if (outcome, delivery) == ("unknown", "at_most_once"):
        assert perhaps is is_sent_again(outcome, "no", delivery) is False
    else:
        assert perhaps is is_sent_again(outcome, "certainly", delivery)


@for_each(
    ("error", "outcome"),
    [
        (NotSentError("no connection"), "not_sent"),
        (NotSentError("no certificate", try_again=False), "not_sent"),
        (PlatformError("-18", transient=True), "not_sent"),
        (ContentError("status -114, text is empty", code=-114), "refused"),
        (UnknownOutcomeError("lost"), "unknown"),
        (ItnioError("new kind"), "unknown"),
    ],
)
def test_what_became_of_a_message_by_its_error(error, outcome):
    assert outcome_of(error) == outcome

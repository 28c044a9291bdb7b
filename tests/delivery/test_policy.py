"""How a retry is distinguished from a cleared task, and a message's outcome by its error."""

from __future__ import annotations

from airflow_provider_itnio.api.errors import (
    ContentError,
    ItnioError,
    NotSentError,
    PlatformError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.delivery.policy import TaskTry, outcome_of, should_resend
from tests.tables import for_each

FIRST = TaskTry(number=1, max_tries=2, retries=2, clear_number=0)


@for_each(
    ("previous", "now", "is_cleared"),
    [
        (FIRST, FIRST._replace(number=2), "no"),
        (FIRST, FIRST._replace(number=2, max_tries=3, clear_number=1), "certainly"),
        # Retries lowered from 2 to 1, and cleared after the first try: 1 + 1 is 2 again.
        (FIRST, TaskTry(2, 2, 1, 1), "perhaps"),
        (FIRST, TaskTry(2, 2, 1, 0), "no"),
        # Retries lowered before the first try, whose max_tries was set before.
        (TaskTry(1, 2, 1, 0), TaskTry(2, 2, 1, 1), "perhaps"),
        # Another task of the run was cleared: clearing this one would have made max_tries 3 or more.
        (FIRST, FIRST._replace(number=2, clear_number=1), "no"),
        (TaskTry(3, 4, 2, 1), TaskTry(4, 4, 2, 3), "no"),
        (TaskTry(2, 3, 2, 1), TaskTry(4, 3, 0, 2), "perhaps"),
        # Retries raised, and cleared.
        (FIRST, TaskTry(2, 6, 5, 1), "certainly"),
    ],
)
def test_a_cleared_task_is_distinguished_from_a_retry(previous, now, is_cleared):
    assert now.is_cleared_since(previous) == is_cleared


@for_each("delivery", ["at_least_once", "at_most_once"])
@for_each("outcome", ["accepted", "unknown", "not_sent", "refused"])
def test_perhaps_cleared_counts_as_cleared_except_for_unknown_at_most_once(outcome, delivery):
    perhaps = should_resend(outcome, "perhaps", delivery)
    if (outcome, delivery) == ("unknown", "at_most_once"):
        assert perhaps is should_resend(outcome, "no", delivery) is False
    else:
        assert perhaps is should_resend(outcome, "certainly", delivery)


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
def test_each_error_gives_the_messages_outcome(error, outcome):
    assert outcome_of(error) == outcome

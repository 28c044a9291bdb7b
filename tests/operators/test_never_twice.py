"""No message is sent twice and none is lost: the whole table of outcomes, try after try."""

from __future__ import annotations

import pytest

from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.operators.ways import (
    DELIVERIES,
    FAULTS,
    NUMBER,
    OF_MANY,
    OF_ONE,
    WAYS,
    first_try,
    same_as_first,
)
from tests.tables import for_each, pairs
from tests.task_runs import (
    TaskRun,
    TaskStateStore,
    fails_at_once,
)

pytestmark = pytest.mark.usefixtures("hasty")


# What the record says, the delivery, and whether it is sent by a retry and when cleared after a failure.
ROWS = [
    ("accepted", "at_least_once", False, False),
    ("accepted", "at_most_once", False, False),
    ("unknown", "at_least_once", True, True),
    ("unknown", "at_most_once", False, True),
    ("not sent", "at_least_once", True, True),
    ("not sent", "at_most_once", True, True),
    ("passing", "at_least_once", True, True),
    ("passing", "at_most_once", False, True),  # it proves nothing, so it is unknown
    ("refused", "at_least_once", False, True),
    ("refused", "at_most_once", False, True),
]
OUTCOMES = {
    (name, delivery): "unknown" if name == "passing" and delivery == "at_most_once" else name
    for name in FAULTS
    for delivery in ("at_least_once", "at_most_once")
}
# One way to one person and one to many for each row; each way meets each outcome and each delivery.
each_row = for_each(
    ("row", "way"),
    [
        (row, WAYS[way])
        for place, row in enumerate(ROWS)
        for way in (("operator", "broadcast"), ("decorator", "decorator to many"))[(place // 2 + place) % 2]
    ],
)


# --- the table --------------------------------------------------------------------------------------------


@each_row
def test_a_retry(row, way, store, sandbox):
    outcome, delivery, by_retry, _ = row
    run = first_try(way, store, sandbox, outcome, delivery)
    if by_retry:
        run.once()
    elif outcome == "accepted":
        assert same_as_first(run.once(), sandbox)
    else:
        fails_at_once(run)
    assert len(sandbox.requests) == 1 + by_retry


@each_row
def test_a_task_that_is_cleared_after_it_failed(row, way, store, sandbox):
    outcome, delivery, _, when_cleared = row
    run = first_try(way, store, sandbox, outcome, delivery)
    run.clear()
    result = run.once()
    assert len(sandbox.requests) == 1 + when_cleared
    if not when_cleared:
        assert same_as_first(result, sandbox)


@each_row
def test_a_task_that_is_cleared_after_it_failed_and_whose_retries_were_lowered(row, way, store, sandbox):
    """Airflow counts the tries it may have as before, and only the DAG run says that somebody cleared it."""
    outcome, delivery, by_retry, when_cleared = row
    run = first_try(way, store, sandbox, outcome, delivery)
    run.retries = 1
    run.clear()
    assert run.max_tries == 2
    sends = (
        by_retry if (OUTCOMES[outcome, delivery], delivery) == ("unknown", "at_most_once") else when_cleared
    )
    if sends or outcome == "accepted":
        run.once()
    else:
        fails_at_once(run)
    assert len(sandbox.requests) == 1 + sends


@each_row
def test_a_retry_while_another_task_of_the_run_is_cleared(row, way, store, sandbox):
    outcome, delivery, by_retry, _ = row
    run = first_try(way, store, sandbox, outcome, delivery)
    run.clear_another_task()
    if by_retry or outcome == "accepted":
        run.once()
    else:
        fails_at_once(run)
    assert len(sandbox.requests) == 1 + by_retry


@pairs(
    way=WAYS,
    delivery=DELIVERIES,
    ends=["as on 3.3", "as on 2.11"],
    lowered={"": False, "retries lowered": True},
)
def test_a_task_that_is_cleared_after_it_succeeded_sends(delivery, ends, lowered, way, store, sandbox):
    run = TaskRun(lambda: way(delivery=delivery), store=store)
    for cleared in range(3):
        run.once(ends=ends)
        assert len(sandbox.messages) == 1 + cleared
        if lowered:
            run.retries = max(0, run.retries - 1)
        run.clear()


@for_each("delivery", ["at_least_once", "at_most_once"])
def test_retries_that_were_lowered_before_the_first_try_hide_no_clearing(delivery, way, store, sandbox):
    run = TaskRun(lambda: way(delivery=delivery), store=store)
    run.retries = 1
    run.once()
    run.clear()
    assert run.max_tries == 2
    run.once()
    assert len(sandbox.messages) == 2


@for_each("row", ROWS)
@for_each("way", OF_MANY.values())
def test_whatever_became_of_it_a_broadcast_cleared_after_it_succeeded_sends(row, way, store, sandbox):
    outcome, delivery, *_ = row
    other = "+55 11 91234-5678"

    def make():
        operator = way(delivery=delivery, if_some_fail="warn")
        operator.recipients = [NUMBER, other]
        return operator

    run = TaskRun(make, store=store)
    if FAULTS[outcome]:
        sandbox.fail_next(recipient=NUMBER, **FAULTS[outcome])
    run.once()
    run.clear()
    assert run.once()["accepted"] == 2
    assert len(sandbox.requests) == 4


@for_each("way", OF_ONE.values())
@for_each("delivery", ["at_least_once", "at_most_once"])
def test_a_task_that_succeeded_by_a_retry_sends_once_more_when_cleared(delivery, way, store, sandbox):
    run = first_try(way, store, sandbox, "not sent", delivery)
    run.once()
    run.clear()
    run.once()
    assert len(sandbox.messages) == 2


@for_each("meanwhile", ["", "another task is cleared"])
def test_a_retry_that_comes_although_the_task_was_finished_sends_nothing(meanwhile, way, store, sandbox):
    run = TaskRun(way, store=store)
    run.once()
    if meanwhile:
        run.clear_another_task()
    assert same_as_first(run.once(), sandbox)
    assert len(sandbox.requests) == 1


def test_a_task_that_was_cleared_and_failed_once_more_still_knows(way, store, sandbox):
    run = first_try(way, store, sandbox, "accepted", "at_least_once")
    run.clear()
    run.once(ends="failing")
    run.once(ends="failing")
    run.clear()
    assert same_as_first(run.once(), sandbox)
    run.clear()
    run.once()
    assert len(sandbox.requests) == 2


@for_each("delivery", ["at_least_once", "at_most_once"])
def test_a_refusal_is_met_once_for_each_time_the_task_is_cleared(delivery, way, store, sandbox):
    run = first_try(way, store, sandbox, "refused", delivery)
    for cleared in range(2):
        fails_at_once(run)
        assert len(sandbox.requests) == 1 + cleared
        run.clear()
        sandbox.fail_next(status=-114)
        fails_at_once(run)
        assert len(sandbox.requests) == 2 + cleared


def test_another_run_of_the_dag_knows_nothing_of_it(way, sandbox):
    for _ in range(2):
        TaskRun(way, store=TaskStateStore()).once()
    assert len(sandbox.messages) == 2


SPELLINGS = {
    "Mexico": ("+52 1 55 1234 5678", "+52 55 1234 5678"),
    "Brazil": ("+55 11 91234-5678", "+55 11 1234-5678"),
    "Argentina": ("+54 9 11 1234 5678", "+54 11 1234 5678"),
}


@for_each("spellings", SPELLINGS.values())
@for_each("to_many", [False, True])
def test_a_retry_knows_a_person_by_another_spelling_of_their_number(to_many, spellings, store, sandbox):
    numbers = iter(spellings)

    def make():
        fields = {"task_id": "tell", "text": "x"}
        if to_many:
            return WhatsAppBroadcastOperator(recipients=[next(numbers)], keep_receipts=True, **fields)
        return WhatsAppSendOperator(recipient=next(numbers), **fields)

    run = TaskRun(make, store=store)
    run.once(ends="failing")
    again = run.once()
    assert same_as_first(again, sandbox)

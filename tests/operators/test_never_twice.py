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


# The outcome, the delivery, and whether a retry and a task cleared after a failure send it.
ROWS = [
    ("accepted", "at_least_once", False, False),
    ("accepted", "at_most_once", False, False),
    ("unknown", "at_least_once", True, True),
    ("unknown", "at_most_once", False, True),
    ("not sent", "at_least_once", True, True),
    ("not sent", "at_most_once", True, True),
    ("passing", "at_least_once", True, True),
    ("passing", "at_most_once", False, True),  # ambiguous, so it is unknown
    ("refused", "at_least_once", False, True),
    ("refused", "at_most_once", False, True),
]
OUTCOMES = {
    (name, delivery): "unknown" if name == "passing" and delivery == "at_most_once" else name
    for name in FAULTS
    for delivery in ("at_least_once", "at_most_once")
}
# For each row one way to one recipient and one to many; each way gets every outcome and delivery.
each_row = for_each(
    ("row", "way"),
    [
        (row, WAYS[way])
        for place, row in enumerate(ROWS)
        for way in (("operator", "broadcast"), ("decorator", "decorator to many"))[(place // 2 + place) % 2]
    ],
)


# --- the table ------------------------------------------------------------------------------------------


@each_row
def test_a_retry_sends_according_to_the_table(row, way, store, sandbox):
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
def test_a_task_cleared_after_a_failure_sends_according_to_the_table(row, way, store, sandbox):
    outcome, delivery, _, when_cleared = row
    run = first_try(way, store, sandbox, outcome, delivery)
    run.clear()
    result = run.once()
    assert len(sandbox.requests) == 1 + when_cleared
    if not when_cleared:
        assert same_as_first(result, sandbox)


@each_row
def test_a_task_cleared_after_a_failure_with_fewer_retries_sends_only_what_is_safe(row, way, store, sandbox):
    """max_tries stays the same, and only the DAG run's clear_number shows that the task was cleared."""
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
def test_a_retry_after_another_task_was_cleared_sends_according_to_the_table(row, way, store, sandbox):
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
def test_a_task_cleared_after_success_sends_again(delivery, ends, lowered, way, store, sandbox):
    run = TaskRun(lambda: way(delivery=delivery), store=store)
    for cleared in range(3):
        run.once(ends=ends)
        assert len(sandbox.messages) == 1 + cleared
        if lowered:
            run.retries = max(0, run.retries - 1)
        run.clear()


@for_each("delivery", ["at_least_once", "at_most_once"])
def test_a_clear_is_recognised_although_retries_were_lowered_before_the_first_try(
    delivery, way, store, sandbox
):
    run = TaskRun(lambda: way(delivery=delivery), store=store)
    run.retries = 1
    run.once()
    run.clear()
    assert run.max_tries == 2
    run.once()
    assert len(sandbox.messages) == 2


@for_each("row", ROWS)
@for_each("way", OF_MANY.values())
def test_a_broadcast_cleared_after_success_sends_again_after_any_outcome(row, way, store, sandbox):
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
def test_a_task_cleared_after_a_retry_succeeded_sends_again(delivery, way, store, sandbox):
    run = first_try(way, store, sandbox, "not sent", delivery)
    run.once()
    run.clear()
    run.once()
    assert len(sandbox.messages) == 2


@for_each("meanwhile", ["", "another task is cleared"])
def test_a_retry_after_the_task_has_succeeded_sends_nothing(meanwhile, way, store, sandbox):
    run = TaskRun(way, store=store)
    run.once()
    if meanwhile:
        run.clear_another_task()
    assert same_as_first(run.once(), sandbox)
    assert len(sandbox.requests) == 1


def test_a_task_cleared_and_failed_again_does_not_repeat_an_accepted_message(way, store, sandbox):
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
def test_a_refused_message_is_tried_once_per_clear(delivery, way, store, sandbox):
    run = first_try(way, store, sandbox, "refused", delivery)
    for cleared in range(2):
        fails_at_once(run)
        assert len(sandbox.requests) == 1 + cleared
        run.clear()
        sandbox.fail_next(status=-114)
        fails_at_once(run)
        assert len(sandbox.requests) == 2 + cleared


def test_another_dag_run_sends_again(way, sandbox):
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
def test_a_retry_recognises_a_recipient_under_another_spelling(to_many, spellings, store, sandbox):
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

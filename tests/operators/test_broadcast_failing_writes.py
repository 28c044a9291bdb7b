"""A broadcast whose record cannot be written, and one without a record."""

from __future__ import annotations

from collections import Counter

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_itnio.api.errors import ItnioError, RecordError
from tests.tables import for_each
from tests.task_runs import (
    DeadlockImminentError,
    broadcast_run,
    counts_of,
    fails_at_once,
    may_be_tried_again,
    numbers,
    times_sent,
)

pytestmark = pytest.mark.usefixtures("hasty")


FAILURES = {
    "an error": lambda: OSError("Broken pipe"),
    "Airflow's deadlock error": lambda: DeadlockImminentError("would wait for itself"),
}


@for_each("failure", FAILURES.values())
@pytest.mark.usefixtures("quick_writes")
def test_a_failing_write_after_acceptances_fails_without_retries_naming_them(failure, store, sandbox, logged):
    people = numbers(60)
    run = broadcast_run(people, max_in_flight=1, checkpoint_every=10, store=store)
    store.fail(failure(), after=2)  # the head and one batch of 9 are written
    error = fails_at_once(run)
    assert len(sandbox.messages) == 18
    assert "9 messages were accepted but not recorded, so a retry would send them again" in str(error)
    assert "recipients[9] (…0009), recipients[10] (…0010), recipients[11] (…0011)" in str(error)
    assert str(failure()) in str(error)
    assert counts_of(run.summary) == {"accepted": 18, "not_attempted": 42}
    shown = str(error) + logged()
    assert not [number for number in people if number in shown]


@pytest.mark.usefixtures("quick_writes")
def test_at_most_fifty_unrecorded_messages_are_named(store, sandbox):
    store.fail(OSError("Broken pipe"), after=1)
    error = fails_at_once(broadcast_run(numbers(60), max_in_flight=1, store=store))
    assert "60 messages were accepted but not recorded" in str(error)
    assert str(error).count("recipients[") == 50


@pytest.mark.usefixtures("quick_writes")
def test_after_a_failing_write_of_an_intent_none_of_its_messages_is_sent(store, sandbox):
    people = numbers(60)
    run = broadcast_run(people, max_in_flight=1, checkpoint_every=10, delivery="at_most_once", store=store)

    def failing(key, value):
        if "intended" in value and people[20] in value["intended"]:
            raise OSError("Broken pipe")

    store.before_write = failing
    may_be_tried_again(run, RecordError)
    assert sorted(times_sent(sandbox)) == people[:20]
    assert counts_of(run.summary) == {"accepted": 20, "not_attempted": 40}
    store.before_write = lambda key, value: None
    assert counts_of(run.once()) == {"accepted": 40, "accepted_earlier": 20}


@pytest.mark.usefixtures("quick_writes")
def test_a_write_that_succeeds_when_tried_again_does_not_stop_the_broadcast(delivery, store, sandbox):
    tries = Counter()

    def failing_at_first(key, value):
        tries[key] += 1
        if "outcomes" in value and tries[key] < 3:
            raise OSError("Broken pipe")

    store.before_write = failing_at_first
    run = broadcast_run(numbers(40), max_in_flight=1, checkpoint_every=10, delivery=delivery, store=store)
    assert counts_of(run.once()) == {"accepted": 40}


@pytest.mark.usefixtures("quick_writes")
def test_outcomes_recorded_by_the_last_write_leave_the_retries(store, sandbox):
    run = broadcast_run(numbers(60), max_in_flight=1, checkpoint_every=10, store=store)
    store.fail(OSError("Broken pipe"), 3, after=2)
    may_be_tried_again(run, ItnioError)
    assert counts_of(run.summary) == {"accepted": 18, "not_attempted": 42}
    assert counts_of(run.once()) == {"accepted": 42, "accepted_earlier": 18}


def test_if_the_records_head_cannot_be_written_nothing_is_sent(delivery, store, sandbox):
    store.fail(OSError("Broken pipe"))
    may_be_tried_again(broadcast_run(numbers(3), delivery=delivery, store=store), RecordError)
    assert sandbox.requests == []


@for_each("fault", [{"http_status": 429}, {"drop": "after_accepting"}, {"status": -18}])
def test_without_a_record_a_failure_after_acceptances_leaves_no_retries(fault, delivery, sandbox):
    sandbox.fail_next(**fault)
    run = broadcast_run(numbers(3), delivery=delivery)
    error = fails_at_once(run)
    assert counts_of(run.summary)["accepted"] == 2
    if delivery == "at_least_once" or "http_status" in fault:
        assert "Not retried: without a delivery record, a retry would message people again" in str(error)


def test_without_a_record_a_failure_before_any_acceptance_leaves_the_retries(sandbox):
    sandbox.fail_next(3, http_status=429)
    run = broadcast_run(numbers(3))
    may_be_tried_again(run, ItnioError)
    assert counts_of(run.once()) == {"accepted": 3}


def test_without_a_record_the_error_of_a_refusal_does_not_mention_the_record(sandbox):
    sandbox.fail_next(status=-114)
    assert "delivery record" not in str(fails_at_once(broadcast_run(numbers(3))))


def test_a_broadcast_inside_another_task_has_no_record(store, sandbox):
    sandbox.fail_next(http_status=429)
    run = broadcast_run(numbers(3), store=store)
    run.task_id = "other"
    with pytest.raises(AirflowFailException, match="without a delivery record"):
        run.once()
    assert store.kept == {}

"""A broadcast across the tries of its task: what a retry sends, and what a lost worker can repeat."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_itnio.api.async_client import ItnioAsyncClient
from airflow_provider_itnio.api.errors import AccountError, ItnioError, RecordError
from airflow_provider_itnio.sandbox import Sandbox
from tests.task_runs import (
    DeadlockImminentError,
    TaskStateStore,
    broadcast_run,
    counts_of,
    fails_at_once,
    may_be_tried_again,
    numbers,
)

DELIVERIES = ["at_least_once", "at_most_once"]

pytestmark = pytest.mark.usefixtures("hasty")


@pytest.fixture(params=DELIVERIES)
def delivery(request):
    return request.param


def times_sent(sandbox):
    return Counter(message.recipient for message in sandbox.messages)


# --- a retry, and a person who clears the task ------------------------------------------------------------


def test_a_retry_of_a_partly_failed_broadcast_sends_only_the_rest(delivery, store, sandbox):
    people = numbers(30)
    for number in people[::3]:
        sandbox.fail_next(recipient=number, http_status=429)
    run = broadcast_run(people, delivery=delivery, checkpoint_every=7, store=store)
    may_be_tried_again(run, ItnioError)
    assert counts_of(run.summary) == {"accepted": 20, "not_sent": 10}
    before = len(sandbox.requests)
    assert counts_of(run.once()) == {"accepted": 10, "accepted_earlier": 20}
    assert len(sandbox.requests) - before == 10
    assert times_sent(sandbox) == dict.fromkeys(people, 1)


def test_what_was_refused_is_listed_again_by_the_retry_and_not_sent(store, sandbox):
    people = numbers(3)
    sandbox.fail_next(recipient=people[0], status=-114)
    sandbox.fail_next(recipient=people[1], http_status=429)
    run = broadcast_run(people, store=store)
    may_be_tried_again(run, ItnioError)
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 1, "accepted_earlier": 1, "refused": 1}
    (failure,) = run.summary["failures"]
    assert (failure["position"], failure["outcome"], failure["code"]) == (0, "refused", -114)
    assert failure["reason"] == "refused in an earlier try of this task: text is empty"


def test_what_is_unknown_is_listed_again_by_the_retry_and_not_sent_at_most_once(store, sandbox):
    people = numbers(3)
    sandbox.fail_next(recipient=people[0], drop="after_accepting")
    run = broadcast_run(people, delivery="at_most_once", store=store)
    for accepted in ("accepted", "accepted_earlier"):
        fails_at_once(run)
        assert counts_of(run.summary) == {accepted: 2, "unknown": 1}
    (failure,) = run.summary["failures"]
    assert failure["reason"] == "an earlier try of this task may have sent it"
    assert times_sent(sandbox) == dict.fromkeys(people, 1)


def test_a_broadcast_that_failed_half_way_and_is_cleared_sends_only_the_rest(delivery, store, sandbox):
    people = numbers(20)
    sandbox.fail_next(recipient=people[8], status=-68)
    run = broadcast_run(people, delivery=delivery, max_in_flight=1, store=store)
    may_be_tried_again(run, AccountError)
    run.clear()
    assert counts_of(run.once()) == {"accepted": 12, "accepted_earlier": 8}
    run.clear()
    assert counts_of(run.once()) == {"accepted": 20}
    assert times_sent(sandbox) == dict.fromkeys(people, 2)


def test_a_broadcast_cleared_after_it_succeeded_knows_its_new_tries(delivery, store, sandbox):
    people = numbers(10)
    run = broadcast_run(people, delivery=delivery, store=store)
    for _ in range(3):
        sandbox.clear()
        sandbox.fail_next(recipient=people[3], http_status=429)
        may_be_tried_again(run, ItnioError)
        assert counts_of(run.once()) == {"accepted": 1, "accepted_earlier": 9}
        assert times_sent(sandbox) == dict.fromkeys(people, 1)
        run.clear()


def test_messages_to_one_number_are_told_apart_by_their_order(delivery, store, sandbox):
    (number,) = numbers(1)
    entries = [{"phone": number, "n": n} for n in range(4)]
    sandbox.fail_next(delay=0.001)
    sandbox.fail_next(http_status=429)
    run = broadcast_run(entries, text="{{ recipient.n }}", delivery=delivery, store=store)
    may_be_tried_again(run, ItnioError)
    run.once()
    assert [message.text for message in sandbox.messages] == ["0", "2", "3", "1"]


def test_who_was_added_to_the_list_meanwhile_is_sent_to(store, sandbox):
    people = numbers(4)
    sandbox.fail_next(recipient=people[0], http_status=429)
    run = broadcast_run("{{ params.to | join(',') }}", context={"params": {"to": people[:2]}}, store=store)
    may_be_tried_again(run, ItnioError)
    run.context = {"params": {"to": people[::-1]}}
    assert counts_of(run.once()) == {"accepted": 3, "accepted_earlier": 1}
    assert times_sent(sandbox) == dict.fromkeys(people, 1)


def test_an_invalid_one_that_was_mended_is_sent_by_the_retry(store, sandbox):
    people = numbers(2)
    run = broadcast_run(
        "{{ params.to | join(',') }}", context={"params": {"to": [people[0], "12"]}}, store=store
    )
    fails_at_once(run)
    run.context = {"params": {"to": people}}
    assert counts_of(run.once()) == {"accepted": 1, "accepted_earlier": 1}


# --- batches ----------------------------------------------------------------------------------------------


def test_at_least_once_one_write_stands_for_each_batch(store, sandbox):
    run = broadcast_run(numbers(300), max_in_flight=10, checkpoint_every=100, store=store)
    assert counts_of(run.once()) == {"accepted": 300}
    # The head, 3 full batches of 90, the rest, and the head once more.
    assert len(store.written) == 6
    assert len(set(store.written)) == 5


def test_at_most_once_so_many_writes_stand_for_each_batch(store, sandbox):
    run = broadcast_run(
        numbers(300), max_in_flight=10, checkpoint_every=100, delivery="at_most_once", store=store
    )
    assert counts_of(run.once()) == {"accepted": 300}
    # The head twice, and for each batch of 100 its intent, 90 outcomes and, before the next intent, the rest.
    assert len(store.written) <= 2 + 3 * sum(1 for text in store.kept.values() if "intended" in text)
    intended = [len(json.loads(text).get("intended", ())) for text in store.kept.values()]
    assert (sum(intended), max(intended)) == (300, 100)


def test_at_most_once_messages_that_wait_for_their_number_cost_no_writes_of_their_own(store, sandbox):
    entries = [{"phone": number, "n": n} for n in range(25) for number in numbers(2)]
    run = broadcast_run(
        entries, text="{{ recipient.n }}", max_in_flight=8, delivery="at_most_once", store=store
    )
    assert counts_of(run.once()) == {"accepted": 50}
    # The head, one intent, one batch, and the head once more.
    assert len(store.written) == 4


def test_no_key_is_over_64_kib_and_no_value_grows(delivery, connect):
    with Sandbox(keep=3000) as large:
        connect(host=large.url)
        store = TaskStateStore()
        run = broadcast_run(
            numbers(2500), max_in_flight=50, checkpoint_every=10_000, delivery=delivery, store=store
        )
        assert counts_of(run.once()) == {"accepted": 2500}
        assert max(len(text.encode()) for text in store.kept.values()) < 64 * 1024
        rows = sum(len(json.loads(text).get("outcomes", ())) for text in store.kept.values())
        assert rows == 2500
        assert counts_of(run.once()) == {"accepted_earlier": 2500}
        assert len(large.messages) == 2500


def test_outcomes_wait_no_longer_than_a_moment_for_their_record(store, sandbox, monkeypatch, traffic):
    monkeypatch.setattr("airflow_provider_itnio.broadcast.engine._RECORDED_AFTER", 0.05)
    people = numbers(5)
    sandbox.fail_next(recipient=people[4], delay=0.4)
    run = broadcast_run(people, max_in_flight=1, store=store)
    run.once()
    rows = [len(json.loads(text).get("outcomes", ())) for text in store.kept.values()]
    assert sum(rows) == 5
    assert sum(1 for count in rows if count) > 1  # they did not wait for the last one


# --- a worker that is lost --------------------------------------------------------------------------------


def moments(store, sandbox, traffic):
    """Note at each request what a worker killed at that moment leaves: what it sent, and the record."""
    noted = []
    traffic.on_arrival = lambda number: noted.append((len(traffic.order), dict(store.kept)))
    return noted


@pytest.mark.parametrize("every", [1, 2, 10, 60])
@pytest.mark.parametrize("max_in_flight", [1, 16])
def test_at_least_once_a_lost_worker_repeats_at_most_a_batch(every, max_in_flight, store, sandbox, traffic):
    people = numbers(150)
    noted = moments(store, sandbox, traffic)
    broadcast_run(people, max_in_flight=max_in_flight, checkpoint_every=every, store=store).once()
    repeats = []
    for sent, kept in noted:
        recorded = {number for number in traffic.order[:sent] if number in TaskStateStore(kept).text}
        repeats.append(sent - len(recorded))
    assert len(repeats) == 150
    assert max(repeats) <= every


@pytest.mark.parametrize("every", [1, 2, 10, 60])
def test_at_most_once_a_lost_worker_has_everyone_it_sent_to_on_record(every, store, sandbox, traffic):
    noted = moments(store, sandbox, traffic)
    broadcast_run(
        numbers(150), max_in_flight=16, checkpoint_every=every, delivery="at_most_once", store=store
    ).once()
    assert len(noted) == 150
    for sent, kept in noted:
        text = TaskStateStore(kept).text
        assert not [number for number in traffic.order[:sent] if number not in text]


@pytest.mark.parametrize("seed", range(4))
def test_the_retry_behind_a_lost_worker_goes_on(seed, delivery, sandbox, traffic):
    chance = random.Random(f"{seed} {delivery}")
    people = numbers(80)
    every = chance.choice([4, 10, 25])
    store = TaskStateStore()
    run = broadcast_run(
        people, max_in_flight=8, checkpoint_every=every, delivery=delivery, store=store, if_some_fail="warn"
    )
    noted = moments(store, sandbox, traffic)
    run.once()
    sent, kept = chance.choice(noted)
    traffic.on_arrival = lambda number: None
    at_the_kill = traffic.order[:sent]
    run.store = TaskStateStore(kept)
    sandbox.clear()
    summary = run.once()
    again = times_sent(sandbox)
    in_all = Counter(at_the_kill) + again
    counts_of(summary)
    if delivery == "at_most_once":
        assert max(in_all.values()) == 1
        assert summary["unknown"] + summary["accepted"] + summary["accepted_earlier"] == 80
        # Those of the batch that was begun, and those in flight of the one before.
        assert summary["unknown"] <= every + every // 2
        assert set(people) - set(in_all) <= {people[failure["position"]] for failure in summary["failures"]}
    else:
        assert set(in_all) == set(people)
        assert sum(count - 1 for count in in_all.values()) <= every


class WorkerLost(BaseException):
    """Ends a task wherever it is, and is no ``Exception``."""


def test_an_end_that_is_no_error_of_the_task_leaves_what_is_known_on_record(
    delivery, store, sandbox, monkeypatch
):
    people = numbers(40)
    send, calls = ItnioAsyncClient.send, []

    async def lost(self, *args, **kwargs):
        calls.append(kwargs["recipient"])
        if len(calls) == 20:
            raise WorkerLost("SIGTERM")
        return await send(self, *args, **kwargs)

    monkeypatch.setattr(ItnioAsyncClient, "send", lost)
    run = broadcast_run(people, max_in_flight=4, delivery=delivery, checkpoint_every=10, store=store)
    with pytest.raises(WorkerLost):
        run.once()
    assert len(calls) <= 20 + 4  # nobody was taken any more
    monkeypatch.setattr(ItnioAsyncClient, "send", send)
    if delivery == "at_most_once":
        fails_at_once(run)
        assert max(times_sent(sandbox).values()) == 1
        assert counts_of(run.summary)["unknown"] <= 10
    else:
        run.once()
        assert set(times_sent(sandbox)) == set(people)
        assert sum(times_sent(sandbox).values()) - 40 <= 10


def test_without_a_record_such_an_end_leaves_no_retries_once_anyone_was_messaged(sandbox, monkeypatch):
    send, calls = ItnioAsyncClient.send, []

    async def lost(self, *args, **kwargs):
        calls.append(kwargs["recipient"])
        if len(calls) == 5:
            raise WorkerLost("SIGTERM")
        return await send(self, *args, **kwargs)

    monkeypatch.setattr(ItnioAsyncClient, "send", lost)
    error = fails_at_once(broadcast_run(numbers(9), max_in_flight=1), WorkerLost)
    assert "WorkerLost: SIGTERM. Not tried again: without a delivery record" in str(error)


def test_without_a_record_such_an_end_leaves_them_while_nobody_was(sandbox, monkeypatch):
    async def lost(self, *args, **kwargs):
        raise WorkerLost("SIGTERM")

    monkeypatch.setattr(ItnioAsyncClient, "send", lost)
    with pytest.raises(WorkerLost):
        broadcast_run(numbers(9), max_in_flight=1).once()


def test_an_error_of_the_packages_own_waits_for_those_in_flight(store, sandbox, monkeypatch):
    people = numbers(10)
    for number in people[:3]:
        sandbox.fail_next(recipient=number, delay=0.2)

    from airflow_provider_itnio.broadcast.rendering import PersonalMessage

    fill_in = PersonalMessage.fields_for

    def broken(self, recipient):
        if recipient.position == 3:
            raise RuntimeError("a mistake of ours")
        return fill_in(self, recipient)

    monkeypatch.setattr(PersonalMessage, "fields_for", broken)
    run = broadcast_run(people, text="{{ recipient.phone }}", max_in_flight=4, store=store)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        run.once()
    assert sorted(times_sent(sandbox)) == people[:3]
    monkeypatch.setattr(PersonalMessage, "fields_for", fill_in)
    assert counts_of(run.once()) == {"accepted": 7, "accepted_earlier": 3}


# --- writes that fail -------------------------------------------------------------------------------------

FAILURES = {
    "an error": lambda: OSError("Broken pipe"),
    "Airflow's deadlock error": lambda: DeadlockImminentError("would wait for itself"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
@pytest.mark.usefixtures("quick_writes")
def test_a_failing_write_after_acceptances_stops_and_fails_for_good_naming_them(
    failure, store, sandbox, logged
):
    people = numbers(60)
    run = broadcast_run(people, max_in_flight=1, checkpoint_every=10, store=store)
    store.fail(failure(), after=2)  # the head and one batch of 9 are taken
    error = fails_at_once(run)
    assert len(sandbox.messages) == 18
    assert "9 messages were accepted that are not on record, so a retry would message them again" in str(
        error
    )
    assert "recipients[9] (…0009), recipients[10] (…0010), recipients[11] (…0011)" in str(error)
    assert str(failure()) in str(error)
    assert counts_of(run.summary) == {"accepted": 18, "not_attempted": 42}
    shown = str(error) + logged()
    assert not [number for number in people if number in shown]


@pytest.mark.usefixtures("quick_writes")
def test_of_many_that_are_unrecorded_fifty_are_named(store, sandbox):
    store.fail(OSError("Broken pipe"), after=1)
    error = fails_at_once(broadcast_run(numbers(60), max_in_flight=1, store=store))
    assert "60 messages were accepted that are not on record" in str(error)
    assert str(error).count("recipients[") == 50


@pytest.mark.usefixtures("quick_writes")
def test_a_failing_write_of_an_intent_lets_nobody_of_it_leave(store, sandbox):
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
def test_a_write_that_works_when_tried_again_stops_nothing(delivery, store, sandbox):
    tries = Counter()

    def failing_at_first(key, value):
        tries[key] += 1
        if "outcomes" in value and tries[key] < 3:
            raise OSError("Broken pipe")

    store.before_write = failing_at_first
    run = broadcast_run(numbers(40), max_in_flight=1, checkpoint_every=10, delivery=delivery, store=store)
    assert counts_of(run.once()) == {"accepted": 40}


@pytest.mark.usefixtures("quick_writes")
def test_what_could_be_recorded_at_the_end_leaves_the_retries(store, sandbox):
    run = broadcast_run(numbers(60), max_in_flight=1, checkpoint_every=10, store=store)
    store.fail(OSError("Broken pipe"), 3, after=2)
    may_be_tried_again(run, ItnioError)
    assert counts_of(run.summary) == {"accepted": 18, "not_attempted": 42}
    assert counts_of(run.once()) == {"accepted": 42, "accepted_earlier": 18}


def test_a_head_that_is_not_taken_lets_nothing_leave(delivery, store, sandbox):
    store.fail(OSError("Broken pipe"))
    may_be_tried_again(broadcast_run(numbers(3), delivery=delivery, store=store), RecordError)
    assert sandbox.requests == []


# --- without a record -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", [{"http_status": 429}, {"drop": "after_accepting"}, {"status": -18}], ids=str
)
def test_without_a_record_a_broadcast_that_messaged_anyone_fails_for_good(fault, delivery, sandbox):
    sandbox.fail_next(**fault)
    run = broadcast_run(numbers(3), delivery=delivery)
    error = fails_at_once(run)
    assert counts_of(run.summary)["accepted"] == 2
    if delivery == "at_least_once" or "http_status" in fault:
        assert "Not tried again: without a delivery record, a retry would message people again" in str(error)


def test_without_a_record_a_broadcast_that_messaged_nobody_is_left_its_retries(sandbox):
    sandbox.fail_next(3, http_status=429)
    run = broadcast_run(numbers(3))
    may_be_tried_again(run, ItnioError)
    assert counts_of(run.once()) == {"accepted": 3}


def test_without_a_record_a_refused_one_names_no_record(sandbox):
    sandbox.fail_next(status=-114)
    assert "delivery record" not in str(fails_at_once(broadcast_run(numbers(3))))


def test_an_operator_inside_of_another_task_has_no_record_either(store, sandbox):
    sandbox.fail_next(http_status=429)
    run = broadcast_run(numbers(3), store=store)
    run.task_id = "other"
    with pytest.raises(AirflowFailException, match="without a delivery record"):
        run.once()
    assert store.kept == {}

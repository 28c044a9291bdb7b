"""A worker that is lost during a broadcast: what is recorded, and what a retry can repeat."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from airflow_provider_itnio.api.async_client import ItnioAsyncClient
from tests.tables import for_each
from tests.task_runs import (
    TaskStateStore,
    broadcast_run,
    counts_of,
    fails_at_once,
    numbers,
    times_sent,
)

pytestmark = pytest.mark.usefixtures("hasty")


def moments(store, sandbox, traffic):
    """Store at each request what a worker killed at that moment leaves: its requests and the record."""
    noted = []
    traffic.on_arrival = lambda number: noted.append((len(traffic.order), dict(store.kept)))
    return noted


@for_each("every", [1, 2, 10])
@for_each("max_in_flight", [1, 16])
def test_at_least_once_a_lost_worker_repeats_at_most_a_batch(every, max_in_flight, store, sandbox, traffic):
    people = numbers(30)
    noted = moments(store, sandbox, traffic)
    broadcast_run(people, max_in_flight=max_in_flight, checkpoint_every=every, store=store).once()
    repeats = []
    for sent, kept in noted:
        recorded = {number for number in traffic.order[:sent] if number in TaskStateStore(kept).text}
        repeats.append(sent - len(recorded))
    assert len(repeats) == 30
    assert max(repeats) <= every


@for_each("every", [1, 2, 10])
def test_at_most_once_every_message_sent_before_a_lost_worker_is_recorded(every, store, sandbox, traffic):
    noted = moments(store, sandbox, traffic)
    broadcast_run(
        numbers(30), max_in_flight=16, checkpoint_every=every, delivery="at_most_once", store=store
    ).once()
    assert len(noted) == 30
    for sent, kept in noted:
        text = TaskStateStore(kept).text
        assert not [number for number in traffic.order[:sent] if number not in text]


@for_each("seed", range(3))
def test_a_retry_after_a_lost_worker_continues(seed, delivery, sandbox, traffic):
    chance = random.Random(f"{seed} {delivery}")
    people = numbers(40)
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
        assert summary["unknown"] + summary["accepted"] + summary["accepted_earlier"] == 40
        # The started batch, and the messages in flight of the previous one.
        assert summary["unknown"] <= every + every // 2
        assert set(people) - set(in_all) <= {people[failure["position"]] for failure in summary["failures"]}
    else:
        assert set(in_all) == set(people)
        assert sum(count - 1 for count in in_all.values()) <= every


class WorkerLost(BaseException):
    """Ends a task at any line; not a subclass of ``Exception``."""


def test_known_outcomes_are_recorded_after_a_base_exception(delivery, store, sandbox, monkeypatch):
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
    assert len(calls) <= 20 + 4  # no new messages were started
    monkeypatch.setattr(ItnioAsyncClient, "send", send)
    if delivery == "at_most_once":
        fails_at_once(run)
        assert max(times_sent(sandbox).values()) == 1
        assert counts_of(run.summary)["unknown"] <= 10
    else:
        run.once()
        assert set(times_sent(sandbox)) == set(people)
        assert sum(times_sent(sandbox).values()) - 40 <= 10


def test_without_a_record_a_base_exception_after_acceptances_leaves_no_retries(sandbox, monkeypatch):
    send, calls = ItnioAsyncClient.send, []

    async def lost(self, *args, **kwargs):
        calls.append(kwargs["recipient"])
        if len(calls) == 5:
            raise WorkerLost("SIGTERM")
        return await send(self, *args, **kwargs)

    monkeypatch.setattr(ItnioAsyncClient, "send", lost)
    error = fails_at_once(broadcast_run(numbers(9), max_in_flight=1), WorkerLost)
    assert "WorkerLost: SIGTERM. Not retried: without a delivery record" in str(error)


def test_without_a_record_a_base_exception_before_any_message_leaves_the_retries(sandbox, monkeypatch):
    async def lost(self, *args, **kwargs):
        raise WorkerLost("SIGTERM")

    monkeypatch.setattr(ItnioAsyncClient, "send", lost)
    with pytest.raises(WorkerLost):
        broadcast_run(numbers(9), max_in_flight=1).once()


def test_an_unexpected_error_waits_for_messages_in_flight(store, sandbox, monkeypatch):
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

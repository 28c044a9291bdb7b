"""How a broadcast writes its record in batches."""

from __future__ import annotations

import json

import pytest

from tests.task_runs import (
    broadcast_run,
    counts_of,
    numbers,
)

pytestmark = pytest.mark.usefixtures("hasty")


def test_at_least_once_each_batch_is_one_write(store, sandbox):
    run = broadcast_run(numbers(120), max_in_flight=4, checkpoint_every=40, store=store)
    assert counts_of(run.once()) == {"accepted": 120}
    # The head, 3 full batches of 36, the rest, and the head once more.
    assert len(store.written) == 6
    assert len(set(store.written)) == 5


def test_at_most_once_each_batch_is_at_most_three_writes(store, sandbox):
    run = broadcast_run(
        numbers(120), max_in_flight=4, checkpoint_every=40, delivery="at_most_once", store=store
    )
    assert counts_of(run.once()) == {"accepted": 120}
    # The head twice, and for each batch of 40 its intent, 36 outcomes and, before the next intent, the rest.
    assert len(store.written) <= 2 + 3 * sum(1 for text in store.kept.values() if "intended" in text)
    intended = [len(json.loads(text).get("intended", ())) for text in store.kept.values()]
    assert (sum(intended), max(intended)) == (120, 40)


def test_at_most_once_messages_waiting_for_their_number_need_no_extra_writes(store, sandbox):
    entries = [{"phone": number, "n": n} for n in range(25) for number in numbers(2)]
    run = broadcast_run(
        entries, text="{{ recipient.n }}", max_in_flight=8, delivery="at_most_once", store=store
    )
    assert counts_of(run.once()) == {"accepted": 50}
    # The head, one intent, one batch, and the head once more.
    assert len(store.written) == 4


def test_each_outcome_is_in_one_key_and_a_retry_reads_all(delivery, store, sandbox):
    run = broadcast_run(
        numbers(120), max_in_flight=50, checkpoint_every=10_000, delivery=delivery, store=store
    )
    assert counts_of(run.once()) == {"accepted": 120}
    assert sum(len(json.loads(text).get("outcomes", ())) for text in store.kept.values()) == 120
    assert counts_of(run.once()) == {"accepted_earlier": 120}
    assert len(sandbox.messages) == 120


def test_outcomes_are_recorded_after_a_short_time_also_in_an_incomplete_batch(
    store, sandbox, monkeypatch, traffic
):
    monkeypatch.setattr("airflow_provider_itnio.broadcast.engine._FLUSH_INTERVAL", 0.05)
    people = numbers(5)
    sandbox.fail_next(recipient=people[4], delay=0.4)
    run = broadcast_run(people, max_in_flight=1, store=store)
    run.once()
    rows = [len(json.loads(text).get("outcomes", ())) for text in store.kept.values()]
    assert sum(rows) == 5
    assert sum(1 for count in rows if count) > 1  # they were written before the last answer

"""How many messages of a broadcast are on their way at a time, and how many leave in a second."""

from __future__ import annotations

import time

import pytest

from airflow_provider_itnio.api.async_client import ItnioAsyncClient
from airflow_provider_itnio.api.errors import AuthenticationError
from tests.broadcast.test_pace import most_in
from tests.tables import for_each
from tests.task_runs import TaskStateStore, broadcast_run, counts_of, may_be_tried_again, numbers

pytestmark = pytest.mark.usefixtures("hasty")


@pytest.fixture
def departures(monkeypatch):
    """When each message was given to the client."""
    times = []
    send = ItnioAsyncClient.send

    def timed(self, *args, **kwargs):
        times.append(time.monotonic())
        return send(self, *args, **kwargs)

    monkeypatch.setattr(ItnioAsyncClient, "send", timed)
    return times


@for_each("delivery", ["at_least_once", "at_most_once"])
def test_no_more_are_in_flight_than_max_in_flight(delivery, sandbox, traffic):
    sandbox.fail_next(24, delay=0.1)
    run = broadcast_run(numbers(24), max_in_flight=8, delivery=delivery)
    assert counts_of(run.once()) == {"accepted": 24}
    assert 4 <= traffic.peak <= 8


def test_one_in_flight_is_one_after_the_other(sandbox, traffic):
    people = numbers(20)
    broadcast_run(people, max_in_flight=1).once()
    assert traffic.peak == 1
    assert traffic.order == people


@for_each(("every", "at_most"), [(1, 1), (2, 1), (9, 4), (100, 8)])
def test_with_a_record_at_most_half_of_checkpoint_every_are_in_flight(
    every, at_most, store, sandbox, traffic
):
    sandbox.fail_next(24, delay=0.02)
    run = broadcast_run(numbers(24), max_in_flight=8, checkpoint_every=every, store=store)
    assert counts_of(run.once()) == {"accepted": 24}
    assert traffic.peak <= at_most


def test_no_second_has_more_than_the_pace(sandbox, departures):
    run = broadcast_run(numbers(300), messages_per_second=200)
    assert counts_of(run.once()) == {"accepted": 300}
    # Not its end but its beginning is timed: a slow machine may be late, and nothing may be early.
    assert departures[-1] - departures[0] >= 299 / 200 / 1.02
    assert most_in(1.0, departures) <= 204
    assert most_in(0.5, departures) <= 100 * 1.02 + 2


def test_the_pace_is_not_made_up_for_after_the_record_was_slow(store, sandbox, departures):
    def slow(key, value):
        if "outcomes" in value:
            time.sleep(0.25)

    store.before_write = slow
    run = broadcast_run(
        numbers(150), messages_per_second=200, checkpoint_every=50, max_in_flight=25, store=store
    )
    assert counts_of(run.once()) == {"accepted": 150}
    assert most_in(0.2, departures) <= 40 * 1.02 + 3


def test_a_slow_pace_does_not_keep_a_broadcast_from_stopping(sandbox, departures):
    sandbox.fail_next(status=-1)
    begun = time.monotonic()
    run = broadcast_run(numbers(6), messages_per_second=0.02, store=TaskStateStore())
    may_be_tried_again(run, AuthenticationError)
    assert counts_of(run.summary) == {"refused": 1, "not_attempted": 5}
    # The second of them would have left after 50 s.
    assert time.monotonic() - begun < 40


def test_messages_that_are_not_sent_wait_for_no_turn(sandbox, departures):
    people = ["12"] * 2000 + numbers(1)
    begun = time.monotonic()
    with pytest.raises(Exception, match=r"2,?000 invalid"):
        broadcast_run(people, messages_per_second=20).once()
    assert len(departures) == 1
    assert time.monotonic() - begun < 80


def test_the_rate_and_what_is_left_stand_in_the_log(sandbox, logged, monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.broadcast.engine._PROGRESS_EVERY", 0.1)
    sandbox.fail_next(3, status=-114)
    with pytest.raises(Exception, match="3 refused"):
        broadcast_run(numbers(40), messages_per_second=100).once()
    lines = [line for line in logged().splitlines() if "messages/s" in line]
    assert lines
    assert "40 recipients: " in lines[-1]
    assert "3 refused" in lines[-1]
    assert "accepted" in lines[-1]
    assert "s left" in lines[0]


def test_no_progress_is_said_of_what_is_done_at_once(sandbox, logged):
    broadcast_run(numbers(3)).once()
    assert "messages/s" not in logged()
    assert "3 recipients: 3 accepted" in logged()

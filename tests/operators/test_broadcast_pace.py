"""How many messages of a broadcast are in flight at a time, and how many are sent per second."""

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
    """The time when each message was passed to the client."""
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


def test_with_one_in_flight_messages_are_sent_one_after_the_other(sandbox, traffic):
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


def test_no_second_has_more_messages_than_messages_per_second(sandbox, departures):
    run = broadcast_run(numbers(300), messages_per_second=200)
    assert counts_of(run.once()) == {"accepted": 300}
    # The times of departure are measured: on a slow machine they may be late, never early.
    assert departures[-1] - departures[0] >= 299 / 200 / 1.02
    assert most_in(1.0, departures) <= 204
    assert most_in(0.5, departures) <= 100 * 1.02 + 2


def test_the_rate_is_not_exceeded_after_slow_writes_of_the_record(store, sandbox, departures):
    def slow(key, value):
        if "outcomes" in value:
            time.sleep(0.25)

    store.before_write = slow
    run = broadcast_run(
        numbers(150), messages_per_second=200, checkpoint_every=50, max_in_flight=25, store=store
    )
    assert counts_of(run.once()) == {"accepted": 150}
    assert most_in(0.2, departures) <= 40 * 1.02 + 3


def test_a_broadcast_with_a_low_rate_stops_at_once(sandbox, departures):
    sandbox.fail_next(status=-1)
    begun = time.monotonic()
    run = broadcast_run(numbers(6), messages_per_second=0.02, store=TaskStateStore())
    may_be_tried_again(run, AuthenticationError)
    assert counts_of(run.summary) == {"refused": 1, "not_attempted": 5}
    # The second message would be sent after 50 s.
    assert time.monotonic() - begun < 40


def test_invalid_recipients_do_not_count_towards_the_rate_limit(sandbox, departures):
    people = ["12"] * 2000 + numbers(1)
    begun = time.monotonic()
    with pytest.raises(Exception, match=r"2,?000 invalid"):
        broadcast_run(people, messages_per_second=20).once()
    assert len(departures) == 1
    assert time.monotonic() - begun < 80


def test_the_log_shows_the_rate_and_the_time_left(sandbox, logged, monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.broadcast.engine._PROGRESS_INTERVAL", 0.1)
    sandbox.fail_next(3, status=-114)
    with pytest.raises(Exception, match="3 refused"):
        broadcast_run(numbers(40), messages_per_second=100).once()
    lines = [line for line in logged().splitlines() if "messages/s" in line]
    assert lines
    assert "40 recipients: " in lines[-1]
    assert "3 refused" in lines[-1]
    assert "accepted" in lines[-1]
    assert "s left" in lines[0]


def test_a_short_broadcast_logs_no_progress(sandbox, logged):
    broadcast_run(numbers(3)).once()
    assert "messages/s" not in logged()
    assert "3 recipients: 3 accepted" in logged()

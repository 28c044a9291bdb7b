"""Unit tests of a broadcast's pace."""

from __future__ import annotations

import asyncio
import time

from airflow_provider_itnio.broadcast.pace import BatchSize, Pace
from tests.tables import for_each


def most_in(seconds, times):
    """Return the largest number of departures in any window of this many seconds."""
    most, first = 0, 0
    for last, at in enumerate(times):
        while at - times[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def departures(pace, count, *, at_a_time=32, stall_at=None, stall=0.0):
    """Return the time of each turn; at turn ``stall_at`` the event loop blocks for ``stall`` seconds."""
    times = []

    async def work(left):
        while left:
            left.pop()
            await pace.wait_for_slot()
            times.append(time.monotonic())
            if len(times) == stall_at:
                time.sleep(stall)  # as a write of the record does

    async def run():
        left = list(range(count))
        await asyncio.gather(*(work(left) for _ in range(at_a_time)))

    asyncio.run(run())
    assert len(times) == count
    return times


def test_no_second_has_more_turns_than_the_rate():
    rate = 1000
    times = departures(Pace(rate), int(rate * 1.3))
    assert most_in(1.0, times) <= rate * 1.02
    assert times[-1] - times[0] >= (len(times) - 1) / rate - 0.02


@for_each("at_a_time", [1, 32])
def test_turns_missed_during_a_stall_are_not_caught_up(at_a_time):
    times = departures(Pace(200), 100, at_a_time=at_a_time, stall_at=50, stall=0.3)
    # The share of 0.1 s, plus the 0.01 s that late timers may catch up, plus one.
    assert most_in(0.1, times) <= 20 + 2 + 1


def test_after_an_idle_time_the_schedule_starts_again():
    async def run():
        pace = Pace(100)
        await pace.wait_for_slot()
        await asyncio.sleep(0.2)
        times = []
        for _ in range(10):
            await pace.wait_for_slot()
            times.append(time.monotonic())
        return times

    times = asyncio.run(run())
    assert times[-1] - times[0] >= 9 / 100 - 0.02


def test_without_a_rate_turns_do_not_wait():
    async def run():
        pace = Pace(None)
        for _ in range(1000):
            await pace.wait_for_slot()

    begun = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - begun < 60


def sizes(takes, **of_it):
    """Return the batch sizes if each message of a batch takes this many seconds."""
    clock = [0.0]
    batch = BatchSize(**of_it, now=lambda: clock[0])
    given = []
    for seconds in takes:
        given.append(batch.next())
        clock[0] += seconds * given[-1]
    return given


def test_a_batch_has_as_many_messages_as_leave_in_a_second():
    assert sizes([0.01] * 4, first=32, max_size=500) == [32, 64, 100, 100]
    assert sizes([0.5] * 3, first=80, max_size=500) == [80, 2, 2]
    assert sizes([3] * 3, first=80, max_size=500) == [80, 1, 1]


def test_a_batch_is_never_larger_than_the_maximum_or_twice_the_previous_one():
    assert sizes([0] * 5, first=4, max_size=25) == [4, 8, 16, 25, 25]
    assert sizes([0.1, 100, 0, 0, 0, 0], first=50, max_size=500) == [50, 10, 1, 2, 4, 8]
    assert sizes([0.1], first=900, max_size=500) == [500]

"""Unit tests of ``execution_timeout`` while a message may just have been accepted."""

from __future__ import annotations

import os
import signal
import time

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout, timeout

from airflow_provider_itnio.delivery.graceful_timeout import CallInterruptedError, GracefulTimeout


def time_is_over():
    os.kill(os.getpid(), signal.SIGALRM)


def block():
    time_is_over()
    time.sleep(60)


@pytest.fixture
def limit():
    """A limit inside an ``execution_timeout`` of an hour, with Airflow's signal handler."""
    with timeout(3600):
        yield GracefulTimeout()


def test_outside_a_call_the_timeout_raises_nothing_and_is_reported_once(limit):
    told = []
    limit.on_timeout = lambda: told.append("over")
    with limit:
        assert not limit.has_timed_out
        for _ in range(3):
            time_is_over()
            time.sleep(0)
        assert (limit.has_timed_out, told) == (True, ["over"])


def test_a_blocking_call_is_ended(limit):
    with limit, pytest.raises(CallInterruptedError):
        limit.call(block)


def test_each_later_blocking_call_is_ended_too(limit, monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.delivery.graceful_timeout._INTERRUPT_DELAY", 0.3)
    with limit:
        for _ in range(2):
            with pytest.raises(CallInterruptedError):
                limit.call(block)


def test_a_quick_call_finishes_after_the_timeout(limit):
    def quick():
        time_is_over()
        time.sleep(0.05)
        return "done"

    with limit:
        assert [limit.call(quick) for _ in range(3)] == ["done"] * 3


def test_a_series_of_quick_calls_is_not_treated_as_a_blocking_call(limit):
    with limit:
        time_is_over()
        until = time.monotonic() + 2.2
        while time.monotonic() < until:
            limit.call(time.sleep, 0.1)


def test_an_exception_in_a_call_is_raised(limit):
    with limit, pytest.raises(ZeroDivisionError):
        limit.call(lambda: 1 / 0)


def test_as_airflow_does_raises_airflows_timeout(limit):
    with limit:
        with pytest.raises(AirflowTaskTimeout), limit.airflow_behaviour():
            block()
        assert limit.has_timed_out
        with pytest.raises(AirflowTaskTimeout), limit.airflow_behaviour():
            pytest.fail("the time was over before it began")


def test_after_the_block_airflows_handler_is_restored_and_no_alarm_is_left(limit):
    before = signal.getsignal(signal.SIGALRM)
    with limit:
        time_is_over()
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_timeout_that_has_not_passed_continues_after_the_block(limit):
    with limit:
        pass
    assert signal.getitimer(signal.ITIMER_REAL)[0] > 3000


def test_without_an_execution_timeout_nothing_changes():
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    limit = GracefulTimeout()
    with limit, limit.airflow_behaviour():
        assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
        assert limit.call(lambda: "done") == "done"

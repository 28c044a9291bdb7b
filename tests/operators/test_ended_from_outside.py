"""A single message whose task Airflow ends from outside: SIGTERM, whose handler calls ``on_kill``."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from airflow_provider_itnio.api.errors import NotSentError
from tests.task_runs import outcomes_in

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture
def terminated(run):
    """Handle SIGTERM as Airflow 3 does, and give what sends it."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: run.operator.on_kill())
    yield lambda: os.kill(os.getpid(), signal.SIGTERM)
    signal.signal(signal.SIGTERM, before)


def test_in_a_wait_between_two_attempts_it_was_not_sent(run, store, sandbox, terminated, monkeypatch):
    sandbox.fail_next(http_status=429, headers={"Retry-After": "50"})
    monkeypatch.setattr(
        "airflow_provider_itnio.api.retries.log.warning",
        lambda *args: threading.Timer(0.3, terminated).start(),
    )
    with pytest.raises(NotSentError, match="ended from outside between two attempts"):
        run.once()
    assert outcomes_in(store) == ["not_sent"]
    run.once()
    assert len(sandbox.messages) == 1


def test_in_a_request_its_answer_is_waited_for(run, store, sandbox, terminated, traffic):
    sandbox.fail_next(http_status=429)  # that there was a wait before changes nothing
    sandbox.fail_next(delay=0.3)
    traffic.on_arrival = lambda number: len(traffic.order) == 2 and terminated()
    run.once()
    assert len(traffic.order) == 2
    assert outcomes_in(store) == ["accepted"]


def test_before_anything_is_asked_nothing_happens(run, sandbox):
    run.begin()
    run.operator.on_kill()
    assert sandbox.requests == []

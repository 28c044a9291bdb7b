"""A single message whose task Airflow ends from outside: SIGTERM, whose handler calls ``on_kill``."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_itnio.api.errors import NotSentError
from tests.operators.questions import ANA, BEN, STRANGER, asking, open_to
from tests.tables import for_each
from tests.task_runs import outcomes_in

pytestmark = pytest.mark.usefixtures("connection", "quick_tries")


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


def test_no_message_leaves_after_it(run, store, sandbox):
    context = run.begin()
    run.operator.on_kill()
    with pytest.raises((NotSentError, AirflowFailException), match="the task was ended from outside"):
        run.operator.execute(context)
    assert sandbox.requests == []
    run.once()
    assert len(sandbox.messages) == 1


@pytest.mark.usefixtures("people")
@for_each("when", ["in a request", "between two attempts"])
def test_a_question_goes_to_nobody_else_and_is_closed(when, store, sandbox, receiver, traffic, monkeypatch):
    run = asking(store, recipients=[BEN, ANA, STRANGER], answer_within=60)
    kill = lambda: os.kill(os.getpid(), signal.SIGTERM)  # noqa: E731
    before = signal.signal(signal.SIGTERM, lambda number, frame: run.operator.on_kill())
    if when == "in a request":
        sandbox.fail_next(delay=0.3)
        traffic.on_arrival = lambda number: kill()
    else:
        sandbox.fail_next(http_status=429, headers={"Retry-After": "50"})
        monkeypatch.setattr(
            "airflow_provider_itnio.api.retries.log.warning",
            lambda *args: threading.Timer(0.3, kill).start(),
        )
    try:
        with pytest.raises(NotSentError, match="ended from outside"):
            run.once()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert [message.recipient for message in sandbox.messages] == [BEN] * (when == "in a request")
    assert open_to(ANA, sandbox, receiver) == []


def test_before_anything_is_asked_nothing_happens(run, sandbox):
    run.begin()
    run.operator.on_kill()
    assert sandbox.requests == []

"""A single message whose task Airflow kills: SIGTERM, whose handler calls ``on_kill``."""

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
    """Handle SIGTERM as Airflow 3 does, and return a function that sends it."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: run.operator.on_kill())
    yield lambda: os.kill(os.getpid(), signal.SIGTERM)
    signal.signal(signal.SIGTERM, before)


def test_on_kill_between_two_tries_of_the_client_means_not_sent(run, store, sandbox, terminated, monkeypatch):
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


def test_on_kill_during_a_request_waits_for_its_answer(run, store, sandbox, terminated, traffic):
    sandbox.fail_next(http_status=429)  # an earlier wait for a retry changes nothing
    sandbox.fail_next(delay=0.3)
    traffic.on_arrival = lambda number: len(traffic.order) == 2 and terminated()
    run.once()
    assert len(traffic.order) == 2
    assert outcomes_in(store) == ["accepted"]


def test_after_on_kill_no_message_is_sent(run, store, sandbox):
    context = run.begin()
    run.operator.on_kill()
    with pytest.raises((NotSentError, AirflowFailException), match="the task was ended from outside"):
        run.operator.execute(context)
    assert sandbox.requests == []
    run.once()
    assert len(sandbox.messages) == 1


@pytest.mark.usefixtures("people")
@for_each("when", ["in a request", "between two attempts"])
def test_on_kill_while_asking_asks_no_further_recipient_and_closes_the_question(
    when, store, sandbox, receiver, traffic, monkeypatch
):
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


def test_on_kill_before_execute_does_nothing(run, sandbox):
    run.begin()
    run.operator.on_kill()
    assert sandbox.requests == []

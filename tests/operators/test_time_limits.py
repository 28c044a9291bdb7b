"""``execution_timeout`` at each moment of the try of a single message."""

from __future__ import annotations

import logging
import threading

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout

from airflow_provider_itnio.api.errors import UnknownOutcomeError
from tests.operators.time_limits import Blocking, limit_set
from tests.operators.ways import WAYS
from tests.task_runs import TaskRun, fails_at_once, outcomes_in

pytestmark = pytest.mark.usefixtures("connection")


class TimeIsOverInPause(logging.Handler):
    """Triggers the timeout once the client has logged that it waits for its next try."""

    def __init__(self, time_is_over):
        super().__init__()
        self.time_is_over = time_is_over

    def emit(self, record):
        if "trying again in" in record.getMessage():
            threading.Timer(0.3, self.time_is_over).start()


def test_a_timeout_between_two_tries_of_the_client_means_not_sent(run, store, sandbox):
    sandbox.fail_next(http_status=429, headers={"Retry-After": "30"})
    with limit_set() as time_is_over:
        handler = TimeIsOverInPause(time_is_over)
        logging.getLogger().addHandler(handler)
        with pytest.raises(AirflowTaskTimeout):
            run.once()
        logging.getLogger().removeHandler(handler)
    assert outcomes_in(store) == ["not_sent"]
    run.once()
    assert len(sandbox.messages) == 1


def test_a_timeout_during_a_request_is_an_unknown_outcome(run, delivery, store, sandbox, traffic):
    sandbox.fail_next(delay=2)
    error = AirflowTaskTimeout if delivery == "at_least_once" else AirflowFailException
    with limit_set() as time_is_over:
        traffic.on_arrival = lambda number: time_is_over()
        with pytest.raises(error):
            run.once()
    assert outcomes_in(store) == ["unknown"]
    traffic.on_arrival = lambda number: None
    if delivery == "at_least_once":
        run.once()
    else:
        fails_at_once(run)
    assert len(traffic.order) == (2 if delivery == "at_least_once" else 1)
    sandbox.wait_for(len(traffic.order))  # the first one was accepted


def test_at_most_once_without_a_store_a_timeout_during_a_request_leaves_no_retries(sandbox, traffic):
    run = TaskRun(lambda: WAYS["operator"](delivery="at_most_once"))
    sandbox.fail_next(delay=2)
    with limit_set() as time_is_over:
        traffic.on_arrival = lambda number: time_is_over()
        error = fails_at_once(run, UnknownOutcomeError)
    sandbox.wait_for(1)
    assert "the task's execution_timeout ended the request" in str(error)


def test_after_a_timeout_in_the_write_of_an_acceptance_it_is_recorded(run, store, sandbox):
    with limit_set() as time_is_over:
        block = Blocking(time_is_over)
        store.before_write = lambda key, value: value.get("outcome") == "accepted" and block()
        receipt = run.once()
    assert block.was_ended
    assert receipt["message_id"] == sandbox.messages[0].id
    assert outcomes_in(store) == ["accepted"]


@pytest.mark.usefixtures("quick_writes")
def test_an_acceptance_whose_writes_always_block_is_logged_as_unrecorded(run, store, sandbox, logged):
    with limit_set() as time_is_over:
        block = Blocking(time_is_over, times=99)
        store.before_write = lambda key, value: value.get("outcome") == "accepted" and block()
        run.once(ends="failing")
    assert block.was_ended
    assert len(sandbox.messages) == 1
    assert "The message was accepted; a retry of this task won't know that" in logged()


def test_after_a_timeout_in_the_write_of_an_intent_nothing_is_sent(store, sandbox):
    run = TaskRun(lambda: WAYS["operator"](delivery="at_most_once"), store=store)
    with limit_set() as time_is_over:
        block = Blocking(time_is_over)
        store.before_write = lambda key, value: value.get("outcome") == "unknown" and block()
        with pytest.raises(AirflowTaskTimeout):
            run.once()
    assert block.was_ended
    assert sandbox.requests == []
    assert outcomes_in(store) == ["not_sent"]
    run.once()
    assert len(sandbox.messages) == 1


def test_after_a_timeout_while_reading_the_record_nothing_is_sent(run, store, sandbox, monkeypatch):
    get = store.get
    with limit_set() as time_is_over:
        block = Blocking(time_is_over)
        monkeypatch.setattr(store, "get", lambda key: block() and get(key))
        with pytest.raises(AirflowTaskTimeout):
            run.once()
    assert block.was_ended
    assert sandbox.requests == []


def test_a_timeout_in_a_subclasss_code_after_the_message_raises_as_in_airflow(store, sandbox):
    from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator

    class GoesOn(WhatsAppSendOperator):
        def execute(self, context):
            receipt = super().execute(context)
            block()
            return receipt

    run = TaskRun(lambda: GoesOn(task_id="tell", recipient="8614718004557", text="x"), store=store)
    with limit_set() as time_is_over:
        block = Blocking(time_is_over)
        with pytest.raises(AirflowTaskTimeout):
            run.once()
    assert block.was_ended
    run.once()
    assert len(sandbox.messages) == 1

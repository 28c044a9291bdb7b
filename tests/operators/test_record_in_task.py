"""The delivery record of one message in its task: its key, the intent, and failing writes."""

from __future__ import annotations

import json
import logging

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, task

from airflow_provider_itnio.api.errors import (
    ContentError,
    ItnioError,
    NotSentError,
    RecordError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from tests.operators.ways import (
    DIGITS,
    FAULTS,
    NUMBER,
    OF_MANY,
    OF_ONE,
    broadcasting,
    first_try,
    same_as_first,
    sending,
)
from tests.tables import for_each
from tests.task_runs import (
    DeadlockImminentError,
    TaskRun,
    TaskStateStore,
    fails_at_once,
    may_be_tried_again,
)

pytestmark = pytest.mark.usefixtures("hasty")

# --- the key of a single message's record ---------------------------------------------------------------


def test_a_retry_skips_the_same_recipient_although_the_text_has_changed(store, sandbox):
    texts = iter(["first", "second"])

    def make():
        return WhatsAppSendOperator(task_id="tell", recipient="{{ params.to }}", text=next(texts))

    run = TaskRun(make, store=store, context={"params": {"to": NUMBER}})
    first = run.once(ends="failing")
    run.context = {"params": {"to": int(DIGITS)}}
    assert run.once() == first
    assert [message.text for message in sandbox.messages] == ["first"]


def test_a_retry_sends_to_another_recipient(store, sandbox):
    to = iter([NUMBER, "+55 11 91234-5678"])
    run = TaskRun(lambda: WhatsAppSendOperator(task_id="tell", recipient=next(to), text="x"), store=store)
    run.once(ends="failing")
    run.once()
    assert [message.recipient for message in sandbox.messages] == [DIGITS, "5511912345678"]


def test_the_record_is_looked_up_before_the_decorated_function_runs(store, sandbox):
    called = []

    def report():
        called.append("x")
        return "42 rows"

    def make():
        with DAG("report", schedule=None):
            return task.whatsapp(task_id="tell", recipient=NUMBER)(report)().operator

    run = TaskRun(make, store=store)
    first = run.once(ends="failing")
    assert run.once() == first
    assert called == ["x"]


def test_the_record_is_looked_up_before_message_and_connection_are_checked(store, sandbox, connect):
    texts = iter(["{{ params.x }}", "{{ params.too_long }}"])
    run = TaskRun(
        lambda: WhatsAppSendOperator(task_id="tell", recipient=NUMBER, text=next(texts)),
        store=store,
        context={"params": {"x": "x", "too_long": "x" * 5000}},
    )
    first = run.once(ends="failing")
    connect(password=None)
    assert run.once() == first


def test_an_operator_that_is_executed_twice_in_one_try_sends_twice(store, sandbox):
    operator = sending()
    run = TaskRun(lambda: operator, store=store)
    context = run.begin()
    operator.execute(context)
    operator.execute(context)
    assert len(sandbox.messages) == 2


def test_an_operator_object_used_again_in_the_next_try_reads_the_record(store, sandbox):
    operator = sending()
    run = TaskRun(lambda: operator, store=store)
    first = run.once(ends="failing")
    assert run.once() == first
    assert len(sandbox.messages) == 1


def test_the_record_contains_the_whole_receipt(store, sandbox):
    receipt = TaskRun(sending, store=store).once()
    value, finished = [json.loads(text) for text in store.kept.values()]
    assert value["receipt"] == receipt
    this_try = {"version": 1, "try": 1, "max_tries": 2, "retries": 2, "clear_number": 0}
    assert value == this_try | {"recipient": DIGITS, "outcome": "accepted", "receipt": receipt}
    assert finished == this_try


def test_no_key_contains_a_phone_number(store, sandbox):
    TaskRun(sending, store=store).once()
    assert not [key for key in store.kept if "4557" in key]  # Airflow's server logs the keys


@for_each("way", OF_ONE.values())
def test_the_error_of_a_retry_that_does_not_send_explains_why(way, store, sandbox, logged):
    run = first_try(way, store, sandbox, "refused", "at_least_once")
    words = str(fails_at_once(run))
    assert words.startswith("Nothing sent: in a previous try of this task the message to 86…57 was refused")
    assert "status -114, text is empty" in words
    assert "clear the task to send it" in words
    assert DIGITS not in words + logged()


@for_each("way", OF_ONE.values())
def test_an_unknown_message_is_named_and_sent_with_a_warning_after_a_clear(way, store, sandbox, logged):
    run = first_try(way, store, sandbox, "unknown", "at_most_once")
    words = str(fails_at_once(run))
    assert "may have sent the message to 86…57" in words
    assert "Clear the task to send it anyway" in words
    assert "Sending it again, although a previous try may have sent it" not in logged()
    run.clear()
    run.once()
    assert "Sending it again, although a previous try may have sent it" in logged()
    assert DIGITS not in words + logged()


@for_each("way", OF_MANY.values())
def test_an_unknown_message_of_a_broadcast_is_sent_with_a_warning_after_a_clear(way, store, sandbox, logged):
    run = first_try(way, store, sandbox, "unknown", "at_most_once")
    fails_at_once(run)
    assert run.summary["unknown"] == 1
    assert "now it is sent" not in logged()
    run.clear()
    run.once()
    assert "Sending again to recipients[0] (…4557), although a previous try may have sent it" in logged()


# --- the intent, under at_most_once ---------------------------------------------------------------------


def test_at_most_once_the_intent_is_recorded_before_the_request(way, store, sandbox, traffic):
    seen = []
    traffic.on_arrival = lambda number: seen.append((number, store.text))
    TaskRun(lambda: way(delivery="at_most_once"), store=store).once()
    ((number, text),) = seen
    assert number == DIGITS
    assert DIGITS in text
    assert "accepted" not in text


def test_at_least_once_nothing_is_written_before_the_request(store, sandbox, traffic):
    seen = []
    traffic.on_arrival = lambda number: seen.append(store.text)
    TaskRun(sending, store=store).once()
    assert seen == [""]


def killed_in_flight(way, store, traffic):
    """Return a run whose store has what a worker killed during its request leaves."""
    left = []
    traffic.on_arrival = lambda number: left.append(dict(store.kept))
    run = TaskRun(lambda: way(delivery="at_most_once"), store=store)
    run.once()
    traffic.on_arrival = lambda number: None
    run.store = TaskStateStore(left[0])
    return run


def test_at_most_once_a_message_of_a_killed_worker_is_not_retried(way, store, sandbox, traffic):
    run = killed_in_flight(way, store, traffic)
    for _ in range(2):
        fails_at_once(run)
    assert len(sandbox.requests) == 1
    run.clear()
    run.once()
    assert len(sandbox.requests) == 2


def test_the_error_after_a_killed_worker_names_the_message(store, sandbox, traffic):
    run = killed_in_flight(sending, store, traffic)
    words = str(fails_at_once(run))
    assert "the message to 86…57" in words
    assert "a request may have been sent at 20" in words


@for_each("fault", [{"http_status": 429}, {"status": -114}])
def test_the_intent_is_withdrawn_if_the_message_was_refused_or_not_sent(fault, way, store, sandbox):
    sandbox.fail_next(**fault)
    run = TaskRun(lambda: way(delivery="at_most_once"), store=store)
    with pytest.raises((AirflowFailException, ItnioError)):
        run.once()
    assert "unknown" not in list(store.kept.values())[-1]
    run.clear()
    run.once()
    assert len(sandbox.messages) == 1


def test_the_intent_is_withdrawn_after_a_connection_error(way, store, connect, closed_port, sandbox):
    connect(host=f"http://127.0.0.1:{closed_port}", extra={"max_attempts": 1})
    run = TaskRun(lambda: way(delivery="at_most_once"), store=store)
    may_be_tried_again(run, NotSentError if way in OF_ONE.values() else ItnioError)
    connect()
    run.once()
    assert len(sandbox.messages) == 1


# --- writes that fail -----------------------------------------------------------------------------------

FAILURES = {
    "an error": lambda: OSError("Broken pipe"),
    "Airflow's deadlock error": lambda: DeadlockImminentError("would wait for itself"),
}


@for_each("failure", FAILURES.values())
def test_after_a_failing_write_before_the_request_nothing_is_sent(failure, way, store, sandbox):
    store.fail(failure())
    run = TaskRun(lambda: way(delivery="at_most_once"), store=store)
    error = may_be_tried_again(run, RecordError)
    assert "Airflow's task state store could not be written: " in str(error)
    assert str(failure()) in str(error)
    assert sandbox.requests == []


def test_after_a_failing_write_before_a_broadcasts_request_nothing_is_sent(store, sandbox):
    store.fail(OSError("Broken pipe"), after=1)  # the head of the record is written
    run = TaskRun(lambda: broadcasting(delivery="at_most_once"), store=store)
    may_be_tried_again(run, RecordError)
    assert sandbox.requests == []
    store.fail(OSError(), 0)
    run.once()
    assert len(sandbox.messages) == 1


@for_each("failure", FAILURES.values())
@for_each("way", OF_ONE.values())
@pytest.mark.usefixtures("quick_writes")
def test_a_failing_write_after_an_acceptance_is_logged_and_the_task_succeeds(
    failure, way, store, sandbox, logged
):
    store.fail(failure())
    receipt = TaskRun(way, store=store).once()
    assert receipt["message_id"] == sandbox.messages[0].id
    assert store.tried == 3
    assert "The message was accepted; a retry of this task won't know that" in logged()
    assert DIGITS not in logged()


@for_each("failure", FAILURES.values())
@for_each("way", OF_ONE.values())
@pytest.mark.usefixtures("quick_writes")
def test_a_write_that_succeeds_when_tried_again_is_read_by_a_retry(failure, way, store, sandbox):
    store.fail(failure(), 2)
    run = TaskRun(way, store=store)
    first = run.once(ends="failing")
    assert run.once() == first
    assert len(sandbox.requests) == 1


@pytest.mark.usefixtures("quick_writes")
def test_a_success_mark_that_cannot_be_written_does_not_fail_the_task(way, store, sandbox, logged):
    run = TaskRun(way, store=store)
    context = run.begin()
    run.operator.execute(context)
    store.fail(OSError("Broken pipe"))
    run.operator.post_execute(context)
    assert "If this task is cleared, it will " in logged()
    store.fail(OSError(), 0)
    run.clear()
    assert same_as_first(run.once(), sandbox)


def test_with_an_unreadable_store_nothing_is_sent(way, store, sandbox, monkeypatch):
    def fail(key, default=None):
        raise OSError("Broken pipe")

    monkeypatch.setattr(store, "get", fail)
    error = may_be_tried_again(TaskRun(way, store=store), RecordError)
    assert str(error) == "Airflow's task state store could not be read: OSError: Broken pipe"
    assert sandbox.requests == []


# --- without a record -----------------------------------------------------------------------------------

NO_RECORD = "No delivery record: "


def test_without_a_store_each_try_sends_and_one_log_line_says_so(way, sandbox, caplog):
    caplog.set_level(logging.INFO)
    run = TaskRun(way)
    for tries in range(1, 3):
        caplog.clear()
        run.once()
        (line,) = [one for one in caplog.messages if NO_RECORD in one]
        assert "there is no task state store" in line
        assert len(sandbox.messages) == tries


def test_with_a_store_no_log_line_about_a_missing_record(way, store, caplog):
    caplog.set_level(logging.INFO)
    TaskRun(way, store=store).once()
    assert not [one for one in caplog.messages if NO_RECORD in one]


def test_an_operator_inside_another_task_has_no_record(way, store, sandbox, caplog):
    caplog.set_level(logging.INFO)
    run = TaskRun(way, store=store, task_id="other")
    for _ in range(2):
        run.once()
    assert len(sandbox.messages) == 2
    assert store.kept == {}
    lines = [one for one in caplog.messages if NO_RECORD in one]
    assert len(lines) == 2
    assert "tell is executed inside of the task other" in lines[0]


def test_an_operator_executed_by_hand_needs_no_task_instance(sandbox):
    sending().execute({})
    assert len(sandbox.messages) == 1


@for_each(
    ("outcome", "error"),
    [("unknown", UnknownOutcomeError), ("not sent", NotSentError), ("refused", ContentError)],
)
def test_without_a_store_errors_are_raised_as_with_one(outcome, error, sandbox):
    sandbox.fail_next(**FAULTS[outcome])
    run = TaskRun(sending)
    if outcome == "refused":
        fails_at_once(run, error)
    else:
        may_be_tried_again(run, error)


def test_a_task_instance_that_airflow_no_longer_finds_sends_nothing(store, sandbox):
    """Airflow's error for its record is the same as for a missing entry."""

    def not_found(key):
        raise RuntimeError("API_SERVER_ERROR: Task instance not found")

    store.delete = not_found
    for way in (sending, broadcasting):
        error = may_be_tried_again(TaskRun(way, store=store), RecordError)
        assert "task state store could not be read: RuntimeError: API_SERVER_ERROR: Task instance" in str(
            error
        )
    assert sandbox.requests == []

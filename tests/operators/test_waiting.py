"""A task with wait_for: the sandbox pushes to a running receiver."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout, TaskDeferred
from airflow.triggers.base import BaseTrigger

from airflow_provider_itnio.api.errors import InvalidParameterError, NotDeliveredError
from airflow_provider_itnio.triggers.whatsapp import WhatsAppStatusTrigger
from tests.operators.proxies import proxy_of
from tests.operators.ways import OF_ONE, deciding, sending
from tests.receiver.running import READ_TOKEN, status_push
from tests.tables import for_each
from tests.task_runs import TaskRun, fails_at_once, may_be_tried_again, outcomes_in

NUMBER = "8614718004557"
UNDELIVERABLE = "99960000026"
SENT_ONLY = "99970000001"
NEVER_PUSHED = "99970000003"


@pytest.fixture(autouse=True)
def open_windows(pushed_to_receiver, sandbox):
    sandbox.window_open(NUMBER)


def waiting(store=None, make=sending, **fields):
    return TaskRun(lambda: make(**{"wait_for": "delivered", "wait_timeout": 600, **fields}), store=store)


def to(recipient):
    def make(**fields):
        task = sending(**fields)
        task.recipient = recipient
        return task

    return make


def deferred(run):
    """Run a try that defers."""
    with pytest.raises(TaskDeferred) as raised:
        run.once()
    return raised.value


def triggered(trigger):
    """Run a trigger to its event, deserialized as in a triggerer."""
    path, kwargs = trigger.serialize()
    assert path == "airflow_provider_itnio.triggers.whatsapp.WhatsAppStatusTrigger"

    async def event():
        return (await anext(WhatsAppStatusTrigger(**kwargs).run())).payload

    return asyncio.run(event())


def resumed(run, left, event=None):
    """Resume a deferred task in a new process, in the same try."""
    run.try_number -= 1
    context = run.begin()
    result = run.operator.resume_execution(left.method_name, {"event": event}, context)  # like dag.test()
    run.operator.post_execute(context)
    return result


@for_each("make", OF_ONE.values())
@for_each("word", ["sent", "delivered", "read"])
def test_a_task_with_wait_for_succeeds_once_the_status_is_reached(make, word, maybe_store, sandbox, receiver):
    receipt = waiting(maybe_store, make, wait_for=word).once()
    (message,) = sandbox.messages
    assert receipt["message_id"] == message.id
    assert receipt["status"] in {
        "sent": {"sent", "delivered", "read"},
        "delivered": {"delivered", "read"},
    }.get(word, {"read"})
    told = receiver.get(f"/v1/messages/{message.id}")
    assert receipt["status_at"] in [one["at"] for one in told["history"]]


def test_without_wait_for_the_receiver_is_not_called(connect, sandbox):
    connect(extra={"receiver_url": "nonsense"})
    assert "status" not in waiting(wait_for="accepted").once()


@for_each("deferrable", [False, True])
def test_a_message_that_fails_later_fails_the_task_with_the_reason(deferrable, maybe_store, sandbox):
    run = waiting(maybe_store, to(UNDELIVERABLE), deferrable=deferrable)
    if deferrable:
        left = deferred(run)
        with pytest.raises(AirflowFailException) as raised:
            resumed(run, left, triggered(left.trigger))
        error = raised.value
    else:
        error = fails_at_once(run, NotDeliveredError)
    assert "131026, the message can't be delivered: check that the number has WhatsApp" in str(error)
    assert UNDELIVERABLE not in str(error)
    assert len(sandbox.messages) == 1
    if maybe_store:
        assert outcomes_in(maybe_store) == ["refused"]
        assert "131026" in str(fails_at_once(run))  # a retry reports it again, and sends nothing
        assert len(sandbox.messages) == 1
        run.clear()
        fails_at_once(run, NotDeliveredError) if not deferrable else deferred(run)
        assert len(sandbox.messages) == 2


@for_each("message_id", ["x" * 150, "a\tb", "a\u200bb"])
@for_each("deferrable", [False, True])
def test_a_message_without_a_usable_id_fails_at_once_and_is_not_sent_again(
    deferrable, message_id, maybe_store, sandbox, receiver
):
    receiver.push(status_push(message_id, "delivered"))
    sandbox.fail_next(answer={"status": "0", "data": {"messageId": message_id}})
    run = waiting(maybe_store, deferrable=deferrable)
    told = str(fails_at_once(run, NotDeliveredError))
    assert told.startswith(
        "NotDeliveredError: The text message to 86…57 was accepted by Itniotech and can't be waited for "
        "(accepted; its id "
    )
    if maybe_store:
        assert str(fails_at_once(run, NotDeliveredError)) == told
        run.clear()
        run.make = lambda: sending(wait_for="accepted")
        assert run.once()["message_id"].startswith("(accepted; its id")
    assert len(sandbox.requests) == 1


def test_the_error_of_a_text_outside_the_window_names_the_reason(sandbox):
    sandbox.window_open(NUMBER, is_open=False)
    error = fails_at_once(waiting(), NotDeliveredError)
    assert "131047, the recipient has not written in the last 24 hours: send a WhatsApp template" in str(
        error
    )


def test_with_an_unreachable_receiver_the_delivery_is_unknown(store, connect, closed_port):
    connect(
        extra={
            "receiver_url": f"http://127.0.0.1:{closed_port}",
            "receiver_token": "of-a-receiver-that-is-not-there-1",
        }
    )
    error = str(may_be_tried_again(waiting(store, to(SENT_ONLY), wait_timeout=1), NotDeliveredError))
    assert "it is unknown whether it was delivered within 0:00:01: The receiver could not be asked" in error
    assert error.endswith("Is itnio-receiver running at receiver_url?")


def test_a_late_message_fails_the_task_and_a_retry_waits_for_the_same_message(store, sandbox):
    run = waiting(store, to(SENT_ONLY), wait_timeout=1)
    error = may_be_tried_again(run, NotDeliveredError)
    assert "was not delivered within 0:00:01: its last status is sent" in str(error)
    assert error.status == "sent"
    (message,) = sandbox.messages
    sandbox.push(message, "delivered")
    receipt = run.once()
    assert (receipt["message_id"], receipt["status"]) == (message.id, "delivered")
    assert len(sandbox.messages) == 1


def test_a_task_cleared_after_its_wait_succeeded_sends_again(store, sandbox):
    run = waiting(store)
    run.once()
    run.clear()
    run.once()
    assert len(sandbox.messages) == 2


def test_a_deferred_task_cleared_after_its_wait_succeeded_sends_again(store, sandbox):
    run = waiting(store, deferrable=True)
    left = deferred(run)
    assert resumed(run, left, triggered(left.trigger))["status"] in {"delivered", "read"}
    run.clear()
    deferred(run)
    assert len(sandbox.messages) == 2


def test_without_a_record_a_late_message_leaves_no_retries(sandbox):
    run = waiting(None, to(NEVER_PUSHED), wait_timeout=timedelta(seconds=1))
    error = fails_at_once(run, NotDeliveredError)
    assert "the receiver got no push about it" in str(error)


@for_each("ended", [AirflowTaskTimeout("time"), ValueError("a bug"), TimeoutError()])
def test_an_error_during_the_wait_leaves_the_retries_only_with_a_record(ended, monkeypatch, maybe_store):
    def ends(*_, **__):
        raise ended

    monkeypatch.setattr("airflow_provider_itnio.operators.whatsapp.wait_for_status", ends)
    run = waiting(maybe_store)
    if maybe_store:
        with pytest.raises(type(ended)):
            run.once()
    else:
        assert "the message was accepted, and without" in str(fails_at_once(run, type(ended)))


def test_a_deferral_that_fails_or_times_out_leaves_the_retries_only_with_a_record(
    maybe_store, sandbox, caplog
):
    run = waiting(maybe_store, deferrable=True)
    left = deferred(run)
    assert (left.timeout is None) == (maybe_store is None)
    left.method_name, left.kwargs = "__fail__", {"error": "Trigger timeout"}
    run.try_number -= 1
    context = run.begin()
    error = "Trigger timeout" if maybe_store is None else "Trigger failure"
    with pytest.raises(Exception, match=error) as raised:
        run.operator.resume_execution("__fail__", {"error": error}, context)
    assert isinstance(raised.value, AirflowFailException) == (maybe_store is None)
    assert len(sandbox.messages) == 1
    assert ("The triggerer did not end the wait in time" in caplog.text) == (maybe_store is None)


def test_a_deferral_that_timed_out_reads_the_status_itself(store, sandbox, receiver):
    run = waiting(store, to(NEVER_PUSHED), deferrable=True)
    deferred(run)

    def ends():
        run.try_number -= 1
        context = run.begin()
        return run.operator.resume_execution("__fail__", {"error": "Trigger timeout"}, context)

    with pytest.raises(NotDeliveredError, match="the receiver got no push about it"):
        ends()
    receiver.push(status_push(sandbox.messages[0].id, "delivered"))
    assert ends()["status"] == "delivered"
    assert len(sandbox.messages) == 1


def test_a_retry_of_a_deferred_task_waits_for_the_same_message(store, sandbox):
    run = waiting(store, deferrable=True)
    first = deferred(run)
    second = deferred(run)
    assert first.trigger.message_ids == second.trigger.message_ids == [sandbox.messages[0].id]
    assert len(sandbox.messages) == 1


def test_the_wait_continues_while_the_receiver_is_unreachable(
    store, sandbox, connect, closed_port, monkeypatch, caplog
):
    monkeypatch.setattr("airflow_provider_itnio.api.status_wait.RETRY_DELAY", 0.01)
    connect(extra={"receiver_url": f"http://127.0.0.1:{closed_port}", "receiver_token": READ_TOKEN})
    error = may_be_tried_again(waiting(store, wait_timeout=1), NotDeliveredError)
    assert "could not be asked for the status of messages" in str(error)
    assert len(sandbox.messages) == 1  # it was sent
    assert caplog.text.count("Still waiting") == 1


@for_each(
    ("extra", "told"),
    [
        ({"receiver_url": None}, "receiver_url: is missing"),
        ({"receiver_token": "another-token-0123456789"}, "receiver_token: the receiver does not accept it"),
    ],
)
def test_with_a_missing_or_wrong_receiver_setting_nothing_is_sent(extra, told, sandbox, connect, receiver):
    connect(extra=receiver.extra | extra)
    assert told in str(fails_at_once(waiting()))
    assert not sandbox.requests


@for_each(
    ("fields", "told"),
    [
        ({"wait_for": "seen"}, "wait_for: must be one of accepted, sent, delivered, read"),
        ({"wait_timeout": 0.5}, r"wait_timeout: must be a number from 1 to 604800 .*, 0.5 \(0:00:00.5"),
        ({"wait_timeout": timedelta(days=8)}, r"604800 \(seconds, 7 days at most, .*, 8 days given"),
        ({"wait_timeout": 3_000_000}, r"wait_timeout: .*, 3e\+06 \(34 days, 17:20:00\) given"),
        ({"wait_timeout": float("inf")}, "wait_timeout: .*, inf given"),
        ({"wait_timeout": "10m"}, "wait_timeout: must be a number"),
        ({"wait_for": "accepted", "wait_timeout": 60}, 'wait_timeout: needs wait_for="sent", "delivered" or'),
        ({"deferrable": "no"}, "deferrable: must be True or False, 'no' given"),
    ],
)
@for_each("make", [sending, deciding])
def test_an_invalid_wait_parameter_is_an_import_error(make, fields, told):
    with pytest.raises(InvalidParameterError, match=told):
        make(**{"wait_for": "delivered", **fields})


def test_default_deferrable_of_airflows_configuration_applies(monkeypatch):
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    assert deferred(waiting())


@for_each("deferrable", [False, True])
def test_404_instead_of_the_receiver_for_a_while_does_not_end_the_wait(
    deferrable, sandbox, connect, receiver, monkeypatch
):
    monkeypatch.setattr("airflow_provider_itnio.api.status_wait.RETRY_DELAY", 0.1)
    with proxy_of(receiver) as proxy:
        connect(extra=receiver.extra | {"receiver_url": proxy.url})
        run = waiting(make=to(NEVER_PUSHED), deferrable=deferrable)

        def happens():
            proxy.be_down(404)
            sandbox.push(sandbox.wait_for(1)[0], "delivered")

        if deferrable:
            left = deferred(run)
            happens()
            assert resumed(run, left, triggered(left.trigger))["status"] == "delivered"
        else:
            later = threading.Thread(target=lambda: (sandbox.wait_for(1), happens()))
            later.start()
            assert run.once()["status"] == "delivered"
            later.join()


def test_a_trigger_for_a_thousand_messages_ends_at_its_time(sandbox, receiver):
    trigger = WhatsAppStatusTrigger([f"unknown-{n}" for n in range(1000)], "read", time.time() + 1)
    assert isinstance(trigger, BaseTrigger)
    event = triggered(trigger)
    assert {one["status"] for one in event["statuses"].values()} == {"none"}
    assert event["problem"] == ""


def test_a_trigger_fires_after_the_push(sandbox):
    run = waiting(None, to(NEVER_PUSHED), deferrable=True)
    left = deferred(run)
    later = threading.Timer(0.5, sandbox.push, [sandbox.messages[0], "read"])
    later.start()
    event = triggered(left.trigger)
    later.join()
    assert resumed(run, left, event)["status"] == "read"


def test_a_later_wait_for_set_in_the_dag_file_during_the_wait_applies(maybe_store, sandbox):
    run = waiting(maybe_store, to(SENT_ONLY), wait_for="sent", deferrable=True)
    left = deferred(run)
    run.make = waiting(make=to(SENT_ONLY), deferrable=True).make
    with pytest.raises(TaskDeferred) as raised:
        resumed(run, left, triggered(left.trigger))
    sandbox.push(sandbox.messages[0], "read")
    assert resumed(run, raised.value, triggered(raised.value.trigger))["status"] == "read"
    assert len(sandbox.messages) == 1


@for_each("method", ["execute_complete", "__fail__"])
def test_a_wait_for_removed_from_the_dag_file_during_the_wait_ends_it(method, store, sandbox):
    run = waiting(store, to(SENT_ONLY), wait_timeout=1, deferrable=True)
    left = deferred(run)
    happened = {"event": triggered(left.trigger)} if method != "__fail__" else {"error": "Trigger timeout"}
    run.make = waiting(make=to(SENT_ONLY), wait_for="accepted").make
    run.try_number -= 1
    context = run.begin()
    receipt = run.operator.resume_execution(method, happened, context)
    assert receipt["message_id"] == sandbox.messages[0].id


def test_a_trigger_whose_connection_is_missing_says_so_at_the_end_of_its_wait(monkeypatch, sandbox):
    run = waiting(None, deferrable=True)
    left = deferred(run)
    monkeypatch.delenv("AIRFLOW_CONN_ITNIO_DEFAULT")
    left.trigger.ends_at = time.time() + 0.2
    event = triggered(left.trigger)
    assert "Connection 'itnio_default' is not defined" in event["problem"]
    with pytest.raises(AirflowFailException, match="Connection 'itnio_default' is not defined"):
        resumed(run, left, event)

"""Waiting for messages of upstream tasks: the sandbox pushes to a running receiver."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from airflow.providers.standard.operators.empty import EmptyOperator

from airflow_provider_itnio.api.errors import InvalidParameterError
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.sensors.whatsapp import WhatsAppDeliveredSensor
from airflow_provider_itnio.triggers.whatsapp import WhatsAppStatusTrigger
from tests.operators.proxies import proxy_of
from tests.receiver.running import READ_TOKEN, status_push
from tests.sensors.waiting import NUMBER, OTHER, SUMMARY, waiting
from tests.tables import for_each, pairs
from tests.task_runs import TaskRun, fails_at_once, may_be_tried_again

UNDELIVERABLE = "99960000026"
SENT_ONLY = "99970000001"
NEVER_PUSHED = "99970000003"


@pytest.fixture(autouse=True)
def open_windows(pushed_to_receiver, sandbox):
    for number in (NUMBER, OTHER):
        sandbox.window_open(number)


def sent(*recipients):
    """Send a message to each number, as upstream tasks do, and return the receipts as in XCom."""
    hook = ItnioHook()
    return [json.loads(json.dumps(hook.send(one, text="42 rows").as_dict())) for one in recipients]


def deferred(run):
    with pytest.raises(TaskDeferred) as raised:
        run.once()
    return raised.value


def triggered(left):
    """Run the trigger to its event, deserialized as in a triggerer."""
    _, kwargs = left.trigger.serialize()
    kwargs = json.loads(json.dumps(kwargs))

    async def event():
        return (await anext(WhatsAppStatusTrigger(**kwargs).run())).payload

    return asyncio.run(event())


def resumed(run, left, event):
    """Resume in a new process, in the same try."""
    run.try_number -= 1
    context = run.begin()
    return run.operator.resume_execution(left.method_name, {**(left.kwargs or {}), "event": event}, context)


def ended(run, *, deferrable):
    """Run a task to its end, through the triggerer if it defers."""
    if not deferrable:
        return run.once()
    try:
        result = run.once()
    except TaskDeferred as left:
        return resumed(run, left, triggered(left))
    return result


@for_each("deferrable", [False, True])
@for_each("until", ["sent", "delivered", "read"])
def test_the_sensor_succeeds_once_all_messages_reach_the_status(until, deferrable, sandbox):
    receipts = sent(NUMBER, OTHER)
    result = ended(waiting(receipts, until=until, deferrable=deferrable), deferrable=deferrable)
    assert list(result["statuses"]) == [one["message_id"] for one in receipts]
    reached = {"sent": ("sent", "delivered", "read"), "delivered": ("delivered", "read")}.get(
        until, ("read",)
    )
    for one, receipt in zip(result["statuses"].values(), receipts, strict=True):
        assert one["status"] in reached
        assert one["at"].endswith("+00:00")
        assert (one["recipient"], one["failure"]) == (receipt["recipient"], None)
    counts = [result[name] for name in ("none", "sent", "delivered", "read", "failed")]
    assert sum(counts) == sum(result[name] for name in reached) == 2
    assert json.loads(json.dumps(result)) == result
    assert len(sandbox.messages) == 2  # the sensor sends nothing


def forms_of(receipts):
    first, second = receipts
    ids = [one["message_id"] for one in receipts]
    return {
        "a receipt": first,
        "receipts": receipts,
        "an id": ids[0],
        "ids": tuple(ids),
        "both": [first, ids[1]],
        "outputs of two mapped tasks": [[first], iter([second])],
        "twice the same": [first, ids[0], first],
        "a broadcast's summary": {**SUMMARY, "receipts": receipts},
        "those of a mapped broadcast": [{**SUMMARY, "accepted": 1, "receipts": [one]} for one in receipts],
        "of two tries": {**SUMMARY, "accepted": 1, "accepted_earlier": 1, "receipts": receipts},
        "JSON in a text": json.dumps(receipts),
        "Python's words in a text": repr(receipts),
        "a receipt in a text": repr(first),
        "a receipt with a status": {**first, "status": "sent", "status_at": None},
        "the hook's receipt, in a pickled XCom": Receipt(
            first["message_id"], first.get("recipient", ""), "text", None
        ),
    }


@for_each("form", forms_of([{"message_id": "m"}] * 2))
def test_messages_are_accepted_in_every_form_of_upstream_results(form):
    receipts = sent(NUMBER, OTHER)
    made = TaskRun(
        lambda: WhatsAppDeliveredSensor(
            task_id="arrived", messages=lambda **_: forms_of(receipts)[form], poke_interval=0.05
        )
    )
    context = made.begin()
    made.operator.messages = forms_of(receipts)[form]  # as after rendering
    result = made.operator.execute(context)
    expected = {one["message_id"]: one["recipient"] for one in receipts}
    if form in ("an id", "twice the same") or form.startswith(("a receipt", "the hook's receipt")):
        expected.popitem()
    assert set(result["statuses"]) == set(expected)
    assert {one["recipient"] for one in result["statuses"].values()} <= {*expected.values(), None}


def test_a_message_id_that_native_rendering_made_an_int_is_accepted(receiver):
    receiver.push(
        {"eventType": "message-status-event", "messageId": "12345", "status": "read", "timestamp": 1}
    )
    assert list(waiting(12345).once()["statuses"]) == ["12345"]


@for_each("native", [False, True])
def test_messages_may_be_an_upstream_output_or_jinja(native, itnio_sandbox):
    (receipt,) = sent(NUMBER)
    with DAG("report", schedule=None, render_template_as_native_obj=native):
        tell = EmptyOperator(task_id="tell")
        of_output = WhatsAppDeliveredSensor(
            task_id="arrived", messages=tell.output, poke_interval=0.05, allow_nested_operators=False
        )
        of_jinja = WhatsAppDeliveredSensor(
            task_id="arrived_too", messages="{{ ti.xcom_pull('tell') }}", poke_interval=0.05
        )
    for task in (of_output, of_jinja):
        result = itnio_sandbox.execute(task, xcoms={"tell": receipt})
        assert list(result["statuses"]) == [receipt["message_id"]]


def test_messages_may_be_a_mapped_tasks_outputs_and_the_sensor_may_be_mapped(itnio_sandbox):
    receipts = sent(NUMBER, OTHER)
    with DAG("report", schedule=None):
        tell = WhatsAppSendOperator.partial(task_id="tell", text="42 rows").expand(recipient=[NUMBER, OTHER])
        of_all = WhatsAppDeliveredSensor(task_id="arrived", messages=tell.output, poke_interval=0.05)
        of_each = WhatsAppDeliveredSensor.partial(task_id="each", poke_interval=0.05).expand(
            messages=[[receipts[0]], [receipts[1]]]
        )
    result = itnio_sandbox.execute(of_all, xcoms={"tell": receipts})
    assert len(result["statuses"]) == 2
    result = itnio_sandbox.execute(of_each, map_index=1)
    assert list(result["statuses"]) == [receipts[1]["message_id"]]


@for_each("deferrable", [False, True])
def test_a_failed_message_fails_the_sensor_at_once_and_names_the_recipient(deferrable):
    receipts = sent(NUMBER, UNDELIVERABLE, NEVER_PUSHED)  # the last one alone would keep it waiting
    run = waiting(receipts, deferrable=deferrable)
    with pytest.raises(AirflowFailException) as raised:
        ended(run, deferrable=deferrable)
    told = str(raised.value)
    assert "NotDeliveredError: 1 of 3 messages were accepted by Itniotech and then failed: 99…26 (" in told
    assert "131026, the message can't be delivered: check that the number has WhatsApp" in told
    assert UNDELIVERABLE not in told
    assert run.summary["failed"] == 1
    assert run.summary["statuses"][receipts[1]["message_id"]]["recipient"] == UNDELIVERABLE


@for_each("deferrable", [False, True])
def test_the_timeout_lists_the_messages_that_have_not_reached_the_status(deferrable):
    receipts = sent(NUMBER, SENT_ONLY, NEVER_PUSHED)
    waiting(receipts[:1]).once()
    waiting(receipts[1:2], until="sent").once()
    run = waiting(receipts, deferrable=deferrable, timeout=1)
    with pytest.raises(AirflowSensorTimeout) as raised:
        ended(run, deferrable=deferrable)
    told = str(raised.value)
    assert "2 of 3 messages are not delivered: 99…01 (" in told
    assert "): status sent; 99…03 (" in told
    assert SENT_ONLY not in told
    assert (run.summary["sent"], run.summary["none"]) == (1, 1)


@for_each("deferrable", [False, True])
@for_each(
    ("recipient", "timeout", "why"), [(UNDELIVERABLE, 60, "131026"), (NEVER_PUSHED, 0.3, "status none")]
)
def test_with_soft_fail_the_sensor_is_skipped_and_says_why(recipient, timeout, why, deferrable, logged):
    run = waiting(sent(recipient), deferrable=deferrable, timeout=timeout, soft_fail=True)
    with pytest.raises(AirflowSkipException) as raised:
        ended(run, deferrable=deferrable)
    assert why in f"{raised.value} {logged()}"
    assert sum(run.summary[name] for name in ("none", "failed")) == 1


@for_each("option", ["soft_fail", "never_fail"])
def test_with_soft_fail_or_never_fail_an_earlier_failure_skips_without_deferring(option, receiver):
    receiver.push(status_push("lost", "failed", failure="131026: undeliverable"))
    with pytest.raises(AirflowSkipException, match="131026"):
        waiting(["lost"], deferrable=True, **{option: True}).once()


def test_many_failures_are_counted_and_some_listed(receiver):
    ids = [f"lost-{number}" for number in range(25)]
    for one in ids:
        receiver.push(
            {"eventType": "message-status-event", "messageId": one, "status": "failed", "timestamp": 1}
        )
    told = str(fails_at_once(waiting(ids)))
    assert "25 of 25 messages were accepted" in told
    assert "lost-19: no reason given; and 5 more" in told
    assert "lost-20" not in told


def test_a_retry_waits_for_the_same_messages_and_sends_nothing(sandbox):
    receipts = sent(SENT_ONLY)
    run = waiting(receipts, timeout=1)
    may_be_tried_again(run, AirflowSensorTimeout)
    sandbox.push(sandbox.messages[0], "delivered")
    assert run.once()["delivered"] == 1
    assert len(sandbox.messages) == 1


def test_an_unreachable_receiver_is_reported_at_the_timeout(connect, closed_port, caplog):
    connect(extra={"receiver_url": f"http://127.0.0.1:{closed_port}", "receiver_token": READ_TOKEN})
    told = str(may_be_tried_again(waiting("m-1", timeout=0.5), AirflowSensorTimeout))
    assert "1 of 1 messages are not delivered: m-1: status none. The receiver could not be asked" in told
    assert caplog.text.count("Still waiting") == 1


def test_a_sensor_that_deferred_while_the_receiver_was_unreachable_continues(connect, closed_port, receiver):
    (receipt,) = sent(NUMBER)
    connect(extra={"receiver_url": f"http://127.0.0.1:{closed_port}", "receiver_token": READ_TOKEN})
    run = waiting(receipt, deferrable=True)
    left = deferred(run)
    connect(extra=receiver.extra)
    assert resumed(run, left, triggered(left))["failed"] == 0


def test_a_deferred_sensor_ends_after_the_push(sandbox):
    run = waiting(sent(NEVER_PUSHED), deferrable=True)
    left = deferred(run)
    later = threading.Timer(0.5, sandbox.push, [sandbox.messages[0], "read"])
    later.start()
    event = triggered(left)
    later.join()
    assert resumed(run, left, event)["read"] == 1


def test_a_later_until_set_in_the_dag_file_during_the_wait_applies(sandbox):
    receipts = sent(SENT_ONLY)
    run = waiting(receipts, until="delivered", deferrable=True)
    left = deferred(run)
    sandbox.push(sandbox.messages[0], "delivered")
    run.make = waiting(receipts, until="read", deferrable=True).make
    with pytest.raises(TaskDeferred) as raised:
        resumed(run, left, triggered(left))
    sandbox.push(sandbox.messages[0], "read")
    assert resumed(run, raised.value, triggered(raised.value))["read"] == 1


def test_a_deferred_sensor_needs_only_its_event():
    """``dag.test()`` of Airflow 2 passes only the event."""
    assert not deferred(waiting(sent(NEVER_PUSHED), deferrable=True)).kwargs


def test_a_deferred_sensor_whose_connection_is_missing_says_so_at_its_timeout(monkeypatch):
    run = waiting(sent(NEVER_PUSHED), deferrable=True)
    left = deferred(run)
    monkeypatch.delenv("AIRFLOW_CONN_ITNIO_DEFAULT")
    left.trigger.ends_at = time.time() + 0.2
    event = triggered(left)
    with pytest.raises(AirflowSensorTimeout, match="Connection 'itnio_default' is not defined"):
        resumed(run, left, event)


@for_each("deferrable", [False, True])
def test_without_a_receiver_in_the_connection_the_sensor_fails_at_once(deferrable, connect, receiver):
    connect(extra=receiver.extra | {"receiver_url": None})
    assert "receiver_url: is missing" in str(fails_at_once(waiting("m", deferrable=deferrable)))


@for_each("deferrable", [False, True])
def test_a_refused_token_is_reported_at_the_timeout(deferrable, connect, receiver, monkeypatch, caplog):
    monkeypatch.setattr("airflow_provider_itnio.api.status_wait.RETRY_DELAY", 0.1)
    connect(extra=receiver.extra | {"receiver_token": "another-token-0123456789"})
    told = "receiver_token: the receiver does not accept it"
    with pytest.raises(AirflowSensorTimeout, match=told):
        ended(waiting("m", deferrable=deferrable, timeout=0.5), deferrable=deferrable)
    assert f"{told}; give the connection a token" in caplog.text


def test_deferrable_must_be_true_or_false():
    with pytest.raises(InvalidParameterError, match="deferrable: must be True or False, 'no' given"):
        waiting("m", deferrable="no").make()


def test_itnio_conn_id_must_be_a_string():
    with pytest.raises(InvalidParameterError, match=r"^task 'arrived': itnio_conn_id: must be text, nothing"):
        waiting("m", itnio_conn_id=None).make()
    waiting("m", itnio_conn_id="{{ params.connection }}").make()


@pairs(answered=[0, 1], code=[401, 404, 502], deferrable=[False, True])
def test_an_http_error_instead_of_the_receiver_for_a_while_does_not_end_the_wait(
    deferrable, code, answered, sandbox, connect, receiver, monkeypatch
):
    monkeypatch.setattr("airflow_provider_itnio.api.status_wait.RETRY_DELAY", 0.1)
    receipts = sent(NEVER_PUSHED)
    with proxy_of(receiver) as proxy:
        connect(extra=receiver.extra | {"receiver_url": proxy.url})
        run = waiting(receipts, deferrable=deferrable, poke_interval=0.2)

        def happens():
            proxy.be_down(code)
            sandbox.push(sandbox.messages[0], "delivered")

        proxy.after(answered, happens)
        assert ended(run, deferrable=deferrable)["delivered"] == 1


def test_an_invalid_until_is_an_import_error():
    with pytest.raises(ValueError, match="until: must be one of sent, delivered, read; 'accepted' given"):
        WhatsAppDeliveredSensor(task_id="arrived", messages="m", until="accepted")


def test_default_deferrable_of_airflows_configuration_applies(monkeypatch):
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    assert deferred(waiting(sent(NEVER_PUSHED)))


def test_a_deferral_that_timed_out_reads_the_status_itself(receiver):
    def ends():
        run = waiting(["late-or-not"], deferrable=True)
        deferred(run)
        if is_pushed:
            receiver.push(status_push("late-or-not", "read"))
        run.try_number -= 1
        return run.operator.resume_execution("__fail__", {"error": "Trigger timeout"}, run.begin())

    is_pushed = False
    with pytest.raises(AirflowSensorTimeout, match="1 of 1 messages are not delivered: late-or-not: status"):
        ends()
    is_pushed = True
    assert ends()["read"] == 1

"""A text inside the 24-hour window, a WhatsApp template outside: the sandbox pushes to a running receiver."""

from __future__ import annotations

import json
import time

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, AirflowTaskTimeout, TaskDeferred

from airflow_provider_itnio.api.errors import (
    InvalidMessageError,
    NotDeliveredError,
    NotSentError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.messages import template_message
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from tests.operators.test_waiting import deferred, resumed, triggered
from tests.operators.ways import OF_ONE, WAYS, sending
from tests.receiver.running import READ_TOKEN, new_number, status_push, text_push
from tests.tables import for_each
from tests.task_runs import TaskRun, TaskStateStore, fails_at_once, may_be_tried_again, outcomes_in

FALLBACK = {"template": template_message("report_ready", "en", body=["{{ params.get('rows', 42) }}"])}


pytestmark = pytest.mark.usefixtures("pushed_to_receiver")


@pytest.fixture
def closed():
    """A number whose window is closed, in the receiver too."""
    return new_number()


@pytest.fixture
def misjudged(receiver):
    """A number whose window is closed, but open in the receiver."""
    number = new_number()
    assert receiver.push(text_push(f"from-{number}", "hi", phone=number, at=int(time.time()))) == 200
    return number


@pytest.fixture(params=["with record", "without record"])
def maybe_store(request):
    return TaskStateStore() if request.param == "with record" else None


def falling_back(number, store=None, make=sending, **fields):
    def made():
        task = make(**{"fallback": FALLBACK, "wait_timeout": 600, **fields})
        task.recipient = number
        return task

    return TaskRun(made, store=store)


def deferred_again(run, left, event):
    """Resume a deferred task that defers once more."""
    with pytest.raises(TaskDeferred) as raised:
        resumed(run, left, event)
    return raised.value


def types_sent(sandbox):
    return [message.type for message in sandbox.messages]


def kept(store):
    """The single entry about the message."""
    (entry,) = (json.loads(text) for key, text in store.kept.items() if "/message/" in key)
    return entry


@for_each("make", OF_ONE.values())
@for_each("word", ["accepted", "delivered"])
def test_in_a_closed_window_the_template_is_sent(make, word, maybe_store, closed, sandbox, caplog):
    receipt = falling_back(closed, maybe_store, make, wait_for=word).once()
    (message,) = sandbox.messages
    assert (receipt["type"], receipt["message_id"]) == ("template", message.id)
    assert ("status" in receipt) == (word == "delivered")
    assert message.body["template"]["components"][0]["parameters"][0]["text"] == "42"  # rendered
    assert "window of 86…" in caplog.text
    assert "is sent instead" in caplog.text
    assert closed not in caplog.text


@for_each("make", OF_ONE.values())
def test_in_an_open_window_the_message_is_sent(make, misjudged, sandbox):
    sandbox.window_open(misjudged)
    assert falling_back(misjudged, make=make, wait_for="delivered").once()["type"] == "text"
    assert types_sent(sandbox) == ["text"]


@pytest.mark.parametrize("make", OF_ONE.values(), ids=OF_ONE)
@pytest.mark.parametrize("deferrable", [False, True])
def test_a_text_that_failed_for_the_window_is_followed_by_the_template(
    make, deferrable, maybe_store, misjudged, sandbox, caplog
):
    run = falling_back(misjudged, maybe_store, make, wait_for="delivered", deferrable=deferrable)
    if deferrable:
        first = deferred(run)
        event = triggered(first.trigger)
        assert types_sent(sandbox) == ["text"]  # a trigger sends nothing
        second = deferred_again(run, first, event)
        assert second.trigger.message_ids == [sandbox.messages[-1].id]
        receipt = resumed(run, second, triggered(second.trigger))
    else:
        receipt = run.once()
    assert types_sent(sandbox) == ["text", "template"]
    assert (receipt["type"], receipt["message_id"]) == ("template", sandbox.messages[-1].id)
    assert receipt["status"] in {"delivered", "read"}
    assert "131047" in caplog.text
    assert "The fallback, a WhatsApp template, is sent instead" in caplog.text
    assert misjudged not in caplog.text.replace(f"fallback-{misjudged}", "")
    if maybe_store:
        assert (kept(maybe_store)["outcome"], kept(maybe_store)["fallback"]) == ("accepted", True)
        assert run.once()["message_id"] == receipt["message_id"] if not deferrable else deferred(run)
        assert len(sandbox.messages) == 2


@for_each(
    ("failed", "is_outside"),
    [
        ({"failure": {"code": 131047, "title": "Re-engagement message"}}, True),
        ({"errors": [{"code": "131047"}]}, True),
        ({"failure": "Re-engagement message"}, True),
        ({"failure": [{"code": 131026, "title": "Message undeliverable"}]}, False),
    ],
)
def test_the_windows_failure_code_is_read_from_any_shape_of_the_reason(
    failed, is_outside, store, receiver, sandbox
):
    sandbox.push_to(None)
    number = new_number()
    receiver.push(text_push(f"from-{number}", "hi", phone=number, at=int(time.time())))
    left = deferred(run := falling_back(number, store, wait_for="delivered", deferrable=True))
    assert receiver.push(status_push(sandbox.messages[0].id, "failed", **failed)) == 200
    event = triggered(left.trigger)
    if is_outside:
        deferred_again(run, left, event)
    else:
        with pytest.raises(AirflowFailException, match="131026, the message can't be delivered"):
            resumed(run, left, event)
    assert types_sent(sandbox) == ["text", "template"][: 1 + is_outside]


def test_a_failure_for_another_reason_sends_no_fallback(sandbox, receiver, store):
    number = "99960000026"  # 131026
    receiver.push(text_push("from-undeliverable", "hi", phone=number, at=int(time.time())))
    sandbox.window_open(number)
    assert "131026" in str(fails_at_once(falling_back(number, store, wait_for="sent"), NotDeliveredError))
    assert types_sent(sandbox) == ["text"]
    assert "fallback" not in kept(store)


class WorkerIsKilled(BaseException):
    """An exception that no code of the task catches."""


def is_killed_before_fallback(run, monkeypatch):
    """Lose the worker just before the fallback is sent."""
    real = ItnioHook.send_prepared

    def killed(hook, prepared, *args):
        if prepared.message.type == "template":
            run.store.fail(WorkerIsKilled())
            raise WorkerIsKilled
        return real(hook, prepared, *args)

    with monkeypatch.context() as patch:
        patch.setattr(ItnioHook, "send_prepared", killed)
        with pytest.raises(WorkerIsKilled):
            run.once()
    run.store.fail(WorkerIsKilled(), 0)


@for_each("delivery", ["at_least_once", "at_most_once"])
def test_after_a_worker_lost_before_the_fallback_a_retry_or_clear_sends_it(
    delivery, store, misjudged, sandbox, monkeypatch
):
    run = falling_back(misjudged, store, wait_for="delivered", delivery=delivery)
    is_killed_before_fallback(run, monkeypatch)
    assert types_sent(sandbox) == ["text"]
    assert kept(store)["fallback"] is True
    if delivery == "at_most_once":  # its intent is recorded, so it may have been sent
        assert kept(store)["outcome"] == "unknown"
        assert "may have sent" in str(fails_at_once(run))
        assert types_sent(sandbox) == ["text"]
        run.clear()
    assert run.once()["type"] == "template"
    assert types_sent(sandbox) == ["text", "template"]


def test_a_worker_lost_before_the_failure_is_known_sends_the_fallback_in_a_retry(
    store, misjudged, sandbox, monkeypatch
):
    def killed(*_, **__):
        raise WorkerIsKilled

    run = falling_back(misjudged, store, wait_for="delivered")
    with monkeypatch.context() as patch:
        patch.setattr(ItnioHook, "message_status", killed)
        with pytest.raises(WorkerIsKilled):
            run.once()
    assert run.once()["type"] == "template"
    assert types_sent(sandbox) == ["text", "template"]


@for_each(
    ("fault", "error"),
    [({"http_status": 429}, NotSentError), ({"drop": "after_accepting"}, UnknownOutcomeError)],
)
def test_a_fallback_not_sent_or_unknown_is_sent_by_a_retry_without_its_text(
    fault, error, maybe_store, misjudged, sandbox
):
    """The text is never sent again. With a record a retry sends the fallback, without one nothing."""
    run = falling_back(misjudged, maybe_store, wait_for="delivered", max_attempts=1)
    left = deferred_first(run)
    sandbox.fail_next(**fault)
    expected = AirflowFailException if maybe_store is None else error
    with pytest.raises(expected) as raised:
        resumed(run, left, triggered(left.trigger))
    if maybe_store is None:
        assert "the message was accepted, and without" in str(raised.value)
        return
    assert kept(maybe_store)["fallback"] is True
    assert run.once()["type"] == "template"
    assert types_sent(sandbox).count("text") == 1


def test_a_fallback_is_sent_although_a_proxy_answers_for_the_receiver(
    store, misjudged, sandbox, connect, receiver
):
    """The receiver restarts after the text was sent and has failed."""
    run = falling_back(misjudged, store, wait_for="delivered", max_attempts=1)
    left = deferred_first(run)
    sandbox.fail_next(http_status=429)
    with pytest.raises(NotSentError):
        resumed(run, left, triggered(left.trigger))
    connect(extra=receiver.extra | {"receiver_url": receiver.url + "/nothing"})
    again = falling_back(misjudged, store, wait_for="delivered", wait_timeout=1)
    again.try_number = run.try_number
    assert "HTTP 404" in str(may_be_tried_again(again, NotDeliveredError))
    assert types_sent(sandbox) == ["text", "template"]


def deferred_first(run):
    """Run the first wait in the triggerer, and the later ones in the worker."""
    make = run.make

    def deferring():
        task = make()
        task.deferrable = True
        return task

    run.make = deferring
    left = deferred(run)
    run.make = make
    return left


def test_a_fallback_that_fails_too_is_final(store, misjudged, sandbox, receiver, connect):
    run = falling_back(misjudged, store, wait_for="read", deferrable=True)
    left = deferred(run)
    second = deferred_again(run, left, triggered(left.trigger))
    failed, receipt = sandbox.messages[-1].id, second.trigger.receipt
    status = {"status": "failed", "at": None, "failure": "131047", "code": 131047}
    with pytest.raises(AirflowFailException, match=r"The template message to 86.* then failed: 131047"):
        resumed(run, second, {"statuses": {failed: status}, "problem": "", "receipt": receipt})
    assert outcomes_in(store) == ["refused"]
    assert "131047" in str(fails_at_once(run))
    assert types_sent(sandbox) == ["text", "template"]
    run.clear()
    deferred(run)
    assert len(sandbox.messages) == 3


def test_a_resume_that_runs_twice_sends_one_fallback(store, misjudged, sandbox):
    run = falling_back(misjudged, store, wait_for="delivered")
    left = deferred_first(run)
    event = triggered(left.trigger)
    first = resumed(run, left, event)
    assert resumed(run, left, event)["message_id"] == first["message_id"]
    assert types_sent(sandbox) == ["text", "template"]


def test_a_timeout_while_the_fallback_is_sent_leaves_the_retries_only_with_a_record(
    maybe_store, misjudged, sandbox, monkeypatch
):
    real = ItnioHook.send_prepared

    def ended(hook, prepared, *args):
        if prepared.message.type == "template":
            raise AirflowTaskTimeout("time")
        return real(hook, prepared, *args)

    run = falling_back(misjudged, maybe_store, wait_for="delivered")
    with monkeypatch.context() as patch:
        patch.setattr(ItnioHook, "send_prepared", ended)
        with pytest.raises(AirflowTaskTimeout if maybe_store else AirflowFailException, match="time"):
            run.once()
    if maybe_store:
        assert run.once()["type"] == "template"
        assert types_sent(sandbox) == ["text", "template"]


def test_a_cleared_task_chooses_between_message_and_template_again(store, closed, sandbox, receiver):
    run = falling_back(closed, store)
    assert run.once()["type"] == "template"
    receiver.push(text_push(f"from-{closed}", "hi", phone=closed, at=int(time.time())))
    run.clear()
    assert run.once()["type"] == "text"


def test_with_an_unreachable_receiver_the_message_is_sent(closed, sandbox, connect, closed_port, caplog):
    connect(extra={"receiver_url": f"http://127.0.0.1:{closed_port}", "receiver_token": READ_TOKEN})
    assert falling_back(closed).once()["type"] == "text"
    assert "The message itself is sent, not the WhatsApp template" in caplog.text


@for_each(
    ("extra", "told"),
    [
        ({"receiver_url": None}, "receiver_url: is missing"),
        ({"receiver_token": "another-token-0123456789"}, "receiver_token: the receiver does not accept it"),
    ],
)
@for_each("message", [{"text": "x"}, FALLBACK])
def test_with_a_missing_or_wrong_receiver_setting_nothing_is_sent(
    message, extra, told, sandbox, connect, receiver, closed
):
    connect(extra=receiver.extra | extra)
    run = TaskRun(
        lambda: WhatsAppSendOperator(task_id="tell", recipient=closed, fallback=FALLBACK, message=message)
    )
    assert told in str(fails_at_once(run))
    assert not sandbox.requests


def test_a_message_that_is_a_template_is_sent_in_place_of_the_fallback(closed, sandbox):
    own = {"template": template_message("own", "en")}
    run = TaskRun(
        lambda: WhatsAppSendOperator(task_id="tell", recipient=closed, message=own, fallback=FALLBACK)
    )
    run.once()
    assert [message.body["template"]["name"] for message in sandbox.messages] == ["own"]


WRONG = [
    ({"text": "x"}, r"fallback: must be .*template_message\(…\)}, because .* text given"),
    (template_message("x", "en"), "fallback: must be .* name, language.* given"),
    ("a text", "fallback: must be .* given"),
    ({}, "fallback: must be .* an empty dict given"),
    ({"template": {"name": "x"}}, "fallback.template.language: required, not given"),
    ({**FALLBACK, "text": "x"}, "fallback: must be .* text, template given"),
    ({**FALLBACK, "typ": "template"}, "fallback.typ: unknown key"),
    ({**FALLBACK, "reply_to": "abc"}, "fallback.reply_to: a WhatsApp template can't be a reply"),
]


@for_each(("fallback", "told"), WRONG)
@for_each("make", WAYS.values())
def test_a_fallback_that_is_not_a_template_is_an_import_error(make, fallback, told):
    with pytest.raises(InvalidMessageError, match=told):
        make(fallback=fallback)


@for_each(("fallback", "told"), WRONG)
def test_an_invalid_fallback_at_run_time_fails_the_task_before_sending(fallback, told, misjudged, sandbox):
    def made():
        task = sending(fallback="{{ x }}")
        task.fallback = fallback
        return task

    with pytest.raises(AirflowFailException, match=told):
        TaskRun(made).once()
    assert not sandbox.requests


def test_a_fallback_that_renders_to_none_fails_the_task(sandbox):
    def made():
        with DAG("report", schedule=None, render_template_as_native_obj=True):
            return WhatsAppSendOperator(
                task_id="tell", recipient="8613900000001", text="x", fallback="{{ none }}"
            )

    with pytest.raises(AirflowFailException, match=r"fallback: .*None"):
        TaskRun(made).once()
    assert not sandbox.requests

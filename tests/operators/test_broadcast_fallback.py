"""A broadcast with a fallback: the sandbox pushes to a running receiver."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, task

from airflow_provider_itnio.api.errors import InvalidMessageError, ItnioError
from airflow_provider_itnio.broadcast import accepted_messages, status_watch
from airflow_provider_itnio.broadcast.accepted_messages import AcceptedMessages
from airflow_provider_itnio.broadcast.engine import Broadcast
from airflow_provider_itnio.messages import template_message
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.operators.test_fallback import WRONG
from tests.operators.ways import OF_MANY
from tests.receiver.running import READ_TOKEN, new_number, text_push
from tests.tables import for_each
from tests.task_runs import (
    TaskRun,
    broadcast_run,
    counts_of,
    fails_at_once,
    may_be_tried_again,
    times_sent,
)

FALLBACK = {"template": template_message("report_ready", "en", body=["{{ recipient.name }}"])}

pytestmark = pytest.mark.usefixtures("asked_often", "pushed_to_receiver")


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """The receiver may take long to report the windows, as on a busy machine."""
    monkeypatch.setattr("airflow_provider_itnio.broadcast.fallbacks._TIMEOUT", 60)


def person(name):
    return {"phone": new_number(), "name": name}


@pytest.fixture
def closed():
    """A number whose window is closed, in the receiver too."""
    return person("Clo")


@pytest.fixture
def misjudged(receiver):
    """A number whose window is closed, but open in the receiver."""
    found = person("Mis")
    wrote_now(receiver, found)
    return found


@pytest.fixture
def opened(receiver, sandbox):
    found = person("Ope")
    wrote_now(receiver, found)
    sandbox.window_open(found["phone"])
    return found


def wrote_now(receiver, found):
    number = found["phone"]
    event = text_push(f"from-{number}-{time.time_ns()}", "hi", phone=number, at=int(time.time()))
    assert receiver.push(event) == 200


def falling_back(recipients, store=None, **fields):
    given = {"text": "Hi {{ recipient.name }}", "fallback": FALLBACK, "wait_timeout": 600} | fields
    return broadcast_run(recipients, store=store, **given)


def sent(sandbox):
    """Return the type of each message by recipient, in order."""
    types = {}
    for message in sandbox.messages:
        types.setdefault(message.recipient, []).append(message.type)
    return types


def names_in(sandbox):
    return [
        one.body["template"]["components"][0]["parameters"][0]["text"]
        for one in sandbox.messages
        if one.type == "template"
    ]


@pytest.mark.parametrize("word", ["accepted", "delivered"])
def test_the_text_goes_to_open_windows_and_the_template_to_closed_ones(word, store, sandbox, closed, opened):
    run = falling_back([closed, opened], store, wait_for=word, keep_receipts=True)
    summary = run.once()
    assert sent(sandbox) == {closed["phone"]: ["template"], opened["phone"]: ["text"]}
    assert names_in(sandbox) == ["Clo"]
    assert (summary["accepted"], summary["fallbacks"]) == (2, 1)
    assert {one["recipient"]: one["type"] for one in summary["receipts"]} == {
        closed["phone"]: "template",
        opened["phone"]: "text",
    }


def test_a_text_that_failed_for_the_window_is_followed_by_the_template(
    store, sandbox, misjudged, opened, closed, caplog
):
    run = falling_back([misjudged, opened, closed], store, wait_for="delivered", keep_receipts=True)
    summary = run.once()
    assert sent(sandbox) == {
        misjudged["phone"]: ["text", "template"],
        opened["phone"]: ["text"],
        closed["phone"]: ["template"],
    }
    counts = counts_of(summary)
    assert (counts["accepted"], counts["fallbacks"]) == (3, 2)
    assert summary["delivered"] + summary["read"] == 3
    last = {one.recipient: one.id for one in sandbox.messages}
    assert {one["recipient"]: one["message_id"] for one in summary["receipts"]} == last
    assert "131047, the recipient has not written in the last 24 hours" in caplog.text
    assert "The fallback is sent instead" in caplog.text
    # A retry after the worker was lost behind the last message sends nothing again.
    again = run.once()
    assert counts_of(again)["accepted_earlier"] == again["delivered"] + again["read"] == 3
    assert again["fallbacks"] == 2
    assert len(sandbox.messages) == 4


def test_each_message_to_the_same_recipient_falls_back_separately(store, sandbox, misjudged):
    entries = [{**misjudged, "name": name} for name in ("a", "b", "c")]
    summary = falling_back(entries, store, wait_for="delivered").once()
    assert counts_of(summary)["fallbacks"] == 3
    assert sorted(names_in(sandbox)) == ["a", "b", "c"]
    assert len(sandbox.messages) == 6


@for_each("make", OF_MANY.values())
def test_a_fallback_may_be_the_same_for_all_recipients(make, sandbox, closed):
    def made():
        one = make(fallback={"template": template_message("x", "en", body=["{{ params.get('n', 7) }}"])})
        one.recipients = [closed["phone"]]
        return one

    assert TaskRun(made).once()["fallbacks"] == 1
    assert names_in(sandbox) == ["7"]


class WorkerIsKilled(BaseException):
    """An exception that no code of the task catches."""


@for_each("delivery", ["at_least_once", "at_most_once"])
def test_a_worker_lost_before_the_failure_is_known_sends_the_fallback_in_a_retry(
    delivery, store, sandbox, misjudged, monkeypatch
):
    run = falling_back([misjudged], store, wait_for="delivered", delivery=delivery)

    def killed(*_, **__):
        raise WorkerIsKilled

    with monkeypatch.context() as patch:
        patch.setattr(status_watch.StatusWatch, "_apply", killed)
        with pytest.raises(WorkerIsKilled):
            run.once()
    assert sent(sandbox) == {misjudged["phone"]: ["text"]}
    assert counts_of(run.once())["fallbacks"] == 1
    assert sent(sandbox) == {misjudged["phone"]: ["text", "template"]}


@for_each("delivery", ["at_least_once", "at_most_once"])
@for_each("fault", [{"http_status": 429}, {"drop": "after_accepting"}])
def test_a_fallback_not_sent_or_unknown_is_sent_by_a_retry_without_its_text(
    delivery, fault, store, sandbox, misjudged, connect, receiver
):
    """The text is never sent again."""
    connect(extra=receiver.extra | {"max_attempts": 1})
    sandbox.fail_next(1, delay=0.001)
    sandbox.fail_next(1, **fault)
    run = falling_back([misjudged], store, wait_for="delivered", delivery=delivery)
    is_final = "drop" in fault and delivery == "at_most_once"
    if is_final:
        fails_at_once(run)
        fails_at_once(run)
    else:
        may_be_tried_again(run, ItnioError)
        assert counts_of(run.once())["fallbacks"] == 1
    templates = [request for request in sandbox.requests if "template" in str(request.body)]
    assert len(templates) == (1 if is_final else 2)
    assert len(sandbox.requests) - len(templates) == 1


@for_each("fault", [{"http_status": 429}, {"drop": "after_accepting"}])
def test_without_a_record_a_failed_fallback_leaves_no_retries(fault, sandbox, misjudged, connect, receiver):
    connect(extra=receiver.extra | {"max_attempts": 1})
    sandbox.fail_next(1, delay=0.001)
    sandbox.fail_next(1, **fault)
    run = falling_back([misjudged], wait_for="delivered")
    assert "without a delivery record, a retry would message people again" in str(fails_at_once(run))
    assert counts_of(run.summary)["not_sent" if "http_status" in fault else "unknown"] == 1


@pytest.fixture
def before_fallbacks(monkeypatch):
    """Call a function after texts have failed, before their fallbacks are sent."""
    real = AcceptedMessages._fall_back

    def patch(happens):
        def with_it(self, *given):
            real(self, *given)
            happens(self)

        monkeypatch.setattr(AcceptedMessages, "_fall_back", with_it)

    return patch


def test_without_a_record_a_stop_before_the_fallback_leaves_no_retries(sandbox, misjudged, before_fallbacks):
    run = falling_back([misjudged], wait_for="delivered")
    before_fallbacks(lambda _: run.operator.on_kill())
    assert "without a delivery record, a retry would message people again" in str(fails_at_once(run))
    assert sent(sandbox) == {misjudged["phone"]: ["text"]}


@pytest.mark.usefixtures("quick_writes")
def test_an_unrecorded_text_and_its_fallback_count_once(store, misjudged, before_fallbacks):
    run = falling_back([misjudged], store, wait_for="delivered")
    store.fail(OSError("away"), after=1)  # only the record's head is written
    with pytest.raises(AirflowFailException, match="RecordError: 1 messages were accepted but not recorded"):
        run.once()


def test_after_an_unknown_fallback_a_clear_does_not_send_the_text_again(
    store, sandbox, misjudged, monkeypatch
):
    """The worker is lost before the fallback's answer, and a user clears the task."""
    run = falling_back([misjudged], store, wait_for="delivered", delivery="at_most_once")
    real = Broadcast._send

    async def killed(self, queued):
        if queued.is_fallback:
            monkeypatch.setattr(self._record, "flush", lambda: None)
            raise WorkerIsKilled
        await real(self, queued)

    with monkeypatch.context() as patch:
        patch.setattr(Broadcast, "_send", killed)
        with pytest.raises(WorkerIsKilled):
            run.once()
    fails_at_once(run)
    run.clear()
    assert counts_of(run.once())["fallbacks"] == 1
    assert sent(sandbox) == {misjudged["phone"]: ["text", "template"]}


def test_few_fallbacks_are_rendered_ahead(sandbox, receiver, monkeypatch, before_fallbacks):
    """Many texts may fail at once; their fallbacks are rendered only as they can be sent."""
    monkeypatch.setattr(accepted_messages, "_MAX_FALLBACKS", 2)
    monkeypatch.setattr(status_watch, "MAX_IDS", 2)
    people = [person(str(n)) for n in range(9)]
    for one in people:
        wrote_now(receiver, one)
    waiting = []
    before_fallbacks(lambda messages: waiting.append(len(messages.fallbacks)))
    monkeypatch.setattr(
        status_watch.StatusWatch, "watch", lambda self: asyncio.sleep(600)
    )  # all texts fail at once
    assert counts_of(falling_back(people, wait_for="delivered").once())["fallbacks"] == 9
    assert max(waiting) <= 3


def test_a_fallback_that_fails_too_is_final(store, sandbox, misjudged, receiver):
    """A template's failure can't be due to the window, whatever its code."""
    number = "99960000047"  # 131047 for each message, whatever its type
    event = text_push(f"from-{number}-{time.time_ns()}", "hi", phone=number, at=int(time.time()))
    receiver.push(event)
    run = falling_back([{"phone": number, "name": "x"}], store, wait_for="sent")
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 1, "not_delivered": 1, "fallbacks": 1}
    fails_at_once(run)
    assert sent(sandbox) == {number: ["text", "template"]}
    run.clear()  # starts again
    fails_at_once(run)
    assert sent(sandbox) == {number: ["text", "template", "text", "template"]}


def test_a_failure_for_another_reason_sends_no_fallback(store, sandbox, receiver):
    number = "99960000026"  # 131026
    event = text_push(f"from-{number}-{time.time_ns()}", "hi", phone=number, at=int(time.time()))
    receiver.push(event)
    fails_at_once(falling_back([{"phone": number, "name": "x"}], store, wait_for="sent"))
    assert sent(sandbox) == {number: ["text"]}


def test_a_message_that_is_a_template_is_sent_in_place_of_the_fallback(sandbox, closed):
    own = {"template": template_message("own", "en")}
    run = falling_back([closed], text=None, message=own)
    assert counts_of(run.once()) == {"accepted": 1}
    assert [one.body["template"]["name"] for one in sandbox.messages] == ["own"]


def test_a_fallback_that_cannot_be_rendered_fails_only_its_recipient(store, sandbox, closed, opened):
    """The other recipients get their messages."""
    nameless = [{"phone": closed["phone"]}, {"phone": opened["phone"]}]
    run = falling_back(nameless, store, text="Hi")
    error = fails_at_once(run)
    assert "fallback.template" in str(error)
    assert counts_of(run.summary) == {"accepted": 1, "invalid": 1}
    assert sent(sandbox) == {opened["phone"]: ["text"]}


def test_a_fallback_that_cannot_be_rendered_after_a_failed_text_is_not_delivered(store, sandbox, misjudged):
    run = falling_back([{"phone": misjudged["phone"]}], store, text="Hi", wait_for="delivered")
    error = fails_at_once(run)
    assert "131047, and the fallback can't be sent: fallback.template" in str(error)
    assert counts_of(run.summary) == {"accepted": 1, "not_delivered": 1}


@for_each("in_flight", [1, 3])
def test_with_a_fallback_at_most_max_in_flight_messages_are_in_flight(in_flight, sandbox, traffic):
    people = [person(str(n)) for n in range(20)]
    sandbox.fail_next(20, delay=0.02)
    falling_back(people, max_in_flight=in_flight).once()
    assert traffic.peak <= in_flight
    assert set(times_sent(sandbox).values()) == {1}


def test_with_an_unreachable_receiver_the_texts_are_sent(sandbox, connect, closed_port, caplog):
    connect(extra={"receiver_url": f"http://127.0.0.1:{closed_port}", "receiver_token": READ_TOKEN})
    people = [person(str(n)) for n in range(60)]
    assert counts_of(falling_back(people).once()) == {"accepted": 60}
    assert {one.type for one in sandbox.messages} == {"text"}
    assert caplog.text.count("The messages themselves are sent, not the fallback") == 1


def test_a_receiver_that_does_not_answer_delays_messages_once(sandbox, connect, caplog, monkeypatch):
    """The receiver is called for a limited time, then the other messages are sent without calling it."""
    monkeypatch.setattr("airflow_provider_itnio.broadcast.fallbacks._TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        connect(extra={"receiver_url": url, "receiver_token": READ_TOKEN, "timeout": 2})
        people = [person(str(n)) for n in range(60)]
        assert counts_of(falling_back(people).once()) == {"accepted": 60}
    assert caplog.text.count("The messages themselves are sent, not the fallback") == 1


def test_without_a_receiver_in_the_connection_nothing_is_sent(sandbox, connect, receiver, closed):
    connect(extra=receiver.extra | {"receiver_url": None})
    assert "receiver_url: is missing" in str(fails_at_once(falling_back([closed])))
    assert not sandbox.requests


@for_each("returned", [None, {"text": "x"}, "text"])
def test_a_fallback_function_that_returns_no_template_fails_the_recipients_message(returned, sandbox, closed):
    run = falling_back([closed], fallback=lambda context, jinja_env: returned)
    assert "fallback: must be" in str(fails_at_once(run))
    assert not sandbox.messages


def test_an_upstream_output_as_the_fallback_is_refused_with_a_hint():
    with DAG("report", schedule=None):

        @task
        def found():
            return FALLBACK

        with pytest.raises(InvalidMessageError, match=r"fallback: .*shared="):
            WhatsAppBroadcastOperator(
                task_id="tell", recipients=["8613900000001"], text="x", fallback=found()
            )


@pytest.mark.parametrize(("fallback", "told"), WRONG)
def test_an_invalid_fallback_at_run_time_fails_the_task_before_sending(fallback, told, sandbox, opened):
    """As in a mapped broadcast."""

    def made():
        one = falling_back([opened]).make()
        one.fallback = fallback
        return one

    with pytest.raises(AirflowFailException, match=told):
        TaskRun(made).once()
    assert not sandbox.requests

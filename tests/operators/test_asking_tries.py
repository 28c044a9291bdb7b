"""How a question ends: without an answer, in a retry, and when its task is cleared."""

from __future__ import annotations

import json
import threading
import time

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, AirflowTaskTimeout

from airflow_provider_itnio.api.errors import NotSentError, ReceiverError
from tests.operators.proxies import proxy_of
from tests.operators.questions import (
    ANA,
    BEN,
    OPTIONS,
    asking,
    chosen,
    deferred,
    ended,
    heard,
    ids_in,
    message_has_arrived,
    push_choice,
    resumed,
    tap,
    time_is_up,
    triggered,
    unanswered,
    write,
)
from tests.tables import for_each
from tests.task_runs import TaskStateStore, fails_at_once, may_be_tried_again

pytestmark = pytest.mark.usefixtures("people")


@for_each(
    ("if_no_answer", "deferrable"), [("fail", False), ("leave", False), ("skip", True), ("leave", True)]
)
def test_without_an_answer_if_no_answer_decides(deferrable, if_no_answer, maybe_store, sandbox, receiver):
    run = asking(maybe_store, deferrable=deferrable, if_no_answer=if_no_answer, answer_within=1)

    def result():
        return unanswered(run, receiver) if deferrable else run.once()

    if if_no_answer == "leave":
        assert result() == {"answer": "leave", "answered_by": None, "answered_at": None}
    else:
        stops = {"fail": AirflowFailException, "skip": AirflowSkipException}[if_no_answer]
        with pytest.raises(stops, match="No answer within 0:00:01"):
            result()
    assert len(sandbox.messages) == 1


def test_an_answer_after_answer_within_does_not_count(receiver, sandbox):
    left = deferred(run := asking(deferrable=True, if_no_answer="leave"))
    (message,) = sandbox.messages
    later = int(time.time()) + 60
    heard(receiver, lambda: push_choice(receiver, chosen(ids_in(message)[0]), timestamp=later))
    time_is_up(left)
    assert ended(run, left)["answered_by"] is None


def test_a_retry_does_not_ask_again_and_waits_until_the_same_time(store, sandbox):
    run = asking(store, recipients=[ANA, BEN], deferrable=True)
    first, second = deferred(run), deferred(run)
    assert first.trigger.question == second.trigger.question
    tap(sandbox, sandbox.messages[0])
    assert ended(run, second)["answer"] == "again"
    assert len(sandbox.messages) == 2


CHANGED = {
    "order": (OPTIONS, dict(reversed(OPTIONS.items())), "1"),
    "titles": (
        {"again": "Table one", "leave": "Table two"},
        {"again": "Table two", "leave": "Table one"},
        "table one",
    ),
    "keys": (OPTIONS, {"now": "Load again", "never": "Leave it"}, "Load again"),
}


@for_each(("shown", "later", "typed"), CHANGED.values())
def test_an_answer_is_matched_with_the_options_that_were_sent(shown, later, typed, store, sandbox, caplog):
    run = asking(store, deferrable=True, options=shown)
    deferred(run)
    run.make = asking(deferrable=True, options=later).make
    with caplog.at_level("WARNING"):
        left = deferred(run)
    assert "The options have changed since the question was sent" in caplog.text
    write(sandbox, typed)
    assert ended(run, left)["answer"] == "again"
    assert len(sandbox.messages) == 1


def another_second(sandbox):
    """Wait until messages get a later second than the ones before."""
    time.sleep(max(0.0, sandbox.replies[-1].at.timestamp() + 1.1 - time.time()))


@pytest.fixture
def lost_after_asking(store, sandbox):
    """Ask, and lose the worker after the message was sent and before it is recorded."""

    def lose(run):
        def lost(key, value):
            if "/message/" in key:
                raise KeyboardInterrupt

        store.before_write = lost
        with pytest.raises(KeyboardInterrupt):
            run.once()
        store.before_write = lambda key, value: None
        assert len(sandbox.messages) == 1

    return lose


def test_a_text_that_answers_a_lost_workers_question_counts(store, sandbox, receiver, lost_after_asking):
    lost_after_asking(run := asking(store, deferrable=True))
    heard(receiver, lambda: write(sandbox, "again"))
    another_second(sandbox)
    left = deferred(run)
    assert len(sandbox.messages) == 2
    assert ended(run, left)["answer"] == "again"


def test_a_text_that_answers_a_lost_workers_other_options_does_not_count(
    store, sandbox, receiver, lost_after_asking
):
    lost_after_asking(run := asking(store, deferrable=True, if_no_answer="leave"))
    heard(receiver, lambda: write(sandbox, "1"))
    another_second(sandbox)
    options = dict(reversed(OPTIONS.items()))
    run.make = asking(deferrable=True, if_no_answer="leave", options=options).make
    assert unanswered(run, receiver)["answered_by"] is None


def test_a_text_from_a_recipient_no_try_has_asked_does_not_count(store, sandbox, receiver):
    fields = {"recipients": [ANA, BEN], "deferrable": True, "if_no_answer": "leave"}
    run = asking(store, **fields)
    sandbox.fail_next(http_status=403)  # affects the connection, so Ben is not asked
    fails_at_once(run)
    heard(receiver, lambda: write(sandbox, "again", BEN))
    another_second(sandbox)
    run.clear()
    assert unanswered(run, receiver)["answered_by"] is None


def test_a_record_of_an_earlier_version_is_read(store, sandbox):
    run = asking(store, deferrable=True)
    deferred(run)
    written = json.loads(store.kept["whatsapp/question"])
    written = json.dumps({name: written[name] for name in written if name not in ("shown", "cursor")})
    store.kept["whatsapp/question"] = written
    tap(sandbox, sandbox.messages[0])
    assert ended(run, deferred(run))["answer"] == "again"


def time_on_record_is_up(store):
    """End the time of a question in its record, and return that record."""
    written = json.loads(store.kept["whatsapp/question"]) | {"ends_at": time.time()}
    store.kept["whatsapp/question"] = json.dumps(written)
    return written


def test_a_retry_finds_an_answer_that_arrived_while_no_task_waited(store, sandbox, receiver):
    deferred(run := asking(store, deferrable=True))
    heard(receiver, lambda: tap(sandbox, sandbox.messages[0]))
    time_on_record_is_up(store)
    assert run.once()["answer"] == "again"
    assert len(sandbox.messages) == 1


def test_a_retry_after_the_time_ends_without_an_answer(store, sandbox, receiver):
    run = asking(store, deferrable=True)
    message_has_arrived(receiver, deferred(run))
    time_on_record_is_up(store)
    assert "No answer within" in str(fails_at_once(run))
    run.clear()  # a user clears the task to ask again
    left = deferred(run)
    assert len(sandbox.messages) == 2
    tap(sandbox, sandbox.messages[1])
    assert ended(run, left)["answer"] == "again"


def test_the_time_starts_when_the_first_recipient_is_asked(store, sandbox):
    run = asking(store, deferrable=True)
    sandbox.fail_next(status=-114)
    fails_at_once(run)  # no recipient was asked
    written = time_on_record_is_up(store)
    run.clear()
    question = deferred(run).trigger.question
    assert question["ends_at"] > written["ends_at"] + 50
    assert question["id"] == written["question"]


def test_a_task_cleared_while_it_waits_waits_for_the_same_question(store, sandbox):
    run = asking(store, deferrable=True)
    first = deferred(run)
    run.clear()
    assert deferred(run).trigger.question == first.trigger.question
    assert len(sandbox.messages) == 1


def test_a_task_cleared_after_its_answer_asks_a_new_question(store, sandbox):
    run = asking(store, deferrable=True)
    left = deferred(run)
    tap(sandbox, sandbox.messages[0])
    ended(run, left)
    run.clear()
    second = deferred(run)
    assert second.trigger.question["id"] != left.trigger.question["id"]
    assert len(sandbox.messages) == 2


def test_a_retry_returns_the_answer_found_before_and_does_not_reopen_the_question(store, sandbox, receiver):
    run = asking(store, deferrable=True)
    left = deferred(run)
    tap(sandbox, sandbox.messages[0])
    event = triggered(left.trigger)
    run.try_number -= 1
    found = run.operator.resume_execution(left.method_name, {"event": event}, run.begin())
    # Here the worker is lost, and another question is answered.
    other = deferred(another := asking(TaskStateStore(), task_id="another", deferrable=True))
    write(sandbox, "leave")
    assert run.once() == found
    assert ended(another, other)["answer"] == "leave"
    run.clear()
    deferred(run)  # after a success it asks again
    assert len(sandbox.messages) == 3


def test_a_retry_whose_receiver_is_behind_a_failing_proxy_leaves_the_retries(
    store, sandbox, connect, receiver
):
    run = asking(store, deferrable=True)
    deferred(run)
    with proxy_of(receiver) as proxy:
        connect(extra=receiver.extra | {"receiver_url": proxy.url})
        proxy.be_down(404)
        may_be_tried_again(run, ReceiverError)
        left = deferred(run)
        tap(sandbox, sandbox.messages[0])
        assert ended(run, left)["answer"] == "again"


def test_a_recipient_asked_in_a_previous_try_may_answer_after_recipients_changed(store, sandbox):
    run = asking(store, recipients=[ANA], deferrable=True)
    deferred(run)
    run.make = asking(recipients=[BEN], deferrable=True).make
    deferred(run)
    assert [one.recipient for one in sandbox.messages] == [ANA, BEN]
    left = deferred(run)
    tap(sandbox, sandbox.sent_to(ANA)[0])
    assert ended(run, left)["answered_by"] == ANA
    assert len(sandbox.messages) == 2


def test_a_deferral_that_timed_out_still_finds_the_answer(store, sandbox):
    run = asking(store, deferrable=True)
    left = deferred(run)
    tap(sandbox, sandbox.messages[0])
    run.make = asking(deferrable=False).make
    left.method_name = "__fail__"
    assert resumed(run, left, error="Trigger timeout")["answer"] == "again"


def test_a_failed_trigger_leaves_the_retries_only_with_a_record(maybe_store, sandbox):
    left = deferred(run := asking(maybe_store, deferrable=True))
    left.method_name = "__fail__"
    with pytest.raises(Exception, match="Trigger failure") as raised:
        resumed(run, left, error="Trigger failure")
    assert isinstance(raised.value, AirflowFailException) == (maybe_store is None)


@for_each("ended_by", [AirflowTaskTimeout("time"), ValueError("a bug")])
def test_an_error_during_the_wait_leaves_the_retries_only_with_a_record(ended_by, maybe_store, monkeypatch):
    def ends(*_):
        raise ended_by

    monkeypatch.setattr("airflow_provider_itnio.operators._asking.wait_for_answer", ends)
    run = asking(maybe_store)
    if maybe_store:
        may_be_tried_again(run, type(ended_by))
    else:
        assert "the message was accepted, and without" in str(fails_at_once(run, type(ended_by)))


def test_without_a_record_a_cleared_tasks_new_question_replaces_the_earlier_one(sandbox):
    run = asking(deferrable=True)
    deferred(run)
    run.clear()
    left = deferred(run)
    write(sandbox, "again")
    assert ended(run, left)["answer"] == "again"


@for_each("if_no_answer", ["fail", "skip", "leave"])
def test_if_no_answer_is_not_used_if_nothing_is_pushed_to_the_receiver(if_no_answer, store, sandbox):
    sandbox.push_to(None)
    run = asking(store, deferrable=True, if_no_answer=if_no_answer)
    time_is_up(left := deferred(run))
    with pytest.raises(ReceiverError, match="Itniotech does not push to it"):
        ended(run, left)


@for_each("deferrable", [False, True])
@for_each("code", [401, 404])
def test_401_or_404_instead_of_the_receiver_for_a_while_does_not_end_the_wait(
    code, deferrable, sandbox, connect, receiver, monkeypatch
):
    monkeypatch.setattr("airflow_provider_itnio.api.answer_wait.RETRY_DELAY", 0.1)
    with proxy_of(receiver) as proxy:
        connect(extra=receiver.extra | {"receiver_url": proxy.url})
        run = asking(deferrable=deferrable, answer_within=60)

        def happens():
            (message,) = sandbox.wait_for(1)
            proxy.be_down(code)
            tap(sandbox, message)

        if deferrable:
            left = deferred(run)
            happens()
            assert ended(run, left)["answer"] == "again"
        else:
            later = threading.Thread(target=happens)
            later.start()
            assert run.once()["answer"] == "again"
            later.join()


def test_if_no_answer_is_not_used_while_the_receiver_is_unreachable(
    store, sandbox, connect, closed_port, receiver
):
    run = asking(store, deferrable=True, if_no_answer="again", answer_within=1)
    left = deferred(run)
    connect(extra=receiver.extra | {"receiver_url": f"http://127.0.0.1:{closed_port}"})
    with pytest.raises(ReceiverError, match="It is unknown whether anyone has answered"):
        ended(run, left)
    connect(extra=receiver.extra)
    assert run.once()["answered_by"] is None
    assert len(sandbox.messages) == 1


@for_each(
    ("extra", "told"),
    [
        ({"receiver_url": None}, "receiver_url: is missing"),
        ({"receiver_token": "another-token-0123456789"}, "receiver_token: the receiver does not accept it"),
    ],
)
def test_with_a_missing_or_wrong_receiver_setting_no_question_is_sent(
    extra, told, sandbox, connect, receiver
):
    connect(extra=receiver.extra | extra)
    assert told in str(fails_at_once(asking()))
    assert not sandbox.requests


def test_with_an_unreachable_receiver_no_question_is_sent_and_retries_are_left(
    sandbox, connect, closed_port, receiver
):
    connect(extra=receiver.extra | {"receiver_url": f"http://127.0.0.1:{closed_port}"})
    may_be_tried_again(asking(), NotSentError)
    assert not sandbox.requests

"""A typed text that may be an answer: the task fails, and ``if_no_answer`` is not used."""

from __future__ import annotations

import threading
import time

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_itnio.api.answer_wait import AnswerWait
from airflow_provider_itnio.api.question import Question
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.messages import template_message
from airflow_provider_itnio.operators._waiting import wait_for_answer
from tests.operators.questions import (
    ANA,
    BEN,
    asking,
    deferred,
    ended,
    heard,
    open_to,
    resumed,
    tap,
    time_is_up,
    triggered,
    unanswered,
    write,
)
from tests.receiver.running import new_number, running_receiver

pytestmark = pytest.mark.usefixtures("people")


@pytest.mark.parametrize(
    ("if_no_answer", "deferrable"), [("fail", True), ("skip", True), ("leave", True), ("leave", False)]
)
def test_a_text_that_may_answer_another_question_fails_the_task(if_no_answer, deferrable, sandbox, receiver):
    deferred(asking(task_id="another", deferrable=True, answer_within=60))
    run = asking(deferrable=deferrable, answer_within=3, if_no_answer=if_no_answer)
    told = (
        "There is no clear answer. 86…01 typed 'leave': more than one question is "
        r"open to this number. Clear the task to ask again.*A tap"
    )
    if deferrable:
        left = deferred(run)
        heard(receiver, lambda: write(sandbox, "Leave it"))
        time_is_up(left)
        with pytest.raises(AirflowFailException, match=told):
            ended(run, left)
    else:
        later = threading.Thread(target=lambda: sandbox.wait_for(2) and write(sandbox, "2"))
        later.start()
        with pytest.raises(AirflowFailException, match=told):
            run.once()
        later.join()


def test_a_text_after_an_unanswered_question_fails_the_next_and_a_clear_asks_again(
    store, sandbox, receiver, monkeypatch
):
    monkeypatch.setattr("airflow_provider_itnio.api.receiver.UNCLEAR_FOR", 900)
    sandbox.window_open(number := new_number())
    fields = {"recipients": [number], "deferrable": True, "if_no_answer": "leave"}
    assert unanswered(asking(task_id="first", **fields), receiver)["answered_by"] is None
    left = deferred(run := asking(store, **fields))
    heard(receiver, lambda: write(sandbox, "again", number))
    time_is_up(left)
    with pytest.raises(AirflowFailException, match="another question to this number was just closed"):
        ended(run, left)
    run.clear()
    left = deferred(run)
    tap(sandbox, sandbox.messages[-1])
    assert ended(run, left)["answer"] == "again"


def test_an_unclear_text_is_kept_when_the_template_is_sent(sandbox, receiver):
    number = new_number()
    heard(receiver, lambda: write(sandbox, "hello", number))
    run = asking(recipients=[number], template=template_message("ask", "en"), deferrable=True)
    question = (left := deferred(run)).trigger.question
    failed = {question["asked"][0]["message_id"]: {"failure": "131047: window", "code": 131047}}
    event = {"question": question, "answer": None, "failed": failed, "problem": "", "unclear": "Ana typed"}
    with pytest.raises(TaskDeferred) as again:
        resumed(run, left, {**event, "cursor": question["cursor"], "is_pushed_to": True})
    assert again.value.trigger.question["unclear"] == "Ana typed"


@pytest.mark.parametrize("way", ["worker", "triggerer"])
def test_the_question_is_opened_again_at_a_receiver_with_a_new_database(way, sandbox, connect, tmp_path):
    left = deferred(asking(deferrable=True, answer_within=60))
    with running_receiver(f"sqlite:///{tmp_path}/new.db", tmp_path) as new:
        connect(extra=new.extra)
        sandbox.push_to(new.push_url)

        def answers_once_it_is_known():
            while not open_to(ANA, sandbox, new):
                time.sleep(0.1)
            write(sandbox, "again")

        later = threading.Thread(target=answers_once_it_is_known)
        later.start()
        if way == "triggerer":
            found = triggered(left.trigger)
        else:
            secret = ItnioHook().account().credentials.secret
            found = wait_for_answer(
                ItnioHook(), AnswerWait(Question.from_dict(left.trigger.question), secret)
            )
        later.join()
    assert found["answer"]["answer"] == "again"


def test_a_text_before_the_question_is_open_in_a_new_database_fails_the_task(sandbox, connect, tmp_path):
    left = deferred(run := asking(deferrable=True, if_no_answer="leave"))
    with running_receiver(f"sqlite:///{tmp_path}/new.db", tmp_path) as new:
        connect(extra=new.extra)
        sandbox.push_to(new.push_url)
        heard(new, lambda: write(sandbox, "again"))
        time_is_up(left)
        with pytest.raises(AirflowFailException, match="the receiver did not list the question as open"):
            ended(run, left)


@pytest.mark.parametrize("why", ["failed", "refused"])
def test_a_question_that_did_not_reach_a_recipient_does_not_make_their_text_unclear(why, sandbox, receiver):
    late = new_number()
    if why == "refused":
        sandbox.fail_next(status=-70)
    first = deferred(asking(task_id="first", recipients=[late, BEN], deferrable=True, answer_within=60))
    waiting = threading.Thread(target=triggered, args=(first.trigger,))
    waiting.start()
    sandbox.window_open(late)
    second = deferred(run := asking(recipients=[late], deferrable=True, answer_within=60))

    while len(open_to(late, sandbox, receiver)) > 1:
        time.sleep(0.1)
    write(sandbox, "again", late)
    assert ended(run, second)["answer"] == "again"
    tap(sandbox, sandbox.sent_to(BEN)[0])
    waiting.join()


def test_a_tap_whose_code_a_changed_secret_makes_invalid_fails_the_task(sandbox, connect, receiver):
    left = deferred(run := asking(deferrable=True, if_no_answer="leave"))
    connect(extra=receiver.extra, password="another")
    heard(receiver, lambda: tap(sandbox, sandbox.messages[0]))
    time_is_up(left)
    with pytest.raises(AirflowFailException, match="tapped 'again': its code is not valid"):
        ended(run, left)

"""Which recipients a question reaches, and with which message."""

from __future__ import annotations

import threading

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_itnio.api.errors import NotSentError, RecordError, UnknownOutcomeError
from airflow_provider_itnio.messages import template_message
from tests.operators.proxies import proxy_of
from tests.operators.questions import (
    ANA,
    BEN,
    NEVER_WROTE,
    UNDELIVERABLE,
    as_of_jsonb,
    asking,
    deferred,
    ended,
    heard,
    ids_in,
    resumed,
    tap,
    triggered,
    write,
)
from tests.tables import for_each
from tests.task_runs import may_be_tried_again

pytestmark = pytest.mark.usefixtures("people")


TEMPLATE = template_message("what_now", "en", body=["the load"])


def test_a_recipient_with_a_closed_window_is_asked_with_the_template(sandbox, receiver):
    heard(receiver, lambda: write(sandbox, "hello"))
    left = deferred(run := asking(recipients=[ANA, NEVER_WROTE], template=TEMPLATE, deferrable=True))
    to_ana, to_ben = sandbox.messages
    assert (to_ana.type, to_ben.type) == ("interactive", "template")
    buttons = [one for one in to_ben.body["template"]["components"] if one["type"] == "button"]
    assert [one["index"] for one in buttons] == ["0", "1"]
    sandbox.reply(message_id=to_ben.id, quick_reply=1)
    assert ended(run, left)["answer"] == "leave"


@for_each("deferrable", [False, True])
def test_a_question_without_a_usable_message_id_can_be_answered(deferrable, sandbox, receiver):
    def asked(**fields):
        sandbox.fail_next(answer={"status": "0", "data": {"messageId": "x" * 150}})
        return asking(deferrable=deferrable, **fields)

    run = asked()
    if deferrable:
        left = deferred(run)
        write(sandbox, "again")
        assert ended(run, left)["answer"] == "again"
    else:
        later = threading.Timer(1, write, (sandbox, "again"))
        later.start()
        assert run.once()["answer"] == "again"
        later.join()
    run = asked(answer_within=1, if_no_answer="leave")
    told = "Itniotech returned no usable ids for the question's messages, and the receiver got no answer"
    with pytest.raises(AirflowFailException, match=f"ReceiverError: .*{told}"):
        ended(run, deferred(run)) if deferrable else run.once()


@for_each("deferrable", [False, True])
def test_a_question_that_fails_outside_the_window_is_sent_again_as_the_template(
    deferrable, maybe_store, sandbox, receiver
):
    heard(receiver, lambda: write(sandbox, "hello"))  # so that the receiver reports the window as open
    sandbox.window_open(ANA, is_open=False)
    options = {"load_again": "Load again", "leave": "Leave it"}
    run = asking(maybe_store, template=TEMPLATE, options=options, deferrable=deferrable)
    later = threading.Thread(
        target=lambda: sandbox.reply(message_id=sandbox.wait_for(2)[1].id, quick_reply=0)
    )
    later.start()
    if deferrable:
        first = deferred(run)
        with pytest.raises(TaskDeferred) as raised:
            resumed(run, first, as_of_jsonb(triggered(first.trigger)))
        assert [one[0] for one in raised.value.trigger.question["options"]] == ["load_again", "leave"]
        answer = ended(run, raised.value)
    else:
        answer = run.once()
    later.join()
    assert answer["answer"] == "load_again"
    assert [message.type for message in sandbox.messages] == ["interactive", "template"]
    if maybe_store:
        # A retry finds the same answer.
        assert run.once() == answer
        assert len(sandbox.messages) == 2


def test_no_template_is_sent_if_another_recipient_answers_before_the_resume(sandbox, receiver):
    for person in (ANA, BEN):
        heard(receiver, lambda person=person: write(sandbox, "hello", person))
    sandbox.window_open(ANA, is_open=False)
    first = deferred(run := asking(recipients=[ANA, BEN], template=TEMPLATE, deferrable=True))
    event = triggered(first.trigger)
    heard(receiver, lambda: tap(sandbox, sandbox.sent_to(BEN)[0]))
    assert resumed(run, first, event)["answered_by"] == BEN
    assert len(sandbox.messages) == 2


@for_each("deferrable", [False, True])
def test_a_question_that_reaches_no_recipient_fails_at_once(deferrable, maybe_store, sandbox):
    sandbox.window_open(ANA, is_open=False)
    run = asking(maybe_store, recipients=[ANA, UNDELIVERABLE], deferrable=deferrable, if_no_answer="again")
    with pytest.raises(
        AirflowFailException, match=r"The question was not delivered: 131047.*131026"
    ) as raised:
        ended(run, deferred(run)) if deferrable else run.once()
    assert "give template=…" in str(raised.value)
    assert len(sandbox.messages) == 2


def test_a_failed_message_does_not_end_the_wait_for_other_recipients(sandbox):
    left = deferred(run := asking(recipients=[UNDELIVERABLE, ANA], deferrable=True))
    tap(sandbox, sandbox.messages[1])
    assert ended(run, left)["answered_by"] == ANA


def test_a_refused_recipient_does_not_affect_the_others(sandbox, caplog):
    sandbox.fail_next(status=-70)
    left = deferred(run := asking(recipients=[BEN, ANA], deferrable=True))
    (message,) = sandbox.messages
    assert message.recipient == ANA
    assert "The question to 86…02: RecipientError" in caplog.text
    tap(sandbox, message)
    assert ended(run, left)["answered_by"] == ANA


@for_each(
    ("fault", "family"),
    [({"http_status": 429}, NotSentError), ({"drop": "after_accepting"}, UnknownOutcomeError)],
)
def test_if_no_recipient_could_be_asked_a_retry_asks_the_same_question(
    fault, family, store, sandbox, hasty_with_receiver
):
    run = asking(store, deferrable=True)
    sandbox.fail_next(**fault)
    may_be_tried_again(run, family)
    left = deferred(run)
    for message in sandbox.messages[
        :1
    ]:  # at_least_once may send a second message; a tap on the first counts too
        tap(sandbox, message)
    assert ended(run, left)["answer"] == "again"


def test_a_recipient_with_an_unknown_outcome_may_answer(sandbox, hasty_with_receiver):
    sandbox.fail_next(drop="after_accepting")
    left = deferred(run := asking(recipients=[BEN, ANA], deferrable=True))
    tap(sandbox, sandbox.sent_to(BEN)[0])
    assert ended(run, left)["answered_by"] == BEN


def test_no_question_is_sent_if_its_record_cannot_be_written(store, sandbox):
    store.fail(OSError("full"))
    may_be_tried_again(asking(store), RecordError)
    assert not sandbox.requests


def test_two_spellings_of_a_number_are_one_recipient_who_may_answer_from_either(sandbox):
    left = deferred(run := asking(recipients="+55 11 98765-4321, +55 11 8765-4321", deferrable=True))
    assert len(sandbox.messages) == 1
    write(sandbox, "again", "551187654321")
    assert ended(run, left)["answer"] == "again"


def test_the_trigger_and_the_record_contain_no_option_code(store, sandbox, connect):
    left = deferred(asking(store, deferrable=True))
    written = str(left.trigger.serialize()) + store.text
    assert not any(option in written for option in ids_in(sandbox.messages[0]))


def test_a_hanging_receiver_is_waited_for_once_for_all_recipients(
    sandbox, receiver, connect, monkeypatch, caplog
):
    monkeypatch.setattr("airflow_provider_itnio.hooks._receiver._RESPONSE_TIMEOUT", 3.0)
    people = [f"86152000001{n:02d}" for n in range(20)]
    with proxy_of(receiver) as proxy:
        proxy.hangs_at = "/v1/window"
        connect(extra=receiver.extra | {"receiver_url": proxy.url})
        deferred(asking(recipients=people, template=TEMPLATE, deferrable=True, answer_within=600))
    assert [one.type for one in sandbox.messages] == ["interactive"] * 20
    assert caplog.text.count("The receiver did not return 24-hour windows within 3 s") == 1
    assert caplog.text.count("The message itself is sent, not the WhatsApp template") == 1


def test_a_question_is_sent_although_the_receivers_proxy_answers_404_for_a_while(
    sandbox, receiver, connect, caplog
):
    with proxy_of(receiver) as proxy:
        connect(extra=receiver.extra | {"receiver_url": proxy.url})
        proxy.after(1, lambda: proxy.be_down(404, times=9))
        left = deferred(run := asking(template=TEMPLATE, deferrable=True, answer_within=600))
        assert [one.type for one in sandbox.messages] == ["interactive"]
        assert "HTTP 404" in caplog.text
        proxy.be_down(404, times=0)
        tap(sandbox, sandbox.messages[0])
        assert ended(run, left)["answer"] == "again"


def test_a_recipient_who_needs_a_template_that_was_removed_is_not_asked_again(
    store, sandbox, receiver, hasty_with_receiver, caplog
):
    heard(receiver, lambda: write(sandbox, "hello"))
    sandbox.window_open(ANA, is_open=False)
    run = asking(store, template=TEMPLATE, deferrable=True, answer_within=600)
    left = deferred(run)
    sandbox.fail_next(http_status=429)
    with pytest.raises(NotSentError):
        ended(run, left)
    run.make = asking(deferrable=True, answer_within=600).make
    with pytest.raises(AirflowFailException, match="Nothing sent: in a previous try"):
        run.once()
    assert "86…01 was not asked: a previous try of this task found that only a" in caplog.text
    assert [one.type for one in sandbox.messages] == ["interactive"]

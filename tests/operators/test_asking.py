"""Which answers to a question count, over the sandbox and a running receiver."""

from __future__ import annotations

import json
import os
import threading
import time
from enum import Enum

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_itnio.api.answer_wait import AnswerWait
from airflow_provider_itnio.api.errors import ConnectionLookupError
from tests.operators.questions import (
    ANA,
    BEN,
    STRANGER,
    asking,
    chosen,
    deferred,
    ended,
    heard,
    ids_in,
    push_choice,
    tap,
    write,
)
from tests.tables import for_each
from tests.task_runs import fails_at_once

pytestmark = pytest.mark.usefixtures("people")


@for_each("deferrable", [False, True])
def test_a_tap_on_an_option_is_an_answer(deferrable, maybe_store, sandbox):
    run = asking(maybe_store, recipients=[ANA, BEN], deferrable=deferrable)
    if deferrable:
        left = deferred(run)
        tap(sandbox, sandbox.messages[1], 1)
        answer = ended(run, left)
    else:
        later = threading.Thread(target=lambda: tap(sandbox, sandbox.wait_for(2)[1], 1))
        later.start()
        answer = run.once()
        later.join()
    (reply,) = sandbox.replies
    at = reply.at.replace(microsecond=0)
    assert answer == {"answer": "leave", "answered_by": BEN, "answered_at": at.isoformat()}
    assert [message.recipient for message in sandbox.messages] == [ANA, BEN]


def test_a_trigger_keeps_waiting_after_a_failed_connection_lookup(sandbox, monkeypatch):
    run = asking(deferrable=True)
    left = deferred(run)
    tap(sandbox, sandbox.messages[0], 1)
    name = "AIRFLOW_CONN_ITNIO_DEFAULT"
    held, take_error, errors = os.environ[name], AnswerWait.take_error, []

    def mended(wait, error):
        errors.append(error)
        os.environ[name] = held
        return take_error(wait, error)

    monkeypatch.delenv(name)
    monkeypatch.setattr(AnswerWait, "take_error", mended)
    assert ended(run, left)["answer"] == "leave"
    assert [type(error) for error in errors] == [ConnectionLookupError]


class Key(str, Enum):  # noqa: UP042 - whose text is not its value
    AGAIN = "again"
    LEAVE = "leave"


class Title(Enum):
    AGAIN = "Load again"
    LEAVE = "Leave it"


@for_each("are_pairs", [False, True])
def test_option_keys_and_titles_may_be_enum_members(are_pairs, sandbox):
    options = {key: Title[key.name] for key in Key}
    given = list(options.items()) if are_pairs else options
    left = deferred(run := asking(options=given, if_no_answer=Key.AGAIN, deferrable=True))
    (message,) = sandbox.messages
    titles = [button["reply"]["title"] for button in message.body["interactive"]["action"]["buttons"]]
    assert titles == ["Load again", "Leave it"]
    tap(sandbox, message, 1)
    assert ended(run, left)["answer"] == "leave"
    assert type(asking(options=given, if_no_answer=Key.AGAIN, answer_within=1).once()["answer"]) is str


def test_the_time_for_an_answer_starts_with_the_first_message_sent(store, sandbox):
    """Tries that were not sent do not use up the time."""
    sandbox.fail_next(http_status=429, headers={"Retry-After": "3"})
    left = deferred(run := asking(store, answer_within=2.5, if_no_answer="leave", deferrable=True))
    tap(sandbox, sandbox.messages[0])
    assert ended(run, left)["answer"] == "again"
    (kept,) = [json.loads(text) for key, text in store.kept.items() if key.endswith("question")]
    assert kept["ends_at"] == left.trigger.question["ends_at"]


def test_no_recipient_is_asked_after_the_time_for_an_answer_is_over(sandbox, logged):
    sandbox.fail_next(delay=0.001)
    sandbox.fail_next(http_status=429, headers={"Retry-After": "2"})
    run = asking(recipients=[ANA, BEN, STRANGER], answer_within=1.5, if_no_answer="leave")
    error = fails_at_once(run)
    assert [message.recipient for message in sandbox.messages] == [ANA, BEN]
    shown = f"{STRANGER[:2]}…{STRANGER[-2:]}"
    assert f"{shown} could not be asked: the time for an answer is over" in str(error)
    assert f"{shown} was not asked: the time for an answer is over" in logged()


@for_each("deferrable", [False, True])
@for_each(
    ("fault", "people", "why"),
    [
        ({"status": -68}, [ANA, BEN, STRANGER], " and 1 more could not be asked: AccountError: "),
        ({"http_status": 403}, [ANA, BEN, STRANGER], " and 1 more could not be asked: AuthenticationError: "),
        ({"http_status": 429, "count": 9}, [ANA, BEN], " could not be asked: NotSentError: "),
    ],
)
def test_if_no_answer_is_not_used_if_a_recipient_could_not_be_asked(
    fault, people, why, deferrable, sandbox, receiver, logged, quick_tries
):
    sandbox.fail_next(recipient=BEN, **fault)
    run = asking(recipients=people, answer_within=2, if_no_answer="leave", deferrable=deferrable)
    with pytest.raises(AirflowFailException) as caught:
        ended(run, deferred(run)) if deferrable else run.once()
    assert [message.recipient for message in sandbox.messages] == [ANA]
    shown = f"{BEN[:2]}…{BEN[-2:]}"
    assert f"There is no clear answer. {shown}{why}" in str(caught.value)
    assert f"{shown} was not asked: " in logged()


def test_an_answer_counts_although_another_recipient_could_not_be_asked(sandbox):
    sandbox.fail_next(recipient=BEN, status=-68)
    left = deferred(run := asking(recipients=[ANA, BEN], deferrable=True))
    tap(sandbox, sandbox.messages[0])
    assert ended(run, left)["answered_by"] == ANA


WORDS = ["again", " AGAIN ", "load again", "Load  Again", "1", "\uff11", "loadagain"]


@for_each("typed", WORDS)
def test_a_typed_key_title_or_number_is_an_answer(typed, sandbox):
    left = deferred(run := asking(deferrable=True))
    write(sandbox, typed)
    assert ended(run, left)["answer"] == "again"


def from_four_on():
    return {key: f"{key} hours, then we see" for key in ("one", "two", "three", "four")}


def test_four_or_more_options_are_sent_as_a_list(sandbox):
    left = deferred(run := asking(options=from_four_on(), deferrable=True))
    (message,) = sandbox.messages
    assert message.body["interactive"]["type"] == "list"
    tap(sandbox, message, 3)
    assert ended(run, left)["answer"] == "four"
    left = deferred(run := asking(options=from_four_on(), deferrable=True))
    write(sandbox, "3")
    assert ended(run, left)["answer"] == "three"


@pytest.fixture
def unanswered(sandbox, receiver, caplog):
    """Ask, call a function, and expect that it is not an answer but a tap that follows is."""

    def check(happens, why, **fields):
        left = deferred(run := asking(deferrable=True, **fields))
        question = sandbox.sent_to(ANA)[-1]
        cursor = receiver.get("/v1/incoming?after=latest")["cursor"]
        happens(question)
        if why:
            assert receiver.get(f"/v1/incoming?after={cursor}&wait=25")["messages"]
        tap(sandbox, question, 1)
        with caplog.at_level("INFO"):
            assert ended(run, left)["answer"] == "leave"
        lines = [line.message for line in caplog.records if "does not count as an answer" in line.message]
        assert [line.partition(": ")[2] for line in lines] == ([why] if why else [])
        assert not any(number in line for number in (ANA, STRANGER) for line in lines)

    return check


def test_a_message_from_a_number_that_was_not_asked_is_not_an_answer(sandbox, unanswered):
    unanswered(lambda question: write(sandbox, "again", STRANGER), "from a number that was not asked")


def test_a_text_that_is_no_option_is_not_an_answer(sandbox, unanswered):
    unanswered(lambda question: write(sandbox, "what?"), "none of the options")


def test_a_tap_on_an_earlier_questions_button_is_not_an_answer(sandbox, unanswered):
    left = deferred(run := asking(deferrable=True))
    (earlier,) = sandbox.messages
    tap(sandbox, earlier)
    ended(run, left)
    unanswered(lambda question: tap(sandbox, earlier), "a button of another message")


def test_a_message_written_before_the_question_is_not_an_answer(receiver, unanswered):
    push_choice(receiver, {"type": "text", "text": {"body": "again"}})
    unanswered(lambda question: None, None)


def test_a_late_push_of_a_message_written_before_the_question_is_not_an_answer(receiver, unanswered):
    text = {"type": "text", "text": {"body": "again"}}
    hour_ago = int(time.time()) - 3600
    unanswered(
        lambda question: push_choice(receiver, text, timestamp=hour_ago), "written before the question"
    )


@pytest.mark.parametrize(
    ("change", "sender", "why"),
    [
        (lambda option: option[:-2] + "xx", ANA, "its code is not valid"),
        (lambda option: "again" + option, ANA, "its code is not valid"),
        (lambda option: option, STRANGER, "the button of another person's question"),
        (lambda option: "again", ANA, "a button of another message"),
        (lambda option: "Load again", ANA, "a button of another message"),
    ],
    ids=["foreign signature", "another option", "of somebody else", "without a code", "title alone"],
)
def test_a_tap_without_a_valid_code_is_not_an_answer(change, sender, why, receiver, unanswered):
    def happens(question):
        push_choice(receiver, chosen(change(ids_in(question)[0])), sender)

    unanswered(happens, why)


def test_a_text_to_another_business_phone_is_not_an_answer(receiver, unanswered):
    text = {"type": "text", "text": {"body": "again"}}
    unanswered(
        lambda question: push_choice(receiver, text, businessPhone="8613800000099"),
        "written to another business phone",
    )


@for_each("spelled", ["+{}", "+{} ", "{}"])
def test_a_text_to_the_questions_business_phone_in_any_spelling_is_an_answer(spelled, receiver, sandbox):
    left = deferred(run := asking(deferrable=True))
    to = spelled.format(left.trigger.question["business_phone"])
    push_choice(receiver, {"type": "text", "text": {"body": "again"}}, businessPhone=to)
    assert ended(run, left)["answer"] == "again"


@for_each("timestamp", [None, "soon", [1]])
def test_texts_and_taps_with_an_unreadable_time_are_answers(timestamp, receiver, sandbox):
    for is_typed in (True, False):
        left = deferred(run := asking(deferrable=True))
        tapped = chosen(ids_in(sandbox.messages[-1])[0])
        message = {"type": "text", "text": {"body": "again"}} if is_typed else tapped
        push_choice(receiver, message, timestamp=timestamp)
        assert ended(run, left)["answer"] == "again"


def test_a_caption_is_not_an_answer(receiver, unanswered):
    image = {"type": "image", "image": {"filePath": "https://x/1.png", "caption": "again"}}
    unanswered(lambda question: push_choice(receiver, image), "none of the options")


SHAPES = {
    "button": lambda option: {"type": "interactive", "interactive": {"button_reply": option}},
    "row": lambda option: {"type": "interactive", "interactive": {"list_reply": option}},
    "flat": lambda option: {"type": "button_reply", "buttonReply": option},
    "quick reply": lambda option: {
        "type": "button",
        "button": {"payload": option["id"], "text": option["title"]},
    },
    "code as text": lambda option: {"type": "text", "text": {"body": option["id"]}},
    "title as text": lambda option: {"type": "text", "text": {"body": option["title"]}},
}


@for_each("place", ["inside message", "beside message"])
@for_each("shape", SHAPES)
def test_a_tap_pushed_in_any_shape_is_an_answer(shape, place, receiver, sandbox):
    left = deferred(run := asking(deferrable=True))
    (message,) = sandbox.messages
    held = SHAPES[shape]({"id": ids_in(message)[0], "title": "Load again"})
    is_text = held["type"] == "text"
    if place == "inside message" or is_text:
        push_choice(receiver, held)
    else:
        push_choice(receiver, {"type": "unknown"}, **held)
    assert ended(run, left)["answer"] == "again"


def test_a_choice_without_a_code_that_quotes_the_question_is_an_answer(receiver, sandbox):
    left = deferred(run := asking(deferrable=True))
    (message,) = sandbox.messages
    push_choice(receiver, {"type": "button", "button": {"text": "Load again"}, "context": {"id": message.id}})
    assert ended(run, left)["answer"] == "again"


def test_a_duplicate_push_and_a_second_answer_change_nothing(receiver, sandbox):
    left = deferred(run := asking(recipients=[ANA, BEN], deferrable=True))
    to_ana, to_ben = sandbox.messages
    for _ in range(2):
        push_choice(receiver, chosen(ids_in(to_ben)[0]), BEN, messageId=f"doubled-{to_ben.id}")
    tap(sandbox, to_ana, 1)
    answer = ended(run, left)
    assert (answer["answer"], answer["answered_by"]) == ("again", BEN)


@pytest.mark.usefixtures("people")
def test_a_text_that_may_answer_a_just_closed_question_does_not_answer_another(
    sandbox, receiver, monkeypatch, caplog
):
    monkeypatch.setattr("airflow_provider_itnio.api.receiver.UNCLEAR_FOR", 900)
    one, two = "8615200000011", "8615200000012"  # both stay unclear for a while
    for number in (one, two):
        sandbox.window_open(number)
    first = deferred(harmless := asking(recipients=[one, two], deferrable=True))
    second = deferred(drop := asking(recipients=[one, two], task_id="drop", deferrable=True))
    tap(sandbox, sandbox.sent_to(two)[0])
    ended(harmless, first)
    heard(receiver, lambda: write(sandbox, "again", one))
    write(sandbox, "leave", two)
    with caplog.at_level("INFO"):
        assert ended(drop, second)["answered_by"] == two  # a sender who has answered knows that it is closed
    assert "86…11 does not count as an answer: another question to this number was just closed" in caplog.text


def test_a_typed_text_answers_no_question_while_two_are_open(receiver, sandbox, caplog):
    first = deferred(one := asking(deferrable=True))
    second = deferred(other := asking(task_id="another", deferrable=True))
    push_choice(receiver, {"type": "text", "text": {"body": "again"}})
    _, to_second = sandbox.messages
    sandbox.reply(message_id=to_second.id, text="leave")  # a quoted reply names its question
    with caplog.at_level("INFO"):
        assert ended(other, second)["answer"] == "leave"
    assert "more than one question is open to this number" in caplog.text
    write(sandbox, "1")  # the other question is closed now
    assert ended(one, first)["answer"] == "again"

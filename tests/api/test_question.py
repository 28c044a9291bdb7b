"""Which option a message chooses, and how long the wait for an answer takes, without a network."""

from __future__ import annotations

import json
from dataclasses import replace

import pendulum
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_itnio.api.answer_wait import AnswerWait
from airflow_provider_itnio.api.errors import ReceiverError
from airflow_provider_itnio.api.question import Asked, Question, option_texts
from airflow_provider_itnio.api.receiver import Incoming, IncomingMessage, MessageStatus
from airflow_provider_itnio.api.signing import Secret
from tests.tables import for_each

ANA, BEN = "8613900000001", "8613900000002"
AT = 1_790_000_000
SECRET = Secret("7bz1lzh9")
QUESTION = Question(
    id="q1",
    task="dag/run/ask/-1",
    options={"yes": "Load again", "no": "Leave it"},
    business_phone="8613800000000",
    ends_at=AT + 100,
    cursor="a-1",
    asked=(Asked(ANA, "m1", "interactive", AT), Asked(BEN, "m2", "interactive", AT)),
)


def written(text="yes", sender=ANA, at=AT + 10, **more):
    fields = {"option_id": None, "reply_to": None, "questions": ("q1",), "business_phone": ""} | more
    return IncomingMessage(
        message_id="in1", sender=sender, name="", type=fields.pop("type", "text"), text=text,
        at=pendulum.from_timestamp(at), **fields,
    )  # fmt: skip


def tapped(question=QUESTION, key="yes", of=ANA, secret=SECRET, **more):
    return written("Load again", option_id=question.option_id(secret, of, key), **more)


ANSWERS = {
    "key": written(),
    "quote while others are open": written(reply_to="m1", questions=("q0", "q1")),
    "quote by a receiver that knows of nothing": written(reply_to="m1", questions=()),
    "tap while others are open": tapped(questions=("q0", "q1")),
    "tap that comes late": tapped(questions=()),
    "at the last second": written(at=AT + 100),
    "same business phone": written(business_phone="8613800000000"),
}
UNCLEAR = {
    "not known as open": written(questions=()),
    "another one is open": written(questions=("q0", "q1")),
    "another one was just closed": written(closed_questions=("q0",)),
    "only another one is open": written(questions=("q0",)),
}
NO_ANSWERS = UNCLEAR | {
    "too late": written(at=AT + 101),
    "too late while another one is open": written(at=AT + 101, questions=("q0",)),
    "tap too late": tapped(at=AT + 101),
    "before": written(at=AT - 1),
    "before, while it is not known as open": written(at=AT - 1, questions=()),
    "other words while another one is open": written("maybe", questions=("q0", "q1")),
    "quote of another message": written(reply_to="m2"),
    "another secret": tapped(secret=Secret("other")),
    "another question": tapped(replace(QUESTION, id="q2")),
    "another task": tapped(replace(QUESTION, task="dag/run/ask/0")),
    "another person": tapped(of=BEN),
    "a person who was not asked": tapped(of="8613900000003", sender="8613900000003"),
    "no option": written("maybe"),
    "no text": written(""),
    "number too high": written("3"),
    "number zero": written("0"),
}


@for_each("message", ANSWERS.values())
def test_a_message_that_answers_the_question_gives_its_option(message):
    assert QUESTION.choice_of(message, SECRET).option == "yes"


@for_each("message", NO_ANSWERS.values())
def test_a_message_that_does_not_answer_the_question_gives_no_option(message):
    option, ignored, means = QUESTION.choice_of(message, SECRET)
    assert option is None
    assert means == ("yes" if message in UNCLEAR.values() else None)
    assert ignored or message.sender not in (ANA, BEN)


def test_an_options_position_is_an_answer_only_if_no_option_contains_a_number():
    assert option_texts({"yes": "Load again", "no": "Leave it"})["2"] == "no"
    for options in (
        {"3": "3 hours", "6": "6 hours"},
        {"three": "3 hours", "one": "1 hour"},
        {"three": "Wait ３ h", "one": "Wait 1 h"},
        {"2nd": "Second", "1st": "First"},
    ):
        assert {"1", "2"}.isdisjoint(option_texts(options))
    assert "1" not in option_texts({"yes": "Load again", "no": "Leave it"}, has_places=False)


@for_each(
    "typed",
    [
        "Load again.",
        "load again!",
        "\u201cload again\u201d",
        "load again\u200e",
        "\u200bload again\ufe0f",
        "1.",
        "(1)",
        "1\ufe0f\u20e3",
        "load again \U0001f44d\U0001f3fd",
        "~load again~",
        "+ *load again* +",
    ],
)
def test_punctuation_and_invisible_characters_around_an_answer_are_ignored(typed):
    assert QUESTION.choice_of(written(typed), SECRET).option == "yes"


def test_an_option_title_of_punctuation_only_is_matched():
    question = replace(QUESTION, options={"up": "\U0001f44d", "ask": "?", "no": "!"})
    assert question.choice_of(written("\U0001f44d\ufe0f"), SECRET).option == "up"
    assert question.choice_of(written("?"), SECRET).option == "ask"
    assert question.choice_of(written("\ufe0f"), SECRET).option is None
    question = replace(QUESTION, options={"a": "Grade A", "a_plus": "Grade A+"})
    assert question.choice_of(written("grade a+"), SECRET).option == "a_plus"


def test_a_typed_answer_does_not_count_if_only_taps_do():
    question = replace(QUESTION, takes_typed=False)
    assert question.choice_of(tapped(question), SECRET).option == "yes"
    forged = written("Load again", option_id="Load again", reply_to="m1")
    assert question.choice_of(forged, SECRET)[::2] == (None, "yes")  # it may still be a tap
    assert QUESTION.choice_of(forged, SECRET).option == "yes"
    for typed in (written(), written(reply_to="m1")):
        assert question.choice_of(typed, SECRET) == (None, "typed, and only a tap counts", None)


def test_a_message_before_the_question_does_not_count_if_the_send_time_is_unknown():
    question = replace(QUESTION, asked=(Asked(ANA, "", "", None),), begun_at=AT + 0.5)
    assert question.choice_of(written(at=AT), SECRET).option == "yes"
    assert question.choice_of(written(at=AT - 60), SECRET).ignored == "written before the question"


def test_a_question_keeps_the_order_of_its_options_as_json_with_sorted_keys():
    written = json.loads(json.dumps(QUESTION.as_dict(), sort_keys=True))
    read = Question.from_dict(written)
    assert read == QUESTION
    assert list(read.options) == ["yes", "no"]
    assert ANA not in repr(QUESTION)


HOSTILE = st.text(max_size=300) | st.sampled_from(["again.q1.", ".q1.", "yes.q1.x", "\ud800", "\ufdfa" * 300])


@given(text=HOSTILE, option_id=st.none() | HOSTILE, reply_to=st.none() | HOSTILE, type_=HOSTILE)
def test_any_text_from_a_number_that_was_not_asked_is_not_an_answer(text, option_id, reply_to, type_):
    message = written(text, "8613900000003", option_id=option_id, reply_to=reply_to, type=type_)
    assert QUESTION.choice_of(message, SECRET).option is None


class Waiting:
    """An AnswerWait whose clock the test sets."""

    def __init__(self, **more):
        self.now, self.read = AT + 0.0, 1
        self.wait = AnswerWait(QUESTION, SECRET, lambda: self.now, **more)

    def hears(self, *messages, after=0.0, **statuses):
        """Read from the receiver once; its answer arrives some seconds later."""
        self.read += 1
        self.asked = self.wait.incoming_query()
        self.now += after
        told = {one: MessageStatus(one, status, None, "131047", 131047) for one, status in statuses.items()}
        return self.wait.take(Incoming(list(messages), f"a-{self.read}"), told)


def test_the_wait_ends_with_the_first_answer():
    waiting = Waiting()
    assert waiting.hears(written("what?"), written("no", BEN), written("yes")) is None
    answer = waiting.wait.result()["answer"]
    assert (answer["answer"], answer["answered_by"]) == ("no", BEN)


def test_the_question_is_opened_again_after_a_failure_or_with_a_new_database():
    waiting = Waiting()
    waiting.hears(m1="sent")
    assert waiting.wait.open_arguments() == (
        "q1",
        [ANA, BEN],
        AT + 100,
        "dag/run/ask/-1",
    )  # all recipients of the question
    waiting.wait.mark_opened()
    waiting.hears(m1="delivered")
    assert waiting.wait.open_arguments() is None
    waiting.hears(m1="failed")
    assert waiting.wait.open_arguments() == ("q1", [BEN], AT + 100, "dag/run/ask/-1")
    waiting.wait.mark_opened()
    assert waiting.wait.open_arguments() is None
    waiting.wait.take(Incoming([], "b-0"), {})  # a cursor of another database
    assert waiting.wait.open_arguments() == ("q1", [BEN], AT + 100, "dag/run/ask/-1")


def test_messages_are_read_again_if_the_receiver_did_not_list_the_question_as_open():
    waiting = Waiting()
    assert waiting.hears(written(questions=(), closed_questions=("q1",))) == 0
    assert waiting.wait.open_arguments()
    waiting.wait.mark_opened()
    assert waiting.wait.incoming_query()["after"] == "a-1"
    assert waiting.wait.result()["unclear"] == ""
    assert waiting.hears(written(questions=())) > 0  # the receiver can't know
    assert "did not list the question as open" in waiting.wait.result()["unclear"]
    waiting = Waiting()
    waiting.hears(written(questions=()))
    assert waiting.hears(written()) is None


def test_the_wait_is_short_until_the_messages_are_settled_and_then_25_seconds():
    waiting, waits = Waiting(), []
    for _ in range(4):
        waiting.hears(m1="sent", m2="sent")
        waits.append(waiting.asked["wait"])
    waiting.hears(m1="delivered", m2="failed")
    assert waiting.wait.unsettled == []
    waiting.hears()
    assert (waits, waiting.asked) == (
        [1, 2, 4, 8],
        {"after": "a-6", "limit": 1000, "wait": 25, "within": 135},
    )


def test_the_status_of_a_message_without_a_usable_id_is_not_read():
    unusable = Asked(BEN, "(accepted; its id can't be printed)", "interactive", AT)
    unknown = Asked(BEN, "", "", None)
    wait = AnswerWait(replace(QUESTION, asked=(QUESTION.asked[0], unusable, unknown)), SECRET)
    assert wait.unsettled == ["m1"]


def test_the_wait_ends_after_all_messages_that_arrived_in_time_are_read():
    waiting = Waiting()
    assert waiting.hears(after=99) == 0
    waiting.now = AT + 150.0
    assert waiting.hears(written("what?")) == 0  # there may be more
    assert waiting.asked["wait"] == 0
    assert waiting.hears() is None
    assert waiting.wait.result() == {
        "answer": None,
        "failed": {},
        "problem": "",
        "cursor": "a-4",
        "is_pushed_to": True,
        "unclear": "",
    }


def test_the_wait_ends_although_new_messages_keep_arriving():
    waiting = Waiting()
    strangers = Incoming([written("what?")], "a-1")
    waiting.wait.incoming_query()
    assert waiting.wait.take(strangers, {}) == 1  # the cursor has not moved
    waiting.now = AT + 131.0
    assert waiting.wait.take(strangers, {}) is None
    waiting.now = AT + 189.0
    assert waiting.hears(written("what?")) == 0
    waiting.now = AT + 191.0
    assert waiting.hears(written("what?")) is None


def test_an_answer_written_in_time_counts_if_its_push_is_late():
    waiting = Waiting()
    waiting.now = AT + 120.0
    assert waiting.hears() is not None
    assert waiting.hears(written(at=AT + 99), after=9) is None
    assert waiting.wait.result()["answer"]["answer"] == "yes"


def test_the_wait_for_late_pushes_is_no_longer_than_the_question_was_open():
    wait = AnswerWait(replace(QUESTION, begun_at=AT + 99.0), SECRET, lambda: AT + 101.0)
    wait.incoming_query()
    assert wait.take(Incoming([], "a-2"), {}) is None


def test_the_wait_ends_if_the_question_failed_for_all_recipients():
    waiting = Waiting()
    assert waiting.hears(m1="failed", m2="sent") is not None
    assert waiting.hears(m2="failed") is None
    assert {*waiting.wait.result()["failed"]} == {"m1", "m2"}


def test_the_wait_ends_at_the_first_failure_if_a_template_is_to_be_sent():
    assert Waiting(has_template=True).hears(m1="failed", m2="sent") is None


def test_an_unreachable_receiver_is_tried_again_until_the_wait_ends(caplog):
    waiting = Waiting()
    assert waiting.wait.take_error(ReceiverError("away")) == 10
    waiting.now = AT + 125.0
    assert waiting.wait.take_error(ReceiverError("away")) == 5
    assert caplog.text.count("Still waiting for an answer") == 1
    assert waiting.hears() is not None  # an answer after an error counts
    waiting.now = AT + 130.0
    assert waiting.wait.take_error(ReceiverError("away")) is None
    assert waiting.wait.result()["problem"] == "away"


def test_an_early_response_without_messages_does_not_shorten_the_wait():
    waiting = Waiting()
    waiting.hears(m1="delivered", m2="delivered")
    assert waiting.hears(after=0.1) == 10


def test_the_log_has_at_most_100_lines_about_numbers_that_were_not_asked(caplog):
    caplog.set_level("INFO")
    waiting = Waiting()
    waiting.hears(*[written(sender="8613900000009", questions=())] * 200)
    assert caplog.text.count("does not count as an answer: from a number that was not asked") == 100
    assert "86…09" in caplog.text
    assert "8613900000009" not in caplog.text

"""Which option a message chooses, and how long an answer is waited for: without a network."""

from __future__ import annotations

import json
from dataclasses import replace

import pendulum
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_itnio.api.answer_wait import AnswerWait
from airflow_provider_itnio.api.errors import ReceiverError
from airflow_provider_itnio.api.question import Asked, Question, option_words
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
def test_it_answers(message):
    assert QUESTION.choice_of(message, SECRET).option == "yes"


@for_each("message", NO_ANSWERS.values())
def test_it_does_not_answer(message):
    option, ignored, means = QUESTION.choice_of(message, SECRET)
    assert option is None
    assert means == ("yes" if message in UNCLEAR.values() else None)
    assert ignored or message.sender not in (ANA, BEN)


def test_a_place_counts_only_where_no_option_has_a_number():
    assert option_words({"yes": "Load again", "no": "Leave it"})["2"] == "no"
    for options in (
        {"3": "3 hours", "6": "6 hours"},
        {"three": "3 hours", "one": "1 hour"},
        {"three": "Wait ３ h", "one": "Wait 1 h"},
        {"2nd": "Second", "1st": "First"},
    ):
        assert {"1", "2"}.isdisjoint(option_words(options))
    assert "1" not in option_words({"yes": "Load again", "no": "Leave it"}, has_places=False)


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
def test_marks_around_a_word_and_what_can_not_be_seen_do_not_matter(typed):
    assert QUESTION.choice_of(written(typed), SECRET).option == "yes"


def test_a_title_of_marks_alone_is_its_own():
    question = replace(QUESTION, options={"up": "\U0001f44d", "ask": "?", "no": "!"})
    assert question.choice_of(written("\U0001f44d\ufe0f"), SECRET).option == "up"
    assert question.choice_of(written("?"), SECRET).option == "ask"
    assert question.choice_of(written("\ufe0f"), SECRET).option is None
    question = replace(QUESTION, options={"a": "Grade A", "a_plus": "Grade A+"})
    assert question.choice_of(written("grade a+"), SECRET).option == "a_plus"


def test_only_a_tap_counts_where_typed_answers_do_not():
    question = replace(QUESTION, takes_typed=False)
    assert question.choice_of(tapped(question), SECRET).option == "yes"
    forged = written("Load again", option_id="Load again", reply_to="m1")
    assert question.choice_of(forged, SECRET)[::2] == (None, "yes")  # which may be a tap anyway
    assert QUESTION.choice_of(forged, SECRET).option == "yes"
    for typed in (written(), written(reply_to="m1")):
        assert question.choice_of(typed, SECRET) == (None, "typed, and only a tap counts", None)


def test_where_it_is_unknown_when_a_person_was_asked_only_newer_words_count():
    question = replace(QUESTION, asked=(Asked(ANA, "", "", None),), begun_at=AT + 0.5)
    assert question.choice_of(written(at=AT), SECRET).option == "yes"
    assert question.choice_of(written(at=AT - 60), SECRET).ignored == "written before the question"


def test_it_is_written_and_read_as_json_and_no_database_changes_the_order_of_its_options():
    written = json.loads(json.dumps(QUESTION.as_dict(), sort_keys=True))
    read = Question.from_dict(written)
    assert read == QUESTION
    assert list(read.options) == ["yes", "no"]
    assert ANA not in repr(QUESTION)


HOSTILE = st.text(max_size=300) | st.sampled_from(["again.q1.", ".q1.", "yes.q1.x", "\ud800", "\ufdfa" * 300])


@given(text=HOSTILE, option_id=st.none() | HOSTILE, reply_to=st.none() | HOSTILE, type_=HOSTILE)
def test_nothing_a_stranger_writes_is_an_error_or_an_answer(text, option_id, reply_to, type_):
    message = written(text, "8613900000003", option_id=option_id, reply_to=reply_to, type=type_)
    assert QUESTION.choice_of(message, SECRET).option is None


class Waiting:
    """A wait whose clock goes as it is told."""

    def __init__(self, **more):
        self.now, self.read = AT + 0.0, 1
        self.wait = AnswerWait(QUESTION, SECRET, lambda: self.now, **more)

    def hears(self, *messages, after=0.0, **statuses):
        """Ask once; the answer comes some seconds later."""
        self.read += 1
        self.asked = self.wait.what_to_read()
        self.now += after
        told = {one: MessageStatus(one, status, None, "131047", 131047) for one, status in statuses.items()}
        return self.wait.take(Incoming(list(messages), f"a-{self.read}"), told)


def test_the_first_answer_ends_it():
    waiting = Waiting()
    assert waiting.hears(written("what?"), written("no", BEN), written("yes")) is None
    answer = waiting.wait.result()["answer"]
    assert (answer["answer"], answer["answered_by"]) == ("no", BEN)


def test_it_tells_the_receiver_anew_to_whom_it_is_open():
    waiting = Waiting()
    waiting.hears(m1="sent")
    assert waiting.wait.to_open() == ("q1", [ANA, BEN], AT + 100, "dag/run/ask/-1")  # who was asked
    waiting.wait.opened()
    waiting.hears(m1="delivered")
    assert waiting.wait.to_open() is None
    waiting.hears(m1="failed")
    assert waiting.wait.to_open() == ("q1", [BEN], AT + 100, "dag/run/ask/-1")
    waiting.wait.opened()
    assert waiting.wait.to_open() is None
    waiting.wait.take(Incoming([], "b-0"), {})  # of another database
    assert waiting.wait.to_open() == ("q1", [BEN], AT + 100, "dag/run/ask/-1")


def test_words_are_read_once_more_where_the_question_was_not_known_as_open():
    waiting = Waiting()
    assert waiting.hears(written(questions=(), closed_questions=("q1",))) == 0
    assert waiting.wait.to_open()
    waiting.wait.opened()
    assert waiting.wait.what_to_read()["after"] == "a-1"
    assert waiting.wait.result()["unclear"] == ""
    assert waiting.hears(written(questions=())) > 0  # the receiver can't know
    assert "did not list the question as open" in waiting.wait.result()["unclear"]
    waiting = Waiting()
    waiting.hears(written(questions=()))
    assert waiting.hears(written()) is None


def test_it_asks_often_until_messages_have_arrived_and_then_once_in_25_seconds():
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


def test_a_message_without_a_usable_id_is_not_asked_for():
    unusable = Asked(BEN, "(accepted; its id can't be printed)", "interactive", AT)
    unknown = Asked(BEN, "", "", None)
    wait = AnswerWait(replace(QUESTION, asked=(QUESTION.asked[0], unusable, unknown)), SECRET)
    assert wait.unsettled == ["m1"]


def test_it_ends_when_all_is_read_that_came_in_time():
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


def test_messages_without_an_end_do_not_keep_it_from_ending():
    waiting = Waiting()
    strangers = Incoming([written("what?")], "a-1")
    waiting.wait.what_to_read()
    assert waiting.wait.take(strangers, {}) == 1  # no hurry: the cursor stands still
    waiting.now = AT + 131.0
    assert waiting.wait.take(strangers, {}) is None
    waiting.now = AT + 189.0
    assert waiting.hears(written("what?")) == 0
    waiting.now = AT + 191.0
    assert waiting.hears(written("what?")) is None


def test_what_was_written_in_time_and_is_pushed_late_counts():
    waiting = Waiting()
    waiting.now = AT + 120.0
    assert waiting.hears() is not None
    assert waiting.hears(written(at=AT + 99), after=9) is None
    assert waiting.wait.result()["answer"]["answer"] == "yes"


def test_late_pushes_are_waited_for_no_longer_than_the_question_was_open():
    wait = AnswerWait(replace(QUESTION, begun_at=AT + 99.0), SECRET, lambda: AT + 101.0)
    wait.what_to_read()
    assert wait.take(Incoming([], "a-2"), {}) is None


def test_it_ends_when_the_question_has_reached_nobody():
    waiting = Waiting()
    assert waiting.hears(m1="failed", m2="sent") is not None
    assert waiting.hears(m2="failed") is None
    assert {*waiting.wait.result()["failed"]} == {"m1", "m2"}


def test_it_ends_when_a_template_is_to_be_sent():
    assert Waiting(has_template=True).hears(m1="failed", m2="sent") is None


def test_a_receiver_that_is_away_is_asked_again_until_the_time_is_over(caplog):
    waiting = Waiting()
    assert waiting.wait.take_error(ReceiverError("away")) == 10
    waiting.now = AT + 125.0
    assert waiting.wait.take_error(ReceiverError("away")) == 5
    assert caplog.text.count("Still waiting for an answer") == 1
    assert waiting.hears() is not None  # what it says then counts
    waiting.now = AT + 130.0
    assert waiting.wait.take_error(ReceiverError("away")) is None
    assert waiting.wait.result()["problem"] == "away"


def test_an_answer_that_comes_early_without_a_message_makes_no_hurry():
    waiting = Waiting()
    waiting.hears(m1="delivered", m2="delivered")
    assert waiting.hears(after=0.1) == 10


def test_the_log_has_no_end_of_lines_about_strangers(caplog):
    caplog.set_level("INFO")
    waiting = Waiting()
    waiting.hears(*[written(sender="8613900000009", questions=())] * 200)
    assert caplog.text.count("does not count as an answer: from a number that was not asked") == 100
    assert "86…09" in caplog.text
    assert "8613900000009" not in caplog.text

"""Which questions were open to a sender when their message arrived."""

from __future__ import annotations

import itertools
import time

import pytest

from airflow_provider_itnio.receiver.database import open_database
from airflow_provider_itnio.receiver.mailbox import Mailbox
from tests.receiver.running import AT, text_push
from tests.tables import for_each

pytestmark = pytest.mark.xdist_group("postgresql")  # which is started once

_IDS = itertools.count(1)


@pytest.fixture
def asked(any_receiver):
    """Open a question; return its id and the cursor after which answers come."""

    def ask(*phones, question_id=None, open_for=60, **more):
        question_id = question_id or f"q{next(_IDS)}"
        until = int(time.time()) + open_for
        body = {"id": question_id, "phones": list(phones), "open_until": until, **more}
        return question_id, any_receiver.get("/v1/questions", body)["cursor"]

    return ask


@pytest.fixture
def written(any_receiver):
    """Push a message of a sender; return the questions that were open then."""

    def write(phone, cursor, ago=0, names="questions"):
        message_id = f"in{next(_IDS)}"
        any_receiver.push(text_push(message_id, "yes", phone=phone, timestamp=int(time.time()) - ago))
        messages = any_receiver.get(f"/v1/incoming?after={cursor}")["messages"]
        (message,) = (one for one in messages if one["message_id"] == message_id)
        return message[names]

    return write


def test_a_message_lists_the_questions_that_were_open_to_its_sender(asked, written, any_receiver):
    first, cursor = asked("491", "492")
    assert written("491", cursor) == [first]
    assert written("499", cursor) == []
    second, _ = asked("491")
    assert written("491", cursor) == sorted([first, second])
    assert written("492", cursor) == [first]
    any_receiver.get(f"/v1/questions/{first}/close", {})
    assert written("491", cursor) == [second]
    messages = any_receiver.get(f"/v1/incoming?after={cursor}")["messages"]
    assert [len(one["questions"]) for one in messages] == [
        1,
        0,
        2,
        1,
        1,
    ]  # the questions that were open when each message arrived


def test_a_question_that_was_closed_can_be_opened_again(asked, written, any_receiver):
    first, cursor = asked("493")
    assert written("493", cursor) == [first]
    any_receiver.get(f"/v1/questions/{first}/close", {})
    assert written("493", cursor) == []
    assert asked("493", question_id=first) == (first, cursor)
    assert written("493", cursor) == [first]


def test_a_question_is_closed_once_its_time_is_over(asked, written):
    question, cursor = asked("494", open_for=-1)
    assert written("494", cursor) == []
    assert written("494", cursor, ago=60) == [question]  # written in time and pushed late


def test_a_message_lists_questions_that_were_closed_shortly_before(asked, written, any_receiver):
    first, cursor = asked("495", "496", unclear_for=900)
    any_receiver.get(f"/v1/questions/{first}/close", {"answered_by": ["496"]})
    assert written("495", cursor, names="closed_questions") == [first]
    assert written("496", cursor, names="closed_questions") == []
    over, _ = asked("497", open_for=-60, unclear_for=900)
    assert written("497", cursor, names="closed_questions") == [over]
    asked("498", open_for=-60, unclear_for=30)
    assert written("498", cursor, names="closed_questions") == []


def test_a_tasks_new_question_closes_its_previous_one(asked, written):
    _, cursor = asked("471", "472", task="t1", unclear_for=900)
    second, _ = asked("471", task="t1")
    other, _ = asked("471", task="t2")
    assert written("471", cursor) == sorted([second, other])
    assert written("472", cursor) == []
    assert written("472", cursor, names="closed_questions") == []


def test_an_old_question_is_deleted(database):
    mailbox = Mailbox(*open_database(database))
    mailbox.open_question("old", ["491", "492"], AT)
    mailbox.open_question("new", ["491"], AT + 10)
    assert mailbox.delete_old(AT + 5) == 2
    assert mailbox.delete_old(AT + 15) == 1


@for_each(
    ("changed", "told"),
    [
        ({"id": "a/b"}, "question id: must be 1 to 64 ASCII letters and digits"),
        ({"id": None}, "question id"),
        ({"phones": []}, "phones: must be a list of 1 to 3000"),
        ({"phones": ["+49"]}, "phone: must be digits"),
        ({"phones": "49"}, "phones: must be"),
        ({"open_until": 10**12}, "open_until: must be Unix seconds, at most 2678400 from now"),
        ({"open_until": "soon"}, "open_until"),
        ({"open_until": -(10**30)}, "open_until"),
        ({"unclear_for": -1}, "unclear_for: must be seconds, at most 86400"),
        ({"unclear_for": "long"}, "unclear_for"),
        ({"task": "a/b"}, "task: must be up to 64 ASCII letters and digits"),
        ({"task": None}, "task"),
    ],
)
def test_a_question_with_an_invalid_field_is_refused(receiver, changed, told):
    body = {"id": "q", "phones": ["49"], "open_until": 1} | changed
    code, answer = receiver.ask("/v1/questions", body)
    assert (code, told in answer["error"]) == (400, True)


@for_each("body", [None, [], "q", {"phones": ["49"], "open_until": True}])
def test_a_body_that_is_not_a_question_is_refused(receiver, body):
    assert receiver.ask("/v1/questions", body if body is not None else 0)[0] == 400


@pytest.mark.parametrize("path", ["/v1/questions", "/v1/questions/q/close"])
def test_questions_need_the_read_token(receiver, path):
    assert receiver.ask(path, {}, token="wrong-0123456789abcdefghijkl")[0] == 401

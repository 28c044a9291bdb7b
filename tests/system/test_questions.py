"""Questions asked by real Airflow, and their answers."""

from __future__ import annotations

from collections import Counter

import pytest

from .conftest import AIRFLOW_2
from .running import scenario, until

pytestmark = pytest.mark.system

TAPS, WRITES, IS_SILENT, OLD, LATE, STRANGER = (f"8610000000{number}" for number in (81, 82, 83, 84, 85, 89))


ASKED_AFTER_KILL = 2 if AIRFLOW_2 else 1
"""Messages to the recipient whose task's worker is killed: before Airflow 3.3 a retry asks again."""

WAITS = "Waiting for an answer"
"""A log line after the question is recorded."""


@scenario()
def questions(running):
    """Run the DAG, and answer. Return the states of its tasks, and their return values."""
    asking, airflow = running.asking, running.airflow

    def tap(number, place):
        message = asking.sent_to(number)[place]
        button = message.body["interactive"]["action"]["buttons"][0]["reply"]["id"]
        asking.reply(message_id=message.id, button=button)

    def waits_in_worker():
        # If the worker were killed before the question is recorded, a retry would ask again.
        return asking.sent_to(LATE) and WAITS in airflow.log_of("questions", "run", "is_killed", 1)

    def is_in_second_try():
        is_running = airflow.tasks("questions", "run")["is_killed"] == ("running", 2)
        return is_running and len(asking.sent_to(LATE)) == ASKED_AFTER_KILL

    airflow.trigger("questions", "run")
    # Tasks run in any order.
    to_do = [
        (lambda: asking.sent_to(TAPS), lambda: tap(TAPS, 0)),
        (lambda: asking.sent_to(WRITES), lambda: asking.reply(recipient=WRITES, text="leave IT")),
        (lambda: asking.sent_to(IS_SILENT), lambda: asking.reply(recipient=STRANGER, text="Load again")),
        (lambda: len(asking.sent_to(OLD)) == 2, lambda: tap(OLD, 0)),
        (waits_in_worker, lambda: running.kill("asks")),
        (is_in_second_try, lambda: tap(LATE, -1)),
    ]

    def act():
        for one in [one for one in to_do if one[0]()]:
            to_do.remove(one)
            one[1]()
        return not to_do

    until(act, seconds=600)
    assert airflow.wait_for("questions", "run") == "success"
    states = airflow.tasks("questions", "run")
    answered = [name for name, (state, _) in states.items() if state == "success"]
    return states, {name: airflow.returned("questions", "run", name) for name in answered}


def test_a_tap_and_a_typed_text_are_answers_but_not_strangers_or_old_buttons(questions):
    _, answers = questions
    given = {name: (one["answer"], one["answered_by"]) for name, one in answers.items()}
    assert given == {
        "by_tap": ("again", TAPS),
        "by_word": ("leave", WRITES),
        "by_a_stranger": ("leave", None),
        "by_an_old_button": ("leave", None),
        "is_killed": ("again", LATE),
    }


def test_a_question_without_an_answer_skips_its_task(questions):
    states, _ = questions
    assert states["by_nobody"][0] == "skipped"


def test_a_question_whose_worker_was_killed_is_answered_in_the_next_try(questions):
    states, _ = questions
    assert states["is_killed"] == ("success", 2)


def test_every_recipient_is_asked_once(questions, running):
    numbers = (message.recipient for message in running.asking.messages)
    asked = Counter(number for number in numbers if number.startswith("8610000000"))
    assert asked == {TAPS: 1, WRITES: 1, IS_SILENT: 1, OLD: 2, LATE: ASKED_AFTER_KILL}

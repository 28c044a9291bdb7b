"""Real Airflow asks questions, and people answer them."""

from __future__ import annotations

import pytest

from .running import scenario, until

pytestmark = pytest.mark.system

TAPS, WRITES, IS_SILENT, STRANGER = (f"8610000000{number}" for number in (81, 82, 83, 89))


@scenario()
def questions(running):
    """Run the DAG, and answer. Give the states of its tasks, and what they returned."""
    running.airflow.trigger("questions", "run")
    (message,) = until(lambda: running.asking.sent_to(TAPS))
    button = message.body["interactive"]["action"]["buttons"][0]["reply"]["id"]
    running.asking.reply(message_id=message.id, button=button)
    until(lambda: running.asking.sent_to(WRITES))
    running.asking.reply(recipient=WRITES, text="leave IT")
    until(lambda: running.asking.sent_to(IS_SILENT))
    running.asking.reply(recipient=STRANGER, text="Load again")
    assert running.airflow.wait_for("questions", "run") == "success"
    states = {name: state for name, (state, _) in running.airflow.tasks("questions", "run").items()}
    answered = [name for name, state in states.items() if state == "success"]
    return states, {name: running.airflow.returned("questions", "run", name) for name in answered}


def test_a_tap_and_a_typed_word_answer_and_a_stranger_does_not(questions):
    _, answers = questions
    given = {name: (one["answer"], one["answered_by"]) for name, one in answers.items()}
    assert given == {
        "by_tap": ("again", TAPS),
        "by_word": ("leave", WRITES),
        "by_a_stranger": ("leave", None),
    }


def test_a_question_without_an_answer_skips_its_task(questions):
    states, _ = questions
    assert states["by_nobody"] == "skipped"


def test_everyone_is_asked_once(questions, running):
    assert len(running.asking.messages) == 4

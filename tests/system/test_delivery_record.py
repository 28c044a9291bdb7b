"""Who already has the message, kept in a real Airflow whose worker processes fail, are killed and cleared."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from functools import partial

import pytest

from .conftest import AIRFLOW_2

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(AIRFLOW_2, reason="Airflow before 3.3 keeps no task state"),
]

RUN = "run_of_record"
RESTARTS = 3
"""Seconds in which a task that was cleared has certainly left the state that it had."""


def until(what, seconds=90):
    """Wait for something that must come about, and give it."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)
    return found


def texts_to(running, number):
    return [message.text for message in running.tasks.sent_to(number)]


def asked_for(running):
    return {request.body["recipient"] for request in running.tasks.requests}


def kill(running, task_id, sign=signal.SIGKILL):
    os.kill(int((running.place / f"{task_id}.pid").read_text()), sign)


def words_of(log):
    """Give what a log says, line by line, with the errors that it shows."""
    entries = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return "\n".join(
        f"{one.get('event', '')} {json.dumps(one.get('error_detail', ''), ensure_ascii=False)}"
        for one in entries
    )


# --- one message ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def record(running):
    """Run the DAG whose tasks send one message each; two of them are interrupted while they are answered."""
    interrupt = {
        "8610000006": partial(kill, running, "is_killed_while_asking"),
        "8610000009": partial(running.airflow.clear, "record", RUN, "is_cleared_while_asking"),
    }
    for number, seconds in (("8610000006", 10), ("8610000009", 4)):
        running.tasks.fail_next(recipient=number, delay=seconds)
    running.airflow.trigger("record", RUN)
    while interrupt:
        interrupt.pop(until(lambda: asked_for(running) & interrupt.keys()).pop())()
    assert running.airflow.wait_for("record", RUN) == "failed"
    # What had arrived by then, before anybody clears a task.
    return Counter(message.recipient for message in running.tasks.messages)


@pytest.mark.parametrize(
    ("task_id", "number"),
    [("fails_afterwards", "8610000001"), ("of_a_user", "8610000002"), ("is_killed", "8610000003")],
)
def test_a_task_that_ends_badly_after_its_message_was_accepted_does_not_send_again(
    task_id, number, record, running
):
    assert running.airflow.tasks("record", RUN)[task_id] == ("success", 2)
    assert record[number] == 1
    (message,) = running.tasks.sent_to(number)
    assert running.airflow.returned("record", RUN, task_id)["message_id"] == message.id
    assert "Nothing sent: an earlier try of this task sent to 86…" in words_of(
        running.airflow.log_of("record", RUN, task_id, 2)
    )


def test_the_function_of_a_decorated_task_is_not_called_again(record, running):
    assert running.airflow.tasks("record", RUN)["decorated"] == ("success", 2)
    assert record["8610000008"] == 1
    assert (running.place / "decorated.calls").read_text() == "called\n"


def test_mapped_tasks_keep_records_of_their_own(record, running):
    tasks = running.airflow.tasks("record", RUN)
    assert [tasks[f"mapped[{index}]"] for index in (0, 1)] == [("success", 2), ("success", 2)]
    assert sorted(texts_to(running, "8610000007")) == ["one", "two"]
    ids = {message.text: message.id for message in running.tasks.sent_to("8610000007")}
    for index, text in enumerate(("one", "two")):
        assert running.airflow.returned("record", RUN, "mapped", index)["message_id"] == ids[text]


def test_a_message_whose_worker_was_killed_while_it_was_asked_for_is_unknown(record, running):
    assert running.airflow.tasks("record", RUN)["is_killed_while_asking"] == ("failed", 2)
    assert record["8610000006"] == 1
    words = words_of(running.airflow.log_of("record", RUN, "is_killed_while_asking", 2))
    assert "Nothing sent: an earlier try of this task may have sent the message to 86…06" in words
    assert "8610000006" not in words


def test_what_a_person_clears_is_sent_if_it_had_finished_or_is_unknown_and_not_if_it_was_accepted(
    record, running
):
    assert (record["8610000004"], record["8610000005"]) == (1, 1)
    assert running.airflow.tasks("record", RUN)["fails_for_good"] == ("failed", 1)
    running.airflow.clear("record", RUN, "finishes", "fails_for_good", "is_killed_while_asking")
    time.sleep(RESTARTS)
    assert running.airflow.wait_for("record", RUN) == "success"
    assert texts_to(running, "8610000004") == ["x 1", "x 2"]
    assert len(texts_to(running, "8610000005")) == 1
    assert len(texts_to(running, "8610000006")) == 2
    words = words_of(running.airflow.log_of("record", RUN, "is_killed_while_asking", 3))
    assert "Sending it again, although an earlier try may have sent it" in words


def test_what_a_person_clears_while_it_is_asked_for_is_sent_again_and_the_log_says_what_is_not_on_record(
    record, running
):
    # Airflow gives the task's state store to the next try as soon as the task is cleared.
    assert running.airflow.tasks("record", RUN)["is_cleared_while_asking"] == ("success", 2)
    assert record["8610000009"] == 2
    # The executor said that its process ended well, so Airflow has raised the number of its tries from 2.
    finished = running.airflow.state_of("record", RUN, "is_cleared_while_asking", "whatsapp/finished")
    assert (finished["try"], finished["max_tries"], finished["clear_number"] > 0) == (2, 3, True)
    words = words_of(running.airflow.log_of("record", RUN, "is_cleared_while_asking", 1))
    assert "The message was accepted; a retry of this task would not know" in words


# --- broadcasts -------------------------------------------------------------------------------------------


STUCK = "86220000120"
"""A number whose message is not answered in time."""


@pytest.fixture(scope="module")
def broadcasts(running):
    """Run the DAG of broadcasts, all at the same time; a person clears one that runs and ends another."""
    for number in range(10, 15):
        running.tasks.fail_next(recipient=f"86200000{number}", status=-70)
    for number in range(15, 20):  # longer than anybody waits, so it is not tried again
        running.tasks.fail_next(
            recipient=f"86200000{number}", http_status=429, headers={"Retry-After": "3600"}
        )
    running.tasks.fail_next(recipient=STUCK, delay=120)
    running.airflow.trigger("record_of_broadcasts", RUN)
    until(lambda: len(to_numbers_with(running, "8623")) > 100)
    running.airflow.clear("record_of_broadcasts", RUN, "is_cleared_while_it_runs")
    until(lambda: len(to_numbers_with(running, "8622")) > 150)
    running.airflow.mark("record_of_broadcasts", RUN, "is_ended_by_a_person", "failed")
    assert running.airflow.wait_for("record_of_broadcasts", RUN) == "failed"
    return running.airflow.tasks("record_of_broadcasts", RUN)


def to_numbers_with(running, start):
    return Counter(one.recipient for one in running.tasks.messages if one.recipient.startswith(start))


def test_a_broadcast_that_failed_half_way_sends_only_the_rest_when_cleared(broadcasts, running):
    assert broadcasts["half_fails"] == ("failed", 1)
    summary = running.airflow.returned("record_of_broadcasts", RUN, "half_fails")
    assert [summary[name] for name in ("recipients", "accepted", "refused", "not_sent")] == [20, 10, 5, 5]
    assert {failure["last_digits"] for failure in summary["failures"]} == {f"00{n}" for n in range(10, 20)}
    running.airflow.clear("record_of_broadcasts", RUN, "half_fails")
    until(lambda: len(to_numbers_with(running, "8620")) == 20)
    until(lambda: running.airflow.tasks("record_of_broadcasts", RUN)["half_fails"] == ("success", 2))
    assert set(to_numbers_with(running, "8620").values()) == {1}
    summary = running.airflow.returned("record_of_broadcasts", RUN, "half_fails")
    assert (summary["accepted"], summary["accepted_earlier"], summary["failures"]) == (10, 10, [])


def test_a_broadcast_that_takes_too_long_goes_on_where_it_was_stopped(broadcasts, running):
    state, tries = broadcasts["takes_too_long"]
    assert state == "success"
    assert tries > 1
    assert len(to_numbers_with(running, "8621")) == 400
    assert set(to_numbers_with(running, "8621").values()) == {1}
    words = words_of(running.airflow.log_of("record_of_broadcasts", RUN, "takes_too_long", 1))
    assert "AirflowTaskTimeout" in words
    assert "stopped: the task's execution_timeout is over" in words
    summary = running.airflow.returned("record_of_broadcasts", RUN, "takes_too_long")
    assert summary["accepted"] + summary["accepted_earlier"] == 400


def test_a_look_up_that_blocks_beyond_the_limit_is_ended_and_the_retry_goes_on(broadcasts, running):
    state, tries = broadcasts["has_a_look_up_that_blocks"]
    assert state == "success"
    assert tries > 1
    assert len(to_numbers_with(running, "8627")) == 40
    assert set(to_numbers_with(running, "8627").values()) == {1}
    words = words_of(running.airflow.log_of("record_of_broadcasts", RUN, "has_a_look_up_that_blocks", 1))
    assert "AirflowTaskTimeout" in words
    summary = running.airflow.returned("record_of_broadcasts", RUN, "has_a_look_up_that_blocks")
    assert summary["accepted_earlier"] >= 15


def test_a_broadcast_that_a_person_ends_leaves_a_record_of_all_that_it_has_sent(broadcasts, running):
    assert broadcasts["is_ended_by_a_person"] == ("failed", 1)
    words = until(
        lambda: words_of(
            running.airflow.log_of("record_of_broadcasts", RUN, "is_ended_by_a_person", 1)
        ).partition("the task was ended from outside")[2]
    )
    assert "not attempted" in words
    before = len(to_numbers_with(running, "8622"))
    assert before < 900
    running.airflow.clear("record_of_broadcasts", RUN, "is_ended_by_a_person")
    until(lambda: len(to_numbers_with(running, "8622")) > before + 30)
    twice = {number for number, count in to_numbers_with(running, "8622").items() if count > 1}
    assert twice == {STUCK}  # of that one alone nobody knows what became of it
    running.airflow.mark("record_of_broadcasts", RUN, "is_ended_by_a_person", "success")


def test_a_broadcast_cleared_while_it_runs_repeats_no_more_than_a_batch(broadcasts, running):
    assert broadcasts["is_cleared_while_it_runs"] == ("success", 2)
    sent = to_numbers_with(running, "8623")
    assert len(sent) == 300
    assert set(sent.values()) == {1, 2}
    assert sum(sent.values()) - len(sent) <= 100
    head = running.airflow.state_of(
        "record_of_broadcasts", RUN, "is_cleared_while_it_runs", "whatsapp/broadcast"
    )
    # max_tries is 0 or 1, by whether the scheduler sees the clear or the end of the process first.
    assert (head["try"], head["clear_number"] > 0) == (2, True)

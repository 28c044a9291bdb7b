"""The delivery record in real Airflow, whose tasks fail, are killed and cleared."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import Any, NamedTuple

import pytest

from .conftest import AIRFLOW_2
from .running import scenario, until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(AIRFLOW_2, reason="Airflow before 3.3 keeps no task state"),
]

RUN = "run_of_record"
CLEARED = {
    "finishes": ("success", 2),
    "fails_for_good": ("success", 2),
    "is_killed_while_asking": ("success", 3),
}
"""The tasks to clear, and their state afterwards."""


def words_of(log):
    """Return a log's text line by line, with the errors it contains."""
    entries = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return "\n".join(
        f"{one.get('event', '')} {json.dumps(one.get('error_detail', ''), ensure_ascii=False)}"
        for one in entries
    )


# --- one message ------------------------------------------------------------------------------------------


class Ended(NamedTuple):
    """The state of a run before any of its tasks was cleared."""

    sent: Counter[str]
    tasks: dict[str, tuple[str, int]]


@scenario()
def record(running):
    """Run the DAG whose tasks send one message each; interrupt two while they are answered, clear three."""
    airflow = running.airflow
    interrupt = {
        "8610000006": partial(running.kill, "is_killed_while_asking"),
        "8610000009": partial(airflow.clear, "record", RUN, "is_cleared_while_asking"),
    }
    for number, seconds in (("8610000006", 10), ("8610000009", 4)):
        running.tasks.fail_next(recipient=number, delay=seconds)
    airflow.trigger("record", RUN)
    while interrupt:
        interrupt.pop(until(lambda: next(filter(running.is_asked_for, interrupt), None)))()
    assert airflow.wait_for("record", RUN) == "failed"
    sent = Counter(message.recipient for message in running.tasks.messages)
    before = Ended(sent, airflow.tasks("record", RUN))
    airflow.clear("record", RUN, *CLEARED)
    until(lambda: CLEARED.items() <= airflow.tasks("record", RUN).items(), every=1)
    return before


@pytest.mark.parametrize(
    ("task_id", "number"),
    [("fails_afterwards", "8610000001"), ("of_a_user", "8610000002"), ("is_killed", "8610000003")],
)
def test_a_task_that_fails_or_is_killed_after_an_acceptance_does_not_send_again(
    task_id, number, record, running
):
    assert record.tasks[task_id] == ("success", 2)
    assert record.sent[number] == 1
    (message,) = running.tasks.sent_to(number)
    assert running.airflow.returned("record", RUN, task_id)["message_id"] == message.id
    assert "Nothing sent: a previous try of this task sent to 86…" in words_of(
        running.airflow.log_of("record", RUN, task_id, 2)
    )


def test_the_function_of_a_decorated_task_is_not_called_again(record, running):
    assert record.tasks["decorated"] == ("success", 2)
    assert record.sent["8610000008"] == 1
    assert (running.place / "decorated.calls").read_text() == "called\n"


def test_mapped_tasks_have_separate_records(record, running):
    assert [record.tasks[f"mapped[{index}]"] for index in (0, 1)] == [("success", 2), ("success", 2)]
    assert sorted(running.texts_to("8610000007")) == ["one", "two"]
    ids = {message.text: message.id for message in running.tasks.sent_to("8610000007")}
    for index, text in enumerate(("one", "two")):
        assert running.airflow.returned("record", RUN, "mapped", index)["message_id"] == ids[text]


def test_at_most_once_a_message_whose_worker_was_killed_during_its_request_is_unknown(record, running):
    assert record.tasks["is_killed_while_asking"] == ("failed", 2)
    assert record.sent["8610000006"] == 1
    words = words_of(running.airflow.log_of("record", RUN, "is_killed_while_asking", 2))
    assert "Nothing sent: a previous try of this task may have sent the message to 86…06" in words
    assert "8610000006" not in words


def test_a_cleared_task_sends_after_success_or_an_unknown_outcome_only(record, running):
    assert (record.sent["8610000004"], record.sent["8610000005"]) == (1, 1)
    assert record.tasks["fails_for_good"] == ("failed", 1)
    assert running.texts_to("8610000004") == ["x 1", "x 2"]
    assert len(running.texts_to("8610000005")) == 1
    assert len(running.texts_to("8610000006")) == 2
    words = words_of(running.airflow.log_of("record", RUN, "is_killed_while_asking", 3))
    assert "Sending it again, although a previous try may have sent it" in words


def test_a_task_cleared_during_its_request_sends_again_and_logs_what_is_unrecorded(record, running):
    # Airflow passes the task's state store to the next try as soon as the task is cleared.
    assert record.tasks["is_cleared_while_asking"] == ("success", 2)
    assert record.sent["8610000009"] == 2
    # Airflow raises max_tries from 2 if the executor reports the process's success first.
    finished = running.airflow.state_of("record", RUN, "is_cleared_while_asking", "whatsapp/finished")
    assert (finished["try"], finished["clear_number"] > 0) == (2, True)
    assert finished["max_tries"] in (2, 3)
    words = words_of(running.airflow.log_of("record", RUN, "is_cleared_while_asking", 1))
    assert "The message was accepted; a retry of this task won't know that" in words


# --- broadcasts -------------------------------------------------------------------------------------------


DAG = "record_of_broadcasts"
OUTSIDE = "the task was ended from outside"
STUCK = "86220000120"
"""A number whose message is not answered in time."""


class EndedBroadcasts(NamedTuple):
    """The broadcasts' state before the second part, and after it for one that was ended."""

    tasks: dict[str, tuple[str, int]]
    half: dict[str, Any]
    to_ended: Counter[str]
    to_resumed: Counter[str]


@scenario()
def broadcasts(running):
    """Run all concurrently; clear a running one, end one, and clear two that failed."""
    airflow = running.airflow
    for number in range(10, 15):
        running.tasks.fail_next(recipient=f"86200000{number}", status=-70)
    for number in range(15, 20):  # longer than the client waits, so it does not retry
        running.tasks.fail_next(
            recipient=f"86200000{number}", http_status=429, headers={"Retry-After": "3600"}
        )
    running.tasks.fail_next(recipient=STUCK, delay=120)
    airflow.trigger(DAG, RUN)
    interrupt = {
        "8623": (100, partial(airflow.clear, DAG, RUN, "is_cleared_while_it_runs")),
        "8622": (150, partial(airflow.mark, DAG, RUN, "is_ended_by_a_person", "failed")),
    }
    while interrupt:
        due = until(lambda: [one for one in interrupt if sent_to(running, one) > interrupt[one][0]])
        interrupt.pop(due[0])[1]()
    assert airflow.wait_for(DAG, RUN) == "failed"
    tasks, half = airflow.tasks(DAG, RUN), airflow.returned(DAG, RUN, "half_fails")
    until(lambda: OUTSIDE in words_of(airflow.log_of(DAG, RUN, "is_ended_by_a_person", 1)), every=1)
    before = running.to_numbers_with("8622")
    airflow.clear(DAG, RUN, "half_fails", "is_ended_by_a_person")
    until(lambda: sent_to(running, "8622") > before.total() + 30)
    airflow.mark(DAG, RUN, "is_ended_by_a_person", "success")
    until(lambda: airflow.tasks(DAG, RUN)["half_fails"] == ("success", 2), every=1)
    return EndedBroadcasts(tasks, half, before, running.to_numbers_with("8622"))


def sent_to(running, start):
    return running.to_numbers_with(start).total()


def test_a_partly_failed_broadcast_sends_only_the_rest_after_a_clear(broadcasts, running):
    assert broadcasts.tasks["half_fails"] == ("failed", 1)
    summary = broadcasts.half
    assert [summary[name] for name in ("recipients", "accepted", "refused", "not_sent")] == [20, 10, 5, 5]
    assert {failure["last_digits"] for failure in summary["failures"]} == {f"00{n}" for n in range(10, 20)}
    assert len(running.to_numbers_with("8620")) == 20
    assert set(running.to_numbers_with("8620").values()) == {1}
    summary = running.airflow.returned(DAG, RUN, "half_fails")
    assert (summary["accepted"], summary["accepted_earlier"], summary["failures"]) == (10, 10, [])


def test_a_broadcast_that_times_out_continues_in_a_retry(broadcasts, running):
    state, tries = broadcasts.tasks["takes_too_long"]
    assert state == "success"
    assert tries > 1
    assert len(running.to_numbers_with("8621")) == 400
    assert set(running.to_numbers_with("8621").values()) == {1}
    words = words_of(running.airflow.log_of(DAG, RUN, "takes_too_long", 1))
    assert "AirflowTaskTimeout" in words
    assert "stopped: the task's execution_timeout is over" in words
    summary = running.airflow.returned(DAG, RUN, "takes_too_long")
    assert summary["accepted"] + summary["accepted_earlier"] == 400


def test_a_blocking_look_up_is_ended_by_the_timeout_and_a_retry_continues(broadcasts, running):
    state, tries = broadcasts.tasks["has_a_look_up_that_blocks"]
    assert state == "success"
    assert tries > 1
    assert len(running.to_numbers_with("8627")) == 40
    assert set(running.to_numbers_with("8627").values()) == {1}
    words = words_of(running.airflow.log_of(DAG, RUN, "has_a_look_up_that_blocks", 1))
    assert "AirflowTaskTimeout" in words
    summary = running.airflow.returned(DAG, RUN, "has_a_look_up_that_blocks")
    assert summary["accepted_earlier"] >= 15


def test_a_broadcast_ended_by_a_user_records_all_messages_sent(broadcasts, running):
    assert broadcasts.tasks["is_ended_by_a_person"] == ("failed", 1)
    words = words_of(running.airflow.log_of(DAG, RUN, "is_ended_by_a_person", 1))
    assert "not attempted" in words.partition(OUTSIDE)[2]
    assert broadcasts.to_ended.total() < 900
    twice = {number for number, count in broadcasts.to_resumed.items() if count > 1}
    assert twice == {STUCK}  # the only message with an unknown outcome


def test_a_broadcast_cleared_while_running_repeats_at_most_a_batch(broadcasts, running):
    assert broadcasts.tasks["is_cleared_while_it_runs"] == ("success", 2)
    sent = running.to_numbers_with("8623")
    assert len(sent) == 300
    assert set(sent.values()) == {1, 2}
    assert sum(sent.values()) - len(sent) <= 100
    head = running.airflow.state_of(DAG, RUN, "is_cleared_while_it_runs", "whatsapp/broadcast")
    # max_tries is 0 or 1: the scheduler may see the clear or the end of the process first.
    assert (head["try"], head["clear_number"] > 0) == (2, True)

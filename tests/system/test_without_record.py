"""Airflow before 3.3 has no task state store; each task logs that."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing

import pytest

from .conftest import AIRFLOW_2
from .running import scenario, until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not AIRFLOW_2, reason="Airflow 3.3 keeps a delivery record"),
]

DAG = "record_that_is_not_kept"
NOT_PROTECTED = "No delivery record: there is no task state store"
TASKS = ("one", "many", "nobody", "is_ended_while_asking", "is_ended")
MARKED = ("is_marked", "is_marked_while_asking")


@scenario()
def logs(running):
    """Run the DAG, end two of its tasks from outside, and return the log of each task's first try."""
    for number in ("8610000053", "8610000054"):
        running.tasks.fail_next(recipient=number, status=-18)
    for number in ("8610000055", "8610000059"):
        running.tasks.fail_next(recipient=number, delay=120)
    running.airflow.trigger(DAG, "run")
    to_end = {
        "is_ended_while_asking": lambda: running.is_asked_for("8610000055"),
        "is_ended": lambda: len(running.to_numbers_with("8624")) > 40,
        "is_marked_while_asking": lambda: running.is_asked_for("8610000059"),
        "is_marked": lambda: "Waiting until" in log_of_first_try(running, "is_marked"),
    }
    while to_end:
        task = until(lambda: next((task for task, is_due in to_end.items() if is_due()), None))
        del to_end[task]
        if task in MARKED:  # Airflow 2 notices it up to 20 s later
            mark_as_success(running, task)
        running.kill(task, signal.SIGTERM)
    assert running.airflow.wait_for(DAG, "run") == "failed"
    return {task: running.airflow.log_of(DAG, "run", task, 1) for task in TASKS}


def log_of_first_try(running, task):
    try:
        return running.airflow.log_of(DAG, "run", task, 1)
    except FileNotFoundError:
        return ""


def mark_as_success(running, task):
    with closing(sqlite3.connect(running.airflow.database, timeout=30)) as database, database:
        database.execute("UPDATE task_instance SET state = 'success' WHERE task_id = ?", (task,))


def was_tried_again(running, task):
    try:
        return bool(running.airflow.log_of(DAG, "run", task, 2))
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("task", TASKS)
def test_one_log_line_says_what_is_not_protected(task, logs):
    assert len([line for line in logs[task].splitlines() if NOT_PROTECTED in line]) == 1


def test_all_tasks_send_and_no_number_is_messaged_twice(logs, running):
    sent = [message.recipient for message in running.tasks.messages]
    assert sorted(number[-2:] for number in sent if number.startswith("8610")) == [
        *("50", "51", "52", "54", "55", "56", "59")
    ]
    assert set(running.to_numbers_with("8624").values()) == {1}


def test_a_broadcast_with_accepted_messages_is_not_retried(logs, running):
    assert "Not retried: without a delivery record, a retry would message people again" in logs["many"]
    assert not was_tried_again(running, "many")


def test_an_error_after_a_broadcasts_messages_is_not_retried(logs, running):
    assert running.airflow.tasks(DAG, "run")["fails_afterwards"] == ("failed", 1)
    assert len(running.tasks.sent_to("8610000056")) == 1


@pytest.mark.parametrize("task", ["is_out_of_time", "asks_and_is_out_of_time"])
def test_a_task_that_times_out_in_the_triggerer_is_not_retried(task, logs, running):
    """Airflow 2 fails it before any operator code except rendering runs."""
    assert running.airflow.tasks(DAG, "run")[task] == ("failed", 1)
    assert "Not retried from here on" in running.airflow.log_of(DAG, "run", task, 1)


@pytest.mark.parametrize("task", MARKED)
def test_a_task_marked_as_success_while_it_runs_keeps_that_state(task, logs, running):
    assert running.airflow.tasks(DAG, "run")[task] == ("success", 1)


def test_a_broadcast_without_accepted_messages_is_retried(logs, running):
    assert "1 recipient: 1 accepted" in running.airflow.log_of(DAG, "run", "nobody", 2)


def test_at_most_once_a_message_with_an_unknown_outcome_is_not_sent_again(logs, running):
    assert "UnknownOutcomeError" in logs["is_ended_while_asking"]
    assert not was_tried_again(running, "is_ended_while_asking")


def test_a_broadcast_ended_from_outside_counts_the_messages_not_sent(logs, running):
    assert not was_tried_again(running, "is_ended")
    summary = running.airflow.returned(DAG, "run", "is_ended")
    sent = len(running.to_numbers_with("8624"))
    assert 0 < summary["accepted"] <= sent <= summary["accepted"] + summary["unknown"] < 900
    assert summary["accepted"] + summary["unknown"] + summary["not_attempted"] == 900

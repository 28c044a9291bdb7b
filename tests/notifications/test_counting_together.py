"""Processes of one machine that alert at the same time are counted together."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_itnio.notifications import alert_state, guard
from airflow_provider_itnio.notifications.alert_facts import AlertFacts
from airflow_provider_itnio.notifications.alert_state import local_path

NUMBER = "8614718004557"
FACTS = AlertFacts(kind="task_failed", dag_id="sales", task_id="load")


@pytest.fixture(autouse=True)
def time_enough(monkeypatch):
    """No decision is late because the machine is busy."""
    monkeypatch.setattr(guard, "_SECONDS", 60.0)


def until(what):
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def requests():
    return [*local_path("").glob("*.request")]


def admit():
    return guard.admit([NUMBER], FACTS, {})[NUMBER]


def test_all_that_wait_for_a_slow_airflow_are_counted_with_one_write(variables, option):
    option(alert_limit=5)
    variables.answering.clear()
    with ThreadPoolExecutor(21) as threads:
        first = threads.submit(admit)
        until(lambda: variables.asked)  # it has its turn
        others = [threads.submit(admit) for _ in range(20)]
        until(lambda: len(requests()) == 20)
        variables.answering.set()
        admissions = [first.result(), *(one.result() for one in others)]
    assert variables.writes == 2
    assert sum(not one.is_held for one in admissions) == 5
    assert sum("Further alerts are held back" in one.note for one in admissions) == 1
    (counted,) = variables.recipients
    assert (counted["sent"], counted["held"], counted["dags"]) == (5, 16, {"sales": 16})
    assert [*local_path("").iterdir()] == []


def test_a_write_that_fails_loses_only_the_alerts_count_whose_turn_it_was(variables, option, monkeypatch):
    option(alert_limit=1)
    variables.answering.clear()
    variables.unwritable = True
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(admit)
        until(lambda: variables.asked)
        other = threads.submit(admit)
        until(requests)
        # In another process it would not be given up.
        monkeypatch.setattr(alert_state, "give_up", lambda: setattr(variables, "unwritable", False))
        variables.answering.set()
        assert first.result() == guard.Admission()
        assert other.result().counted is not None
    assert [one["sent"] for one in variables.recipients] == [1]


def test_one_whose_turn_does_not_come_in_time_is_sent_and_changes_nothing(variables, option, monkeypatch):
    option(alert_limit=1)
    variables.answering.clear()
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(admit)
        until(lambda: variables.asked)
        monkeypatch.setattr(guard, "_SECONDS", 0.3)
        assert admit() == guard.Admission()
        until(lambda: not requests())
        variables.answering.set()
        first.result()
    assert (variables.asked, [one["sent"] for one in variables.recipients]) == (1, [1])


def test_what_an_ended_process_has_left_is_removed_and_not_counted(variables, option):
    option(alert_limit=5)
    admit()
    folder = local_path("")
    left = [folder / "1.request", folder / "2.answer"]
    for path in left:
        path.write_text("{}")
        os.utime(path, (0, 0))
    admit()
    assert [*folder.iterdir()] == []
    assert [one["sent"] for one in variables.recipients] == [2]


def test_a_request_of_another_version_is_answered_that_it_is_sent(variables, option):
    option(alert_limit=5)
    folder = local_path("")
    folder.mkdir(0o700)
    (folder / "1.request").write_text('{"recipients": 7}')
    admit()
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("1.answer", "{}")]


def test_without_a_folder_of_its_own_each_is_counted_alone(variables, option):
    option(alert_limit=1)
    local_path("").write_text("someone else's")
    assert [admit().is_held for _ in range(3)] == [False, True, True]
    assert [one["held"] for one in variables.recipients] == [2]

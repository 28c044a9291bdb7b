"""Processes of one machine that alert at the same time are counted together."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

from airflow_provider_itnio.notifications import alert_state, guard
from airflow_provider_itnio.notifications.alert_facts import AlertFacts
from airflow_provider_itnio.notifications.alert_state import digest, shared_folder

NUMBER = "8614718004557"
FACTS = AlertFacts(kind="task_failed", dag_id="sales", task_id="load")


def until(what):
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def requests():
    return [*shared_folder().glob("*.request")]


def left():
    """The files in the folder but for the lock."""
    return [path for path in shared_folder().iterdir() if path.name != "lock"]


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
    assert left() == []


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


def test_what_one_that_no_longer_waits_would_have_reported_is_reported_later(variables, option, monkeypatch):
    option(alert_limit=1)
    assert [admit().is_held for _ in range(3)] == [False, True, True]
    key = digest(NUMBER)
    (recipient,) = variables.recipients
    over = {"recipients": {key: recipient | {"start": 0}}}  # its window
    variables.values[alert_state.VARIABLE] = json.dumps(variables.alerts | over)
    request = shared_folder() / "1.request"
    wanted = {"recipients": [key], "dag_id": "sales", "quiet": False, "failure": None}
    request.write_text(json.dumps(wanted | {"deadline": time.monotonic() + 60}))
    write = variables.set

    def write_slowly(*args):
        request.unlink(missing_ok=True)  # its deadline passes
        write(*args)

    monkeypatch.setattr(variables, "set", write_slowly)
    guard.admit(["5511912345678"], FACTS, {})
    assert (variables.writes, left()) == (5, [])
    assert variables.alerts["recipients"][key]["held"] == 2


def test_alerts_of_several_seconds_count_for_one_window(variables, option, monkeypatch):
    option(alert_limit=2)
    seconds = iter(range(1_795_608_010, 1_795_608_000, -1))
    monkeypatch.setattr(guard.time, "time", lambda: next(seconds))
    wanted = {"recipients": [digest(NUMBER)], "dag_id": "sales", "quiet": False, "failure": None}
    for number in range(5):
        (shared_folder() / f"{number}.request").write_text(
            json.dumps(wanted | {"deadline": time.monotonic() + 60})
        )
    admit()
    (counted,) = variables.recipients
    assert (counted["sent"], counted["held"]) == (2, 4)


def test_what_an_ended_process_has_left_is_removed_and_not_counted(variables, option):
    option(alert_limit=5)
    admit()
    folder = shared_folder()
    for path in (folder / "1.request", folder / "2.answer"):
        path.write_text("{}")
        os.utime(path, (0, 0))
    admit()
    assert left() == []
    assert [one["sent"] for one in variables.recipients] == [2]


def test_a_request_of_another_version_is_answered_that_it_is_sent(variables, option):
    option(alert_limit=5)
    folder = shared_folder()
    (folder / "1.request").write_text('{"recipients": 7}')
    admit()
    assert [(path.name, path.read_text()) for path in left()] == [("1.answer", "{}")]


def test_without_a_folder_of_its_own_each_is_counted_alone(variables, option):
    option(alert_limit=1)
    folder = shared_folder()
    folder.rmdir()
    folder.write_text("someone else's")
    assert [admit().is_held for _ in range(3)] == [False, True, True]
    assert [one["held"] for one in variables.recipients] == [2]

"""Alerts that processes of one machine send at the same time are counted together."""

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
    """The files in the folder except the lock."""
    return [path for path in shared_folder().iterdir() if path.name != "lock"]


def admit():
    return guard.admit([NUMBER], FACTS, {})[NUMBER]


def test_alerts_that_wait_for_a_slow_airflow_are_counted_in_one_write(variables, option):
    option(alert_limit=5)
    variables.answering.clear()
    with ThreadPoolExecutor(21) as threads:
        first = threads.submit(admit)
        until(lambda: variables.asked)  # it has the lock
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


def test_a_failed_write_loses_only_the_count_of_the_alert_that_wrote(variables, option, monkeypatch):
    option(alert_limit=1)
    variables.answering.clear()
    variables.unwritable = True
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(admit)
        until(lambda: variables.asked)
        other = threads.submit(admit)
        until(requests)
        # Another process would not give the Variable up.
        monkeypatch.setattr(
            alert_state, "pause_variable_use", lambda: setattr(variables, "unwritable", False)
        )
        variables.answering.set()
        assert first.result() == guard.Admission()
        assert other.result().counted is not None
    assert [one["sent"] for one in variables.recipients] == [1]


def test_an_alert_that_waits_too_long_for_the_lock_is_sent_uncounted(variables, option, monkeypatch):
    option(alert_limit=1)
    variables.answering.clear()
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(admit)
        until(lambda: variables.asked)
        monkeypatch.setattr(guard, "_TIMEOUT", 0.3)
        assert admit() == guard.Admission()
        until(lambda: not requests())
        variables.answering.set()
        first.result()
    assert (variables.asked, [one["sent"] for one in variables.recipients]) == (1, [1])


def test_held_alerts_of_a_request_that_stopped_waiting_are_reported_later(variables, option, monkeypatch):
    option(alert_limit=1)
    assert [admit().is_held for _ in range(3)] == [False, True, True]
    key = digest(NUMBER)
    (recipient,) = variables.recipients
    over = {"recipients": {key: recipient | {"start": 0}}}  # its window is over
    variables.values[alert_state.VARIABLE] = json.dumps(variables.alerts | over)
    request = shared_folder() / "1.request"
    wanted = {"recipients": [key], "dag_id": "sales", "quiet": False, "failure": None}
    request.write_text(json.dumps(wanted | {"deadline": time.monotonic() + 60}))
    write = variables.set

    def write_slowly(*args):
        request.unlink(missing_ok=True)  # the request's deadline passes
        write(*args)

    monkeypatch.setattr(variables, "set", write_slowly)
    guard.admit(["5511912345678"], FACTS, {})
    assert (variables.writes, left()) == (5, [])
    assert variables.alerts["recipients"][key]["held"] == 2


def test_alerts_counted_in_one_write_use_one_time(variables, option, monkeypatch):
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


def test_files_of_an_ended_process_are_removed_and_not_counted(variables, option):
    option(alert_limit=5)
    admit()
    folder = shared_folder()
    for path in (folder / "1.request", folder / "2.answer"):
        path.write_text("{}")
        os.utime(path, (0, 0))
    admit()
    assert left() == []
    assert [one["sent"] for one in variables.recipients] == [2]


def test_a_request_of_another_version_gets_an_empty_answer(variables, option):
    option(alert_limit=5)
    folder = shared_folder()
    (folder / "1.request").write_text('{"recipients": 7}')
    admit()
    assert [(path.name, path.read_text()) for path in left()] == [("1.answer", "{}")]


def test_without_a_shared_folder_each_alert_is_counted_alone(variables, option):
    option(alert_limit=1)
    folder = shared_folder()
    folder.rmdir()
    folder.write_text("someone else's")
    assert [admit().is_held for _ in range(3)] == [False, True, True]
    assert [one["held"] for one in variables.recipients] == [2]

"""In real Airflow: many alerts, a failing Variable, a recovery, and alerts by configuration."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing

import pytest

from .running import ALERT_LIMIT, scenario, until

pytestmark = pytest.mark.system
VARIABLE = "itnio_alerts_held"


def texts(running, number):
    return [message.text for message in running.alerts.sent_to(f"+86 1000 0000 {number}")]


def wait_and_reparse(running, what):
    """Wait, and let the DAG file be parsed again: callbacks that arrive during parsing wait for the next."""

    def is_so():
        if found := what():
            return found
        os.utime(running.dags / "storm.py")
        return None

    until(is_so, every=2)


def wait_for_texts(running, number, least):
    wait_and_reparse(running, lambda: len(texts(running, number)) >= least)


def wait_until_held(running, held):
    """Wait until this many alerts to one recipient are held back."""

    def is_held():
        recipients = json.loads(running.airflow.variable(VARIABLE) or "{}").get("recipients", {})
        return held in [one.get("held") for one in recipients.values()]

    wait_and_reparse(running, is_held)


def pass_the_window(running):
    """Let ten minutes pass since the sent alerts."""
    state = json.loads(running.airflow.variable(VARIABLE))
    for one in state["recipients"].values():
        one["start"] -= 600
    running.airflow.set_variable(VARIABLE, json.dumps(state))


def fail(running, dag_id, runs, name):
    running.airflow.trigger(dag_id, *(f"{name}_{number}" for number in range(runs)))


# One after the other: they change the Variable, and two processes might do that at the same time. An
# alert that can't be counted within 5 s is sent, so the broadcasts that keep Airflow busiest come before.
@scenario(after=("arrived", "slow", "at_least_once", "at_most_once"))
def storm(running):
    for index in range(4):
        fail(running, f"storm_{index}", ALERT_LIMIT // 2, "storm")
    wait_until_held(running, ALERT_LIMIT)
    alerts = texts(running, 72)
    pass_the_window(running)
    fail(running, "storm_0", 1, "after")
    wait_for_texts(running, 72, len(alerts) + 1)
    return alerts, texts(running, 72)[-1]


def test_failed_runs_alert_up_to_the_limit_and_the_next_window_reports_the_rest(storm):
    alerts, after = storm
    assert len(alerts) == ALERT_LIMIT
    assert {text.split("\n")[0] for text in alerts} == {"❌ *DAG failed*"}
    assert ["held back" in text for text in alerts] == [False] * (ALERT_LIMIT - 1) + [True]
    last = after.split("\n")[-1]
    assert last.startswith(f"_{ALERT_LIMIT} alerts were held back since 2")
    told = [int(part.rstrip("._)")) for part in last.split(" (")[1:] for part in [part.split(")")[0]]]
    assert sum(told) == ALERT_LIMIT
    assert "storm_" in last


@scenario(after=("storm",))
def lost_variable(running):
    for value in (None, "nonsense"):
        before = len(texts(running, 72))
        running.airflow.set_variable(VARIABLE, value)
        fail(running, "storm_1", 3, f"{value}")
        wait_for_texts(running, 72, before + 3)
    return json.loads(running.airflow.variable(VARIABLE))


def test_a_variable_lost_in_the_meantime_loses_no_alert(lost_variable):
    assert lost_variable["recipients"]


@scenario(after=("lost_variable",))
def unwritable_variable(running):
    before = len(texts(running, 72))
    with closing(sqlite3.connect(running.airflow.database, timeout=60)) as database:
        for name, event in (("no_insert", "INSERT"), ("no_update", "UPDATE")):
            database.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON variable WHEN NEW.key = '{VARIABLE}' "
                "BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        database.commit()
    try:
        fail(running, "storm_2", ALERT_LIMIT + 2, "unwritable")
        wait_for_texts(running, 72, before + ALERT_LIMIT + 2)
    finally:
        with closing(sqlite3.connect(running.airflow.database, timeout=60)) as database:
            for name in ("no_insert", "no_update"):
                database.execute(f"DROP TRIGGER {name}")
            database.commit()
    return len(texts(running, 72)) - before


def test_a_variable_that_cannot_be_written_loses_no_alert(unwritable_variable):
    assert unwritable_variable == ALERT_LIMIT + 2


@scenario(after=("unwritable_variable",))
def storm_of_tasks(running):
    running.airflow.trigger("storm_of_tasks", "storm")
    fail(running, "storm_of_dags", ALERT_LIMIT, "storm")  # beside six tasks
    wait_until_held(running, 6)
    alerts = len(texts(running, 73))
    for run in ("first", "second"):
        running.airflow.trigger("held_alerts", run)
        assert running.airflow.wait_for("held_alerts", run) == "success"
    return alerts, texts(running, 73)[alerts:]


def test_workers_and_dag_processor_share_the_limit_and_a_task_reports_held_alerts(storm_of_tasks):
    alerts, told = storm_of_tasks
    assert alerts == ALERT_LIMIT
    assert len(told) == 1
    assert told[0].startswith("📥 *Alerts held back*\n_6 alerts were held back since 2")


@scenario(after=("unwritable_variable",))
def recovery(running):
    broken = running.place / "broken"
    broken.touch()
    for run, state in (("one", "failed"), ("two", "failed"), ("three", "success"), ("four", "success")):
        if state == "success":
            broken.unlink(missing_ok=True)
        running.airflow.trigger("recovering", run)
        assert running.airflow.wait_for("recovering", run) == state
        wait_for_texts(running, 70, {"one": 1, "two": 2}.get(run, 3))
    fail(running, "alerting_by_itself", 1, "after")  # its callback runs after the previous run's
    wait_for_texts(running, 75, 1)
    return texts(running, 70)


def test_a_dag_that_fails_twice_and_then_succeeds_recovers_once(recovery, running):
    headlines = [text.split("\n")[0] for text in recovery]
    assert headlines == ["❌ *DAG failed*", "❌ *DAG failed*", "💚 *DAG recovered*"]
    assert "Failed tasks: `fail_while_broken`" in recovery[0]
    assert "It had failed in 2 runs for " in recovery[2]
    assert (running.place / "own_callback").read_text().split() == ["one", "two"]

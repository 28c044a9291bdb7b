"""A storm of alerts, a store that fails, a recovery, and alerts by configuration alone, in real Airflow."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing

import pytest

pytestmark = pytest.mark.system
VARIABLE = "itnio_alerts_held"


class Storm:
    """What is sent to a number while DAGs fail."""

    def __init__(self, running):
        self.airflow = running.airflow
        self.sandbox = running.alerts
        self.place = running.place

    def texts(self, number):
        return [message.text for message in self.sandbox.sent_to(f"+86 1000 0000 {number}")]

    def headlines(self, number):
        return [text.split("\n")[0] for text in self.texts(number)]

    def wait(self, number, messages):
        self.until(lambda: len(self.texts(number)) >= messages, lambda: f"{number}: {self.texts(number)}")

    def wait_until_held(self, held):
        self.until(lambda: held in self.held(), self.held)

    @staticmethod
    def until(is_so, seen):
        deadline = time.monotonic() + 240
        while not is_so():
            assert time.monotonic() < deadline, seen()
            time.sleep(1)

    def held(self):
        """Give how many alerts are held back, for each recipient of whom some are."""
        recipients = json.loads(self.airflow.variable(VARIABLE) or "{}").get("recipients", {})
        return [one["held"] for one in recipients.values() if one.get("held")]

    def pass_the_window(self):
        """Let ten minutes pass for what has gone out."""
        state = json.loads(self.airflow.variable(VARIABLE))
        for one in state["recipients"].values():
            one["start"] -= 600
        self.airflow.set_variable(VARIABLE, json.dumps(state))

    def fail(self, dag_id, runs, name):
        self.airflow.trigger_all(dag_id, [f"{name}_{number}" for number in range(runs)])


@pytest.fixture(scope="module")
def storm(running):
    return Storm(running)


def test_of_a_hundred_failed_runs_twenty_alert_and_the_next_after_the_window_tells_of_eighty(storm):
    for index in range(4):
        storm.fail(f"storm_{index}", 25, "storm")
    storm.wait_until_held(80)
    alerts = storm.texts(72)
    assert len(alerts) == 20
    assert {text.split("\n")[0] for text in alerts} == {"❌ *DAG failed*"}
    assert ["held back" in text for text in alerts] == [False] * 19 + [True]
    storm.pass_the_window()
    storm.fail("storm_0", 1, "after")
    storm.wait(72, 21)
    last = storm.texts(72)[-1].split("\n")[-1]
    assert last.startswith("_80 alerts were held back since 2")
    told = [int(part.rstrip("._)")) for part in last.split(" (")[1:] for part in [part.split(")")[0]]]
    assert sum(told) == 80
    assert "storm_" in last


@pytest.mark.parametrize("value", [None, "nonsense"], ids=["deleted", "nonsense"])
def test_a_variable_that_is_no_more_what_it_was_loses_no_alert(value, storm):
    before = len(storm.texts(72))
    storm.airflow.set_variable(VARIABLE, value)
    storm.fail("storm_1", 3, f"{value}")
    storm.wait(72, before + 3)
    assert json.loads(storm.airflow.variable(VARIABLE))["recipients"]


def test_a_variable_that_cant_be_written_loses_no_alert(storm):
    before = len(storm.texts(72))
    with closing(sqlite3.connect(storm.airflow.database, timeout=60)) as database:
        for name, event in (("no_insert", "INSERT"), ("no_update", "UPDATE")):
            database.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON variable WHEN NEW.key = '{VARIABLE}' "
                "BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        database.commit()
    try:
        storm.fail("storm_2", 24, "unwritable")
        storm.wait(72, before + 24)
    finally:
        with closing(sqlite3.connect(storm.airflow.database, timeout=60)) as database:
            for name in ("no_insert", "no_update"):
                database.execute(f"DROP TRIGGER {name}")
            database.commit()


def test_workers_and_the_dag_processor_alert_at_once_and_a_task_tells_what_they_held_back(storm):
    storm.airflow.trigger("storm_of_tasks", "storm")
    storm.fail("storm_of_dags", 12, "storm")
    storm.wait_until_held(8)
    assert len(storm.texts(73)) == 20
    for run in ("first", "second"):
        storm.airflow.trigger("held_alerts", run)
        assert storm.airflow.wait_for("held_alerts", run) == "success"
    assert len(storm.texts(73)) == 21
    assert storm.texts(73)[-1].startswith("📥 *Alerts held back*\n_8 alerts were held back since 2")


def test_a_dag_that_fails_twice_and_then_succeeds_is_told_of_as_recovered_once(storm):
    broken = storm.place / "broken"
    broken.touch()
    for run, state in (("one", "failed"), ("two", "failed"), ("three", "success"), ("four", "success")):
        if state == "success":
            broken.unlink(missing_ok=True)
        storm.airflow.trigger("recovering", run)
        assert storm.airflow.wait_for("recovering", run) == state
        storm.wait(70, {"one": 1, "two": 2}.get(run, 3))
    storm.fail("alerting_by_itself", 1, "after")  # its callback runs after those of the run before it
    storm.wait(75, 1)
    assert storm.headlines(70) == ["❌ *DAG failed*", "❌ *DAG failed*", "💚 *DAG recovered*"]
    assert "Failed tasks: `fail_while_broken`" in storm.texts(70)[0]
    assert "It had failed in 2 runs for " in storm.texts(70)[2]
    assert (storm.place / "own_callback").read_text().split() == ["one", "two"]

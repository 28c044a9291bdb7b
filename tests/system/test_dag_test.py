"""The sandbox receives messages of ``dag.test()``, and ``execute`` does the same without a database."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.sandbox.testing.in_dag import AIRFLOW_2, AIRFLOW_BEFORE_3_3, on_airflow_3

from .dags.compared import RUNS

pytestmark = pytest.mark.system

HERE = Path(__file__).parent
INSTANCES = [
    (f"{task_id} {given.get('map_index', -1)}", given.get("try_number", 1)) for task_id, given in RUNS
]
BY_TRIGGER = "trigger_fails -1"
ENDS = {"AirflowSkipException": "skipped", "success": "success"}


PROGRAM = """
import os, pytest, sys
os.chdir(sys.argv[1])
sys.exit(pytest.main(["-p", "no:cacheprovider", "-q", "test_compare.py"]))
"""


@pytest.fixture(scope="module")
def seen(airflow, tmp_path_factory):
    """Run the DAG in both ways in a user's project."""
    project = tmp_path_factory.mktemp("project")
    shutil.copy(HERE / "dags" / "compared.py", project)
    shutil.copy(HERE / "compare.py", project / "test_compare.py")
    ran = airflow(f"{project}", program=PROGRAM, env={"COMPARED": f"{project / 'seen.json'}"})
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-2000:]
    return json.loads((project / "seen.json").read_text())


def as_noted(notes):
    """Omit a callback's exception, which workers pass and ``dag.test()`` does not."""
    if not AIRFLOW_BEFORE_3_3:
        return notes
    return [re.sub(r"^(failure|retry) \w+", r"\1", one) for one in notes]


def test_the_fixture_receives_the_messages_of_a_run(seen):
    assert seen["states"]["tell -1"] == "success"
    assert seen["messages"] == ["red"]


@pytest.mark.skipif(not AIRFLOW_2, reason="execute runs the task on Airflow 3")
def test_on_airflow_2_execute_says_how_to_run_a_task(seen):
    assert seen["ends"] == {
        "tell -1": [
            "RuntimeError",
            "execute: needs Airflow 3. On Airflow 2, test the DAG with dag.test(): while this fixture is "
            "active, it sends to the sandbox",
        ]
    }


@on_airflow_3
@pytest.mark.parametrize(("instance", "try_number"), [one for one in INSTANCES if one[0] != BY_TRIGGER])
def test_a_task_gets_the_same_context_in_both_ways(instance, try_number, seen):
    key = f"{instance} try {try_number}"
    assert as_noted(seen["execute"][key]) == as_noted(seen["dag.test"][key]) != []


@on_airflow_3
def test_after_a_failed_trigger_the_task_fails_as_in_a_worker(seen):
    """``dag.test()`` runs the trigger in the task's process and stops there, without a callback."""
    key = f"{BY_TRIGGER} try 1"
    ran = seen["dag.test"][key]
    assert seen["execute"][key] == [
        *ran,
        ran[0],
        "failure TaskDeferralError state TaskInstanceState.FAILED task trigger_fails",
    ]


@on_airflow_3
def test_on_kill_is_called_for_the_same_tasks(seen):
    assert seen["execute"]["killed"] == seen["dag.test"]["killed"] == ["slow"]


@on_airflow_3
@pytest.mark.parametrize("instance", dict(INSTANCES))
def test_a_task_ends_in_the_same_state_in_both_ways(instance, seen):
    assert ENDS.get(seen["ends"][instance][0], "failed") == seen["states"][instance]


@on_airflow_3
def test_execute_returns_the_value_that_another_task_pulls(seen):
    returned = seen["ends"]["pushed -1"][1]
    assert returned in seen["dag.test"]["after_pushed -1 try 1"]


@on_airflow_3
def test_the_alert_of_a_dag_names_its_failed_tasks(airflow):
    """``dag.test()`` has no supervisor for the DAG's callbacks, but has the database."""
    program = "import sys; sys.path.insert(0, sys.argv[1]); from failing import dag; dag.test()"
    ran = airflow(f"{HERE / 'dags'}", program=program)
    assert "Failed tasks: load, store (2 mapped)" in ran.stdout, ran.stdout[-5000:] + ran.stderr[-2000:]

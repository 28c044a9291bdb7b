"""What Airflow before 3.3 lacks: it keeps nothing for a task, and each task says so."""

from __future__ import annotations

import pytest

from .conftest import AIRFLOW_2

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not AIRFLOW_2, reason="Airflow 3.3 keeps a delivery record"),
]

DAG = "record_that_is_not_kept"
NOT_PROTECTED = "No delivery record: Airflow before 3.3 keeps none for a task."


@pytest.fixture(scope="module")
def logs(running):
    """Run the DAG and give each task's log of its first try, and how often the second can be read."""
    for number in ("8610000053", "8610000054"):
        running.tasks.fail_next(recipient=number, status=-18)
    running.airflow.trigger(DAG, "run")
    assert running.airflow.wait_for(DAG, "run", timeout=180) == "failed"
    return {task: running.airflow.log_of(DAG, "run", task, 1) for task in ("one", "many", "nobody")}


def sent(running):
    return [message.recipient[-2:] for message in running.tasks.messages]


@pytest.mark.parametrize("task", ["one", "many", "nobody"])
def test_one_line_says_what_is_not_protected(task, logs):
    assert len([line for line in logs[task].splitlines() if NOT_PROTECTED in line]) == 1


def test_everything_still_sends_and_nobody_is_messaged_twice(logs, running):
    assert sorted(sent(running)) == ["50", "51", "52", "54"]


def test_a_broadcast_that_has_messaged_anyone_is_not_tried_again(logs, running):
    assert "Not tried again: without a delivery record, a retry would message people again" in logs["many"]
    with pytest.raises(FileNotFoundError):
        running.airflow.log_of(DAG, "run", "many", 2)


def test_a_broadcast_that_has_messaged_nobody_is_tried_again(logs, running):
    assert "1 recipient: 1 accepted" in running.airflow.log_of(DAG, "run", "nobody", 2)

"""Real Airflow waits until messages are delivered."""

from __future__ import annotations

import pytest

from .conftest import AIRFLOW_2
from .running import scenario, until

pytestmark = pytest.mark.system

LATER, FAILS = "99970000003", "99960000026"


@scenario()
def waiting(running):
    """Run the DAG; push that a message is delivered once its task waits for it. Give that task's state."""
    running.airflow.trigger("waiting", "run")
    (message,) = until(lambda: running.waiting.sent_to(LATER))
    waits = "running" if AIRFLOW_2 else "deferred"
    until(lambda: running.airflow.tasks("waiting", "run")["is_pushed_later"][0] == waits)
    running.waiting.push(message, "delivered")
    assert running.airflow.wait_for("waiting", "run") == "failed"
    return running.airflow.tasks("waiting", "run")


def test_a_task_is_green_once_its_message_is_delivered(waiting, running):
    assert waiting["is_pushed_later"][0] == "success"
    assert running.airflow.returned("waiting", "run", "is_pushed_later")["status"] == "delivered"
    assert waiting["in_the_worker"] == ("success", 1)


def test_a_message_that_whatsapp_gives_up_fails_its_task_at_once(waiting, running):
    state, tries = waiting["fails"]
    # On a busy machine Airflow takes a task that defers for no time for one that was killed, and retries it.
    logs = [running.airflow.log_of("waiting", "run", "fails", number + 1) for number in range(tries)]
    assert state == "failed"
    assert ["131026, the message can't be delivered" in log for log in logs] == [False] * (tries - 1) + [True]
    assert tries < 6  # no retry comes after that


def test_each_message_was_sent_once(waiting, running):
    assert len(running.waiting.messages) == 3

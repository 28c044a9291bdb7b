"""Cleared tasks in real Airflow after the author has lowered the retries."""

from __future__ import annotations

import pytest

from .conftest import AIRFLOW_2
from .running import scenario, until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(AIRFLOW_2, reason="Airflow before 3.3 keeps no task state"),
]

DAG, RUN = "record_of_cleared_tasks", "run_of_clearing"
ONE = {
    "one": "8610000070",
    "of_a_user": "8610000074",
    "many_of_a_user": "8610000076",
    "decorated": "8610000077",
}
MANY = [f"86260000{number:03d}" for number in range(20)]


def states(airflow):
    return {(task_id, state) for task_id, (state, _) in airflow.tasks(DAG, RUN).items()}


@scenario()
def cleared(running):
    """Run the DAG, clear one of its tasks while another waits for its retry, lower the retries, clear all."""
    airflow, sandbox = running.airflow, running.tasks
    sandbox.fail_next(recipient="8610000071", status=-114)
    sandbox.fail_next(recipient="8610000072", status=-114)
    airflow.trigger(DAG, RUN)
    for task_id, state in {"is_retried_meanwhile": "up_for_retry", "one": "success"}.items():
        until(lambda is_so=(task_id, state): is_so in states(airflow), every=0.5)
    airflow.clear(DAG, RUN, "one")
    until(lambda: len(running.texts_to(ONE["one"])) == 2)
    assert airflow.wait_for(DAG, RUN) == "failed"
    before = airflow.tasks(DAG, RUN)
    sent_before = [message.recipient for message in sandbox.messages]
    (running.place / "retries").write_text("1")
    (running.dags / "cleared.py").touch()  # a changed DAG file is parsed again at once
    until(lambda: airflow.retries_of(DAG, "one") == 1, every=0.5)
    airflow.clear(DAG, RUN, *{name.partition("[")[0] for name in before}, on_latest_version=True)
    until(lambda: airflow.wait_for(DAG, RUN) == "success")
    return before, sent_before


def test_a_retry_sends_nothing_although_another_task_of_its_run_was_cleared(cleared, running):
    before, sent_before = cleared
    assert before["is_retried_meanwhile"] == ("success", 2)
    assert sent_before.count("8610000078") == 1


@pytest.mark.parametrize("task_id", [name for name in ONE if name != "one"])
def test_a_task_cleared_after_success_sends_with_any_post_execute(task_id, cleared, running):
    assert cleared[1].count(ONE[task_id]) == 1
    assert len(running.texts_to(ONE[task_id])) == 2


@pytest.mark.parametrize("number", [f"861000008{digit}" for digit in range(6)])
def test_a_task_cleared_after_success_sends_with_any_retries_and_delivery(number, cleared, running):
    assert cleared[1].count(number) == 1
    assert len(running.texts_to(number)) == 2


def test_a_task_cleared_twice_sends_each_time(cleared, running):
    assert len(running.texts_to(ONE["one"])) == 3


def test_each_mapped_task_of_a_users_subclass_sends_after_a_clear(cleared, running):
    assert sorted(running.texts_to("8610000075")) == ["one", "one", "two", "two"]


def test_a_broadcast_cleared_after_success_sends_to_all_recipients(cleared, running):
    assert [len(running.texts_to(number)) for number in MANY] == [2] * 20
    summary = running.airflow.returned(DAG, RUN, "many")
    assert (summary["accepted"], summary["accepted_earlier"]) == (20, 0)


def test_a_refused_message_is_sent_after_a_clear(cleared, running):
    before, sent_before = cleared
    assert (before["refused"], before["many_refused"]) == (("failed", 1), ("failed", 1))
    assert "8610000071" not in sent_before
    assert len(running.texts_to("8610000071")) == 1
    assert len(running.texts_to("8610000072")) == 1
    assert len(running.texts_to("8610000073")) == 1


def test_max_tries_was_unchanged_after_the_clear(cleared, running):
    """Otherwise these tests would test only that number."""
    finished = running.airflow.state_of(DAG, RUN, "of_a_user", "whatsapp/finished")
    assert (finished["try"], finished["max_tries"], finished["retries"]) == (2, 2, 1)

"""What a real Airflow tells of a task that a person has cleared, where the author has lowered its retries."""

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
    (running.dags / "cleared.py").touch()  # a DAG file that has changed is read again at once
    until(lambda: airflow.retries_of(DAG, "one") == 1, every=0.5)
    airflow.clear(DAG, RUN, *{name.partition("[")[0] for name in before}, on_latest_version=True)
    until(lambda: airflow.wait_for(DAG, RUN) == "success")
    return before, sent_before


def test_a_retry_sends_nothing_though_another_task_of_its_run_was_cleared_meanwhile(cleared, running):
    before, sent_before = cleared
    assert before["is_retried_meanwhile"] == ("success", 2)
    assert sent_before.count("8610000078") == 1


@pytest.mark.parametrize("task_id", [name for name in ONE if name != "one"])
def test_a_task_that_had_succeeded_sends_whoever_its_post_execute_is(task_id, cleared, running):
    assert cleared[1].count(ONE[task_id]) == 1
    assert len(running.texts_to(ONE[task_id])) == 2


@pytest.mark.parametrize("number", [f"861000008{digit}" for digit in range(6)])
def test_so_it_does_wherever_its_retries_stand_and_with_either_delivery(number, cleared, running):
    assert cleared[1].count(number) == 1
    assert len(running.texts_to(number)) == 2


def test_a_task_that_was_cleared_twice_sends_each_time(cleared, running):
    assert len(running.texts_to(ONE["one"])) == 3


def test_mapped_tasks_of_a_users_own_send_each(cleared, running):
    assert sorted(running.texts_to("8610000075")) == ["one", "one", "two", "two"]


def test_a_broadcast_that_had_succeeded_sends_to_everyone(cleared, running):
    assert [len(running.texts_to(number)) for number in MANY] == [2] * 20
    summary = running.airflow.returned(DAG, RUN, "many")
    assert (summary["accepted"], summary["accepted_earlier"]) == (20, 0)


def test_what_was_refused_is_sent_once_it_is_mended_and_cleared(cleared, running):
    before, sent_before = cleared
    assert (before["refused"], before["many_refused"]) == (("failed", 1), ("failed", 1))
    assert "8610000071" not in sent_before
    assert len(running.texts_to("8610000071")) == 1
    assert len(running.texts_to("8610000072")) == 1
    assert len(running.texts_to("8610000073")) == 1


def test_the_number_of_tries_was_what_it_was_before(cleared, running):
    """Else none of this would show more than that number."""
    finished = running.airflow.state_of(DAG, RUN, "of_a_user", "whatsapp/finished")
    assert (finished["try"], finished["max_tries"], finished["retries"]) == (2, 2, 1)

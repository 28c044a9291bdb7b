"""A DAG's alert names up to five failed tasks; a mapped task is one name with a count."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_itnio.notifications.alert_facts import alert_facts
from airflow_provider_itnio.notifications.failed_tasks import describe_failed_tasks
from tests.tables import for_each

from .events import AIRFLOW_2, RUN_ID, dag_run, of_dag

if not AIRFLOW_2:
    from airflow.sdk.execution_time import comms, supervisor

with DAG("nightly_load", schedule=None) as NIGHTLY:
    for name in ("extract", "load", "load_7", "check", "store"):
        EmptyOperator(task_id=name)


class Supervisor:
    """Answers a callback in the DAG processor like Airflow 3's supervisor."""

    def __init__(self, states):
        self.states = states

    def send(self, msg):
        assert isinstance(msg, comms.GetTaskStates)
        assert (msg.dag_id, msg.run_ids) == ("nightly_load", [RUN_ID])
        return comms.TaskStatesResult(task_states={RUN_ID: self.states})


def failed_tasks(states, *, dag=NIGHTLY):
    """Return an alert's failed tasks; keys of the states are task ids or (task id, map index)."""
    if AIRFLOW_2:
        keys = [key if isinstance(key, tuple) else (key, -1) for key in states]
        tis = [SimpleNamespace(task_id=task_id, map_index=index) for task_id, index in keys]

        def get_task_instances(state):
            return [ti for ti, now in zip(tis, states.values(), strict=True) if now in state]

        return named(of_dag(get_task_instances=get_task_instances) | {"dag": dag})
    names = {key if isinstance(key, str) else f"{key[0]}_{key[1]}": state for key, state in states.items()}
    with supervisor.set_supervisor_comms(Supervisor(names)):
        return named(of_dag() | {"dag": dag})


def named(event):
    """Return the failed tasks in an alert; without them, Airflow's reason."""
    facts = alert_facts(event)
    assert (facts.error, facts.error_line) == (("", "") if facts.failed_tasks else ("task_failure",) * 2)
    assert not facts.failed_tasks or alert_facts(event | {"reason": "timed_out"}).error == "timed_out"
    return facts.failed_tasks


def test_failed_tasks_are_named_in_the_dags_order_without_upstream_failed_ones():
    states = {"store": "upstream_failed", "check": "failed", "extract": "success", "load": "failed"}
    assert failed_tasks(states) == "load, check"


def test_a_mapped_task_is_one_name_with_a_count_also_beside_a_similar_name():
    states = {("load", 0): "failed", ("load", 1): "success", ("load", 12): "failed", "load_7": "failed"}
    assert failed_tasks(states) == "load (2 mapped), load_7"


def test_one_failed_instance_of_a_mapped_task_has_the_count_one():
    assert failed_tasks({("check", 3): "failed", ("check", 4): "success"}) == "check (1 mapped)"


def test_a_task_that_is_no_longer_in_the_dag_is_named_last():
    assert failed_tasks({"gone": "failed", "check": "failed"}) == "check, gone"


@pytest.mark.parametrize("states", [{}, {"load": "success", "check": "upstream_failed"}])
def test_no_task_is_named_if_none_failed(states):
    assert failed_tasks(states) == ""


def test_a_dag_whose_task_states_cannot_be_read_alerts_without_names():
    facts = alert_facts(of_dag())
    assert (facts.kind, facts.failed_tasks) == ("dag_failed", "")


def test_a_dag_that_succeeded_has_no_failed_tasks():
    assert alert_facts(of_dag("success", run=dag_run("success"))).failed_tasks == ""


@for_each(
    ("count", "said"),
    [
        (1, "t0"),
        (5, "t0, t1, t2, t3, t4"),
        (6, "t0, t1, t2, t3, t4, and 1 more"),
        (8, "t0, t1, t2, t3, t4, and 3 more"),
    ],
)
def test_five_failed_tasks_are_named_and_the_others_counted(count, said):
    assert describe_failed_tasks([f"t{number}" for number in range(count)]) == said


@given(st.lists(st.text("abc_", min_size=1, max_size=100), min_size=1, max_size=12))
def test_failed_tasks_fit_into_a_template_value_and_give_the_total(names):
    said = describe_failed_tasks(names)
    assert 0 < len(said) <= 180
    named, _, more = said.partition(", and ")
    assert len(named.split(", ")) + int(more.removesuffix(" more") or 0) == len(names)

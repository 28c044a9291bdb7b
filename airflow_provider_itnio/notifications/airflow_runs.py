"""What Airflow tells a callback of runs and their tasks; on Airflow 2 and 3 it is asked in different ways."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

__all__ = ["failed_task_instances", "previous_runs", "previous_task_instances"]


def failed_task_instances(
    dag_id: str, run_id: str, dag_run: Any, task_ids: Collection[str]
) -> list[tuple[str, bool]]:
    """Give the failed task instances of a run that has ended, where its callbacks run.

    On Airflow 2 the callback's run can ask the database. On Airflow 3 the supervisor is asked, which names a
    mapped task instance ``<task id>_<map index>``.

    :param dag_id: the DAG.
    :param run_id: the run.
    :param dag_run: the run as the callback's context has it.
    :param task_ids: the ids of the DAG's tasks.
    :return: the task's id of each, and whether it is one of a mapped task's.
    :raises Exception: if the states can't be asked for.
    """
    if not AIRFLOW_V_3_0_PLUS:
        failed = dag_run.get_task_instances(state=["failed"])
        return [(str(ti.task_id), ti.map_index >= 0) for ti in failed]
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    states = RuntimeTaskInstance.get_task_states(dag_id=dag_id, run_ids=[run_id]).get(run_id, {})
    return [_task_of(name, task_ids) for name, state in states.items() if state == "failed"]


def _task_of(name: str, task_ids: Collection[str]) -> tuple[str, bool]:
    task_id, _, map_index = name.rpartition("_")
    is_mapped = name not in task_ids and map_index.isdecimal() and task_id in task_ids
    return (task_id, True) if is_mapped else (name, False)


def previous_runs(dag_run: Any) -> Iterator[Any]:
    """Give the runs of the same DAG with earlier logical dates, the last first.

    :param dag_run: a run with a logical date, as a callback's context has it.
    :raises Exception: if Airflow can't be asked.
    """
    if not AIRFLOW_V_3_0_PLUS:
        while (dag_run := dag_run.get_previous_dagrun(dag_run)) is not None:
            yield dag_run
        return
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import GetPreviousDagRun

    date = dag_run.logical_date
    while date is not None:
        message = GetPreviousDagRun(dag_id=dag_run.dag_id, logical_date=date)
        previous = task_runner.SUPERVISOR_COMMS.send(message).dag_run  # type: ignore[union-attr]
        if previous is None:
            return
        yield previous
        date = previous.logical_date


def previous_task_instances(ti: Any, dag_run: Any) -> Iterator[Any]:
    """Give the task instances of the same task in runs with earlier logical dates, the last first.

    :param ti: a task instance as a callback's context has it.
    :param dag_run: its run, with a logical date.
    :raises Exception: if Airflow can't be asked; 3.0 and 3.1 can't be.
    """
    if not AIRFLOW_V_3_0_PLUS:
        while (ti := ti.get_previous_ti()) is not None:
            yield ti
        return
    index = -1 if ti.map_index is None else ti.map_index
    date = dag_run.logical_date
    while date is not None and (previous := ti.get_previous_ti(logical_date=date, map_index=index)):
        yield previous
        date = previous.logical_date

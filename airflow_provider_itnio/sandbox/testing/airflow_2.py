"""A task instance of Airflow 2 that asks its database for nothing."""

from __future__ import annotations

from typing import Any

from airflow.models import dagrun, taskinstance
from airflow.utils.state import DagRunState, TaskInstanceState

from airflow_provider_itnio.sandbox.testing.trial import RETURNED, Trial


def begin(trial: Trial) -> tuple[Any, Any]:
    """Make the task instance and its context."""
    run: Any = dagrun.DagRun(
        **trial.dag_run,
        run_type="manual",
        state=DagRunState.RUNNING,
        execution_date=trial.logical_date,
        external_trigger=True,
    )
    ti: Any = taskinstance.TaskInstance(trial.task, run_id=trial.run_id, map_index=trial.map_index)
    ti.dag_run = run
    ti.try_number, ti.max_tries = trial.try_number, trial.task.retries or 0
    ti.hostname, ti.start_date, ti.state = "localhost", trial.start_date, TaskInstanceState.RUNNING
    ti.get_previous_dagrun = lambda state=None, session=None: None

    def xcom_pull(task_ids: Any = None, dag_id: Any = None, key: str = RETURNED, **options: Any) -> Any:
        if task_ids is None or isinstance(task_ids, str):
            task_id = task_ids or trial.task.task_id
            return trial.xcoms.pull(task_id, key, trial.dag.task_dict.get(task_id))
        return [xcom_pull(task_id, dag_id, key) for task_id in task_ids]

    ti.xcom_pull = xcom_pull
    context = ti.get_template_context()
    context.update(trial.context)
    return ti, context


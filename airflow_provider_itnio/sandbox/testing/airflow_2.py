"""A task instance of Airflow 2 for callbacks, which needs no database."""

from __future__ import annotations

from typing import Any

from airflow.models import dagrun, taskinstance
from airflow.utils.state import DagRunState, TaskInstanceState

from airflow_provider_itnio.sandbox.testing.run_spec import RETURNED, RunSpec

# Types are checked against Airflow 3, where both take other arguments.
TaskInstance: Any = taskinstance.TaskInstance
DagRun: Any = dagrun.DagRun


class _NoDatabase:
    """Replaces the database session that Airflow asks for the length of a mapped task's XCom."""

    def scalar(self, _statement: Any) -> int:
        return 1


def begin(spec: RunSpec) -> tuple[Any, Any]:
    """Create the task instance and its context."""
    task, xcoms = spec.task, spec.xcoms
    ti = TaskInstance(task, run_id=spec.run_id, map_index=spec.map_index)
    ti.dag_run = DagRun(
        dag_id=spec.dag.dag_id,
        run_id=spec.run_id,
        run_type="manual",
        state=DagRunState.RUNNING,
        execution_date=spec.logical_date,
        data_interval=spec.data_interval,
        start_date=spec.start_date,
        conf=spec.conf,
        external_trigger=True,
    )
    ti.dag_run.dag, ti.dag_run.queued_at = spec.dag, spec.start_date
    ti.try_number, ti.max_tries = spec.try_number, task.retries or 0
    ti.hostname, ti.start_date, ti.state = "localhost", spec.start_date, TaskInstanceState.RUNNING

    def xcom_pull(task_ids: Any = None, dag_id: Any = None, key: str = RETURNED, **options: Any) -> Any:
        if task_ids is None:
            return next((value for (_, name), value in reversed(xcoms.items()) if name == key), None)
        if not isinstance(task_ids, str):
            return [xcom_pull(task_id, dag_id, key, **options) for task_id in task_ids]
        value = xcoms.pull(task_ids, key, spec.dag.task_dict.get(task_ids))
        indexes = options.get("map_indexes")
        if value is None or indexes is None or indexes == -1:
            return options.get("default") if value is None else value
        return value[indexes] if isinstance(indexes, int) else [value[index] for index in indexes]

    def xcom_push(key: str, value: Any, **_options: Any) -> None:
        xcoms[task.task_id, key] = value

    ti.xcom_pull, ti.xcom_push = xcom_pull, xcom_push
    ti.get_previous_dagrun = lambda state=None, session=None: None
    context = ti.get_template_context(session=_NoDatabase())
    context.update(spec.context)
    return ti, context

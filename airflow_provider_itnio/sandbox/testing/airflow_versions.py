"""What Airflow's own task runner uses and no public name leads to, from where each version has it."""

from __future__ import annotations

import uuid
from contextvars import copy_context
from copy import deepcopy
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import DagRunState, TaskInstanceState, conf
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS
from airflow.utils import state as server_state
from airflow.utils import types as server_types

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

__all__ = [
    "AIRFLOW_V_3_0_PLUS",
    "OutletEventAccessors",
    "PlainXComArg",
    "TaskInstanceState",
    "airflow_context",
    "conf",
    "data_interval_of",
    "details_of_instance",
    "end_run",
    "entries_of_version",
    "execute_operator",
    "macros",
    "params_of",
    "run_of",
    "set_current_context",
]

# Of Airflow 2 alone.
Context: Any
KNOWN_CONTEXT_KEYS: Any
TaskInstanceKey: Any
baseoperator: Any

if AIRFLOW_V_3_0_PLUS:
    from airflow.sdk.api.datamodels._generated import DagRun, DagRunType
    from airflow.sdk.bases.operator import ExecutorSafeguard
    from airflow.sdk.definitions.context import Context as DeclaredContext
    from airflow.sdk.definitions.param import process_params
    from airflow.sdk.definitions.xcom_arg import PlainXComArg
    from airflow.sdk.execution_time import macros
    from airflow.sdk.execution_time.context import (
        OutletEventAccessors,
        TriggeringAssetEventsAccessor,
        set_current_context,
    )
else:
    from airflow import macros
    from airflow.models import baseoperator
    from airflow.models.dagrun import DagRun
    from airflow.models.param import process_params
    from airflow.models.taskinstance import set_current_context
    from airflow.models.taskinstancekey import TaskInstanceKey
    from airflow.models.xcom_arg import PlainXComArg
    from airflow.utils.context import KNOWN_CONTEXT_KEYS, Context, OutletEventAccessors
    from airflow.utils.types import DagRunType

# What a task instance of Airflow 2 has, and one that runs for the first time and alone has nothing in.
NOT_YET_IN_AIRFLOW_2 = (
    "duration",
    "external_executor_id",
    "job_id",
    "next_kwargs",
    "next_method",
    "note",
    "previous_ti",
    "previous_ti_success",
    "trigger_id",
    "trigger_timeout",
)


def run_of(
    dag: Any,
    *,
    run_id: str,
    logical_date: Any,
    data_interval: tuple[Any, Any],
    start_date: datetime,
    run_conf: dict[str, Any],
) -> Any:
    """
    Make the run of a DAG that a person has started, as a task is shown it.

    :param dag: the DAG, None if the task has none
    :param run_id: its name
    :param logical_date: what the run is for, None if for no date
    :param data_interval: from when to when its data is
    :param start_date: when it has begun
    :param run_conf: what it was triggered with
    """
    dates = {"logical_date": logical_date, "start": data_interval[0], "end": data_interval[1]}
    # Airflow reads them from its database, which knows nothing of pendulum.
    plain = {name: date and datetime.fromisoformat(date.isoformat()) for name, date in dates.items()}
    common: dict[str, Any] = {
        "dag_id": dag.dag_id if dag else "adhoc",
        "run_id": run_id,
        "run_type": DagRunType.MANUAL,
        "state": DagRunState.RUNNING,
        "start_date": start_date,
        "conf": run_conf,
    }
    if AIRFLOW_V_3_0_PLUS:
        return DagRun.model_construct(
            **common,
            logical_date=plain["logical_date"],
            data_interval_start=plain["start"],
            data_interval_end=plain["end"],
            run_after=plain["logical_date"] or start_date,
            end_date=None,
            consumed_asset_events=[],
            partition_key=None,
        )
    run: Any = DagRun(**common, execution_date=plain["logical_date"], external_trigger=True)
    run.dag, run.queued_at = dag, start_date
    run.data_interval_start, run.data_interval_end = plain["start"], plain["end"]
    return run


def end_run(run: Any, state: str) -> None:
    """
    Have a run ended, as the callbacks of its DAG are shown it: Airflow's server has made this one.

    :param run: the run
    :param state: how it ended
    """
    run.state = server_state.DagRunState(state)
    run.run_type = server_types.DagRunType(run.run_type)
    run.end_date = datetime.now(UTC)


def data_interval_of(dag: Any, logical_date: Any) -> tuple[Any, Any]:
    """
    Ask a DAG's timetable from when to when the data of a run is that a person starts.

    :param dag: the DAG, None if the task has none
    :param logical_date: what the run is for, None if for no date
    """
    if dag is None or logical_date is None:
        return logical_date, logical_date
    timetable = dag.timetable
    if not hasattr(timetable, "infer_manual_data_interval"):
        # From Airflow 3.2 on a DAG file's timetable is only the description of one.
        from airflow.serialization.encoders import coerce_to_core_timetable

        timetable = coerce_to_core_timetable(timetable)
    interval = timetable.infer_manual_data_interval(run_after=logical_date)
    return interval.start, interval.end


def details_of_instance(ti: Any, run: Any) -> dict[str, Any]:
    """
    Give what a task instance holds on one version of Airflow alone.

    :param ti: the task instance
    :param run: its run
    """
    task = ti.task
    details = {"queue": task.queue, "rendered_map_index": None}
    if AIRFLOW_V_3_0_PLUS:
        return details | {
            "id": uuid.uuid4(),
            "dag_version_id": uuid.uuid4(),
            "context_carrier": None,
            "get_first_reschedule_date": lambda context: None,
            "is_mapped": ti.map_index >= 0,
        }
    return (
        dict.fromkeys(NOT_YET_IN_AIRFLOW_2)
        | details
        | {
            "dag_run": run,
            "execution_date": run.execution_date,
            "executor_config": task.executor_config,
            "get_dagrun": lambda session=None: run,
            "key": TaskInstanceKey(ti.dag_id, ti.task_id, ti.run_id, ti.try_number, ti.map_index),
            "logical_date": run.execution_date,
            "next_try_number": ti.try_number + 1,
            "operator": task.task_type,
            "operator_name": task.operator_name,
            "pool": task.pool,
            "pool_slots": task.pool_slots,
            "prev_attempted_tries": ti.try_number,
            "queued_dttm": run.queued_at,
            "task_display_name": task.task_display_name,
            "test_mode": False,
        }
    )


def entries_of_version(logical_date: Any) -> dict[str, Any]:
    """
    Give the entries of a context that one version of Airflow has alone.

    :param logical_date: what the run is for, None if for no date
    """
    if AIRFLOW_V_3_0_PLUS:
        return {
            "partition_date": None,
            "partition_key": None,
            "task_reschedule_count": 0,
            "triggering_asset_events": TriggeringAssetEventsAccessor.build([]),
        }
    context = {
        "conf": conf,
        "expanded_ti_count": None,
        "prev_execution_date_success": None,
        "test_mode": False,
        "triggering_dataset_events": {},
    }
    if logical_date is None:
        return context
    # Of a run that a person has started, the one before and the one after are for the same date.
    days = {"prev": 0, "next": 0, "yesterday": -1, "tomorrow": 1}
    for name, number in days.items():
        ds = logical_date.add(days=number).strftime("%Y-%m-%d")
        context |= {f"{name}_ds": ds, f"{name}_ds_nodash": ds.replace("-", "")}
    return context | {
        "execution_date": logical_date,
        "next_execution_date": logical_date,
        "prev_execution_date": logical_date,
    }


def airflow_context(values: dict[str, Any]) -> MutableMapping[str, Any]:
    """
    Make a context as this version of Airflow makes it.

    :param values: its entries, of which a version that is older than an entry takes none
    """
    known = DeclaredContext.__annotations__ if AIRFLOW_V_3_0_PLUS else KNOWN_CONTEXT_KEYS
    entries = {name: value for name, value in values.items() if name in known}
    return entries if AIRFLOW_V_3_0_PLUS else Context(entries)


def params_of(dag: Any, task: Any, run: Any) -> dict[str, Any]:
    """
    Merge and check the params of a DAG, of its task and of a run.

    :param dag: the DAG, None if the task has none
    :param task: the operator
    :param run: the run, with what it was triggered with in ``conf``
    """
    # Airflow writes what a run was triggered with into the params that it gets: those of the DAG file stay.
    dag_params: Any = SimpleNamespace(params=deepcopy(dag.params)) if dag else None
    task_params: Any = SimpleNamespace(params=deepcopy(task.params))
    triggered_with = run.conf if AIRFLOW_V_3_0_PLUS else run
    return process_params(dag_params, task_params, triggered_with, suppress_exception=False)


def execute_operator(operator: Any, context: Mapping[str, Any]) -> Any:
    """
    Execute an operator with its hooks before and after, as the one that Airflow means to run.

    Airflow warns of, or refuses, an ``execute`` that its task runner did not announce.

    :param operator: the operator, rendered
    :param context: its context
    """
    if AIRFLOW_V_3_0_PLUS:
        return copy_context().run(_execute_announced, operator, context)
    operator.pre_execute(context)
    announced = {f"{type(operator).__name__}__sentinel": baseoperator._sentinel}
    result = operator.execute(context, **announced)
    operator.post_execute(context, result)
    return result


def _execute_announced(operator: Any, context: Mapping[str, Any]) -> Any:
    ExecutorSafeguard.tracker.set(operator)
    if operator._pre_execute_hook is not None:
        operator._pre_execute_hook(context)
    operator.pre_execute(context)
    result = operator.execute(context)
    if operator._post_execute_hook is not None:
        operator._post_execute_hook(context, result)
    operator.post_execute(context, result)
    return result

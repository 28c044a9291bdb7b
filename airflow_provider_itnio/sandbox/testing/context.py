"""The context that Airflow gives a task or a callback, of small objects that need no database."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum

from airflow_provider_itnio.sandbox.checks import mapping, whole
from airflow_provider_itnio.sandbox.testing.accessors import TestingConnections, TestingVariables
from airflow_provider_itnio.sandbox.testing.airflow_versions import (
    AIRFLOW_V_3_0_PLUS,
    OutletEventAccessors,
    airflow_context,
    data_interval_of,
    end_run,
    entries_of_version,
    macros,
    params_of,
    run_of,
)
from airflow_provider_itnio.sandbox.testing.arguments import logical_date_of, moment, task_of_event
from airflow_provider_itnio.sandbox.testing.task_instance import (
    TestingTaskInstance,
    TestingTaskStateStore,
    XComs,
)

__all__ = ["context_of_deadline", "context_of_event", "context_of_task"]

RUN_TIME = timedelta(seconds=72)


def context_of_task(
    task: Any, xcoms: Mapping[str | tuple[str, str], Any], given: Mapping[str, Any]
) -> MutableMapping[str, Any]:
    """
    Make the context of a task.

    :param task: the operator
    :param xcoms: what upstream tasks have left
    :param given: what the test says of it
    """
    rest = dict(given)
    dag = task.get_dag()
    logical_date = logical_date_of(rest)
    inferred = data_interval_of(dag, logical_date)
    interval = (
        moment("data_interval_start", rest.pop("data_interval_start", inferred[0])),
        moment("data_interval_end", rest.pop("data_interval_end", inferred[1])),
    )
    run = run_of(
        dag,
        run_id=_run_id(rest) or f"manual__{(logical_date or pendulum.now('UTC')).isoformat()}",
        logical_date=logical_date,
        data_interval=interval,
        start_date=datetime.now(UTC) - RUN_TIME,
        run_conf=dict(mapping("params", rest.pop("params", None))),
    )
    ti = TestingTaskInstance(
        task,
        run,
        XComs(xcoms),
        map_index=whole("map_index", rest.pop("map_index", -1), -1),
        try_number=whole("try_number", rest.pop("try_number", 1), 1),
        max_tries=task.retries or 0,
        start_date=run.start_date,
    )
    day = logical_date.strftime("%Y%m%d") if logical_date else run.run_id
    context = airflow_context(
        {
            "conn": TestingConnections(),
            "dag": dag,
            "dag_run": run,
            "inlets": task.inlets,
            "macros": macros,
            "map_index_template": task.map_index_template,
            "outlet_events": OutletEventAccessors(),
            "outlets": task.outlets,
            "params": params_of(dag, task, run),
            "prev_end_date_success": None,
            "prev_start_date_success": None,
            "run_id": run.run_id,
            "task": task,
            "task_instance": ti,
            "task_state_store": TestingTaskStateStore(),
            "task_instance_key_str": f"{run.dag_id}__{task.task_id}__{day}",
            "ti": ti,
            "var": {"value": TestingVariables(as_json=False), "json": TestingVariables(as_json=True)},
        }
        | _dates(logical_date, interval)
        | entries_of_version(logical_date)
    )
    context.update(rest)
    vars(ti)["get_template_context"] = lambda session=None: context
    return context


def context_of_event(
    kind: str,
    state: str,
    exception: BaseException | str | None,
    xcoms: Mapping[str | tuple[str, str], Any],
    given: Mapping[str, Any],
) -> MutableMapping[str, Any]:
    """
    Make the context of a callback of a task or a DAG.

    :param kind: what happened
    :param state: the state that the task or the run has now
    :param exception: what a task failed with
    :param xcoms: what upstream tasks have left
    :param given: what the test says of it
    """
    rest = dict(given)
    task = task_of_event(rest)
    context = context_of_task(task, xcoms, rest)
    ti = context["ti"]
    if kind.startswith("dag_"):
        end_run(context["dag_run"], state)
        context.setdefault("reason", {"failed": "task_failure"}.get(state, state))
        if AIRFLOW_V_3_0_PLUS:
            # The run's last task instance is put together from what the run's record has of it.
            ti.state = ti.start_date = None
        else:
            ti.end(state)
        return context
    ti.end(state)
    if kind == "retry":
        ti.max_tries = max(ti.max_tries, ti.try_number)
    if kind in ("failure", "retry"):
        context["exception"] = exception or RuntimeError("the task failed")
    elif AIRFLOW_V_3_0_PLUS:
        context["exception"] = None
    return context


def context_of_deadline(given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Make the context of a run that is late: it has come as JSON, and holds little.

    :param given: what the test says of it
    """
    rest = dict(given)
    task = task_of_event(rest)
    of_task = context_of_task(task, {}, rest)
    run, dates = of_task["dag_run"], ("data_interval_start", "data_interval_end")
    for name in ("logical_date", "ds", "run_id", "params", "map_index", "try_number", *dates):
        rest.pop(name, None)
    context = {
        "dag_run": {
            "dag_id": run.dag_id,
            "dag_run_id": run.run_id,
            "dag_display_name": of_task["dag"].dag_display_name if of_task["dag"] else run.dag_id,
            "logical_date": _as_json(run.logical_date),
            "data_interval_start": _as_json(run.data_interval_start),
            "data_interval_end": _as_json(run.data_interval_end),
            "run_after": _as_json(run.logical_date or run.start_date),
            "queued_at": _as_json(run.start_date),
            "start_date": _as_json(run.start_date),
            "last_scheduling_decision": _as_json(run.start_date),
            "end_date": None,
            "duration": None,
            "run_type": "manual",
            "state": "running",
            "triggered_by": "ui",
            "triggering_user_name": None,
            "conf": run.conf,
            "note": None,
            "dag_versions": [],
            "bundle_version": None,
            "partition_key": None,
            "partition_date": None,
        },
        "deadline": {
            "id": "01980000-0000-7000-8000-000000000000",
            "deadline_time": datetime.now(UTC).isoformat(),
        },
    }
    return context | rest


def _run_id(given: dict[str, Any]) -> str | None:
    run_id = given.pop("run_id", None)
    if run_id is not None and (not isinstance(run_id, str) or not run_id):
        raise ValueError(f"run_id: a text, {run_id!r:.60} given")
    return run_id


def _as_json(date: datetime | None) -> str | None:
    return date.isoformat().replace("+00:00", "Z") if date else None


def _dates(logical_date: Any, interval: tuple[Any, Any]) -> dict[str, Any]:
    if logical_date is None:
        return {}
    ds, ts = logical_date.strftime("%Y-%m-%d"), logical_date.isoformat()
    return {
        "data_interval_end": interval[1],
        "data_interval_start": interval[0],
        "ds": ds,
        "ds_nodash": ds.replace("-", ""),
        "logical_date": logical_date,
        "prev_data_interval_end_success": None,
        "prev_data_interval_start_success": None,
        "ts": ts,
        "ts_nodash": logical_date.strftime("%Y%m%dT%H%M%S"),
        "ts_nodash_with_tz": ts.replace("-", "").replace(":", ""),
    }

"""The context that Airflow gives a task or a callback, of small objects that need no database."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, MutableMapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, AirflowNotFoundException, BaseHook, BaseOperator

from .trial_airflow import (
    AIRFLOW_V_3_0_PLUS,
    OutletEventAccessors,
    airflow_context,
    conf,
    data_interval_of,
    end_run,
    macros,
    params_of,
    run_of,
    triggering_events,
)
from .trial_instance import NOT_GIVEN, TrialTaskInstance, XComs

__all__ = ["context_of_deadline", "context_of_event", "context_of_task"]

RUN_TIME = timedelta(seconds=72)


class TrialVariables:
    """
    Airflow's variables as ``var.value`` and ``var.json``, from the environment alone.

    :param as_json: whether they are read as JSON
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def __getattr__(self, name: str) -> Any:
        _refuse_what_python_asks(name)
        return self.get(name)

    def get(self, key: str, default: Any = NOT_GIVEN) -> Any:
        """
        Give a variable.

        :param key: its name
        :param default: what to give if there is none
        :raises KeyError: if there is none, and no default
        """
        value = os.environ.get(f"AIRFLOW_VAR_{key.upper()}")
        if value is not None:
            return json.loads(value) if self._as_json else value
        if default is not NOT_GIVEN:
            return default
        raise KeyError(f"the test gives no Airflow variable of this name: variables={{{key!r}: ...}}")


class TrialConnections:
    """Airflow's connections as ``conn``, from the environment alone."""

    def __getattr__(self, name: str) -> Any:
        _refuse_what_python_asks(name)
        if f"AIRFLOW_CONN_{name.upper()}" not in os.environ:
            raise AirflowNotFoundException(
                f"the test gives no Airflow connection {name!r}: set AIRFLOW_CONN_{name.upper()}"
            )
        return BaseHook.get_connection(name)

    def get(self, conn_id: str, default_conn: Any = None) -> Any:
        """
        Give a connection.

        :param conn_id: its id
        :param default_conn: what to give if there is none
        """
        try:
            return getattr(self, conn_id)
        except AirflowNotFoundException:
            return default_conn


def _refuse_what_python_asks(name: str) -> None:
    """Let Python go without what it may have, such as ``__deepcopy__``."""
    if name.startswith("__"):
        raise AttributeError(name)


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
    logical_date = _logical_date(rest)
    inferred = data_interval_of(dag, logical_date)
    interval = (
        _moment("data_interval_start", rest.pop("data_interval_start", inferred[0])),
        _moment("data_interval_end", rest.pop("data_interval_end", inferred[1])),
    )
    run_conf = rest.pop("params", None) or {}
    if not isinstance(run_conf, Mapping):
        raise ValueError(f"params: a dict, {run_conf!r:.60} given")
    run = run_of(
        dag,
        run_id=rest.pop("run_id", None) or f"manual__{(logical_date or pendulum.now('UTC')).isoformat()}",
        logical_date=logical_date,
        data_interval=interval,
        start_date=datetime.now(UTC) - RUN_TIME,
        run_conf=dict(run_conf),
    )
    ti = TrialTaskInstance(
        task,
        run,
        XComs(xcoms),
        map_index=_whole("map_index", rest.pop("map_index", -1), -1),
        try_number=_whole("try_number", rest.pop("try_number", 1), 1),
        max_tries=task.retries or 0,
        start_date=run.start_date,
    )
    day = logical_date.strftime("%Y%m%d") if logical_date else run.run_id
    context = airflow_context(
        {
            "conn": TrialConnections(),
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
            "task_instance_key_str": f"{run.dag_id}__{task.task_id}__{day}",
            "ti": ti,
            "var": {"value": TrialVariables(as_json=False), "json": TrialVariables(as_json=True)},
        }
        | triggering_events()
        | _dates(logical_date, interval)
        | (_of_airflow_3() if AIRFLOW_V_3_0_PLUS else _of_airflow_2(logical_date))
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
    task = _task_of(rest.pop("task", None), rest.pop("dag", None))
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
    task = _task_of(rest.pop("task", None), rest.pop("dag", None))
    of_task = context_of_task(task, {}, rest)
    run, dates = of_task["dag_run"], ("data_interval_start", "data_interval_end")
    for name in ("logical_date", "ds", "run_id", "params", "map_index", "try_number", *dates):
        rest.pop(name, None)
    context = {
        "dag_run": {
            "dag_id": run.dag_id,
            "dag_run_id": run.run_id,
            "dag_display_name": of_task["dag"].dag_display_name,
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


def _task_of(task: Any, dag: Any) -> Any:
    """Give the task that an event is of, one of its own making if the test names none."""
    if task is not None and dag is not None:
        raise ValueError("task: not together with dag, a task has one of its own")
    if task is not None:
        operator = getattr(task, "operator", task)
        if not hasattr(operator, "get_dag"):
            raise ValueError(f"task: an operator, {task!r:.60} given")
        return operator
    if dag is not None and not hasattr(dag, "tasks"):
        raise ValueError(f"dag: a DAG, {dag!r:.60} given")
    if dag is not None and dag.tasks:
        return dag.tasks[-1]
    return BaseOperator(task_id="a_task", dag=dag or DAG("a_dag", schedule=None))


def _logical_date(given: dict[str, Any]) -> Any:
    if "ds" not in given:
        return _moment("logical_date", given.pop("logical_date", pendulum.now("UTC")))
    if "logical_date" in given:
        raise ValueError("ds: not together with logical_date")
    ds = given.pop("ds")
    try:
        return _moment("ds", date.fromisoformat(str(ds)))
    except ValueError:
        raise ValueError(f"ds: a date such as '2026-07-01', {ds!r:.60} given") from None


def _moment(name: str, given: Any) -> Any:
    """Read a moment; in UTC, as all are that Airflow's database gives."""
    if given is None:
        return None
    if isinstance(given, date) and not isinstance(given, datetime):
        given = datetime(given.year, given.month, given.day, tzinfo=UTC)
    try:
        moment = pendulum.parse(given) if isinstance(given, str) else pendulum.instance(given)
        return moment.in_timezone("UTC")  # type: ignore[union-attr]
    except (AttributeError, TypeError, ValueError):
        raise ValueError(
            f"{name}: a date or a time, such as '2026-07-01T06:00:00Z', {given!r:.60} given"
        ) from None


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}: a whole number from {least}, {value!r:.60} given")
    return value


def _as_json(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None


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


def _of_airflow_3() -> dict[str, Any]:
    return {"partition_date": None, "partition_key": None, "task_reschedule_count": 0}


def _of_airflow_2(logical_date: Any) -> dict[str, Any]:
    context = {
        "conf": conf,
        "expanded_ti_count": None,
        "prev_execution_date_success": None,
        "test_mode": False,
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

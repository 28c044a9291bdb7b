"""The context that Airflow gives a task or a callback, of small objects that need no database."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pendulum
from airflow.providers.common.compat.sdk import DAG, BaseHook, BaseOperator, conf

from .trial_airflow import AIRFLOW_V_3_0_PLUS, macros, params_of

__all__ = ["TrialTaskInstance", "XComs", "context_of_deadline", "context_of_task"]

RETURNED = "return_value"
RUN_TIME = timedelta(seconds=72)
NOT_GIVEN: Any = object()


class XComs:
    """
    What upstream tasks have left for a task.

    :param given: what each returned, by task id; what was pushed under another key, by the pair of both
    """

    def __init__(self, given: Mapping[str | tuple[str, str], Any]) -> None:
        self._values = {
            (name, RETURNED) if isinstance(name, str) else name: value for name, value in given.items()
        }

    def push(self, task_id: str, key: str, value: Any) -> None:
        """
        Leave a value.

        :param task_id: whose it is
        :param key: its key
        :param value: the value
        """
        self._values[task_id, key] = value

    def pull(self, task_id: str, key: str, upstream: Any = None, default: Any = NOT_GIVEN) -> Any:
        """
        Give a value.

        :param task_id: whose it is
        :param key: its key
        :param upstream: the task, if it is known; one with ``multiple_outputs`` left each key it returned
        :param default: what to give if there is none
        :raises LookupError: if there is none, and no default
        """
        if (task_id, key) in self._values:
            return self._values[task_id, key]
        returned = self._values.get((task_id, RETURNED))
        if getattr(upstream, "multiple_outputs", False) and isinstance(returned, Mapping) and key in returned:
            return returned[key]
        if default is not NOT_GIVEN:
            return default
        # Airflow would give None, and a typing error in a task id would go unnoticed.
        name = repr(task_id) if key == RETURNED else repr((task_id, key))
        raise LookupError(f"the task reads an XCom that the test does not give: xcoms={{{name}: ...}}")


@dataclass
class TrialRun:
    """
    The run of a DAG.

    :param dag_id: the DAG
    :param run_id: its name
    :param logical_date: what the run is for, None if for no date
    :param conf: what it was triggered with
    """

    dag_id: str
    run_id: str
    logical_date: Any
    conf: dict[str, Any]
    state: str = "running"
    run_type: str = "manual"
    start_date: datetime | None = None
    end_date: datetime | None = None

    @property
    def data_interval_start(self) -> Any:
        """Where its data begins: at its date, as of a run that a person started."""
        return self.logical_date

    @property
    def data_interval_end(self) -> Any:
        """Where its data ends."""
        return self.logical_date


@dataclass
class TrialTaskInstance:
    """
    A task in a run.

    :param task: the operator
    :param dag_run: the run
    :param xcoms: what upstream tasks have left
    :param map_index: which instance of a mapped task, -1 if it is none
    :param try_number: which try, from 1
    :param max_tries: how often it is tried again
    """

    task: Any
    dag_run: TrialRun
    xcoms: XComs
    map_index: int = -1
    try_number: int = 1
    max_tries: int = 0
    state: str = "running"
    start_date: datetime | None = None
    end_date: datetime | None = None
    hostname: str = "localhost"
    task_id: str = field(init=False)
    dag_id: str = field(init=False)
    run_id: str = field(init=False)

    def __post_init__(self) -> None:
        """Take over what the task and the run say."""
        self.task_id = self.task.task_id
        self.dag_id = self.dag_run.dag_id
        self.run_id = self.dag_run.run_id

    @property
    def logical_date(self) -> Any:
        """What the run is for."""
        return self.dag_run.logical_date

    @property
    def log_url(self) -> str:
        """Where Airflow shows the log."""
        section = "api" if AIRFLOW_V_3_0_PLUS else "webserver"
        dag = f"{conf.get(section, 'base_url', fallback='http://localhost:8080').rstrip('/')}/dags/{self.dag_id}"
        run = quote(self.run_id)
        if AIRFLOW_V_3_0_PLUS:
            mapped = f"/mapped/{self.map_index}" if self.map_index >= 0 else ""
            return f"{dag}/runs/{run}/tasks/{self.task_id}{mapped}?try_number={self.try_number}"
        mapped = f"&map_index={self.map_index}" if self.map_index >= 0 else ""
        return f"{dag}/grid?dag_run_id={run}&task_id={self.task_id}{mapped}&tab=logs"

    def xcom_pull(
        self,
        task_ids: str | Iterable[str] | None = None,
        dag_id: str | None = None,
        key: str = RETURNED,
        include_prior_dates: bool = False,
        session: Any = None,
        *,
        map_indexes: int | Iterable[int] | None = None,
        default: Any = NOT_GIVEN,
        run_id: str | None = None,
    ) -> Any:
        """
        Give what an upstream task has left; of a mapped one that is a list.

        :param task_ids: the task, or several for a list of what they left; None for this task itself
        :param dag_id: not looked at
        :param key: what it was pushed under
        :param include_prior_dates: not looked at
        :param session: not looked at
        :param map_indexes: which instances of a mapped task; None for all
        :param default: what to give if there is none
        :param run_id: not looked at
        :raises LookupError: if the test gives none, and there is no default
        """
        if task_ids is None or isinstance(task_ids, str):
            return self._pull(task_ids or self.task_id, key, map_indexes, default)
        return [self._pull(task_id, key, map_indexes, default) for task_id in task_ids]

    def xcom_push(self, key: str, value: Any, session: Any = None) -> None:
        """
        Leave a value, which this task can read again.

        :param key: what to push it under
        :param value: the value
        :param session: not looked at
        """
        self.xcoms.push(self.task_id, key, value)

    def _pull(self, task_id: str, key: str, map_indexes: int | Iterable[int] | None, default: Any) -> Any:
        dag = self.task.get_dag()
        value = self.xcoms.pull(task_id, key, dag.task_dict.get(task_id) if dag else None, default)
        if isinstance(map_indexes, int):
            return value[map_indexes] if map_indexes >= 0 else value
        if isinstance(map_indexes, Iterable):
            return [value[index] for index in map_indexes]
        return value


class TrialVariables:
    """
    Airflow's variables as ``var.value`` and ``var.json``, from the environment alone.

    :param as_json: whether they are read as JSON
    """

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def __getattr__(self, name: str) -> Any:
        return self.get(name)

    def get(self, name: str, default: Any = NOT_GIVEN) -> Any:
        """
        Give a variable.

        :param name: its name
        :param default: what to give if there is none
        :raises KeyError: if there is none, and no default
        """
        value = os.environ.get(f"AIRFLOW_VAR_{name.upper()}")
        if value is not None:
            return json.loads(value) if self._as_json else value
        if default is not NOT_GIVEN:
            return default
        raise KeyError(f"the test gives no Airflow variable of this name: variables={{{name!r}: ...}}")


class TrialConnections:
    """Airflow's connections as ``conn``."""

    def __getattr__(self, name: str) -> Any:
        return BaseHook.get_connection(name)


def context_of_task(
    task: Any, xcoms: Mapping[str | tuple[str, str], Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """
    Make the context of a task.

    :param task: the operator
    :param xcoms: what upstream tasks have left
    :param given: what the test says of it
    """
    rest = dict(given)
    dag = task.get_dag()
    logical_date = _logical_date(rest)
    run = TrialRun(
        dag_id=dag.dag_id if dag else "adhoc",
        run_id=rest.pop("run_id", None) or f"manual__{(logical_date or pendulum.now('UTC')).isoformat()}",
        logical_date=logical_date,
        conf=dict(rest.pop("params", None) or {}),
        start_date=datetime.now(UTC) - RUN_TIME,
    )
    ti = TrialTaskInstance(
        task,
        run,
        XComs(xcoms),
        map_index=rest.pop("map_index", -1),
        try_number=rest.pop("try_number", 1),
        max_tries=task.retries or 0,
        start_date=run.start_date,
    )
    context: dict[str, Any] = {
        "conf": conf,
        "conn": TrialConnections(),
        "dag": dag,
        "dag_run": run,
        "inlets": task.inlets,
        "macros": macros,
        "outlets": task.outlets,
        "params": params_of(dag, task, run),
        "run_id": run.run_id,
        "task": task,
        "task_instance": ti,
        "task_instance_key_str": f"{run.dag_id}__{task.task_id}__{run.run_id}",
        "ti": ti,
        "var": {"value": TrialVariables(as_json=False), "json": TrialVariables(as_json=True)},
    }
    return context | _dates(logical_date) | rest


def context_of_event(
    kind: str,
    state: str,
    exception: BaseException | str | None,
    xcoms: Mapping[str | tuple[str, str], Any],
    given: Mapping[str, Any],
) -> dict[str, Any]:
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
    of_dag = kind.startswith("dag_")
    event = context["dag_run"] if of_dag else context["ti"]
    event.state = state
    event.end_date = datetime.now(UTC)
    if of_dag:
        context.setdefault("reason", {"failed": "task_failure"}.get(state, state))
    elif kind == "retry":
        context["ti"].max_tries = max(context["ti"].max_tries, context["ti"].try_number)
    if kind in ("failure", "retry"):
        context["exception"] = exception or RuntimeError("the task failed")
    return context


def context_of_deadline(given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Make the context of a run that is late: it has come as JSON, and holds little.

    :param given: what the test says of it
    """
    rest = dict(given)
    task = _task_of(rest.pop("task", None), rest.pop("dag", None))
    run = context_of_task(task, {}, rest)["dag_run"]
    for name in ("logical_date", "ds", "run_id", "params", "map_index", "try_number"):
        rest.pop(name, None)
    context = {
        "dag_run": {
            "dag_id": run.dag_id,
            "dag_run_id": run.run_id,
            "logical_date": run.logical_date.isoformat() if run.logical_date else None,
            "state": "running",
            "start_date": run.start_date.isoformat(),
            "end_date": None,
            "conf": run.conf,
        },
        "deadline": {
            "id": "01980000-0000-7000-8000-000000000000",
            "deadline_time": datetime.now(UTC).isoformat(),
        },
    }
    return context | rest


def _task_of(task: Any, dag: Any) -> Any:
    """Give the task that an event is of, one of its own making if the test names none."""
    if task is not None:
        return getattr(task, "operator", task)
    if dag is not None and dag.tasks:
        return dag.tasks[-1]
    return BaseOperator(task_id="a_task", dag=dag or DAG("a_dag", schedule=None))


def _logical_date(given: dict[str, Any]) -> Any:
    if "logical_date" in given:
        date = given.pop("logical_date")
        if date is None:
            return None
        return pendulum.parse(date) if isinstance(date, str) else pendulum.instance(date)
    return pendulum.parse(given["ds"]) if "ds" in given else pendulum.now("UTC")


def _dates(logical_date: Any) -> dict[str, Any]:
    if logical_date is None:
        return {}
    ds, ts = logical_date.strftime("%Y-%m-%d"), logical_date.isoformat()
    return {
        "data_interval_end": logical_date,
        "data_interval_start": logical_date,
        "ds": ds,
        "ds_nodash": ds.replace("-", ""),
        "logical_date": logical_date,
        "ts": ts,
        "ts_nodash": logical_date.strftime("%Y%m%dT%H%M%S"),
        "ts_nodash_with_tz": ts.replace("-", "").replace(":", ""),
    }

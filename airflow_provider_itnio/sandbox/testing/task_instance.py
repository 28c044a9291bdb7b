"""A task in a run, and what upstream tasks have left for it, without a database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from airflow_provider_itnio.sandbox.testing.airflow_versions import (
    AIRFLOW_V_3_0_PLUS,
    TaskInstanceState,
    conf,
    details_of_instance,
)

__all__ = ["NOT_GIVEN", "TestingTaskInstance", "TestingTaskStateStore", "XComs"]

RETURNED = "return_value"
NOT_GIVEN: Any = object()
NOT_THERE: Any = object()


class XComs:
    """
    What upstream tasks have left for a task.

    :param given: what each returned, by task id; what was pushed under another key, by the pair of both
    """

    def __init__(self, given: Mapping[str | tuple[str, str], Any]) -> None:
        for name in given:
            both = name if isinstance(name, tuple) else (name, RETURNED)
            if len(both) != 2 or not all(isinstance(one, str) for one in both):
                raise ValueError(f"xcoms: by task id, or by task id and key, {name!r:.60} given")
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

    def latest(self, key: str, default: Any) -> Any:
        """
        Give what was pushed last under a key, whoever did.

        :param key: the key
        :param default: what to give if nobody did
        """
        return next((value for (_, name), value in reversed(self._values.items()) if name == key), default)

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


class TestingTaskStateStore:
    """Airflow's task state store (from 3.3 on), empty and for one run of a task."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        """
        Give what stands under a key.

        :param key: the key
        :param default: what to give if nothing does
        """
        return json.loads(self._texts[key]) if key in self._texts else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        """
        Write a value.

        :param key: the key
        :param value: plain JSON, not None
        :param retention: not looked at
        :raises ValueError: if it is None
        :raises TypeError: if it is not JSON
        """
        if value is None:
            raise ValueError("Cannot set value as None")
        self._texts[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        """
        Forget a value.

        :param key: its key
        """
        self._texts.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self._texts.clear()


@dataclass
class TestingTaskInstance:
    """
    A task in a run.

    :param task: the operator
    :param run: the run
    :param xcoms: what upstream tasks have left
    :param map_index: which instance of a mapped task, -1 if it is none
    :param try_number: which try, from 1
    :param max_tries: how often it is tried again
    """

    task: Any
    run: InitVar[Any]
    xcoms: XComs
    map_index: int = -1
    try_number: int = 1
    max_tries: int = 0
    state: Any = TaskInstanceState.RUNNING
    start_date: datetime | None = None
    end_date: datetime | None = None
    hostname: str = "localhost"
    task_id: str = field(init=False)
    dag_id: str = field(init=False)
    run_id: str = field(init=False)

    def __post_init__(self, run: Any) -> None:
        """Take over what the task and the run say."""
        self.task_id = self.task.task_id
        self.dag_id = run.dag_id
        self.run_id = run.run_id
        vars(self).update(details_of_instance(self, run))

    @property
    def stats_tags(self) -> dict[str, str]:
        """What Airflow's metrics of it are tagged with."""
        return {"dag_id": self.dag_id, "task_id": self.task_id}

    @property
    def log_url(self) -> str:
        """Where Airflow shows the log."""
        dag = f"{_base_url()}/dags/{self.dag_id}"
        run = quote(self.run_id)
        if AIRFLOW_V_3_0_PLUS:
            mapped = f"/mapped/{self.map_index}" if self.map_index >= 0 else ""
            return f"{dag}/runs/{run}/tasks/{self.task_id}{mapped}?try_number={self.try_number}"
        mapped = f"&map_index={self.map_index}" if self.map_index >= 0 else ""
        date = vars(self)["execution_date"]
        base = f"&base_date={quote(date.strftime('%Y-%m-%dT%H:%M:%S.%f%z'))}" if date else ""
        return f"{dag}/grid?dag_run_id={run}&task_id={self.task_id}{mapped}{base}&tab=logs"

    @property
    def mark_success_url(self) -> str:
        """Where a person sets its state."""
        if AIRFLOW_V_3_0_PLUS:
            return self.log_url
        return (
            f"{_base_url()}/confirm?task_id={self.task_id}&dag_id={self.dag_id}"
            f"&dag_run_id={quote(self.run_id)}&upstream=false&downstream=false&state=success"
        )

    def get_previous_dagrun(self, state: str | None = None) -> None:
        """
        Give the run before this one: there is none.

        :param state: how it is to have ended
        """

    def end(self, state: str) -> None:
        """
        Have ended.

        :param state: how
        """
        self.state = TaskInstanceState(state)
        if self.state is TaskInstanceState.SKIPPED:
            return  # Airflow writes the date after it has called
        self.end_date = datetime.now(UTC)
        if "duration" in vars(self) and self.start_date is not None:
            vars(self)["duration"] = (self.end_date - self.start_date).total_seconds()

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

        :param task_ids: the task, or several for a list of what they left; None for this task itself, on
            Airflow 2 for any
        :param dag_id: not looked at
        :param key: what it was pushed under
        :param include_prior_dates: not looked at
        :param session: not looked at
        :param map_indexes: which instances of a mapped task; None for all
        :param default: what to give if there is none
        :param run_id: not looked at
        :raises LookupError: if the test gives none, and there is no default
        """
        if task_ids is None and not AIRFLOW_V_3_0_PLUS:
            return self.xcoms.latest(key, None if default is NOT_GIVEN else default)
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
        upstream = dag.task_dict.get(task_id) if dag else None
        value = self.xcoms.pull(task_id, key, upstream, NOT_GIVEN if default is NOT_GIVEN else NOT_THERE)
        if value is NOT_THERE:
            return default
        if map_indexes is None or map_indexes == -1:
            return value
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ValueError(
                f"xcoms: a list for {task_id!r}, of which the task asks map_indexes={map_indexes!r}"
            )
        if isinstance(map_indexes, int):
            return value[map_indexes]
        return [value[index] for index in map_indexes]


def _base_url() -> str:
    section = "api" if AIRFLOW_V_3_0_PLUS else "webserver"
    return str(conf.get(section, "base_url", fallback="http://localhost:8080")).rstrip("/")

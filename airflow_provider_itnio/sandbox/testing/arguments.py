"""What a test says of a context, read and checked."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, BaseOperator

__all__ = ["logical_date_of", "moment", "task_of_event"]


def task_of_event(given: dict[str, Any]) -> Any:
    """
    Give the task that an event is of, one of its own making if the test names none.

    :param given: what the test says; ``task`` and ``dag`` are taken out
    :raises ValueError: if there can be no such task
    """
    task, dag = given.pop("task", None), given.pop("dag", None)
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


def logical_date_of(given: dict[str, Any]) -> Any:
    """
    Give what a run is for, now if the test does not say.

    :param given: what the test says; ``ds`` and ``logical_date`` are taken out
    :raises ValueError: if there can be no such date
    """
    if "ds" not in given:
        return moment("logical_date", given.pop("logical_date", pendulum.now("UTC")))
    if "logical_date" in given:
        raise ValueError("ds: not together with logical_date")
    ds = given.pop("ds")
    try:
        return moment("ds", date.fromisoformat(str(ds)))
    except ValueError:
        raise ValueError(f"ds: a date such as '2026-07-01', {ds!r:.60} given") from None


def moment(name: str, given: Any) -> Any:
    """
    Read a moment; in UTC, as all are that Airflow's database gives.

    :param name: the parameter
    :param given: a date or a time, as text too; None stays None
    :raises ValueError: if it is something else
    """
    if given is None:
        return None
    if isinstance(given, date) and not isinstance(given, datetime):
        given = datetime(given.year, given.month, given.day, tzinfo=UTC)
    read: object = None
    with suppress(AttributeError, TypeError, ValueError):
        read = pendulum.parse(given) if isinstance(given, str) else pendulum.instance(given)
    if not isinstance(read, pendulum.DateTime):
        raise ValueError(f"{name}: a date or a time, such as '2026-07-01T06:00:00Z', {given!r:.60} given")
    return read.in_timezone("UTC")

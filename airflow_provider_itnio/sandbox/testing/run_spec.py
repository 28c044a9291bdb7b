"""Read and check a test's description of a run or an event."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, BaseOperator
from pydantic import Field

from airflow_provider_itnio.sandbox.api_models import Given, read

RETURNED = "return_value"


class XComs(dict[tuple[str, str], Any]):
    """XComs of upstream tasks, by task id or by the pair of task id and key."""

    def __init__(self, arguments: Mapping[str | tuple[str, str], Any]) -> None:
        for name in arguments:
            both = name if isinstance(name, tuple) else (name, RETURNED)
            if len(both) != 2 or not all(isinstance(one, str) for one in both):
                raise ValueError(f"xcoms: by task id, or by task id and key, {name!r:.60} given")
        super().__init__(
            {(name, RETURNED) if isinstance(name, str) else name: value for name, value in arguments.items()}
        )

    def pull(self, task_id: str, key: str, upstream: Any) -> Any:
        """
        Return a value; a task with ``multiple_outputs`` has one for each key it returned.

        :raises LookupError: if there is none; Airflow would return None, which would hide a typing error
        """
        if (task_id, key) in self:
            return self[task_id, key]
        returned = self.get((task_id, RETURNED), self)
        if returned is None:
            return None
        if getattr(upstream, "multiple_outputs", False) and isinstance(returned, Mapping) and key in returned:
            return returned[key]
        name = repr(task_id) if key == RETURNED else repr((task_id, key))
        raise LookupError(
            f"the task reads an XCom that the test does not give: xcoms={{{name}: ...}}; "
            "give None for a task that pushed nothing"
        )


class RunGiven(Given):
    """A test's description of a run, without the dates."""

    run_id: str | None = Field(None, min_length=1, description="a text")
    map_index: int = Field(-1, ge=-1, description="a whole number from -1")
    try_number: int = Field(1, ge=1, description="a whole number from 1")
    params: dict[str, Any] | None = Field(None, description="a dict")


@dataclass
class RunSpec:
    """A task in a manual run, as the test describes it."""

    task: Any
    dag: Any
    run_id: str
    logical_date: Any
    data_interval: tuple[Any, Any]
    conf: dict[str, Any]
    map_index: int
    try_number: int
    start_date: datetime
    xcoms: XComs
    context: dict[str, Any]
    """Entries that the test adds to the context."""


@contextmanager
def run_spec(task: Any, arguments: Mapping[str, Any], start_date: datetime) -> Iterator[RunSpec]:
    """Read a test's description. The params of the DAG, which Airflow changes for a run, are restored."""
    rest = dict(arguments)
    run = read(RunGiven, {name: rest.pop(name) for name in RunGiven.model_fields if name in rest})
    logical_date = _logical_date(rest)
    dag = task.get_dag()
    if dag is None:
        dag, task = DAG("adhoc", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)), copy.copy(task)
        dag.add_task(task)
    interval = _data_interval(dag, logical_date)
    spec = RunSpec(
        task,
        dag,
        run_id=run.run_id or f"manual__{(logical_date or pendulum.now('UTC')).isoformat()}",
        logical_date=_plain(logical_date),
        data_interval=(
            _plain(parse_time("data_interval_start", rest.pop("data_interval_start", interval[0]))),
            _plain(parse_time("data_interval_end", rest.pop("data_interval_end", interval[1]))),
        ),
        conf=run.params or {},
        map_index=run.map_index,
        try_number=run.try_number,
        start_date=start_date,
        xcoms=XComs(rest.pop("xcoms")),
        context=rest,
    )
    params = [params.get_param(name) for params in (dag.params, task.params) if params for name in params]
    before = [(param, param.value) for param in params]
    try:
        yield spec
    finally:
        for param, value in before:
            param.value = value


def operator_of(task: Any) -> Any:
    """Return the operator of a task, or of the result of calling a decorated function."""
    operator = getattr(task, "operator", task)
    if not isinstance(operator, type) and hasattr(operator, "render_template_fields"):
        return operator
    given = f"the class {task.__name__} given" if isinstance(task, type) else f"{type(task).__name__} given"
    if callable(function := getattr(task, "function", None)):
        task_id = getattr(task, "kwargs", {}).get("task_id", function.__name__)
        given = f"the function {function.__name__} given. Its task is dag.get_task({task_id!r})"
    raise TypeError(f"task: an operator, or what a function with a task decorator returns in a DAG; {given}")


def is_mapped(operator: Any) -> bool:
    """Return whether an operator is mapped or in a mapped task group."""
    return hasattr(operator, "_get_specified_expand_input")


def check_map_index(spec: RunSpec, context: Mapping[str, Any]) -> int:
    """Return the number of instances of a task, and check that ``map_index`` is one of them."""
    inputs = [group._expand_input for group in spec.task.iter_mapped_task_groups()]
    if is_mapped(spec.task):
        inputs.append(spec.task._get_specified_expand_input())
    number = 1
    for one in inputs:
        if isinstance(one.value, Mapping):
            for name, value in one.value.items():
                number *= _length(_resolved(value, context), f"a list or a dict for {name}= of .expand")
            continue
        rows, is_list = _resolved(one.value, context), "a list of dicts for .expand_kwargs"
        number *= _length(None if isinstance(rows, Mapping) else rows, is_list, rows)
        if spec.map_index in range(len(rows)) and not isinstance(
            row := _resolved(rows[spec.map_index], context), Mapping
        ):
            raise ValueError(f"xcoms: {is_list}, {row!r:.60} given in it")
    if inputs and not 0 <= spec.map_index < number:
        raise IndexError(f"map_index: the mapped task has {number} instances, from 0, {spec.map_index} given")
    return number


def _length(value: Any, wanted: str, container: Any = None) -> int:
    if isinstance(value, (Sequence, Mapping)) and not isinstance(value, (str, bytes)):
        return len(value)
    raise ValueError(f"xcoms: {wanted}, {value if container is None else container!r:.60} given")


def _resolved(value: Any, context: Mapping[str, Any]) -> Any:
    return value.resolve(context) if hasattr(value, "resolve") else value


def task_of_event(arguments: dict[str, Any]) -> Any:
    """Return the task of an event; a new one if the test names none."""
    task, dag = arguments.pop("task", None), arguments.pop("dag", None)
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


def parse_time(name: str, value: Any) -> Any:
    """Read a date or a time, also as text, and convert it to UTC, as Airflow's database does."""
    if value is None:
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    parsed: object = None
    with suppress(AttributeError, TypeError, ValueError):
        parsed = pendulum.parse(value) if isinstance(value, str) else pendulum.instance(value)
    if not isinstance(parsed, pendulum.DateTime):
        raise ValueError(f"{name}: a date or a time, such as '2026-07-01T06:00:00Z', {value!r:.60} given")
    return parsed.in_timezone("UTC")


def _logical_date(arguments: dict[str, Any]) -> Any:
    """Pop ``ds`` or ``logical_date`` from the arguments; the default is now."""
    if "ds" not in arguments:
        return parse_time("logical_date", arguments.pop("logical_date", pendulum.now("UTC")))
    if "logical_date" in arguments:
        raise ValueError("ds: not together with logical_date")
    ds = arguments.pop("ds")
    try:
        return parse_time("ds", date.fromisoformat(str(ds)))
    except ValueError:
        raise ValueError(f"ds: a date such as '2026-07-01', {ds!r:.60} given") from None


def _data_interval(dag: Any, logical_date: Any) -> tuple[Any, Any]:
    """Return the data interval that a DAG's timetable infers for a manual run."""
    if logical_date is None:
        return None, None
    timetable = dag.timetable
    if not hasattr(timetable, "infer_manual_data_interval"):
        # From Airflow 3.2 on, a DAG file's timetable is only a description.
        from airflow.serialization.encoders import coerce_to_core_timetable

        timetable = coerce_to_core_timetable(timetable)
    interval = timetable.infer_manual_data_interval(run_after=logical_date)
    return interval.start, interval.end


def _plain(date: Any) -> datetime | None:
    """Convert a pendulum date to a plain datetime, as from Airflow's database."""
    return datetime.fromisoformat(date.isoformat()) if date else None

"""Call a notifier as Airflow does after an event."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, MutableMapping
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pkgutil import resolve_name
from typing import Any, get_args

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_itnio.sandbox.testing.run_spec import RunSpec, run_spec, task_of_event
from airflow_provider_itnio.sandbox.testing.sandbox import EventKind

STATES = {
    "failure": "failed",
    "retry": "up_for_retry",
    "success": "success",
    "skipped": "skipped",
    "dag_failure": "failed",
    "dag_success": "success",
}
RUN_TIME = timedelta(seconds=72)
"""The duration of the run."""


def call_callbacks(
    notifier: Any, kind: str, exception: BaseException | str | None, given: Mapping[str, Any]
) -> None:
    """Call a notifier, any other callback, several, a deadline or its callback."""
    if kind not in get_args(EventKind):
        raise ValueError(f"kind: one of {', '.join(get_args(EventKind))}, {kind!r} given")
    if exception is not None and not isinstance(exception, (BaseException, str)):
        raise ValueError(f"exception: an exception or a text, {exception!r:.60} given")
    if exception is not None and kind not in ("failure", "retry"):
        raise ValueError(f"exception: Airflow gives none with {kind}")
    if given.get("xcoms") and kind == "deadline":
        raise ValueError("xcoms: Airflow gives none with deadline, its context is dag_run and deadline")
    errors: list[Exception] = []
    for callback in _callbacks(notifier, kind):
        rest = dict(given)
        task = task_of_event(rest)
        with run_spec(task, rest, datetime.now(UTC) - RUN_TIME) as spec:
            try:
                _call(callback, kind, exception, spec)
            except Exception as error:  # Airflow logs it, and calls the next
                errors.append(error)
    if errors:
        raise errors[0]


def _callbacks(notifier: Any, kind: str) -> list[Any]:
    """Return the callbacks of a test, at least one."""
    several = list(notifier) if isinstance(notifier, (list, tuple)) else [notifier]
    callbacks = [one.callback if type(one).__name__ == "DeadlineAlert" else one for one in several]
    if not callbacks or None in callbacks:
        raise ValueError(f"notifier: there is no callback to call, {notifier!r} given")
    for one in callbacks:
        if isinstance(one, type):
            raise ValueError(f"notifier: a notifier, the class {one.__name__} given")
        if not callable(one) and not _is_deadline_callback(one):
            raise ValueError(f"notifier: a notifier or another callback, {one!r:.60} given")
        if _is_deadline_callback(one) and not callable(one) and kind != "deadline":
            raise ValueError(f"kind: must be 'deadline' for {type(one).__name__}(...), {kind!r} given")
    return callbacks


def _is_deadline_callback(callback: Any) -> bool:
    return hasattr(callback, "path") and hasattr(callback, "kwargs")


def _call(callback: Any, kind: str, exception: BaseException | str | None, spec: RunSpec) -> None:
    """Call one callback with the arguments that Airflow passes."""
    if not AIRFLOW_V_3_0_PLUS:
        from airflow_provider_itnio.sandbox.testing.airflow_2 import begin

        asked: Any = nullcontext()
    else:
        from airflow_provider_itnio.sandbox.testing.task_run import begin, supervised

        asked = supervised(spec)
    with asked:
        if kind == "deadline":
            _call_deadline_callback(callback, _deadline_context(spec) | spec.context)
            return
        _, context = begin(spec)
        if kind.startswith("dag_"):
            _end_run(context, STATES[kind])
        else:
            _end_task(context, kind, exception)
        callback(context)


def _end_task(context: MutableMapping[str, Any], kind: str, exception: BaseException | str | None) -> None:
    ti = context["ti"]
    _set_state(ti, STATES[kind])
    if kind == "retry":
        ti.max_tries = max(ti.max_tries, ti.try_number)
    if kind in ("failure", "retry"):
        context["exception"] = exception or RuntimeError("the task failed")
    elif AIRFLOW_V_3_0_PLUS:
        context["exception"] = None


def _end_run(context: MutableMapping[str, Any], state: str) -> None:
    """End a run, with the fields that the callbacks of its DAG see."""
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunType

    ti, run = context["ti"], context["dag_run"]
    run.state, run.run_type, run.end_date = DagRunState(state), DagRunType(run.run_type), datetime.now(UTC)
    context.setdefault("reason", {"failed": "task_failure"}.get(state, state))
    if AIRFLOW_V_3_0_PLUS:
        # Airflow builds the run's last task instance from the run's record.
        ti.state = ti.start_date = None
    else:
        _set_state(ti, state)


def _set_state(ti: Any, state: str) -> None:
    from airflow.utils.state import TaskInstanceState

    ti.state = TaskInstanceState(state)
    if ti.state is TaskInstanceState.SKIPPED:
        return  # Airflow writes the date after the callback
    ti.end_date = datetime.now(UTC)
    if not AIRFLOW_V_3_0_PLUS:
        ti.duration = (ti.end_date - ti.start_date).total_seconds()


def _deadline_context(spec: RunSpec) -> dict[str, Any]:
    """Return the context of a late run: Airflow passes it as JSON with few fields."""
    began = _as_json(spec.start_date)
    return {
        "dag_run": {
            "dag_id": spec.dag.dag_id,
            "dag_run_id": spec.run_id,
            "dag_display_name": spec.dag.dag_display_name,
            "logical_date": _as_json(spec.logical_date),
            "data_interval_start": _as_json(spec.data_interval[0]),
            "data_interval_end": _as_json(spec.data_interval[1]),
            "run_after": _as_json(spec.logical_date) or began,
            **dict.fromkeys(("queued_at", "start_date", "last_scheduling_decision"), began),
            "run_type": "manual",
            "state": "running",
            "triggered_by": "ui",
            "conf": spec.conf,
            "dag_versions": [],
            **dict.fromkeys(("end_date", "duration", "triggering_user_name", "note")),
            **dict.fromkeys(("bundle_version", "partition_key", "partition_date")),
        },
        "deadline": {
            "id": "01980000-0000-7000-8000-000000000000",
            "deadline_time": datetime.now(UTC).isoformat(),
        },
    }


def _as_json(date: datetime | None) -> str | None:
    return date.isoformat().replace("+00:00", "Z") if date else None


def _call_deadline_callback(callback: Any, context: MutableMapping[str, Any]) -> None:
    if _is_deadline_callback(callback):
        callback_object = resolve_name(callback.path)(**callback.kwargs, context=context)
        if hasattr(callback_object, "__await__") and not hasattr(callback, "executor"):
            asyncio.run(_await(callback_object))
        elif callable(callback_object):
            callback_object(context)
    elif hasattr(callback, "async_notify"):
        asyncio.run(callback.async_notify(context))
    else:
        callback(context)


async def _await(callback_object: Awaitable[Any]) -> None:
    await callback_object

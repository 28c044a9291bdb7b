"""The facts of an alert, gathered from the context of any kind of callback."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from enum import Enum
from itertools import islice
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from airflow.providers.common.compat.sdk import redact

from airflow_provider_itnio._compat import base_url, is_error_of_lost_worker, run_path
from airflow_provider_itnio.api.describe import truncate
from airflow_provider_itnio.api.values import type_name
from airflow_provider_itnio.notifications.failed_tasks import failed_tasks
from airflow_provider_itnio.notifications.formatting import describe_duration, sendable, utc_minute

AlertKind: TypeAlias = Literal[
    "task_failed",
    "task_retry",
    "task_succeeded",
    "task_skipped",
    "task_running",
    "dag_failed",
    "dag_succeeded",
    "task_recovered",
    "dag_recovered",
    "deadline_missed",
    "approval_wanted",
    "alerts_held",
    "event",
]

_ERROR_LIMIT = 2000
_ERROR_LINE_LIMIT = 200
_MAX_READ = 20_000
"""Characters of a value that are read: many more than are shown, so that secrets are masked before a cut."""
_MAX_INNER_ERRORS = 5
"""Errors of an exception group, and notes of an exception, that are shown."""


class AlertFacts(NamedTuple):
    """What happened, where and why. Each fact is a text, and empty if unknown.

    ``kind`` is ``event`` for an unknown context. ``map_label`` is the rendered ``map_index_template``.
    ``try_number`` counts from 1, and ``max_attempts`` is the total number of tries. ``error`` is the
    exception's type and message, its notes, its cause and the first five errors of a group, in at most
    2,000 characters and masked as in Airflow's logs; or the reason of a DAG's callback. ``error_line`` is
    its first line, at most 200 characters. ``log_url`` links to the task's log, to the run if there is no
    task, or to the form of a task that needs an answer. ``failed_tasks`` has the names of up to five failed
    tasks of a DAG run, and the number of further ones. For a recovery, ``failed_runs`` is the number of
    failed runs, and ``failed_for`` the time since the first failure.
    """

    kind: AlertKind = "event"
    dag_id: str = ""
    task_id: str = ""
    map_index: str = ""
    map_label: str = ""
    run_id: str = ""
    try_number: str = ""
    max_attempts: str = ""
    error: str = ""
    error_line: str = ""
    duration: str = ""
    log_url: str = ""
    deadline: str = ""
    subject: str = ""
    options: str = ""
    failed_tasks: str = ""
    failed_runs: str = ""
    failed_for: str = ""


def alert_facts(context: Mapping[str, Any]) -> AlertFacts:
    """Gather the facts.

    :param context: the context of a task's or DAG's callback, a deadline, or a task that needs an answer.
    """
    if "deadline" in context and context.get("ti") is None:
        return _deadline_facts(context)
    if _is_dag_context(context):
        return _dag_facts(context)
    return _task_facts(context)


_KIND_BY_TASK_STATE: Mapping[str, AlertKind] = {
    "failed": "task_failed",
    "up_for_retry": "task_retry",
    "success": "task_succeeded",
    "skipped": "task_skipped",
}


def _is_dag_context(context: Mapping[str, Any]) -> bool:
    # Only a DAG's callback has a reason and no exception. Its ti is the run's last one, or missing.
    return ("reason" in context and "exception" not in context) or context.get("ti") is None


def _task_facts(context: Mapping[str, Any]) -> AlertFacts:
    ti, task = context.get("ti"), context.get("task")
    error = _error_text(context.get("exception"))
    kind = _kind_of_task(context, error)
    is_lost = is_error_of_lost_worker(error) or (not error and _is_lost_worker(context))
    if kind in ("task_failed", "task_retry") and is_lost:
        error = "The worker that ran the task was killed or lost"
    facts = AlertFacts(
        kind=kind,
        dag_id=_text(_attribute(ti, "dag_id")),
        task_id=_text(_attribute(ti, "task_id")),
        map_index=_map_index(ti),
        map_label=_text(_attribute(ti, "rendered_map_index")).strip(),
        run_id=_text(_attribute(ti, "run_id")),
        try_number=_text(_attribute(ti, "try_number")),
        max_attempts=_total_tries(ti),
        error=error,
        error_line=_first_line(error),
        duration=_duration(_attribute(ti, "start_date"), _attribute(ti, "end_date")),
        log_url=_text(_attribute(ti, "log_url")),
    )
    link_to_form = getattr(task, "generate_link_to_ui_from_context", None)
    if kind not in ("event", "task_running") or link_to_form is None:
        return facts
    return facts._replace(
        kind="approval_wanted",
        subject=_text(_attribute(task, "subject")),
        options=", ".join(map(_text, _attribute(task, "options") or ())),
        log_url=_form_url(link_to_form, context) or facts.log_url,
    )


def _form_url(link_to_form: Callable[..., object], context: Mapping[str, Any]) -> str:
    try:
        return _text(link_to_form(context=context))
    except Exception:  # e.g. if Airflow has no base URL
        return ""


def _kind_of_task(context: Mapping[str, Any], error: str) -> AlertKind:
    ti = context.get("ti")
    state = _text(_attribute(ti, "state"))
    if kind := _KIND_BY_TASK_STATE.get(state):
        return kind
    if error:
        return "task_failed"
    if _is_lost_worker(context):
        try_number, retries = _attribute(ti, "try_number"), _attribute(ti, "max_tries")
        will_retry = isinstance(try_number, int) and isinstance(retries, int) and try_number <= retries
        return "task_retry" if will_retry else "task_failed"
    # In an on_execute_callback, or if the task itself calls the notifier.
    return "task_running" if state == "running" else "event"


def _is_lost_worker(context: Mapping[str, Any]) -> bool:
    # If a worker is lost, the DAG processor runs the callbacks with a task instance that has no state and no
    # start. The task instance of any other callback has a start.
    ti = context.get("ti")
    return not any(_attribute(ti, name) for name in ("state", "start_date"))


def _dag_facts(context: Mapping[str, Any]) -> AlertFacts:
    run, dag = context.get("dag_run"), context.get("dag")
    kinds: Mapping[str, AlertKind] = {"failed": "dag_failed", "success": "dag_succeeded"}
    kind = kinds.get(_text(_attribute(run, "state")), "event")
    reason = _text(context.get("reason"))
    reason = reason or _error_text(context.get("exception"))
    dag_id = _text(_attribute(run, "dag_id") or _attribute(dag, "dag_id"))
    if kind == "event" and reason and dag_id:  # Airflow 2's backfill: the run's state is not stored yet
        kind = "dag_succeeded" if reason == "success" else "dag_failed"
    if kind == "dag_succeeded":
        reason = ""
    if "slas" in context:  # an SLA miss of Airflow 2, which has no run
        kind, reason = "deadline_missed", _text(context.get("task_list"))
    run_id = _text(_attribute(run, "run_id") or context.get("run_id"))
    tasks = failed_tasks(context, dag_id, run_id) if kind == "dag_failed" else ""
    if tasks and reason == "task_failure":  # the failed tasks say more
        reason = ""
    return AlertFacts(
        kind=kind,
        dag_id=dag_id,
        run_id=run_id,
        error=reason,
        error_line=_first_line(reason),
        duration=_duration(_attribute(run, "start_date"), _attribute(run, "end_date")),
        log_url=_run_url(dag_id, run_id, _text(_attribute(context.get("ti"), "log_url"))),
        failed_tasks=tasks,
    )


def _deadline_facts(context: Mapping[str, Any]) -> AlertFacts:
    run, deadline = context.get("dag_run"), context.get("deadline")
    # Airflow passes both as dicts, because the context was serialized as JSON.
    run = run if isinstance(run, Mapping) else {}
    deadline = deadline if isinstance(deadline, Mapping) else {}
    dag_id, run_id = _text(run.get("dag_id")), _text(run.get("dag_run_id"))
    return AlertFacts(
        kind="deadline_missed",
        dag_id=dag_id,
        run_id=run_id,
        duration=_duration(_parse_time(run.get("start_date")), _parse_time(run.get("end_date"))),
        log_url=_run_url(dag_id, run_id, ""),
        deadline=utc_minute(_parse_time(deadline.get("deadline_time"))),
    )


def _attribute(owner: Any, name: str) -> Any:
    """Return an attribute of an Airflow object, ``None`` if that fails: other facts are still shown."""
    try:
        return getattr(owner, name, None)
    except Exception:
        return None


def _text(value: object) -> str:
    try:
        # Airflow's states are enums whose str is their value on some versions only.
        value = cast("Enum", value).value if issubclass(type(value), Enum) else value
        return "" if value is None else sendable(str(value)[:_MAX_READ])
    except Exception:
        return ""


def _map_index(ti: Any) -> str:
    index = _attribute(ti, "map_index")
    return str(index) if isinstance(index, int) and index >= 0 else ""


def _total_tries(ti: Any) -> str:
    retries = _attribute(ti, "max_tries")
    return str(retries + 1) if isinstance(retries, int) else ""


def _error_text(exception: object) -> str:
    if exception is None:
        return ""
    if issubclass(type(exception), BaseException):
        error = "\n".join(_error_lines(cast("BaseException", exception)))
    else:
        error = _text(exception).strip()
    # Secrets that Airflow masks in logs must be masked in an alert, too.
    return truncate(sendable(str(redact(error))), _ERROR_LIMIT)


def _error_lines(exception: BaseException) -> Iterator[str]:
    """Yield an exception's message, its notes, its cause, and the first errors of a group."""
    text = _text(exception).strip()
    cause = exception.__cause__ or (None if exception.__suppress_context__ else exception.__context__)
    caused_by = f"caused by {_type_and_message(cause)}" if cause is not None else ""
    yield (_type_and_message(exception) if text or not caused_by else f"{type_name(exception)}, {caused_by}")
    try:
        notes = [*getattr(exception, "__notes__", ())][:_MAX_INNER_ERRORS]
        inner = [*islice(_group_leaves(exception), _MAX_INNER_ERRORS)]
    except Exception:  # a user's exception class may raise here
        notes, inner = [], []
    yield from filter(None, map(_text, notes))
    if text and caused_by and _text(cause).strip() not in text:
        yield caused_by
    yield from (f"- {_type_and_message(error)}" for error in inner)


def _group_leaves(exception: BaseException) -> Iterator[BaseException]:
    """Yield the errors of a group that are not groups, at any depth."""
    stack = [iter([exception])]
    while stack:
        error = next(stack[-1], None)
        if error is None:
            stack.pop()
        elif issubclass(type(error), BaseExceptionGroup):
            stack.append(iter(cast("BaseExceptionGroup[BaseException]", error).exceptions))
        elif error is not exception:
            yield error


def _type_and_message(exception: BaseException) -> str:
    name, message = type_name(exception), _text(exception).strip()
    return f"{name}: {message}" if message else name


def _first_line(error: str) -> str:
    return truncate(error.partition("\n")[0].strip(), _ERROR_LINE_LIMIT)


def _parse_time(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(str(value)) if value else None
    except ValueError:
        return None


def _duration(start: datetime | None, end: datetime | None) -> str:
    if start is None:
        return ""
    return describe_duration(((end or datetime.now(UTC)) - start).total_seconds())


def _run_url(dag_id: str, run_id: str, log_url: str) -> str:
    """Return the URL of a run's page, which no context contains."""
    base = log_url.partition("/dags/")[0] or base_url()
    return f"{base.rstrip('/')}{run_path(dag_id, run_id)}" if dag_id else ""

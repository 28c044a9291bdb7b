"""The facts of an alert, gathered from whatever context Airflow gives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias
from urllib.parse import quote

from airflow.providers.common.compat.sdk import conf, redact
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

__all__ = ["AlertFacts", "AlertKind", "alert_facts"]

AlertKind: TypeAlias = Literal[
    "task_failed",
    "task_retry",
    "task_succeeded",
    "task_skipped",
    "dag_failed",
    "dag_succeeded",
    "deadline_missed",
    "approval_wanted",
    "event",
]

_DEFAULT_BASE_URL = "http://localhost:8080"
_ERROR_LIMIT = 2000
_ERROR_LINE_LIMIT = 200


class AlertFacts(NamedTuple):
    """What happened, where and why. Each is a text that may be empty, so that any can be used in any alert.

    ``kind`` is ``event`` where the context tells nothing better. ``try_number`` counts from 1 and
    ``max_tries`` is the number of tries in all. ``error`` is the exception's type and words, at most 2,000
    characters with what Airflow masks masked, or a DAG's reason; ``error_line`` is its first line, at most
    200.
    ``log_url`` leads to the task's log, to the run where there is no task, and to the form where a person is
    asked.
    """

    kind: AlertKind = "event"
    dag_id: str = ""
    task_id: str = ""
    map_index: str = ""
    run_id: str = ""
    try_number: str = ""
    max_tries: str = ""
    error: str = ""
    error_line: str = ""
    duration: str = ""
    log_url: str = ""
    deadline: str = ""
    subject: str = ""
    options: str = ""


def alert_facts(context: Mapping[str, Any]) -> AlertFacts:
    """Gather the facts.

    :param context: of a task's callback, of a DAG's, of a deadline, or of a task that asks a person.
    """
    if "deadline" in context and context.get("ti") is None:
        return _of_deadline(context)
    if _is_of_dag(context):
        return _of_dag(context)
    return _of_task(context)


_KIND_BY_TASK_STATE: Mapping[str, AlertKind] = {
    "failed": "task_failed",
    "up_for_retry": "task_retry",
    "success": "task_succeeded",
    "skipped": "task_skipped",
}


def _is_of_dag(context: Mapping[str, Any]) -> bool:
    # Only a DAG's callback is told a reason. Its task instance is the last one of the run, or there is none.
    return "reason" in context or context.get("ti") is None


def _of_task(context: Mapping[str, Any]) -> AlertFacts:
    ti, task = context.get("ti"), context.get("task")
    error = _error_of(context.get("exception"))
    state = _text(getattr(ti, "state", None))
    kind = _KIND_BY_TASK_STATE.get(state, "event")
    if kind == "event" and error:
        kind = "task_failed"
    facts = AlertFacts(
        kind=kind,
        dag_id=_text(getattr(ti, "dag_id", None)),
        task_id=_text(getattr(ti, "task_id", None)),
        map_index=_map_index(ti),
        run_id=_text(getattr(ti, "run_id", None)),
        try_number=_text(getattr(ti, "try_number", None)),
        max_tries=_tries_in_all(ti),
        error=error,
        error_line=_first_line(error),
        duration=_duration(getattr(ti, "start_date", None), getattr(ti, "end_date", None)),
        log_url=_text(getattr(ti, "log_url", None)),
    )
    link_to_form = getattr(task, "generate_link_to_ui_from_context", None)
    if kind != "event" or link_to_form is None:
        return facts
    return facts._replace(
        kind="approval_wanted",
        subject=_text(getattr(task, "subject", None)),
        options=", ".join(map(str, getattr(task, "options", ()))),
        log_url=_text(link_to_form(context=context)),
    )


def _of_dag(context: Mapping[str, Any]) -> AlertFacts:
    run, dag = context.get("dag_run"), context.get("dag")
    kinds: Mapping[str, AlertKind] = {"failed": "dag_failed", "success": "dag_succeeded"}
    kind = kinds.get(_text(getattr(run, "state", None)), "event")
    reason = _text(context.get("reason")) if kind != "dag_succeeded" else ""
    dag_id = _text(getattr(run, "dag_id", None) or getattr(dag, "dag_id", None))
    run_id = _text(getattr(run, "run_id", None) or context.get("run_id"))
    return AlertFacts(
        kind=kind,
        dag_id=dag_id,
        run_id=run_id,
        error=reason,
        error_line=_first_line(reason),
        duration=_duration(getattr(run, "start_date", None), getattr(run, "end_date", None)),
        log_url=_run_url(dag_id, run_id, _text(getattr(context.get("ti"), "log_url", None))),
    )


def _of_deadline(context: Mapping[str, Any]) -> AlertFacts:
    run, deadline = context.get("dag_run"), context.get("deadline")
    # Airflow gives both as plain objects, since the context has travelled as JSON.
    run = run if isinstance(run, Mapping) else {}
    deadline = deadline if isinstance(deadline, Mapping) else {}
    dag_id, run_id = _text(run.get("dag_id")), _text(run.get("dag_run_id"))
    return AlertFacts(
        kind="deadline_missed",
        dag_id=dag_id,
        run_id=run_id,
        duration=_duration(_moment(run.get("start_date")), _moment(run.get("end_date"))),
        log_url=_run_url(dag_id, run_id, ""),
        deadline=_minute(_moment(deadline.get("deadline_time"))),
    )


def _text(value: object) -> str:
    return "" if value is None else str(getattr(value, "value", value))


def _map_index(ti: Any) -> str:
    index = getattr(ti, "map_index", None)
    return str(index) if isinstance(index, int) and index >= 0 else ""


def _tries_in_all(ti: Any) -> str:
    retries = getattr(ti, "max_tries", None)
    return str(retries + 1) if isinstance(retries, int) else ""


def _error_of(exception: object) -> str:
    if exception is None:
        return ""
    if isinstance(exception, BaseException):
        words = str(exception).strip()
        error = f"{type(exception).__name__}: {words}" if words else type(exception).__name__
    else:
        error = str(exception).strip()
    # An exception may hold a secret; Airflow masks it in logs, so it must not travel in an alert either.
    masked = str(redact(error))
    return masked if len(masked) <= _ERROR_LIMIT else f"{masked[: _ERROR_LIMIT - 1]}…"


def _first_line(error: str) -> str:
    line = error.partition("\n")[0].strip()
    return line if len(line) <= _ERROR_LINE_LIMIT else f"{line[: _ERROR_LINE_LIMIT - 1]}…"


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(str(value)) if value else None
    except ValueError:
        return None


def _minute(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if moment else ""


def _duration(start: datetime | None, end: datetime | None) -> str:
    if start is None:
        return ""
    seconds = ((end or datetime.now(UTC)) - start) // timedelta(seconds=1)
    hours, rest = divmod(max(0, seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _run_url(dag_id: str, run_id: str, log_url: str) -> str:
    """Make the address of a run's page; no context holds it."""
    if not dag_id:
        return ""
    run, dag = quote(run_id), quote(dag_id)
    base = log_url.partition("/dags/")[0] or conf.get(
        "api" if AIRFLOW_V_3_0_PLUS else "webserver", "base_url", fallback=""
    )
    page = f"{(base or _DEFAULT_BASE_URL).rstrip('/')}/dags/{dag}"
    return f"{page}/runs/{run}" if AIRFLOW_V_3_0_PLUS else f"{page}/grid?dag_run_id={quote(run_id, safe='')}"

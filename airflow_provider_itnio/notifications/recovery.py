"""Whether a success is a recovery of a DAG or a task that had failed before.

Failures are recorded in the Variable that alerts share, so that runs without a logical date and cleared runs
count, too. A failure without an alert is looked up in Airflow, by logical date. Backfill runs do not count.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple

from airflow_provider_itnio._compat import previous_runs, previous_task_instances
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.notifications.alert_facts import AlertFacts, AlertKind
from airflow_provider_itnio.notifications.alert_state import AlertState, FailingState, digest, update_state
from airflow_provider_itnio.notifications.formatting import describe_duration

_LOG = NeverRaisingLog(f"airflow.task.{__name__}")
RECOVERIES: Final[Mapping[AlertKind, AlertKind]] = {
    "dag_succeeded": "dag_recovered",
    "task_succeeded": "task_recovered",
}
_MAX_RUNS: Final = 20
"""Previous runs that are checked at most: each costs one request to Airflow."""


class Failure(NamedTuple):
    """A failure of a DAG or task.

    :param key: its key in the state.
    :param run: the digest of its run.
    :param failed_at: when it failed, in seconds since 1970.
    """

    key: str
    run: str
    failed_at: int


def failure_from(facts: AlertFacts, context: Mapping[str, Any]) -> Failure | None:
    """Return the failure of a DAG or task that has a notifier for its recovery."""
    owner = {"dag_failed": "dag", "task_failed": "task"}.get(facts.kind)
    if owner is None or _is_backfill(context) or not _reports_recovery(context.get(owner)):
        return None
    failed_at = int(_timestamp("end_date", facts, context) or time.time())
    return Failure(_key(facts), digest(facts.run_id), failed_at)


def record_failure(state: AlertState, failure: Failure) -> None:
    """Record a failure."""
    key, run, failed_at = failure
    failing = state.failing.get(key)
    if failing is None or failing.recovered:
        state.failing[key] = FailingState(since=failed_at, last=failed_at, runs=1, run=run)
        return
    failing.last = max(failing.last, failed_at)
    if failing.run != run:
        failing.runs, failing.run = failing.runs + 1, run


def recovered(facts: AlertFacts, context: Mapping[str, Any]) -> AlertFacts | None:
    """Return the facts of a recovery.

    :return: ``None`` if it had not failed before.
    """
    if _is_backfill(context):
        return None
    execution = _execution(facts, context)
    started = _timestamp("start_date", facts, context)

    def change(state: AlertState) -> FailingState | None:
        failing = state.failing.get(_key(facts))
        # Two notifiers may report the same success. A run that began before the last failure is no recovery.
        if failing and not failing.recovered and (started is None or started >= failing.last):
            failing.recovered = execution
        return failing

    failing = update_state(change, None)
    if failing is not None:
        if failing.recovered != execution:
            return None
        return _with_recovery(facts, str(failing.runs), failing.since)
    try:
        return _from_history(facts, context)
    except Exception as error:  # Airflow does not answer
        name = type(error).__name__
        _LOG.info("Earlier runs can't be read (%s): if this is a recovery, no alert is sent", name)
        return None


def _from_history(facts: AlertFacts, context: Mapping[str, Any]) -> AlertFacts | None:
    run = context.get("dag_run")
    if getattr(run, "clear_number", 0) or getattr(run, "logical_date", None) is None:
        return None
    previous: Iterable[Any] = (
        previous_runs(run) if facts.kind == "dag_succeeded" else previous_task_instances(context["ti"], run)
    )
    failed = []
    for run_or_task in islice(previous, _MAX_RUNS):
        state = str(getattr(run_or_task.state, "value", run_or_task.state))
        if _is_backfill({"dag_run": run_or_task}):
            continue
        if state == "success":
            break
        if state == "failed":
            failed.append(run_or_task.end_date)
        elif not failed:  # the previous run has not ended, or its task was skipped
            break
    if not failed:
        return None
    runs = str(len(failed)) if len(failed) < _MAX_RUNS else f"at least {_MAX_RUNS}"
    ends = [end for end in failed if end is not None]
    return _with_recovery(facts, runs, min(ends).timestamp() if ends else None)


def _with_recovery(facts: AlertFacts, runs: str, since: float | None) -> AlertFacts:
    return facts._replace(
        kind=RECOVERIES[facts.kind],
        failed_runs=runs,
        failed_for="" if since is None else describe_duration(time.time() - since),
    )


def _key(facts: AlertFacts) -> str:
    if facts.kind.startswith("dag_"):
        return digest(facts.dag_id)
    return digest("\n".join((facts.dag_id, facts.task_id, facts.map_index)))


def _execution(facts: AlertFacts, context: Mapping[str, Any]) -> str:
    """Return an id of this execution: a cleared run has several."""
    run = context.get("dag_run")
    run_key = f"{getattr(run, 'clear_number', '')} {getattr(run, 'start_date', '')}"
    return digest(f"{facts.run_id} {facts.try_number or run_key}")


def _timestamp(name: str, facts: AlertFacts, context: Mapping[str, Any]) -> float | None:
    owner = context.get("dag_run" if facts.kind.startswith("dag_") else "ti")
    moment = getattr(owner, name, None)
    return moment.timestamp() if isinstance(moment, datetime) else None


def _is_backfill(context: Mapping[str, Any]) -> bool:
    run = context.get("dag_run")
    kind = getattr(run, "run_type", None)
    run_id = str(context.get("run_id") or getattr(run, "run_id", ""))
    return getattr(kind, "value", kind) == "backfill" or run_id.startswith("backfill__")


def _reports_recovery(owner: Any) -> bool:
    callbacks = getattr(owner, "on_success_callback", None) or ()
    callbacks = callbacks if isinstance(callbacks, (list, tuple)) else [callbacks]
    return any(getattr(callback, "only_after_failure", False) is True for callback in callbacks)

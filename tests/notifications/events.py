"""Contexts as Airflow passes them to callbacks, with small objects instead of the real ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from types import SimpleNamespace

from airflow.providers.common.compat.sdk import DAG

AIRFLOW_2 = version("apache-airflow").startswith("2.")
START = datetime(2026, 7, 1, 2, 0, tzinfo=UTC)
BASE_URL = "https://airflow.example.com"
RUN_ID = "scheduled__2026-07-01T02:00:00+00:00"
RUN_IN_LINK = "scheduled__2026-07-01T02%3A00%3A00%2B00%3A00"
LOG_URL = (
    f"{BASE_URL}/dags/nightly_load/grid?dag_run_id={RUN_IN_LINK}&task_id=load_orders&tab=logs"
    if AIRFLOW_2
    else f"{BASE_URL}/dags/nightly_load/runs/{RUN_IN_LINK}/tasks/load_orders?try_number=1"
)
DAG_LINK = f"{BASE_URL}/dags/nightly_load"
RUN_LINK = f"{DAG_LINK}/grid?dag_run_id={RUN_IN_LINK}" if AIRFLOW_2 else f"{DAG_LINK}/runs/{RUN_IN_LINK}"


def task_instance(state="failed", **changes):
    fields = {
        "dag_id": "nightly_load",
        "task_id": "load_orders",
        "map_index": -1,
        "run_id": RUN_ID,
        "try_number": 1,
        "max_tries": 2,
        "state": state,
        "start_date": START,
        "end_date": START + timedelta(seconds=72),
        "log_url": LOG_URL,
    }
    return SimpleNamespace(**fields | changes)


def dag_run(state="failed", **changes):
    fields = {
        "dag_id": "nightly_load",
        "run_id": RUN_ID,
        "state": state,
        "start_date": START,
        "end_date": START + timedelta(hours=2, minutes=5, seconds=9),
    }
    return SimpleNamespace(**fields | changes)


def of_task(state="failed", *, exception=None, task=None, **changes):
    """Return the context of a task's callback; the arguments change its task instance."""
    ti = task_instance(state, **changes)
    context = {
        "dag": DAG("nightly_load", schedule=None),
        "dag_run": dag_run("running", end_date=None),
        "ti": ti,
        "task_instance": ti,
        "task": task,
        "run_id": ti.run_id,
        "params": {},
    }
    return context if exception is None else context | {"exception": exception}


def of_dag(state="failed", *, reason="task_failure", ti=None, **changes):
    """Return the context of a DAG's callback; the arguments change its run."""
    run = dag_run(state, **changes)
    context = {
        "dag": DAG("nightly_load", schedule=None),
        "dag_run": run,
        "run_id": run.run_id,
        "params": {},
        "reason": reason,
    }
    return context if ti is None else context | {"ti": ti, "task_instance": ti}


def of_deadline(**changes):
    """Return the context of a missed deadline, after serialization as JSON."""
    context = {
        "dag_run": {
            "dag_id": "nightly_load",
            "dag_run_id": RUN_ID,
            "state": "running",
            "start_date": "2026-07-01T02:00:00Z",
            "end_date": "2026-07-01T02:00:42Z",
        },
        "deadline": {"id": "01980000-0000-7000-8000-000000000000", "deadline_time": "2026-07-01T02:30:00Z"},
    }
    return context | changes


EVENTS = {
    "task_failed": lambda: of_task(exception=ValueError("no orders")),
    "task_retry": lambda: of_task("up_for_retry", exception=ValueError("no orders")),
    "task_succeeded": lambda: of_task("success"),
    "task_skipped": lambda: of_task("skipped"),
    "dag_failed": of_dag,
    "dag_succeeded": lambda: of_dag("success", reason="success"),
    "deadline_missed": of_deadline,
}

"""A DAG whose runs fail as soon as the scheduler looks at them; only the configuration makes it alert."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG(
    "storm",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    dagrun_timeout=timedelta(microseconds=1),
    max_active_runs=100,
    tags=["storm"],
):
    EmptyOperator(task_id="load")

"""An executor for Airflow 2 on SQLite that forks tasks, like Airflow's workers, to avoid new imports."""

from __future__ import annotations

from airflow.executors.local_executor import LocalExecutor


class ForkingExecutor(LocalExecutor):
    """The LocalExecutor, which Airflow 2 forbids on SQLite, since concurrent writes block each other."""

    is_single_threaded = True  # Airflow checks this attribute
    serve_logs = False

"""For Airflow 2 on SQLite: tasks are forks, as they are of Airflow's workers, and no new Pythons."""

from __future__ import annotations

from airflow.executors.local_executor import LocalExecutor


class ForkingExecutor(LocalExecutor):
    """Airflow's own, which Airflow 2 lets use SQLite if it runs one task at a time."""

    is_single_threaded = True
    serve_logs = False

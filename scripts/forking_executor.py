"""For Airflow 2 on SQLite: tasks are forks, as they are of Airflow's workers, and no new Pythons."""

from __future__ import annotations

from airflow.executors.local_executor import LocalExecutor


class ForkingExecutor(LocalExecutor):
    """Airflow's own, which Airflow 2 keeps from SQLite: there writes of several tasks wait for each other."""

    is_single_threaded = True  # what Airflow asks
    serve_logs = False

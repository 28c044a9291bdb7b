"""DAGs that fail in large numbers, and one that recovers; some alert by configuration only."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.standard.operators.empty import EmptyOperator

from airflow_provider_itnio.notifications import alert_state, guard
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from airflow_provider_itnio.operators.whatsapp_held_alerts import WhatsAppHeldAlertsOperator

# An alert that can't be counted in time is sent, and the tests count those held back. A busy machine may
# take longer than an alert's deadline.
guard._TIMEOUT, alert_state._LOCK_TIMEOUT = 12.0, 10.0

PLACE = Path(os.environ["PLACE_OF_TASKS"])
START = {"schedule": None, "start_date": pendulum.datetime(2026, 1, 1, tz="UTC")}
# The scheduler fails such a run at once, without a task process.
AT_ONCE = {**START, "dagrun_timeout": timedelta(microseconds=1), "max_active_runs": 100}


def alert(number: int, **fields: Any) -> WhatsAppNotifier:
    """Return an alert to the number 86 1000 0000 and two digits."""
    return WhatsAppNotifier(recipients=f"+86 1000 0000 {number}", **fields)


for index in range(4):
    with DAG(f"storm_{index}", on_failure_callback=alert(72), **AT_ONCE):
        EmptyOperator(task_id="nothing")

with DAG("storm_of_dags", on_failure_callback=alert(73), **AT_ONCE):
    EmptyOperator(task_id="nothing")

with DAG("storm_of_tasks", default_args={"on_failure_callback": alert(73)}, **START):

    @task
    def fail(n: int) -> None:
        raise ValueError(f"no. {n}")

    fail.expand(n=list(range(6)))

with DAG("held_alerts", **START):
    WhatsAppHeldAlertsOperator(task_id="tell", recipients="+86 1000 0000 73", retries=1)


def note(context: Any) -> None:
    """Be the DAG's own callback."""
    with (PLACE / "own_callback").open("a") as lines:
        lines.write(f"{context['run_id']}\n")


# Both have the tag from Airflow's configuration; the second has its own notifier.
with DAG("recovering", tags=["by_policy"], on_failure_callback=note, **START):

    @task
    def fail_while_broken() -> None:
        if (PLACE / "broken").exists():
            raise ValueError("broken")

    fail_while_broken()

with DAG("alerting_by_itself", tags=["by_policy"], on_failure_callback=alert(75), **AT_ONCE):
    EmptyOperator(task_id="nothing")

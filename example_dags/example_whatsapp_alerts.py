"""Alerts: a task that fails, a DAG that fails, a DAG that is late, and a question to a person.

The failures are on purpose. The recipients get the default text. To reach people who have not written in the
last 24 hours, set ``alert_template`` to a WhatsApp template, here or in the connection's extra.
Deadlines and questions need Airflow 3.1 or later.
"""

from __future__ import annotations

import time
from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier

ON_CALL = ["+86 147-1800-4557"]
START = pendulum.datetime(2026, 1, 1, tz="UTC")
TAGS = ["example", "whatsapp"]

with DAG(
    dag_id="example_whatsapp_alerts",
    description="A task and a DAG that fail",
    schedule=None,
    start_date=START,
    # Once for the DAG as a whole, and by default_args for each of its tasks.
    on_failure_callback=WhatsAppNotifier(recipients=ON_CALL),
    default_args={"on_failure_callback": WhatsAppNotifier(recipients=ON_CALL)},
    tags=TAGS,
):

    @task
    def load_orders() -> None:
        """Fail on purpose."""
        raise ValueError("orders.csv: 3 of 1,204 rows have no customer_id")

    load_orders()

if AIRFLOW_V_3_1_PLUS:
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    # Airflow 3.1 has them here only, later versions also in airflow.sdk.
    from airflow.sdk.definitions.deadline import (
        AsyncCallback,
        DeadlineAlert,
        DeadlineReference,
    )

    with DAG(
        dag_id="example_whatsapp_deadline",
        description="A DAG that is late",
        schedule=None,
        start_date=START,
        deadline=DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=timedelta(seconds=5),
            # Give the class and its arguments: Airflow's triggerer creates the notifier.
            callback=AsyncCallback(WhatsAppNotifier, kwargs={"recipients": ON_CALL}),
        ),
        tags=TAGS,
    ):

        @task
        def load_slowly() -> None:
            """Take longer than the deadline."""
            time.sleep(15)

        load_slowly()

    with DAG(
        dag_id="example_whatsapp_approval",
        description="A question to a person",
        schedule=None,
        start_date=START,
        tags=TAGS,
    ):
        ApprovalOperator(
            task_id="approve",
            subject="Load the orders of {{ run_id }} again?",
            notifiers=[WhatsAppNotifier(recipients=ON_CALL)],
        )

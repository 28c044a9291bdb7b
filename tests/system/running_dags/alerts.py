"""DAGs that fail, succeed, are late and ask; each alert goes to a different number."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, AirflowSkipException, task
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier

START = {"schedule": None, "start_date": pendulum.datetime(2026, 1, 1, tz="UTC")}
WORDS = "it *broke* {{ 7 * 7 }} in load_orders\nand a second line with a `tick`"


def alert(number: int, **fields: Any) -> WhatsAppNotifier:
    """Return an alert to the number 86 1000 0000 and two digits."""
    return WhatsAppNotifier(recipients=f"+86 1000 0000 {number}", **fields)


with DAG("failing", on_failure_callback=alert(10), **START):

    @task(
        retries=1,
        retry_delay=timedelta(seconds=1),
        on_retry_callback=alert(11),
        on_failure_callback=[
            alert(12),
            alert(13, text="{{ alert.error_line }} in {{ alert.task_id }}, {{ run_id }}"),
        ],
    )
    def load_orders() -> None:
        raise ValueError(WORDS)

    load_orders()

with DAG(
    "own_words",
    default_args={
        "on_failure_callback": [
            alert(20, text="{{ there.is.no.such.name }}"),
            alert(21, text="{{ 'x' * 5000 }}"),
            alert(22, alert_template="pipeline_alert"),
            WhatsAppNotifier(recipients=["+86 1000 0000 23", "{{ no_such_name }}", "+86 1000 0000 24"]),
        ]
    },
    **START,
):

    @task
    def fail(n: int) -> None:
        raise RuntimeError(f"no. {n}")

    fail.expand(n=[5])

with DAG("succeeding", on_success_callback=alert(30), **START):

    @task(on_success_callback=alert(31))
    def succeed(n: int) -> int:
        return n

    @task(on_skipped_callback=alert(32))
    def skip() -> None:
        raise AirflowSkipException("nothing to do")

    succeed.expand(n=[1, 2])
    skip()

if AIRFLOW_V_3_1_PLUS:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
    from airflow.sdk.definitions.deadline import (
        AsyncCallback,
        DeadlineAlert,
        DeadlineReference,
        SyncCallback,
    )

    def late(callback: Any) -> DeadlineAlert:
        return DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(seconds=2), callback=callback
        )

    for dag_id, callback in (
        ("late", AsyncCallback(WhatsAppNotifier, kwargs={"recipients": "+86 1000 0000 40"})),
        ("late_in_executor", SyncCallback(WhatsAppNotifier, kwargs={"recipients": ["+86 1000 0000 41"]})),
    ):
        with DAG(dag_id, deadline=late(callback), **START):

            @task
            def take_long() -> None:
                time.sleep(12)

            take_long()

    with DAG("asking", **START):
        ApprovalOperator(task_id="approve", subject="Load *orders* of {{ run_id }}?", notifiers=[alert(50)])

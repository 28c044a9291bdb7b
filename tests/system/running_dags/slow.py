"""DAGs whose alerts go to a server that never ends its answer."""

from __future__ import annotations

import time
from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, task
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier

START = {"schedule": None, "start_date": pendulum.datetime(2026, 1, 1, tz="UTC")}
SLOW = {"itnio_conn_id": "itnio_slow", "timeout": 1}


def slow_and_then(number: int) -> list[WhatsAppNotifier]:
    """Alert a number through the slow server, and the next number after that call has returned."""
    return [
        WhatsAppNotifier(recipients=f"+86 1000 0000 {number}", **SLOW),
        WhatsAppNotifier(recipients=f"+86 1000 0000 {number + 1}"),
    ]


with DAG("slow", on_failure_callback=slow_and_then(80), **START):

    @task(on_failure_callback=slow_and_then(82))
    def fail() -> None:
        raise ValueError

    fail()

if AIRFLOW_V_3_1_PLUS:
    from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert, DeadlineReference

    late = DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds=1),
        callback=AsyncCallback(WhatsAppNotifier, kwargs={"recipients": "+86 1000 0000 84", **SLOW}),
    )
    with DAG("slow_and_late", deadline=late, **START):

        @task
        def take_long() -> None:
            time.sleep(10)

        take_long()

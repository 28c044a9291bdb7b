"""Recipients and events for the guard's tests."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier

from .events import of_dag

NUMBER = "+86 147-1800-4557"
OTHER = "+86 1000 0000 11"
ON_CALL = WhatsAppNotifier(recipients=NUMBER)


def failed(dag_id="nightly_load", **changes):
    return of_dag(dag_id=dag_id, **changes) | {"dag": DAG(dag_id, schedule=None)}


def last_line(sandbox):
    return sandbox.messages[-1].text.split("\n")[-1]

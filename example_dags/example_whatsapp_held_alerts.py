"""Every morning, a message about the alerts that were held back in a storm or in quiet hours."""

from __future__ import annotations

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_itnio.operators.whatsapp_held_alerts import WhatsAppHeldAlertsOperator

START = pendulum.datetime(2026, 1, 1, tz="UTC")

with DAG("example_whatsapp_held_alerts", schedule="0 7 * * *", start_date=START, catchup=False):
    WhatsAppHeldAlertsOperator(task_id="tell", recipients="+86 147-1800-4557", retries=2)

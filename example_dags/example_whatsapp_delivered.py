"""A report whose tasks succeed on delivery. The connection needs a receiver (guide: receipts)."""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_itnio.messages import template_message
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator

START = pendulum.datetime(2026, 1, 1, tz="UTC")

with DAG("example_whatsapp_delivered", schedule=None, start_date=START, catchup=False):
    WhatsAppSendOperator.partial(
        task_id="send_report",
        template=template_message("daily_report", "en", body=["{{ run_id }}"]),
        wait_for="delivered",
        wait_timeout=timedelta(minutes=10),
        # Where a triggerer runs: deferrable=True, so that waiting takes no worker slot.
    ).expand(recipient=["+86 147-1800-4557", "+86 147-1800-4558"])

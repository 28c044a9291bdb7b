"""Tasks that wait until their message is delivered, in the triggerer where there is one."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_itnio.messages import template_message
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator

RECIPIENTS = {
    "is_pushed_later": "+999 7 000 0003",
    "fails": "+999 6 000 0026",
    "in_the_worker": "+86 1000 0000 90",
}

with DAG("waiting", schedule=None, start_date=datetime(2026, 1, 1)):
    for task_id, recipient in RECIPIENTS.items():
        WhatsAppSendOperator(
            task_id=task_id,
            recipient=recipient,
            template=template_message("daily_report", "en", body=["{{ run_id }}"]),
            wait_for="delivered",
            deferrable=AIRFLOW_V_3_0_PLUS and task_id != "in_the_worker",
            itnio_conn_id="itnio_waiting",
            retries=5,
            retry_delay=timedelta(seconds=1),
        )

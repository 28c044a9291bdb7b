"""Tasks that wait until their message is delivered, in the triggerer if there is one."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

from airflow_provider_itnio.messages import template_message
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from airflow_provider_itnio.sensors.whatsapp import WhatsAppDeliveredSensor

RECIPIENTS = {
    "is_pushed_later": "+999 7 000 0003",
    "fails": "+999 6 000 0026",
    "in_the_worker": "+86 1000 0000 90",
    "falls_back": "+86 1000 0000 91",
}
TEMPLATE = template_message("daily_report", "en", body=["{{ task.task_id }} {{ run_id }}"])

with DAG(
    "waiting",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    default_args={
        "itnio_conn_id": "itnio_waiting",
        "retries": 5,
        "retry_delay": timedelta(seconds=1),
        "wait_for": "delivered",
    },
):
    tasks = {}
    for task_id, recipient in RECIPIENTS.items():
        falls_back = task_id == "falls_back"
        tasks[task_id] = WhatsAppSendOperator(
            task_id=task_id,
            recipient=recipient,
            text="42 rows" if falls_back else None,
            template=None if falls_back else TEMPLATE,
            fallback={"template": TEMPLATE} if falls_back else None,
            deferrable=AIRFLOW_V_3_0_PLUS and task_id != "in_the_worker",
        )

    sends = WhatsAppSendOperator(
        task_id="sends", recipient="+999 7 000 0003", template=TEMPLATE, wait_for="accepted"
    )
    WhatsAppDeliveredSensor(
        task_id="is_read", messages=sends.output, until="read", poke_interval=1, deferrable=AIRFLOW_V_3_0_PLUS
    )

    WhatsAppBroadcastOperator.partial(
        task_id="broadcast",
        text="Dear {{ recipient.name }}",
        fallback={"template": template_message("daily_report", "en", body=["{{ recipient.name }}"])},
        keep_receipts=True,
    ).expand(
        recipients=[
            [{"phone": "+86 1000 0000 92", "name": "Li"}, {"phone": "+86 1000 0000 91", "name": "Ana"}],
            [{"phone": "+999 6 000 0026", "name": "Wu"}, {"phone": "+86 1000 0000 93", "name": "Bo"}],
        ]
    )

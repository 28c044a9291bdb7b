"""Texts that native rendering turns into numbers, dicts and lists."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_itnio.messages import reply_buttons, template_message
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator

with DAG(
    dag_id="native",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    render_template_as_native_obj=True,
    default_args={"retries": 2, "retry_delay": timedelta(0), "recipient": "{{ '+8610000000041' }}"},
) as dag:

    @task
    def load() -> dict[str, Any]:
        """Return the data of the messages."""
        return {"menu": reply_buttons("Load again?", {"y": "Yes"}), "rows": [1, 2]}

    loaded = load()
    sends = [
        WhatsAppSendOperator(task_id="whole_number", text="{{ 6 * 7 }}"),
        WhatsAppSendOperator(task_id="truth", text={"body": "{{ 1 == 1 }}"}),
        WhatsAppSendOperator(
            task_id="place",
            location={"longitude": "{{ 114.05 }}", "latitude": "{{ 22 }}", "name": "{{ 7 }}", "address": "x"},
        ),
        WhatsAppSendOperator(task_id="menu", interactive="{{ ti.xcom_pull('load')['menu'] }}"),
        WhatsAppSendOperator(
            task_id="template",
            template=template_message("daily_report", "en", body=["{{ 42 }}", "{{ 1.5 }}"]),
        ),
        WhatsAppSendOperator(task_id="list_as_text", text="{{ ti.xcom_pull('load')['rows'] }}"),
        WhatsAppSendOperator(task_id="nothing", text="{{ none }}"),
    ]
    loaded >> sends

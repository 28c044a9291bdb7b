"""A sensor that waits for messages of upstream tasks."""

from __future__ import annotations

from airflow_provider_itnio.sensors.whatsapp import WhatsAppDeliveredSensor
from tests.task_runs import TaskRun

NUMBER = "8614718004557"
OTHER = "8614718004558"
SUMMARY = {"recipients": 2, "accepted": 2, "refused": 0, "failures": []}


def waiting(messages, **fields):
    given = {"poke_interval": 0.05, "timeout": 600, **fields}
    return TaskRun(lambda: WhatsAppDeliveredSensor(task_id="arrived", messages=messages, **given))

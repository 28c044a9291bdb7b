"""A DAG whose author lowers its retries between its tasks' runs; each sends to different numbers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator

_FILE = Path(os.environ["PLACE_OF_TASKS"]) / "retries"
RETRIES = int(_FILE.read_text()) if _FILE.exists() else 2


class OfAUser(WhatsAppSendOperator):
    """A user's subclass whose ``post_execute`` does not call super()."""

    def post_execute(self, context: Any, result: Any = None) -> None:
        self.log.info("The user's own code has run")


class BroadcastOfAUser(WhatsAppBroadcastOperator):
    """The same for a broadcast."""

    def post_execute(self, context: Any, result: Any = None) -> None:
        self.log.info("The user's own code has run")


def fail_at_first(context: Any, result: Any = None) -> None:
    if context["ti"].try_number == 1:
        raise RuntimeError("the task's own code fails after the message was accepted")


def fail(context: Any) -> None:
    raise RuntimeError("what follows a success fails")


with DAG(
    "record_of_cleared_tasks",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    default_args={
        "retries": RETRIES,
        "retry_delay": pendulum.duration(seconds=1),
        "itnio_conn_id": "itnio_tasks",
    },
):
    WhatsAppSendOperator(task_id="one", recipient="8610000070", text="x")
    WhatsAppSendOperator(task_id="refused", recipient="8610000071", text="x")
    WhatsAppBroadcastOperator(
        task_id="many", recipients=[f"86260000{number:03d}" for number in range(20)], text="x"
    )
    WhatsAppBroadcastOperator(task_id="many_refused", recipients=["8610000072", "8610000073"], text="x")
    OfAUser(task_id="of_a_user", recipient="8610000074", text="x")
    OfAUser.partial(task_id="mapped_of_a_user", recipient="8610000075").expand(text=["one", "two"])
    BroadcastOfAUser(task_id="many_of_a_user", recipients=["8610000076"], text="x")

    @task.whatsapp(recipient="8610000077")
    def decorated() -> str:
        return "x"

    decorated()
    WhatsAppSendOperator(
        task_id="is_retried_meanwhile",
        recipient="8610000078",
        text="x",
        post_execute=fail_at_first,
        retry_delay=pendulum.duration(seconds=15),
    )
    # Lowered to 0.
    WhatsAppSendOperator(
        task_id="not_retried_any_more", recipient="8610000080", text="x", retries=RETRIES - 1
    )
    WhatsAppSendOperator.partial(task_id="mapped", text="x", retries=RETRIES).expand(
        recipient=["8610000081", "8610000082"]
    )
    WhatsAppBroadcastOperator(
        task_id="many_at_most_once",
        recipients=["8610000083", "8610000084"],
        text="x",
        delivery="at_most_once",
        retries=RETRIES - 1,
    )
    WhatsAppSendOperator(
        task_id="with_failing_callback",
        recipient="8610000085",
        text="x",
        delivery="at_most_once",
        on_success_callback=fail,
        post_execute=lambda context, result=None: None,
    )

"""DAGs whose tasks fail, are killed or cleared after sending; each sends to different numbers."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_itnio.messages import template_message
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_ask import WhatsAppAskOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator

PLACE = Path(os.environ["PLACE_OF_TASKS"])
ARGUMENTS = {
    "schedule": None,
    "start_date": pendulum.datetime(2026, 1, 1, tz="UTC"),
    "default_args": {"retry_delay": pendulum.duration(seconds=1), "itnio_conn_id": "itnio_tasks"},
}


def is_first_try(context: Any) -> bool:
    return bool(context["ti"].try_number == 1)


def fail_at_first(context: Any, result: Any = None) -> None:
    if is_first_try(context):
        raise RuntimeError("the task's own code fails after the message was accepted")


def be_killed_at_first(context: Any, result: Any = None) -> None:
    if is_first_try(context):
        os.kill(os.getpid(), signal.SIGKILL)


def leave_process_id(context: Any) -> None:
    """Write the process id for the test, which kills the process during its work."""
    (PLACE / f"{context['ti'].task_id}.pid").write_text(str(os.getpid()))


def blocks_at_first(ti: Any, number: str) -> str:
    """Block far longer than the task's execution_timeout, as a look-up in another system may."""
    if ti.try_number == 1 and number == "86270000020":
        time.sleep(120)
    return number


class FailingAfterwards(WhatsAppSendOperator):
    """A user's subclass whose code continues after the message was accepted."""

    def execute(self, context: Any) -> Any:
        receipt = super().execute(context)
        fail_at_first(context)
        return receipt


with DAG("record", **ARGUMENTS):
    again: dict[str, Any] = {"retries": 2}
    WhatsAppSendOperator(
        task_id="fails_afterwards", recipient="8610000001", text="x", post_execute=fail_at_first, **again
    )
    FailingAfterwards(task_id="of_a_user", recipient="8610000002", text="x", **again)
    WhatsAppSendOperator(
        task_id="is_killed", recipient="8610000003", text="x", post_execute=be_killed_at_first, **again
    )
    WhatsAppSendOperator(task_id="finishes", recipient="8610000004", text="x {{ ti.try_number }}", **again)
    WhatsAppSendOperator(
        task_id="fails_for_good", recipient="8610000005", text="x", post_execute=fail_at_first, retries=0
    )
    WhatsAppSendOperator(
        task_id="is_killed_while_asking",
        recipient="8610000006",
        text="x",
        delivery="at_most_once",
        pre_execute=leave_process_id,
        **again,
    )
    WhatsAppSendOperator(task_id="is_cleared_while_asking", recipient="8610000009", text="x", **again)
    WhatsAppSendOperator.partial(
        task_id="mapped", recipient="8610000007", post_execute=fail_at_first, **again
    ).expand(text=["one", "two"])

    @task.whatsapp(recipient="8610000008", post_execute=fail_at_first, **again)
    def decorated() -> str:
        with (PLACE / "decorated.calls").open("a") as calls:
            calls.write("called\n")
        return "x"

    decorated()

with DAG("record_of_broadcasts", user_defined_macros={"blocks_at_first": blocks_at_first}, **ARGUMENTS):
    WhatsAppBroadcastOperator(
        task_id="half_fails",
        recipients=[f"86200000{number:02d}" for number in range(20)],
        text="x {{ recipient.phone }}",
        retries=0,
    )
    WhatsAppBroadcastOperator(
        task_id="takes_too_long",
        recipients=[f"86210000{number:03d}" for number in range(400)],
        text="x",
        messages_per_second=40,
        checkpoint_every=50,
        execution_timeout=pendulum.duration(seconds=7),
        retries=20,  # a busy machine sends few messages in 7 seconds
    )
    WhatsAppBroadcastOperator(
        task_id="has_a_look_up_that_blocks",
        recipients=[f"86270000{number:03d}" for number in range(40)],
        text="x {{ blocks_at_first(ti, recipient.phone) }}",
        checkpoint_every=10,
        max_in_flight=5,
        execution_timeout=pendulum.duration(seconds=12),
        retries=5,
    )
    WhatsAppBroadcastOperator(
        task_id="is_ended_by_a_person",
        recipients=[f"86220000{number:03d}" for number in range(900)],
        text="x",
        messages_per_second=20,
        checkpoint_every=100,
        retries=0,
    )
    WhatsAppBroadcastOperator(
        task_id="is_cleared_while_it_runs",
        recipients=[f"86230000{number:03d}" for number in range(300)],
        text="x",
        messages_per_second=40,
        checkpoint_every=100,
        retries=0,
    )

with DAG("record_that_is_not_kept", **ARGUMENTS):
    WhatsAppSendOperator(task_id="one", recipient="8610000050", text="x", retries=2)
    WhatsAppBroadcastOperator(
        task_id="many", recipients=["8610000051", "8610000052", "8610000053"], text="x", retries=2
    )
    WhatsAppBroadcastOperator(task_id="nobody", recipients=["8610000054"], text="x", retries=2)
    WhatsAppSendOperator(
        task_id="is_ended_while_asking",
        recipient="8610000055",
        text="x",
        delivery="at_most_once",
        pre_execute=leave_process_id,
        retries=2,
    )
    WhatsAppBroadcastOperator(
        task_id="is_ended",
        recipients=[f"86240000{number:03d}" for number in range(900)],
        text="x",
        messages_per_second=20,
        pre_execute=leave_process_id,
        retries=2,
    )
    WhatsAppBroadcastOperator(
        task_id="fails_afterwards", recipients="8610000056", text="x", post_execute=fail_at_first, retries=2
    )
    WhatsAppSendOperator(
        task_id="is_marked_while_asking",
        recipient="8610000059",
        text="x",
        delivery="at_most_once",
        pre_execute=leave_process_id,
        retries=2,
    )
    WhatsAppSendOperator(
        task_id="is_marked",
        itnio_conn_id="itnio_waiting",
        recipient="+999 7 000 0002",
        template=template_message("daily_report", "en"),
        wait_for="read",
        pre_execute=leave_process_id,
        retries=2,
    )
    defers: dict[str, Any] = {"deferrable": True, "execution_timeout": pendulum.duration(seconds=15)}
    WhatsAppSendOperator(
        task_id="is_out_of_time",
        itnio_conn_id="itnio_waiting",
        recipient="8610000057",
        text="x",
        wait_for="read",
        retries=2,
        **defers,
    )
    WhatsAppAskOperator(
        task_id="asks_and_is_out_of_time",
        itnio_conn_id="itnio_asking",
        recipients="8610000058",
        question="x",
        options={"yes": "Yes"},
        retries=2,
        **defers,
    )

for delivery in ("at_least_once", "at_most_once"):
    with DAG(f"record_of_faults_{delivery}", **ARGUMENTS):
        WhatsAppBroadcastOperator(
            task_id=delivery,
            itnio_conn_id="itnio_faulty",
            recipients=[f"{'863' if delivery == 'at_least_once' else '864'}{n:08d}" for n in range(1_000)],
            text="Row {{ recipient.phone }}",
            delivery=delivery,
            messages_per_second=None,
            max_in_flight=32,
            checkpoint_every=100,
            pre_execute=leave_process_id,
            retries=8,
        )

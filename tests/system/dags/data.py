"""Data that is never rendered: upstream data in mapped tasks, missing values, texts like other types."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, TaskGroup, XComArg, task, task_group

from airflow_provider_itnio.messages import reply_buttons
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator

JINJA = "{{ conn.itnio_default.password }}"
NUMBER = "+86 100-0000-0051"


def orders() -> Any:
    """Return a data frame with a missing value."""
    import pandas as pd

    return pd.DataFrame({"city": ["Shenzhen", None], "count": [7.0, None]})


with DAG(
    dag_id="data",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    default_args={
        "retries": 2,
        "retry_delay": timedelta(0),
        "location": "us-central1",  # like parameters of other operators
        "image": "python:3.12",
        "timeout": 7 * 86_400,  # like a sensor's
    },
    user_defined_macros={"shop": "Shenzhen", "orders": orders},
) as dag:

    @task
    def words() -> list[str]:
        """Return a text with Jinja, and one that ends like a Jinja file's name."""
        return [JINJA, "please fix values.yaml.j2"]

    @task
    def rows() -> list[dict[str, Any]]:
        """Return sets of parameters with Jinja in them."""
        return [{"text": JINJA}, {"message": {"text": {"body": JINJA}}, "reply_to": JINJA}]

    @task
    def menus() -> list[Any]:
        """Return an object with Jinja in it."""
        return [reply_buttons(JINJA, {"a": "A"})]

    @task
    def word() -> dict[str, str]:
        """Return a text with Jinja in it."""
        return {"body": JINJA}

    @task
    def phone() -> float:
        """Return a phone number as a float, as in a column with missing values."""
        return 8610000000051.0

    @task
    def nobody() -> None:
        """Return None."""

    def send(task_id: str) -> Any:
        return WhatsAppSendOperator.partial(task_id=task_id, recipient=NUMBER)

    def many(task_id: str, **fields: Any) -> Any:
        return WhatsAppBroadcastOperator.partial(
            task_id=task_id, recipients=[NUMBER], messages_per_second=None, **fields
        )

    found, sets, menu, nothing = words(), rows(), menus(), nobody()

    # --- mapped over upstream outputs ---
    send("send_text").expand(text=found)
    send("send_menu").expand(interactive=menu)
    send("send_rows").expand_kwargs(sets)
    send("send_rows_made").expand_kwargs(sets.map(lambda row: row))
    send("send_zipped").expand(text=found.zip(found).map(lambda pair: pair[1]))
    if hasattr(XComArg, "concat"):
        send("send_both").expand(text=found.concat(found))
    many("broadcast_text").expand(text=found)
    many("broadcast_menu").expand(interactive=menu)
    many("broadcast_rows").expand_kwargs(sets)
    many("broadcast_shared", text="{{ shop }}{{ shared.x }}").expand(
        shared=found.map(lambda word: {"x": word})
    )

    # --- mapped over values in the DAG file ---
    send("send_written").expand(text=["{{ shop }}"])
    send("send_written_rows").expand_kwargs([{"text": "{{ shop }}"}, {"text": word()}])
    many("broadcast_written").expand(text=["{{ shop }} {{ recipient.phone }}"])

    @task.whatsapp(recipient=NUMBER)
    def told(word: str, more: str) -> str:
        """Return a text."""
        return f"{word} {more}"

    @task.whatsapp(recipient=NUMBER)
    async def told_later(word: str) -> str:
        """Return a text, asynchronously."""
        return f"later {word}"

    @task.whatsapp(recipients=[NUMBER])
    async def told_many() -> str:
        """Return a text for several recipients, asynchronously."""
        return "later"

    told.partial(more="{{ shop }}").expand(word=found)
    told.override(task_id="told_rows").partial(more="{{ shop }}").expand_kwargs(
        sets.map(lambda row: {"word": row.get("text", "none")})
    )
    told_later.expand(word=found)
    told_many()

    @task_group
    def grouped(word: Any) -> None:
        """Send the group's argument."""
        WhatsAppSendOperator(task_id="send", recipient=NUMBER, text=word)

    grouped.expand(word=found)

    # --- missing values ---
    with TaskGroup("gaps"):
        fields = {"recipient": NUMBER}
        gaps = [
            WhatsAppSendOperator(
                task_id="text", text="closed with {{ ti.xcom_pull('nobody') }} rows", **fields
            ),
            WhatsAppSendOperator(task_id="filter", text="{{ ti.xcom_pull('nobody') | title }}", **fields),
            WhatsAppSendOperator.partial(task_id="mapped", text="{{ ti.xcom_pull('nobody') }}").expand(
                recipient=[NUMBER]
            ),
            WhatsAppSendOperator(
                task_id="filled", text="{{ ti.xcom_pull('nobody') or 'no' }} rows", **fields
            ),
            WhatsAppSendOperator(task_id="frame", text="{{ orders() }}", **fields),
            WhatsAppSendOperator(
                task_id="frame_filled", text="{{ orders().city.fillna('none') | join(', ') }}", **fields
            ),
        ]
        nothing >> gaps
    asked = phone()
    asked >> WhatsAppSendOperator(task_id="number", text="x", recipient="{{ ti.xcom_pull('phone') }}")
    WhatsAppSendOperator(task_id="function", text=lambda context, jinja_env: JINJA, recipient=NUMBER)

with DAG(
    dag_id="native_data",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    render_template_as_native_obj=True,
    default_args={"retries": 2, "retry_delay": timedelta(0), "text": "{{ '%.2f' % 12.5 }}"},
    params={"sha": "12e4567"},
) as native_dag:
    WhatsAppSendOperator(task_id="decimals", recipient=NUMBER)  # its text comes from default_args
    WhatsAppSendOperator(task_id="thousands", recipient=NUMBER, text="{{ '{:,}'.format(1204) }}")
    WhatsAppSendOperator(task_id="sha", recipient="{{ 8610000000051 }}", text={"body": "{{ params.sha }}"})
    WhatsAppSendOperator.partial(task_id="mapped", text="{{ params.sha }}").expand(recipient=[NUMBER])
    WhatsAppSendOperator(task_id="gap", recipient=NUMBER, text="{{ ti.xcom_pull('nobody') }}")

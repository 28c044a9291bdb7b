"""One task for each way to send a message, and for each outcome.

Every task has up to three tries, so ending in the first try is significant.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, literal, redact, task

from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.messages import (
    contact_card,
    list_menu,
    location_request,
    reply_buttons,
    template_message,
)
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator

with DAG(
    dag_id="every_way",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    default_args={"retries": 2, "retry_delay": timedelta(0), "recipient": "+86 147-1800-4557"},
    user_defined_macros={"shop": "Shenzhen"},
) as dag:
    # --- every type ---
    WhatsAppSendOperator(task_id="text", text="*42* rows")
    WhatsAppSendOperator(task_id="reply", text="Thank you", reply_to="wamid.1")
    WhatsAppSendOperator(task_id="image", image={"link": "https://example.com/a.png", "caption": "Rows"})
    WhatsAppSendOperator(task_id="audio", audio="https://example.com/a.mp3")
    WhatsAppSendOperator(task_id="video", video="https://example.com/a.mp4")
    WhatsAppSendOperator(task_id="document", document="https://example.com/Sales%2010.pdf")
    WhatsAppSendOperator(task_id="sticker", sticker="https://example.com/a.webp")
    WhatsAppSendOperator(
        task_id="location",
        location={"longitude": 114.05, "latitude": 22.5, "name": "{{ shop }}", "address": "深圳市"},
    )
    WhatsAppSendOperator(
        task_id="buttons",
        interactive=reply_buttons("Again in {{ shop }}?", {"y": "Yes", "n": "No {{ shop }}"}),
    )
    WhatsAppSendOperator(
        task_id="menu", interactive=list_menu("Which?", "Reports", {"Daily": {"sales": ("Sales", "by hour")}})
    )
    WhatsAppSendOperator(task_id="place_wanted", interactive=location_request("Where are you?"))
    WhatsAppSendOperator(task_id="contacts", contacts=[contact_card("Ana Lima", phone="+55 11 91234-5678")])
    WhatsAppSendOperator(
        task_id="template", template=template_message("daily_report", "en", body=["{{ shop }}", "42"])
    )

    # --- templated fields ---
    @task
    def load() -> dict[str, Any]:
        """Return the data of the messages."""
        return {
            "rows": 42,
            "words": "built upstream",
            "number": "+86 100-0000-0001",
            "menu": reply_buttons("Load again?", {"y": "Yes"}),
            "message": {"type": "text", "text": "built upstream {{ not_rendered }}"},
            "file": "from_data.j2",
        }

    @task
    def numbers() -> list[str | int]:
        """Return three recipients, one of them invalid."""
        return ["+86 100-0000-0011", "12", 8610000000013]

    @task
    def messages() -> list[dict[str, Any]]:
        """Return four messages; the second is too long and the last one is empty."""
        return [
            {"recipient": "+86 100-0000-0021", "text": "first"},
            {"recipient": "+86 100-0000-0022", "text": "x" * 4097},
            {"recipient": "+86 100-0000-0023", "image": "https://example.com/b.png"},
            {"recipient": "+86 100-0000-0024"},
        ]

    loaded = load()
    WhatsAppSendOperator(
        task_id="templated",
        recipient="{{ ti.xcom_pull('load')['number'] }}",
        text="{{ shop }}: {{ ti.xcom_pull('load')['rows'] }} rows",
        itnio_conn_id="itnio_{{ 'def' }}ault",
        delivery="at_most_once",
    ).set_upstream(loaded)
    WhatsAppSendOperator(task_id="upstream_text", recipient=loaded["number"], text=loaded["words"])
    WhatsAppSendOperator(task_id="upstream_menu", interactive=loaded["menu"])
    WhatsAppSendOperator(task_id="upstream_message", message=loaded["message"])
    WhatsAppSendOperator(task_id="literal_text", text=literal("{{ as it stands }}"))
    WhatsAppSendOperator(task_id="file", text="report.j2")
    WhatsAppSendOperator(task_id="missing_file", text="nowhere.j2")
    WhatsAppSendOperator(task_id="file_named_by_data", text=loaded["file"])
    WhatsAppSendOperator(task_id="undefined", text="{{ nobody.knows }}")
    WhatsAppSendOperator.partial(task_id="mapped", text="Hi from {{ shop }}").expand(recipient=numbers())
    WhatsAppSendOperator.partial(task_id="mapped_whole").expand_kwargs(messages())

    # --- return values of functions ---
    @task.whatsapp(recipient="+86 100-0000-0041")
    def written(found: dict[str, Any], ti: Any = None) -> str:
        """Return a text with Jinja in it."""
        return f"{ti.task_id}: {len(found)} and {{{{ 7 * 7 }}}}"

    @task.whatsapp(recipient="{{ '+86 100-0000-0042' }}", reply_to="wamid.{{ 1 + 1 }}")
    def written_whole(n: int) -> dict[str, Any]:
        """Return a whole message, in a mapped task."""
        return {"document": f"https://example.com/{n}.pdf"}

    @task.whatsapp(recipient="+86 100-0000-0043")
    def forgotten() -> None:
        """Forget to return the message."""

    written(loaded)
    written_whole.expand(n=[1, 2])
    forgotten()

    # --- every outcome ---
    def hasty(name: str, number: int, **kwargs: Any) -> None:
        """Make a task whose client tries once, so each request is one try of the task."""
        fields = {"itnio_conn_id": "itnio_hasty", "text": name} | kwargs
        WhatsAppSendOperator(task_id=name, recipient=f"+86 100-0000-00{number}", **fields)

    hasty("busy_then_free", 31)
    hasty("passing_refusal", 32)
    hasty("refused", 33)
    hasty("lost_at_most_once", 34, delivery="at_most_once")
    hasty("lost_at_least_once", 35)
    hasty("no_connection", 36, itnio_conn_id="itnio_unreachable")
    hasty("no_secret", 37, itnio_conn_id="itnio_without_secret")
    hasty("no_such_connection", 39, itnio_conn_id="itnio_nowhere")
    hasty("too_long", 38, text="{{ 'x' * 5000 }}")

    @task
    def masked() -> Any:
        """Return what Airflow's masker leaves of the Api-Key and the secret after the hook has read them."""
        hook = ItnioHook()
        hook.get_conn()
        connection = hook.get_connection(hook.itnio_conn_id)
        return redact(f"key {connection.login}, secret {connection.password}")

    masked()

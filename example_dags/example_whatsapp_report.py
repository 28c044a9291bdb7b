"""A report to several people: the result of an upstream task, with a text for each.

Replace ``load`` with your own task. Its result gets into the messages in three ways: by Jinja in a text, as
the output that a mapped task is expanded over, and through a function that writes the message. You can run it
against the sandbox without changes (``make demo``).
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_itnio.messages import template_message
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator

STAKEHOLDERS = ["+86 147-1800-4557", "+55 11 91234-5678", "+44 20 7946 0018"]

with DAG(
    dag_id="example_whatsapp_report",
    description=__doc__.partition("\n")[0],
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    default_args={"retries": 2, "retry_delay": pendulum.duration(minutes=1)},
    tags=["example", "whatsapp"],
):

    @task
    def load() -> dict[str, Any]:
        """Find what is to be reported."""
        return {"rows": 1204, "revenue": "48,310.50 EUR", "late": ["returns", "stock"]}

    @task
    def messages_for_regions(figures: dict[str, Any]) -> list[dict[str, Any]]:
        """Make one whole message, with its recipient, for each region."""
        return [
            {"recipient": "+49 30 123456", "text": f"North: {figures['rows'] // 2} rows"},
            {
                "recipient": "+39 06 1234 5678",
                "template": template_message("daily_report", "it", body=["South", str(figures["rows"] // 2)]),
            },
        ]

    figures: Any = load()

    # One text for all: a mapped task for each person, with its own retries.
    WhatsAppSendOperator.partial(
        task_id="tell_stakeholders",
        text=(
            "*Report of {{ dag_run.start_date | ds }}*\n"
            "Rows: {{ ti.xcom_pull('load')['rows'] }}\n"
            "Revenue: {{ ti.xcom_pull('load')['revenue'] }}\n"
            "Late: {{ ti.xcom_pull('load')['late'] | join(', ') }}"
        ),
    ).expand(recipient=STAKEHOLDERS).set_upstream(figures)

    # Another message for each. Jinja in the output of an upstream task is not run.
    WhatsAppSendOperator.partial(task_id="tell_regions").expand_kwargs(messages_for_regions(figures))

    # What a function returns is never run as Jinja.
    @task.whatsapp(recipient=STAKEHOLDERS[0])
    def tell_what_is_late(figures: dict[str, Any]) -> str:
        """Write the message in Python."""
        return "*Late today*\n" + "\n".join(f"- {report}" for report in figures["late"])

    tell_what_is_late(figures)

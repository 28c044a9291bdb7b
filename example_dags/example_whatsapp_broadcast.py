"""A report to many people, with a text for each, from one task.

Replace ``customers`` with your own query. Each row is a recipient: ``phone``, and the data that the text
uses. On Airflow 3.3 and later, a retry sends only to those whose message was not accepted yet. You can run it
against the sandbox without changes (``make demo``).
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator

with DAG(
    dag_id="example_whatsapp_broadcast",
    description=__doc__.partition("\n")[0],
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    default_args={"retries": 2, "retry_delay": pendulum.duration(minutes=1)},
    tags=["example", "whatsapp"],
):

    @task
    def customers() -> list[dict[str, Any]]:
        """Return the recipients of the report, with the data for each."""
        return [
            {"phone": f"+86 1391 {n:07d}", "name": f"Customer {n}", "orders": 1 + n % 4, "open": n % 7 == 0}
            for n in range(1, 501)
        ]

    @task
    def no_longer_wanted() -> list[str]:
        """Return the numbers of people who do not want messages any more."""
        return ["+86 1391 0000500"]

    @task
    def figures() -> dict[str, Any]:
        """Return the data that is the same for all recipients."""
        return {"week": 47, "news": "We deliver on Saturdays now."}

    rows: Any = customers()

    # 500 rows, one of them excluded: 499 texts.
    WhatsAppBroadcastOperator(
        task_id="tell_customers",
        recipients=rows,
        exclude=no_longer_wanted(),
        shared={"figures": figures()},
        text=(
            "Dear {{ recipient.name }}, your orders in week {{ shared.figures.week }}: "
            "{{ recipient.orders }}.\n"
            "{% if recipient.open %}One of them is still open.\n{% endif %}"
            "{{ shared.figures.news }}"
        ),
        execution_timeout=pendulum.duration(minutes=30),
    )

    # A different file for each recipient.
    WhatsAppBroadcastOperator(
        task_id="send_invoices",
        recipients=[
            {"phone": "+86 147-1800-4557", "invoice": "2026-0117"},
            {"phone": "+55 11 91234-5678", "invoice": "2026-0118"},
        ],
        document={
            "link": "https://files.example.com/invoices/{{ recipient.invoice }}.pdf",
            "caption": "Invoice {{ recipient.invoice }}",
        },
    )

    # Send the text that a function returns to several people.
    @task.whatsapp(recipients="+86 147-1800-4557")
    def tell_the_team(found: list[dict[str, Any]]) -> str:
        """Write the message in Python."""
        return f"*Customers*: {sum(row['open'] for row in found)} of {len(found)} have an open order"

    tell_the_team(rows)

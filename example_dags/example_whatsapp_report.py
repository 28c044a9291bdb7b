"""A report: the result of a query as a text, as a file, and as a text for each person; an alert if it fails.

Replace ``load`` with your own task, and the two connections: ``warehouse`` is the database, ``storage`` the
object storage with the bucket ``reports``. ``make demo`` and ``make playground`` provide both locally.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, BaseHook, task

from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from airflow_provider_itnio.transfers.sql_to_whatsapp import SqlToWhatsAppOperator

ON_CALL = "+86 147-1800-4557"
STAKEHOLDERS = ["+86 147-1800-4557", "+55 11 91234-5678", "+44 20 7946 0018"]

with DAG(
    dag_id="example_whatsapp_report",
    description=__doc__.partition("\n")[0],
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    default_args={"retries": 2, "retry_delay": pendulum.duration(minutes=1)},
    on_failure_callback=WhatsAppNotifier(recipients=ON_CALL),
    tags=["example", "whatsapp"],
):

    @task
    def load() -> None:
        """Fill the database; replace this with your own load."""
        warehouse: Any = BaseHook.get_connection("warehouse")
        warehouse.get_hook().run(
            [
                "DROP TABLE IF EXISTS sales",
                "CREATE TABLE sales (region TEXT, lead TEXT, mobile TEXT, orders INT, revenue NUMERIC)",
                "INSERT INTO sales VALUES "
                "('North', 'Grete', '+49 30 123456', 602, 24155.25), "
                "('South', 'Paola', '+39 06 1234 5678', 602, 24155.25), "
                "('East', 'Li', NULL, 0, NULL)",
            ]
        )

    # One text for all, with a table.
    tell_stakeholders = SqlToWhatsAppOperator(
        task_id="tell_stakeholders",
        sql="SELECT region, orders, revenue FROM sales ORDER BY region",
        sql_conn_id="warehouse",
        recipients=STAKEHOLDERS,
        text="*{{ row_count }} regions, {{ rows | sum('orders') }} orders*\n{{ rows | table(max_rows=5) }}",
    )

    # The rows as a file, which is written to object storage and sent as a signed link.
    send_file = SqlToWhatsAppOperator(
        task_id="send_file",
        sql="SELECT * FROM sales ORDER BY region",
        sql_conn_id="warehouse",
        recipient=ON_CALL,
        as_file="s3://storage@reports/sales-{{ run_id | replace(':', '-') }}.csv",
        text="All {{ row_count }} regions",
    )

    # A text for each row, to the number in the row.
    tell_leads = SqlToWhatsAppOperator(
        task_id="tell_leads",
        sql="SELECT * FROM sales WHERE mobile IS NOT NULL",
        sql_conn_id="warehouse",
        recipient_column="mobile",
        text="Dear {{ row.lead }}, {{ row.region }} had {{ row.orders }} orders: {{ row.revenue }} EUR.",
    )

    @task
    def late_regions() -> list[dict[str, Any]]:
        """Return the people to ask."""
        return [{"phone": number, "region": "East"} for number in STAKEHOLDERS[:2]]

    # A text for each person in the output of an upstream task.
    ask_for_late = WhatsAppBroadcastOperator(
        task_id="ask_for_late",
        recipients=late_regions(),
        text="*{{ recipient.region }}* has no revenue yet. Can you look into it?",
    )

    # The return value of a function is never rendered as Jinja.
    @task.whatsapp(recipient=ON_CALL)
    def tell_that_it_is_done() -> str:
        """Write a message in Python."""
        return "The report is with everyone."

    load() >> [tell_stakeholders, send_file, tell_leads, ask_for_late] >> tell_that_it_is_done()

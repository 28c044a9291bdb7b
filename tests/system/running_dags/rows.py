"""A report from a query of a PostgreSQL whose address the scenario writes to ``place``."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_itnio.transfers.sql_to_whatsapp import SqlToWhatsAppOperator

ADDRESS = Path(os.environ["PLACE_OF_TASKS"], "warehouse.json")
if ADDRESS.exists():
    os.environ["AIRFLOW_CONN_WAREHOUSE"] = ADDRESS.read_text()

with DAG(
    "rows",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    default_args={
        "itnio_conn_id": "itnio_tasks",
        "sql_conn_id": "warehouse",
        "max_attempts": 1,
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
    },
):
    table = SqlToWhatsAppOperator(
        task_id="table",
        sql="SELECT name, owed FROM people ORDER BY name",
        recipient="+86 2610 0000 095",
        text="{{ row_count }} people\n{{ rows | table }}",
    )
    table >> SqlToWhatsAppOperator(  # the scenario changes its rows
        task_id="each",
        sql="SELECT * FROM people ORDER BY name",
        recipient_column="phone",
        text="Dear {{ row.name }}, {{ row.owed }} are due",
    )

"""Rows of a PostgreSQL that is started for the test."""

from __future__ import annotations

import json
from contextlib import closing
from urllib.parse import urlsplit

import psycopg2
import pytest

from tests.postgres import running_postgres
from tests.task_runs import counts_of
from tests.transfers.test_sql_to_whatsapp import NUMBER, report, texts

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture(scope="module")
def postgres():
    with running_postgres() as url:
        yield urlsplit(url)


@pytest.fixture
def warehouse(postgres, monkeypatch):
    """The database with the connection ``warehouse``; returns a function that runs SQL."""
    fields = {"conn_type": "postgres", "host": postgres.hostname, "port": postgres.port, "login": "tests"}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({**fields, "schema": "postgres"}))

    def run(sql):
        address = {"host": postgres.hostname, "port": postgres.port, "user": "tests", "dbname": "postgres"}
        with closing(psycopg2.connect(**address)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(sql)

    return run


def test_each_row_is_sent_as_a_message(warehouse, sandbox):
    warehouse(
        "CREATE TABLE people AS SELECT '86139' || lpad(n::text, 8, '0') AS phone, n, 1.50::numeric AS owed, "
        "DATE '2026-07-01' AS since, '\\x01'::bytea AS raw FROM generate_series(1, 220) AS n"
    )
    summary = report(
        sql="SELECT * FROM people WHERE n <= %(most)s ORDER BY n",
        parameters={"most": 200},
        recipient_column="phone",
        text="{{ row.n }}: {{ row.owed }} since {{ row.since }}",
        max_in_flight=100,
    ).once()
    assert counts_of(summary) == {"accepted": 200}
    assert texts(sandbox)["8613900000007"] == "7: 1.50 since 2026-07-01"


def test_a_text_may_contain_the_rows_as_a_table(warehouse, sandbox):
    report(
        sql="SELECT 'North' AS region, 12::bigint AS n", recipient=NUMBER, text="{{ rows | table }}"
    ).once()
    report(sql="SELECT 1 AS n WHERE false", recipient=NUMBER, text="{{ row_count }} {{ columns[0] }}").once()
    assert [message.text for message in sandbox.messages] == ["```\nregion   n\nNorth   12\n```", "0 n"]


def test_rows_are_fetched_in_parts(warehouse, monkeypatch, sandbox):
    """A server-side cursor returns them in parts; the second part is fetched after the first."""
    from airflow_provider_itnio.transfers import _rows

    monkeypatch.setattr(_rows, "_FETCH_SIZE", 2)
    open_ones = "(SELECT count(*) FROM pg_cursors WHERE name = 'whatsapp_rows')"
    asked = f"SELECT {open_ones} AS c FROM generate_series(1, 5)"
    report(sql=asked, recipient=NUMBER, text="{{ rows | map(attribute='c') | join(',') }}").once()
    assert texts(sandbox) == {"8614718004557": "1,1,1,1,1"}

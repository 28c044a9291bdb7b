"""Real Airflow sends the rows of a PostgreSQL query."""

from __future__ import annotations

import json
from contextlib import closing
from urllib.parse import urlsplit

import psycopg2
import pytest

from tests.postgres import running_postgres

from .conftest import AIRFLOW_2
from .running import scenario, until

pytestmark = pytest.mark.system

READER, *PEOPLE = (f"8626100000{number}" for number in ("095", "961", "962", "963"))


@scenario()
def rows(running):
    """Run the DAG; on Airflow 3.3 let one message fail, and change the rows before the retry."""
    with running_postgres() as url:
        at = urlsplit(url)
        fields = {"conn_type": "postgres", "host": at.hostname, "port": at.port, "login": "tests"}
        address = running.place / "warehouse.json"
        address.with_suffix(".new").write_text(json.dumps({**fields, "schema": "postgres"}))
        address.with_suffix(".new").rename(address)
        database = psycopg2.connect(host=at.hostname, port=at.port, user="tests", dbname="postgres")
        with closing(database):
            change(database, "CREATE TABLE people (phone text, name text, owed numeric(9, 2))")
            for phone, name in zip(PEOPLE[:2], ("Li", "Wu"), strict=True):
                change(database, f"INSERT INTO people VALUES ('{phone}', '{name}', 1204.5)")
            if not AIRFLOW_2:
                running.tasks.fail_next(http_status=503, recipient=PEOPLE[1])
            running.airflow.trigger("rows", "run")
            if not AIRFLOW_2:
                until(lambda: running.airflow.tasks("rows", "run")["each"][0] == "up_for_retry")
                change(database, f"INSERT INTO people VALUES ('{PEOPLE[2]}', 'Ana', 7)")
            assert running.airflow.wait_for("rows", "run") == "success"
    return running.airflow.tasks("rows", "run")


def change(database, sql):
    with database, database.cursor() as cursor:
        cursor.execute(sql)


def test_a_text_contains_the_rows_as_a_table(rows, running):
    assert rows["table"] == ("success", 1)
    (text,) = running.texts_to(READER)
    assert text.startswith("2 people\n```\nname     owed\n")
    assert "Li    1204.50\n" in text


def test_each_row_is_sent_as_a_message(rows, running):
    assert running.texts_to(PEOPLE[0]) == ["Dear Li, 1204.50 are due"]
    assert running.texts_to(PEOPLE[1]) == ["Dear Wu, 1204.50 are due"]


@pytest.mark.skipif(AIRFLOW_2, reason="before Airflow 3.3 there is no delivery record")
def test_a_retry_with_other_rows_messages_no_number_twice(rows, running):
    assert rows["each"] == ("success", 2)
    assert running.texts_to(PEOPLE[2]) == ["Dear Ana, 7.00 are due"]

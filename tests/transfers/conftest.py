from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest


@pytest.fixture
def database(tmp_path, monkeypatch):
    """A SQLite database with the connection ``warehouse``; returns a function that runs SQL."""
    file = tmp_path / "warehouse.db"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(file)}))

    def run(sql, rows=()):
        with closing(sqlite3.connect(file)) as connection, connection:
            if rows:
                connection.executemany(sql, rows)
            else:
                connection.executescript(sql)

    return run


@pytest.fixture
def people(database):
    """Three people in the table ``people``."""

    def begin_again():
        database("DROP TABLE IF EXISTS people; CREATE TABLE people (phone, name, orders, note)")
        database(
            "INSERT INTO people VALUES (?, ?, ?, ?)",
            [
                ("+86 147-1800-4557", "Li", 3, "{{ 1 / 0 }}"),
                (5511912345678, "Ana", 12, None),
                ("+44 20 7946 0018", "Bo", 7, "x"),
            ],
        )

    begin_again()
    database.begin_again = begin_again
    return database

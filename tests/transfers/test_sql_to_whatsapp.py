"""The rows of a query sent as messages."""

from __future__ import annotations

import numpy as np
import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, AirflowSkipException

from airflow_provider_itnio.api.errors import (
    InvalidMessageError,
    InvalidParameterError,
)
from airflow_provider_itnio.transfers.sql_to_whatsapp import SqlToWhatsAppOperator
from tests.tables import for_each
from tests.task_runs import TaskRun, counts_of, fails_at_once

NUMBER = "+86 147-1800-4557"
ALL = "SELECT * FROM people ORDER BY name"
pytestmark = pytest.mark.usefixtures("connection")


def report(*, store=None, context=None, dag=None, **fields):
    """Return the task of a report."""
    given = {"sql": ALL, "sql_conn_id": "warehouse", "messages_per_second": None} | fields

    def make():
        with DAG("report", schedule=None, **(dag or {})):
            return SqlToWhatsAppOperator(task_id="report", **given)

    return TaskRun(make, store=store, context=context)


def texts(sandbox):
    """Return the text sent to each number."""
    return {message.recipient: message.text for message in sandbox.messages}


# --- one text for all rows ------------------------------------------------------------------------------


def test_rows_are_available_in_the_text(people, sandbox):
    text = (
        "{{ row_count }} people, {{ columns | join('/') }}\n"
        "{% for row in rows %}{{ row.name }}: {{ row.orders }}{{ '' if loop.last else ', ' }}{% endfor %}\n"
        "{{ rows[0].name }}, {{ rows[-1]['name'] }}, {{ rows | sum('orders') }}\n{{ rows[1].note }}"
    )
    summary = report(recipient=NUMBER, text=text).once()
    assert counts_of(summary) == {"accepted": 1}
    assert texts(sandbox) == {
        "8614718004557": "3 people, phone/name/orders/note\nAna: 12, Bo: 7, Li: 3\nAna, Li, 22\nx"
    }


@for_each("native", [False, True])
def test_sql_and_its_parameters_are_rendered(people, sandbox, native):
    summary = report(
        sql="SELECT name FROM {{ params.table }} WHERE orders > ? AND name <> ?",
        parameters=[5, "Bo"],
        recipients=[NUMBER, "+55 11 91234-5678"],
        text="{{ rows[0].name }} …{{ recipient.phone[-2:] }}",
        context={"params": {"table": "people"}},
        dag={"render_template_as_native_obj": native},
    ).once()
    assert counts_of(summary) == {"accepted": 2}
    assert texts(sandbox) == {"8614718004557": "Ana …57", "5511912345678": "Ana …78"}


@for_each("parameters", [[np.int64(5), np.str_("Bo")], (np.float32(5), "Bo")])
def test_numpy_numbers_are_accepted_as_parameters(parameters, people, sandbox):
    """SQLite's driver binds numpy's int64 and float32 as bytes, which equal no number."""
    sql = "SELECT name FROM people WHERE orders > ? AND name <> ?"
    report(sql=sql, parameters=parameters, recipient=NUMBER, text="{{ rows[0].name }}").once()
    assert texts(sandbox) == {"8614718004557": "Ana"}


@for_each("parameters", ["5", {5}, np.array([5])])
def test_parameters_from_upstream_must_be_a_list_or_a_dict(parameters, people, sandbox):
    run = report(sql=ALL, recipient=NUMBER, text="x")
    context = run.begin()
    run.operator.parameters = parameters
    with pytest.raises(AirflowFailException, match="parameters: must be a list or a dict"):
        run.operator.execute(context)


def test_a_sql_file_is_read(people, sandbox, tmp_path):
    (tmp_path / "late.sql").write_text("SELECT name FROM people WHERE orders > {{ params.least }}")
    run = report(
        sql="late.sql",
        recipient=NUMBER,
        text="{{ rows[0].name }} is no late.sql",
        context={"params": {"least": 10}},
        dag={"template_searchpath": str(tmp_path)},
    )
    run.once()
    assert texts(sandbox) == {"8614718004557": "Ana is no late.sql"}
    assert run.operator.sql == "SELECT name FROM people WHERE orders > 10"


def test_a_text_in_a_file_may_use_the_recipient(people, sandbox, tmp_path):
    (tmp_path / "report.j2").write_text("{{ row_count }} for …{{ recipient.phone[-2:] }}")
    for text in (
        "report.j2",
        "{% include 'report.j2' %}",
        lambda context, jinja_env: f"{context['row_count']}",
    ):
        sandbox.clear()
        run = report(
            recipients=[NUMBER, "+55 11 91234-5678"], text=text, dag={"template_searchpath": str(tmp_path)}
        )
        run.once()
        wanted = ["3 for …57", "3 for …78"] if isinstance(text, str) else ["3", "3"]
        assert sorted(texts(sandbox).values()) == wanted


def test_jinja_and_missing_values_in_rows_are_not_rendered(people, sandbox):
    report(
        sql="SELECT note FROM people WHERE name = 'Li'", recipient=NUMBER, text="{{ rows[0].note }}"
    ).once()
    assert texts(sandbox) == {"8614718004557": "{{ 1 / 0 }}"}
    for text in ("{{ rows[0].note }}", "{{ rows | map(attribute='note') | join }}", "{{ rows[0].nothing }}"):
        fails_at_once(
            report(sql="SELECT note FROM people WHERE name = 'Ana'", recipient=NUMBER, text=text),
            InvalidMessageError,
        )
    report(
        sql="SELECT note FROM people WHERE name = 'Ana'", recipient=NUMBER, text="{{ rows[0].note or '-' }}"
    ).once()
    assert sandbox.messages[-1].text == "-"


def test_a_text_may_contain_the_rows_as_a_table(people, sandbox):
    report(
        sql="SELECT name, orders FROM people", recipient=NUMBER, text="{{ rows | table(max_rows=2) }}"
    ).once()
    assert texts(sandbox) == {
        "8614718004557": "```\nname  orders\nLi         3\nAna       12\n```\nand 1 more"
    }


def test_a_mapped_task_sends_its_rows(people, sandbox):
    with DAG("report", schedule=None):
        mapped = SqlToWhatsAppOperator.partial(
            task_id="report", sql=ALL, sql_conn_id="warehouse", text="{{ row_count }} rows"
        ).expand(recipient=[NUMBER, "+55 11 91234-5678"])
    operator = mapped.unmap({"recipient": NUMBER})
    TaskRun(lambda: operator).once()
    assert texts(sandbox) == {"8614718004557": "3 rows"}


# --- a message for each row -----------------------------------------------------------------------------


def test_each_row_is_sent_to_its_number(people, sandbox):
    run = report(
        sql="SELECT phone AS mobile, name, orders, note, 'x' AS phone FROM people",
        recipient_column="mobile",
        text="{{ row.name }}, {{ recipient.orders }}, {{ shared.week }}; {{ row.phone + recipient.phone }}",
        shared={"week": 47},
    )
    assert counts_of(run.once()) == {"accepted": 3}
    assert texts(sandbox) == {
        "8614718004557": "Li, 3, 47; x8614718004557",
        "5511912345678": "Ana, 12, 47; x5511912345678",
        "442079460018": "Bo, 7, 47; x442079460018",
    }


def test_jinja_in_a_row_is_not_rendered_and_a_missing_value_fails_its_message(people, sandbox):
    run = report(recipient_column="PHONE", text="{{ row.name }}: {{ row.note }}")
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 2, "invalid": 1}
    assert sorted(texts(sandbox).values()) == ["Bo: x", "Li: {{ 1 / 0 }}"]
    (failure,) = run.summary["failures"]
    assert (failure["position"], failure["last_digits"]) == (0, "5678")
    assert "a value is None (row.note); give a default" in failure["reason"]


def test_an_invalid_number_in_a_row_is_one_failure(people, sandbox):
    people("INSERT INTO people VALUES ('12', 'Zoe', 1, '')")
    run = report(recipient_column="phone", text="{{ row.name }}")
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 3, "invalid": 1}


def test_hundreds_of_rows_are_sent_to_their_numbers(database, sandbox):
    database("CREATE TABLE many (phone, n)")
    database("INSERT INTO many VALUES (?, ?)", [(f"86139{n:08d}", n) for n in range(300)])
    summary = report(
        sql="SELECT * FROM many", recipient_column="phone", text="{{ row.n }}", max_in_flight=100
    ).once()
    assert counts_of(summary) == {"accepted": 300}
    assert all(int(message.recipient[5:]) == int(message.text) for message in sandbox.messages)


# --- nothing is sent ------------------------------------------------------------------------------------


@for_each(
    ("change", "fields", "words"),
    [
        (
            "",
            {"recipient_column": "number"},
            "no column number; it returns phone, name, orders, note",
        ),
        (
            "INSERT INTO people VALUES (NULL, 'Zoe', 1, ''), ('  ', 'Zoe', 1, '')",
            {"recipient_column": "phone"},
            "recipient_column: rows[3], rows[4] have no number in phone; exclude such rows",
        ),
        (
            "INSERT INTO people VALUES ('8614718004557', 'Zoe', 1, '')",
            {"recipient_column": "phone"},
            "recipient_column: rows[2] and rows[3] have the same number in two spellings, 86…57; give one",
        ),
        (
            "INSERT INTO people VALUES ('551112345678', 'Zoe', 1, '')",
            {"recipient_column": "phone"},
            "rows[0] and rows[3] have the same number in two spellings, 55…78; give one row for each number",
        ),
        (
            "INSERT INTO people VALUES ('+44 20 7946 0018', 'Zoe', 1, '')",
            {"recipient_column": "phone"},
            "have the same number, 44…18; give one row for each number, as with GROUP BY phone",
        ),
        (
            "INSERT INTO people VALUES (NULL, 'Zoe', 1, '')",
            {"recipient_column": "phone"},
            "recipient_column: rows[3] has no number in phone",
        ),
        (
            "",
            {"sql": "SELECT name, name FROM people", "recipient": NUMBER},
            "sql: two columns have the name name",
        ),
        (
            "",
            {"sql": "CREATE TABLE other (a)", "recipient": NUMBER},
            "sql: must be a query, such as a SELECT",
        ),
        ("DELETE FROM people", {"recipient": NUMBER, "if_empty": "fail"}, "The query returned no rows"),
        (
            "DELETE FROM people",
            {"recipient_column": "phone", "if_empty": "fail"},
            "The query returned no rows",
        ),
        ("", {"recipient": NUMBER, "text": "{{ rows | table(columns=['x']) }}"}, "no column x; there are"),
        ("", {"recipient": "12"}, "recipient: 7 to 14 digits"),
        ("", {"recipient": NUMBER, "text": "{{ 'x' * 4097 }}"}, "text.body: at most 4096 characters"),
        (
            "",
            {"recipient": NUMBER, "text": "{{ row.name }}"},
            "row needs recipient_column; without it, loop, as in {% for row in rows %}",
        ),
        (
            "",
            {"recipient": NUMBER, "sql_conn_id": "itnio_default"},
            "ConfigurationError: sql_conn_id: 'itnio_default' is no connection to a database that Airflow's "
            "common.sql supports. It is of type 'itnio'",
        ),
        *(
            (
                "",
                {"recipient": NUMBER, "sql_conn_id": kind},
                f"ConfigurationError: sql_conn_id: '{kind}' is no connection to a database that Airflow's "
                f"common.sql supports. It is of type '{kind}'",
            )
            for kind in ("aws", "http", "smtp")
        ),
        (
            "",
            {"recipient": NUMBER, "sql_conn_id": "odd"},
            "connection 'odd' can't be used: Unknown hook type",
        ),
    ],
)
def test_an_invalid_query_connection_or_message_fails_before_sending(
    people, change, fields, words, sandbox, monkeypatch
):
    monkeypatch.setenv("AIRFLOW_CONN_ODD", "unheard-of://host")
    for kind in ("aws", "http", "smtp"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{kind.upper()}", f"{kind}://host/?endpoint_url=x&timeout=5")
    if change:
        people(change)
    with pytest.raises((AirflowFailException, ValueError)) as refused:
        report(**{"text": "x"} | fields).once()
    assert words in str(refused.value)
    assert sandbox.requests == []


@for_each("to", [{"recipient": NUMBER}, {"recipient_column": "phone"}])
def test_without_rows_if_empty_skips_the_task_or_sends(people, to, sandbox):
    people("DELETE FROM people")
    with pytest.raises(AirflowSkipException):
        report(text="{{ row_count }} rows", if_empty="skip", **to).once()
    assert sandbox.requests == []
    text = "{{ row_count }} rows\n{{ rows | table }}" if "recipient" in to else "x"
    summary = report(text=text, **to).once()
    assert list(texts(sandbox).values()) == (["0 rows\n(no rows)"] if "recipient" in to else [])
    assert summary["recipients"] == len(sandbox.messages)


def test_a_database_error_leaves_the_tasks_retries(people, sandbox):
    with pytest.raises(Exception, match="no such table: absent"):
        report(sql="SELECT * FROM absent", recipient=NUMBER, text="x").once()
    assert sandbox.requests == []


@for_each(
    ("fields", "words"),
    [
        ({}, "exactly one of recipient, recipients, recipient_column must be given, none given"),
        ({"recipient": NUMBER, "recipients": [NUMBER]}, "recipient and recipients given"),
        ({"recipient": NUMBER, "if_empty": "ignore"}, "if_empty: must be one of send, skip, fail"),
        ({"recipient": NUMBER, "sql": ["SELECT 1"]}, "sql: must be a text, a list of 1 given"),
        ({"recipient": NUMBER, "sql": " "}, "sql: must be a text"),
        ({"recipient": NUMBER, "parameters": '{"day": 1}'}, "parameters: must be a list or a dict, '{\"day"),
        ({"recipient": NUMBER, "parameters": 5}, "parameters: must be a list or a dict, 5 given"),
        ({"recipient": NUMBER, "sql_conn_id": None}, "sql_conn_id: must be a text, nothing given"),
        ({"recipient": NUMBER, "as_file": "s3://a/b.txt"}, "as_file: must end in .csv or .xlsx"),
        *(
            (
                {"recipient": NUMBER, "as_file": name},
                ": as_file: must be the address of a file in object stor",
            )
            for name in ("b.csv", "/tmp/b.csv")
        ),
        (
            {"recipient": NUMBER, "as_file": "s3://a/b.csv", "text": "x" * 1025},
            r": text \(as_file's caption\): at most 1024 characters, 1025 given",
        ),
        ({"recipient": [NUMBER, NUMBER]}, "for several numbers use recipients$"),
        ({"recipient_column": "phone", "as_file": "s3://a/b.csv"}, "as_file: is one file of all rows"),
        ({"recipient_column": 3}, "recipient_column: must be a text"),
        ({"recipient": NUMBER, "text": None}, "exactly one of text, image"),
        ({"recipient": NUMBER, "image": "https://a.example/a.png"}, "exactly one of text, image"),
    ],
)
def test_mistakes_in_a_dag_file_are_import_errors(fields, words):
    with pytest.raises((InvalidMessageError, InvalidParameterError), match=words):
        SqlToWhatsAppOperator(
            task_id="report", **({"sql": ALL, "sql_conn_id": "warehouse", "text": "x"} | fields)
        )

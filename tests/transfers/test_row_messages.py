"""Messages from rows: data is never rendered, a text for each row or for all, and the fallback."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import DAG
from jinja2 import pass_context

from airflow_provider_itnio.api.errors import InvalidMessageError, InvalidParameterError
from airflow_provider_itnio.broadcast.recipients import Recipient
from airflow_provider_itnio.messages import template_message
from airflow_provider_itnio.transfers.sql_to_whatsapp import SqlToWhatsAppOperator
from tests.tables import for_each
from tests.task_runs import TaskRun, counts_of, fails_at_once
from tests.transfers.test_sql_to_whatsapp import NUMBER, report, texts

OTHER = "+55 11 91234-5678"
pytestmark = pytest.mark.usefixtures("connection", "people")


@for_each(
    "text", ["{{ rows }}", "{{ rows ~ '' }}", "{{ rows | string }}", "{{ '%s' % rows }}", "{{ [rows] }}"]
)
def test_rows_in_a_text_are_refused(text, sandbox):
    refused = fails_at_once(report(recipient=NUMBER, text=text), InvalidMessageError)
    assert "rows is no text: write {{ rows | table }}" in str(refused)
    assert sandbox.requests == []


@for_each(
    ("to", "text"),
    [
        *(
            ({"recipient": NUMBER}, text)
            for text in (
                *("{{ rows[0] }}", "{{ rows[:2] }}", "{{ rows | list }}", "{{ rows | join(', ') }}"),
                *("{{ rows[0] ~ '' }}", "{{ '%s' % rows[0] }}", "{{ rows | first | upper }}"),
                "{% for row in rows %}{{ row }}{% endfor %}",
            )
        ),
        ({"recipient_column": "phone"}, "{{ row }}"),
    ],
)
def test_a_row_in_a_text_is_refused(to, text, sandbox):
    run = report(text=text, **to)
    told = str(fails_at_once(run))
    assert "row is no text: write its values one by one, as in {{ row.phone }}; it has phone, name" in told
    assert sandbox.requests == []


@for_each("text", ["{{ rows.rows }}", "{{ rows._rows }}", "{{ rows[9].name }}", "{{ rows | tojson }}"])
def test_the_error_of_a_missing_attribute_of_rows_names_no_internal_class(text, sandbox):
    refused = str(fails_at_once(report(recipient=NUMBER, text=text), InvalidMessageError))
    assert "rows" in refused
    assert "airflow_provider_itnio" not in refused
    assert "TemplateRows" not in refused


@for_each(
    ("to", "text", "owner"),
    [
        ({"recipient_column": "phone"}, "{{ row.nmae }}", "row"),
        ({"recipient_column": "phone"}, "{{ recipient.NMAE }}", "recipient"),
        ({"recipient": NUMBER}, "{{ rows[0].nmae }}", "row"),
        ({"recipient": NUMBER}, "{{ rows | map(attribute='nmae') | join }}", "row"),
    ],
)
def test_the_error_of_a_missing_column_lists_the_columns(to, text, owner, sandbox):
    run = report(text=text, **to)
    told = str(fails_at_once(run))
    if "recipient_column" in to:
        told = run.summary["failures"][0]["reason"]
    assert f"{owner} has no " in told
    assert "did you mean 'name'? It has phone, name, orders, note" in told
    assert sandbox.requests == []


@for_each("text", ["{{ rows | table }}", "{{ row_count }}", "{{ columns[0] }}"])
def test_names_of_all_rows_are_not_available_with_recipient_column(text, sandbox):
    run = report(recipient_column="phone", text=text)
    fails_at_once(run)
    reason = run.summary["failures"][0]["reason"]
    assert "needs recipient or recipients; with recipient_column, use row" in reason
    report(recipient_column="phone", text="{{ rows is defined }}{% set rows = 3 %}{{ rows }}").once()
    assert set(texts(sandbox).values()) == {"False3"}


def test_a_column_may_have_the_name_of_a_dict_method(sandbox):
    text = "{{ rows[0].items }} {{ rows[0] | tojson }} {{ rows | table }}"
    report(sql="SELECT 3 AS items, 4 AS keys, 5 AS 'get'", recipient=NUMBER, text=text).once()
    assert texts(sandbox) == {
        "8614718004557": '3 {"get": 5, "items": 3, "keys": 4} ```\nitems  keys  get\n    3     4    5\n```'
    }


def test_rows_can_be_sliced(sandbox):
    report(
        recipient=NUMBER, text="{{ rows[1:] | map(attribute='name') | join(', ') }} {{ rows[:0] | table }}"
    ).once()
    assert texts(sandbox) == {"8614718004557": "Bo, Li (no rows)"}


def test_a_text_whose_macro_reads_the_recipient_is_rendered_for_each_recipient(sandbox):
    @pass_context
    def ending(context):
        try:
            return context["recipient"]["phone"][-2:]
        except Exception:
            return "?"

    @pass_context
    def copied(context):
        return context.get_all()["recipient"].get("phone")[-2:]

    macros = {"user_defined_macros": {"ending": ending, "copied": copied}}
    for text in ("{{ ending() }}", "{{ copied() }}"):
        sandbox.clear()
        report(recipients=[NUMBER, OTHER], text=text, dag=macros).once()
        assert sorted(texts(sandbox).values()) == ["57", "78"]


def test_a_text_without_the_recipient_is_rendered_once(sandbox):
    made = []
    macros = {"user_defined_macros": {"note": lambda: made.append(1) or ""}}
    report(recipients=[NUMBER, OTHER], text="{{ note() }}{{ row_count }} of the recipient", dag=macros).once()
    assert set(texts(sandbox).values()) == {"3 of the recipient"}
    assert len(made) == 1


def test_a_subclass_may_compute_the_message(sandbox):
    class Own(SqlToWhatsAppOperator):
        def build_message(self, context):
            return {"text": "hello {{ row.name }}"}

    def make():
        with DAG("report", schedule=None):
            return Own(
                task_id="report",
                sql="SELECT * FROM people",
                sql_conn_id="warehouse",
                recipient_column="phone",
                messages_per_second=None,
            )

    assert counts_of(TaskRun(make).once()) == {"accepted": 3}
    assert texts(sandbox)["442079460018"] == "hello Bo"


# --- the fallback ---------------------------------------------------------------------------------------


@for_each(
    ("to", "jinja", "bodies"),
    [
        ({"recipient_column": "phone"}, "{{ row.name }}", ["Ana", "Bo", "Li"]),
        ({"recipients": [NUMBER]}, "{{ row_count }} {{ columns[1] }} {{ rows[0].name }}", ["3 name Ana"]),
        ({"recipients": [NUMBER]}, "{{ rows | table(columns=['name']) | length > 9 }}", ["True"]),
    ],
)
def test_rows_are_available_in_the_fallback(to, jinja, bodies, pushed_to_receiver, sandbox):
    fallback = {"template": template_message("report", "en", body=[jinja])}
    report(text="x", fallback=fallback, **to).once()
    shown = [m.body["template"]["components"][0]["parameters"][0]["text"] for m in sandbox.messages]
    assert sorted(shown) == bodies


# --- mistakes -------------------------------------------------------------------------------------------


@for_each(
    ("fields", "words"),
    [
        ({"recipient": "12"}, "recipient: 7 to 14 digits"),
        ({"recipient": [NUMBER]}, "recipient: "),
        ({"recipient": f"{NUMBER},{OTHER}"}, "recipient: "),
        ({"recipient_column": "{{ params.column }}"}, "recipient_column: must be the plain name of a column"),
        ({"recipient": NUMBER, "as_file": "s3://a/b.csv", "text": {"body": "x", "nope": 1}}, r"text\.nope"),
    ],
)
def test_mistakes_are_import_errors(fields, words):
    with pytest.raises((InvalidMessageError, InvalidParameterError), match=words):
        SqlToWhatsAppOperator(
            task_id="report", **({"sql": "SELECT 1", "sql_conn_id": "warehouse", "text": "x"} | fields)
        )


def test_an_upstream_output_as_recipient_column_is_refused():
    with DAG("report", schedule=None):
        first = SqlToWhatsAppOperator(
            task_id="first", sql="SELECT 1", sql_conn_id="warehouse", recipient=NUMBER, text="x"
        )
        with pytest.raises(
            InvalidParameterError, match="recipient_column: must be the plain name of a column"
        ):
            SqlToWhatsAppOperator(
                task_id="report",
                sql="SELECT 1",
                sql_conn_id="warehouse",
                recipient_column=first.output,
                text="x",
            )


def test_sql_that_renders_to_a_file_name_is_refused(sandbox):
    run = report(sql="{{ params.f }}", recipient=NUMBER, text="x", context={"params": {"f": "late.sql"}})
    assert "sql: 'late.sql' is the name of a file" in str(fails_at_once(run, InvalidMessageError))
    assert sandbox.requests == []


def test_a_fallback_sent_alone_fetches_the_rows():
    fallback = {"template": template_message("report", "en", body=["{{ row_count }}"])}
    operator = report(recipients=[NUMBER], text="x", fallback=fallback).make()
    message = operator._fallback_factory({})(Recipient(0, "8614718004557", 0, {}))
    assert message.content.components[0].parameters[0].text == "3"


def test_it_runs_with_allow_nested_operators_false(sandbox):
    with DAG("report", schedule=None):
        task = SqlToWhatsAppOperator(
            task_id="report",
            sql="SELECT 1",
            sql_conn_id="warehouse",
            recipient=NUMBER,
            text="x",
            allow_nested_operators=False,
        )
    assert sandbox.execute(task)["accepted"] == 1

"""The rows of a query sent as a file."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.request import urlopen

import openpyxl
import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, ObjectStoragePath, XComArg

from airflow_provider_itnio.api.errors import ConfigurationError, ItnioError
from airflow_provider_itnio.messages import template_message
from airflow_provider_itnio.transfers import _report_file
from airflow_provider_itnio.transfers._rows import Rows
from airflow_provider_itnio.transfers.sql_to_whatsapp import SqlToWhatsAppOperator
from tests.tables import for_each
from tests.task_runs import TaskRun, TaskStateStore, fails_at_once, may_be_tried_again
from tests.transfers.test_sql_to_whatsapp import NUMBER, report

pytestmark = pytest.mark.usefixtures("connection", "people", "storage")


def file_of(sandbox):
    """Fetch the file of the last message."""
    document = sandbox.messages[-1].body["document"]
    with urlopen(document["link"]) as answer:
        return document, answer.headers["Content-Type"], answer.read()


def test_rows_are_sent_as_a_csv_file_with_a_caption(sandbox):
    report(
        recipients=[NUMBER, "+55 11 91234-5678"],
        text="{{ row_count }} people in {{ params.week }}",
        as_file="s3://storage@reports/people-{{ params.week }}.csv",
        context={"params": {"week": 47}},
    ).once()
    document, media_type, content = file_of(sandbox)
    assert (document["filename"], document["caption"], media_type) == (
        "people-47.csv",
        "3 people in 47",
        "text/csv",
    )
    assert content.startswith(b"\xef\xbb\xbfphone,")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert rows[:2] == [["phone", "name", "orders", "note"], ["5511912345678", "Ana", "12", ""]]
    assert len({message.body["document"]["link"] for message in sandbox.messages}) == 1


def test_rows_are_sent_as_an_excel_file(sandbox):
    report(recipient=NUMBER, as_file="s3://storage@reports/people.xlsx").once()
    document, _, content = file_of(sandbox)
    assert set(document) == {"link", "filename"}
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    assert [[cell.value for cell in row] for row in sheet][:2] == [
        ["phone", "name", "orders", "note"],
        [5511912345678, "Ana", 12, None],
    ]


def test_the_file_may_be_in_a_whatsapp_templates_header(sandbox):
    address = "s3://storage@reports/people.csv"
    header = {"document": {"object": address}}
    report(recipient=NUMBER, as_file=address, template=template_message("daily", "en", header=header)).once()
    (message,) = sandbox.messages
    assert "people.csv?" in str(message.body["template"])


def test_excel_and_csv_files_contain_values_of_every_type(tmp_path):
    rows = Rows(["a"])
    moment = datetime(2026, 7, 1, 12, tzinfo=UTC)
    values = [
        Decimal("1.50"),
        date(2026, 7, 1),
        moment,
        None,
        float("nan"),
        b"\x01",
        "=1+1",
        "a\x00b\ud800",
        True,
    ]
    rows.extend([value] for value in values)
    with open(tmp_path / "a.xlsx", "wb") as file:
        _report_file._write_xlsx(rows, file)
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    written = [row[0].value for row in sheet][1:]
    assert written[:1] == [1.5]
    assert written[2:] == [str(moment), None, None, "01", "=1+1", "a b?", True]
    assert sheet["A8"].data_type == "s"
    with open(tmp_path / "a.csv", "w+b") as file:
        _report_file._write_csv(rows, file)
        file.seek(0)
        assert file.read().decode("utf-8-sig").split("\r\n")[1:5] == ["1.50", "2026-07-01", str(moment), '""']


@for_each(
    ("value", "written"),
    [
        (123456789012345, 123456789012345),
        (1234567890123456, "1234567890123456"),
        (-(10**15), -(10**15)),
        (Decimal("0.1234567890123456"), "0.1234567890123456"),
        (Decimal("12.50"), 12.5),
        (Decimal("Infinity"), "Infinity"),
        (Decimal("1E+400"), "1E+400"),
        (float("inf"), "inf"),
        (1234567890123456.0, "1234567890123456.0"),
        (1.5e300, 1.5e300),
        (1.25, 1.25),
        ("#N/A", "#N/A"),
        ("=1+1", "=1+1"),
        ("x" * 32_768, "x" * 32_766 + "…"),
        ("🎉" * 16_383, "🎉" * 16_383),
        ("🎉" * 16_384, "🎉" * 16_383 + "…"),
        ("a\x0b\ufffeb", "a  b"),
        (date(1899, 12, 31), "1899-12-31"),
        (datetime(1, 1, 1), "0001-01-01 00:00:00"),
    ],
)
def test_excel_files_keep_every_value(value, written, tmp_path):
    rows = Rows(["#REF!"])
    rows.extend([[value]])
    with open(tmp_path / "a.xlsx", "wb") as file:
        _report_file._write_xlsx(rows, file)
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    assert (sheet["A1"].value, sheet["A1"].data_type) == ("#REF!", "s")
    assert sheet["A2"].value == written
    assert (sheet["A2"].data_type == "s") is isinstance(written, str)


@for_each(
    ("value", "written"),
    [
        *(("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("-cmd|' /c calc'!A0", "'-cmd|' /c calc'!A0")),
        *(("\t=1", "'\t=1"), ("+A1", "'+A1")),
        *(("+44 (0)20 7946-0018", "+44 (0)20 7946-0018"), ("-5", "-5"), ("a=1", "a=1"), ("", "")),
        *((-1.5e-10, "-1.5e-10"), (float("-inf"), "-inf"), (Decimal("-1E+400"), "-1E+400")),
    ],
)
def test_formulas_in_a_csv_file_are_escaped(value, written, tmp_path):
    rows = Rows([str(value), "n"])
    rows.extend([[value, 1]])
    with open(tmp_path / "a.csv", "w+b") as file:
        _report_file._write_csv(rows, file)
        file.seek(0)
        (head, _), row = csv.reader(io.StringIO(file.read().decode("utf-8-sig"), newline=""))
    assert row == [written, "1"]
    assert head == written or not isinstance(value, str)


def test_each_messages_link_returns_only_its_own_rows(people, storage, sandbox):
    for name, number in (("Ana", NUMBER), ("Bo", "+44 20 7946 0018")):
        report(
            sql="SELECT name FROM people WHERE name = ?",
            parameters=[name],
            recipient=number,
            as_file="s3://storage@reports/same.csv",
        ).once()
    documents = [message.body["document"] for message in sandbox.messages]
    assert {document["filename"] for document in documents} == {"same.csv"}
    for document, name in zip(documents, ("Ana", "Bo"), strict=True):
        with urlopen(document["link"]) as answer:
            assert answer.read().decode("utf-8-sig") == f"name\r\n{name}\r\n"


def test_a_retrys_file_matches_its_caption(people, sandbox):
    run = report(
        recipients=[NUMBER, "+44 20 7946 0018"],
        text="{{ row_count }}",
        as_file="s3://storage@reports/r.csv",
        store=TaskStateStore(),
        max_in_flight=1,
    )
    sandbox.fail_next(status=-18)
    may_be_tried_again(run, ItnioError)
    people("INSERT INTO people VALUES ('1', 'Zoe', 1, '')")
    run.once()
    assert len(sandbox.messages) == 2
    for message in sandbox.messages:
        document = message.body["document"]
        with urlopen(document["link"]) as answer:
            assert answer.read().count(b"\n") == 1 + int(document["caption"])


def test_jinja_in_data_of_the_address_and_caption_is_not_rendered(sandbox):
    report(
        recipient=NUMBER,
        text="x",
        as_file="s3://storage@reports/{{ params.name }}.csv",
        context={"params": {"name": "a{{ nothing }}"}},
    ).once()
    assert file_of(sandbox)[0]["filename"] == "a{{ nothing }}.csv"
    with DAG("report", schedule=None):
        mapped = SqlToWhatsAppOperator.partial(
            task_id="report", sql="SELECT 1 AS n", sql_conn_id="warehouse", recipient=NUMBER
        ).expand(text=XComArg(BaseOperator(task_id="texts")), as_file=["s3://storage@reports/a.csv"])
    operator = mapped.unmap({"text": "{{ 1 / 0 }}", "as_file": "s3://storage@reports/a.csv"})
    TaskRun(lambda: operator).once()
    assert file_of(sandbox)[0]["caption"] == "{{ 1 / 0 }}"


def test_as_file_may_be_an_object_storage_path(sandbox):
    report(recipient=NUMBER, as_file=ObjectStoragePath("s3://storage@reports/p.csv")).once()
    assert file_of(sandbox)[0]["filename"] == "p.csv"


def test_a_fallback_may_contain_the_file(pushed_to_receiver, sandbox):
    address = "s3://storage@reports/people.csv"
    fallback = {"template": template_message("daily", "en", header={"document": {"object": address}})}
    report(recipient=NUMBER, text="x", as_file=address, fallback=fallback).once()
    (message,) = sandbox.messages
    assert "people.csv?" in str(message.body["template"])


def test_a_retry_writes_no_file_for_recipients_who_have_it(storage, sandbox):
    address = "s3://storage@reports/once.csv"
    run = report(recipient=NUMBER, as_file=address, store=TaskStateStore())
    run.once(ends="failing")
    run.once()
    assert len(sandbox.messages) == 1
    listed = storage.client.list_objects(Bucket="reports")["Contents"]
    assert len([each for each in listed if each["Key"].endswith("/once.csv")]) == 1


def test_an_unusable_storage_is_an_error_and_nothing_is_sent(sandbox):
    run = report(recipient=NUMBER, as_file="nowhere://reports/people.csv")
    refused = fails_at_once(run, ConfigurationError)
    assert "as_file: 'nowhere://reports/people.csv' can't be opened" in str(refused)
    assert sandbox.requests == []


@for_each(
    "instead",
    [
        {"image": "https://example.com/a.png"},
        {"template": template_message("daily", "en", body=["x"])},
        {"document": {"object": "s3://storage@reports/another.csv"}},
        {"message": {"document": "https://example.com/a.pdf"}},
    ],
)
def test_as_file_with_a_message_that_does_not_send_it_is_an_error(instead, sandbox):
    run = report(recipient=NUMBER, as_file="s3://storage@reports/people.csv", **instead)
    refused = fails_at_once(run)
    assert "as_file: the" in str(refused)
    assert "message does not send the file. Use its address" in str(refused)
    assert sandbox.requests == []


@for_each(
    ("address", "why"),
    [
        ("s3://storage@nowhere/people.csv", "can't be written: there is no such bucket or folder"),
        ("file:///tmp/people.csv", "can't be signed, so WhatsApp could not fetch it"),
    ],
)
def test_the_error_of_an_address_that_cannot_be_written_or_signed_names_it(address, why, sandbox):
    refused = fails_at_once(report(recipient=NUMBER, as_file=address))
    assert f"as_file: '{address}' {why}" in str(refused)
    assert sandbox.requests == []


def test_the_error_of_conn_id_names_both_connection_parameters():
    with pytest.raises(Exception, match="unknown argument 'conn_id'; give sql_conn_id=… or itnio_conn_id=…"):
        SqlToWhatsAppOperator(task_id="a", sql="SELECT 1", recipient=NUMBER, text="x", conn_id="warehouse")

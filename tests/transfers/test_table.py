"""The Jinja filter ``table``."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from wcwidth import wcswidth

from airflow_provider_itnio.api.errors import InvalidMessageError, InvalidParameterError
from airflow_provider_itnio.transfers._table import table
from tests.tables import for_each


def lines(*args, **kwargs):
    return table(*args, **kwargs).split("\n")


def test_numbers_are_right_aligned_and_texts_left_aligned():
    rows = [{"region": "North", "revenue": Decimal("1204.50")}, {"region": "S", "revenue": None}]
    assert lines(rows) == ["```", "region  revenue", "North   1204.50", "S", "```"]


def test_a_table_fits_a_phone_and_truncates_no_number():
    row = {"a long name of a column": "a text of any length at all", "n": 123456789012345678901}
    _, *table_lines, _ = lines([row, row])
    assert all(len(line) <= 34 for line in table_lines)
    assert table_lines[1].endswith("123456789012345678901")
    assert "…" in table_lines[1]


def test_wide_characters_count_twice():
    rows = [{"城市": "北京市朝阳区建国门外大街一号国贸大厦", "n": 1.5}, {"城市": "e\u0301te\u0301", "n": 22}]
    _, head, first, second, _ = lines(rows)
    assert [wcswidth(line) for line in (head, first, second)] == [34] * 3
    assert first.split() == ["北京市朝阳区建国门外大街一号…", "1.5"]


def test_more_rows_are_counted():
    rows = [{"n": n} for n in range(47)]
    assert lines(rows)[-2:] == ["```", "and 37 more"]
    assert lines(rows, max_rows=46)[-1] == "and 1 more"
    assert lines(rows, max_rows=47)[-1] == "```"
    assert table([]) == "(no rows)"


def test_columns_can_be_selected():
    assert lines([{"a": 1, "b": 2, "c": 3}], columns=["c", "a"])[1].split() == ["c", "a"]
    with pytest.raises(InvalidMessageError, match="table: there is no column x; there are a"):
        table([{"a": 1}], columns=["x"])


@for_each(
    ("options", "words"),
    [
        ({"max_rows": 0}, "table: max_rows: must be a whole number from 1 to 100000, 0 given"),
        ({"max_rows": "5"}, "max_rows: must be a whole number from 1 to 100000, '5' given"),
        ({"max_rows": True}, "max_rows: .* True given"),
        ({"width": 9}, "table: width: must be a whole number from 10 to 4096, 9 given"),
        (
            {"columns": "region"},
            r"columns must be a list of names, such as \['region'\], 'region' given",
        ),
        ({"columns": {"region": 1}}, "columns must be a list of names"),
    ],
)
def test_options_are_checked(options, words):
    with pytest.raises((InvalidMessageError, InvalidParameterError), match=words):
        table([{"region": 1}], **options)


@for_each(
    "values",
    [
        [date(2026, 7, day) for day in (1, 2)],
        [f"2026-07-0{day}" for day in (1, 2)],
        [datetime(2026, 7, 1, 12, 0, second, tzinfo=UTC) for second in (1, 2)],
        ["2026-07-01T12:00:01Z", "2026-07-01T12:00:02Z"],
        [time(12, 0, 1), time(12, 0, 2)],
        [timedelta(days=700, seconds=1), timedelta(days=700, seconds=2)],
        ["07/01/2026", "07/02/2026"],
        [2415525.25, "n/a"],
        [Decimal("2415525.251"), "a text that may be cut"],
    ],
)
def test_dates_and_numbers_are_never_truncated(values):
    rows = [
        {"when": value, "region": "Southwest", "note": "anything", "revenue": Decimal("2415525.25")}
        for value in values
    ]
    written = lines(rows)[2:-1]
    uncut = [str(value) for value in values if not str(value).islower()]
    assert all(value in line for value, line in zip(uncut, written, strict=False))
    assert all(line.endswith("2415525.25") for line in written)


def test_column_names_are_truncated_before_texts():
    rows = [
        {"day": date(2026, 7, 1), "region": region, "orders": 600, "revenue": 24155.25}
        for region in ("Northern", "Northeast")
    ]
    assert [line.split() for line in lines(rows)[1:-1]] == [
        ["day", "region", "ord…", "revenue"],
        ["2026-07-01", "North…", "600", "24155.25"],
        ["2026-07-01", "North…", "600", "24155.25"],
    ]


def test_a_float_is_shortened_before_texts_are_truncated():
    rows = [{"day": date(2026, 7, 1), "country": "Germany", "share": 0.1 + 0.2}]
    assert lines(rows)[2].split() == ["2026-07-01", "Germany", "0.3"]
    assert [line.strip() for line in lines([{"n": 5.0}, {"n": 1e16}])[2:-1]] == ["5.0", "1e+16"]


def test_backticks_and_line_breaks_in_values_do_not_break_the_table():
    assert lines([{"a": "x```y\nz"}])[1:-1] == ["a", "x'''y z"]
    with pytest.raises(InvalidMessageError, match="takes rows, each a dict; str given"):
        table("text")

"""The filter ``table``."""

from __future__ import annotations

from decimal import Decimal

import pytest
from wcwidth import wcswidth

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.transfers._table import table


def lines(*args, **kwargs):
    return table(*args, **kwargs).split("\n")


def test_numbers_stand_right_and_texts_left():
    rows = [{"region": "North", "revenue": Decimal("1204.50")}, {"region": "S", "revenue": None}]
    assert lines(rows) == ["```", "region  revenue", "North   1204.50", "S", "```"]


def test_it_fits_a_phone_and_cuts_no_number():
    row = {"a long name of a column": "a text of any length at all", "n": 123456789012345678901}
    _, *table_lines, _ = lines([row, row])
    assert all(len(line) <= 34 for line in table_lines)
    assert table_lines[1].endswith("123456789012345678901")
    assert "…" in table_lines[1]


def test_wide_letters_count_twice():
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


def test_columns_are_chosen():
    assert lines([{"a": 1, "b": 2, "c": 3}], columns=["c", "a"])[1].split() == ["c", "a"]
    with pytest.raises(InvalidMessageError, match="table: there is no column x; there are a"):
        table([{"a": 1}], columns=["x"])


@pytest.mark.parametrize("options", [{"max_rows": 0}, {"max_rows": "5"}, {"width": 9}])
def test_options_are_checked(options):
    with pytest.raises(InvalidMessageError, match="max_rows must be at least 1, width at least 10"):
        table([{"a": 1}], **options)


def test_nothing_breaks_out_of_it():
    assert lines([{"a": "x```y\nz"}])[1:-1] == ["a", "x'''y z"]
    with pytest.raises(InvalidMessageError, match="takes rows, each a dict; str given"):
        table("text")

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from airflow_provider_itnio.api.values import (
    has_lost_digits,
    integral,
    is_missing,
    plain_data,
    plain_scalar,
    type_name,
)
from tests.any_data import ArrowScalar
from tests.tables import for_each


class Hostile:
    """All its special methods raise."""

    def __ne__(self, other):
        raise RuntimeError

    __eq__ = __bool__ = __str__ = __index__ = __int__ = __getattr__ = __ne__


GAPS = [
    None,
    math.nan,
    complex(math.nan, 0),
    Decimal("NaN"),
    Decimal("sNaN"),
    np.float32("nan"),
    np.float64("nan"),
    np.datetime64("NaT"),
    np.timedelta64("NaT"),
    pd.NA,
    pd.NaT,
    ArrowScalar(None),
    ArrowScalar(math.nan),
]
NO_GAPS = ["", "nan", 0, 0.0, False, [], [None], {}, math.inf, np.array([math.nan]), pd.Series([math.nan])]


@for_each("value", GAPS)
def test_missing_values_of_all_libraries_are_missing(value):
    assert is_missing(value)


@for_each("value", [*NO_GAPS, pd.DataFrame({"a": [math.nan]})])
def test_other_values_are_not_missing(value):
    assert not is_missing(value)


@for_each(
    "value",
    [5, 5.0, Decimal(5), Decimal("5.00"), Fraction(5), np.int8(5), np.uint64(5), np.float32(5), np.array(5)],
)
def test_a_whole_number_of_any_type_becomes_an_int(value):
    assert integral(value) == 5
    assert type(integral(value)) is int


@for_each(
    "value", ["5", True, np.True_, 5.5, math.inf, *GAPS, np.array([5]), pd.Series([5, 6]), b"5", object()]
)
def test_a_value_that_is_not_a_whole_number_gives_none(value):
    assert integral(value) is None


def test_an_arrow_scalar_becomes_its_python_value():
    assert plain_scalar(ArrowScalar("a")) == "a"
    assert plain_scalar(ArrowScalar(np.int64(5))) == 5
    assert is_missing(plain_scalar(ArrowScalar(None)))


def test_a_numpy_scalar_becomes_its_python_value():
    assert plain_scalar(np.int64(5)) == 5
    assert type(plain_scalar(np.int64(5))) is int
    assert plain_scalar(np.datetime64("2026-01-02")) == datetime.date(2026, 1, 2)
    assert plain_scalar(np.True_) is True


def test_a_value_whose_methods_raise_is_neither_missing_nor_a_number_nor_a_scalar():
    hostile = Hostile()
    assert not is_missing(hostile)
    assert integral(hostile) is None
    assert plain_scalar(hostile) is hostile


def test_plain_scalar_leaves_other_values_unchanged():
    for value in (5, "5", None, pd.Series([1]), np.array([1])):
        assert plain_scalar(value) is value


@for_each("value", [2.0**53, 1e300, np.float32(2**24), np.float16(2048), np.float64(2.0**53)])
def test_a_float_too_large_for_its_type_has_lost_digits(value):
    assert has_lost_digits(value)
    assert integral(value) is None


@for_each(
    "value", [2.0**53 - 1, np.float32(2**24 - 1), 2**100, Decimal(10) ** 40, math.inf, math.nan, "1", None]
)
def test_an_exact_number_has_lost_no_digits(value):
    assert not has_lost_digits(value)


def test_a_decimal_with_a_huge_exponent_is_not_expanded_into_an_int():
    assert integral(Decimal("1E+999999999")) is None


def test_numpy_types_and_tuples_become_plain_python_data():
    given = {np.str_("a"): (np.int64(1), [np.float64(0.5)]), "b": None}
    plain = plain_data(given)
    assert plain == {"a": [1, [0.5]], "b": None}
    assert [type(part) for part in (*plain, plain["a"][0], plain["a"][1][0])] == [str, str, int, float]


def test_data_that_contains_itself_or_is_nested_too_deep_raises():
    itself = {}
    itself.update({str(n): itself for n in range(9)})
    deep = []
    for _ in range(600):
        deep = [deep]
    for value in (itself, deep):
        with pytest.raises(RecursionError):
            plain_data(value)


def test_an_unusual_type_name_is_replaced_by_object():
    assert type_name(5) == "int"
    assert type_name(type("8614718004557", (), {})()) == "object"

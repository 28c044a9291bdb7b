from __future__ import annotations

import datetime
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from airflow_provider_itnio.api.values import integral, is_gap, plain_scalar


class Hostile:
    """Every way of asking it anything fails."""

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
]
NO_GAPS = ["", "nan", 0, 0.0, False, [], [None], {}, math.inf, np.array([math.nan]), pd.Series([math.nan])]


@pytest.mark.parametrize("value", GAPS)
def test_a_missing_value_is_a_gap(value):
    assert is_gap(value)


@pytest.mark.parametrize("value", [*NO_GAPS, pd.DataFrame({"a": [math.nan]})])
def test_anything_else_is_none(value):
    assert not is_gap(value)


@pytest.mark.parametrize(
    "value",
    [5, 5.0, Decimal(5), Decimal("5.00"), Fraction(5), np.int8(5), np.uint64(5), np.float32(5), np.array(5)],
)
def test_a_whole_number_is_one_of_any_type(value):
    assert integral(value) == 5
    assert type(integral(value)) is int


@pytest.mark.parametrize(
    "value",
    ["5", True, np.True_, 5.5, math.inf, *GAPS, np.array([5]), pd.Series([5, 6]), b"5", object()],
)
def test_what_is_no_whole_number_gives_none(value):
    assert integral(value) is None


def test_a_scalar_of_numpy_becomes_what_it_holds():
    assert plain_scalar(np.int64(5)) == 5
    assert type(plain_scalar(np.int64(5))) is int
    assert plain_scalar(np.datetime64("2026-01-02")) == datetime.date(2026, 1, 2)
    assert plain_scalar(np.True_) is True


def test_what_can_be_asked_nothing_is_none_of_them():
    hostile = Hostile()
    assert not is_gap(hostile)
    assert integral(hostile) is None
    assert plain_scalar(hostile) is hostile


def test_anything_else_stays_as_it_is():
    for value in (5, "5", None, pd.Series([1]), np.array([1])):
        assert plain_scalar(value) is value

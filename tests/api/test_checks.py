from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from airflow_provider_itnio.api.checks import (
    check_delivery,
    check_flag,
    check_number,
    check_seconds,
    describe_number,
)
from airflow_provider_itnio.api.errors import InvalidParameterError
from tests.tables import for_each


@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
def test_delivery_accepts_both_of_its_values(delivery: str) -> None:
    check_delivery(delivery)


@for_each(
    ("delivery", "given"),
    [
        ("exactly_once", "'exactly_once'"),
        ("", "''"),
        (None, "nothing"),
        (1, "1"),
        (["at_least_once"], "a list of 1"),
        ("x" * 500, f"'{'x' * 59}…'"),
        ("+86 147-1800-4557", "'+86…57'"),
    ],
)
def test_another_value_of_delivery_is_refused(delivery: object, given: str) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        check_delivery(delivery)
    assert str(caught.value) == f"delivery: must be one of at_least_once, at_most_once; {given} given"


class Word(StrEnum):
    OFTEN = "at_least_once"


class Flag(Enum):
    NO = False


def test_an_enum_is_refused_as_a_choice_and_as_a_flag() -> None:
    """A str enum hashes by its name, and each member of an enum is true."""
    with pytest.raises(
        InvalidParameterError, match=r"; an enum in place of its \.value 'at_least_once' given$"
    ):
        check_delivery(Word.OFTEN)
    with pytest.raises(
        InvalidParameterError, match=r"True or False, an enum in place of its \.value False given$"
    ):
        check_flag("deferrable", Flag.NO)
    check_delivery(np.str_("at_least_once"))
    check_flag("deferrable", np.bool_(True))


@for_each(("value", "number"), [(5, 5), (5.0, 5), (Decimal(5), 5), (np.int64(5), 5), (np.float32(5), 5)])
def test_a_whole_number_of_any_type_is_accepted_as_an_int(value: object, number: int) -> None:
    checked = check_number("n", value, 1, 10, int)
    assert checked == number
    assert type(checked) is int


def test_a_float_may_be_any_real_number_type() -> None:
    assert check_number("n", Fraction(1, 2), 0.1, 1, float) == 0.5
    assert check_number("n", np.float64(0.5), 0.1, 1, float) == 0.5


@for_each(("kind", "word"), [(int, "whole number"), (float, "number")])
@for_each("value", [0, 11, True, "5", None, float("nan"), 1j, pd.NA, np.array([5]), object()])
def test_a_value_that_is_not_a_number_in_the_range_is_refused(
    value: object, kind: type[int | float], word: str
) -> None:
    with pytest.raises(InvalidParameterError, match=f"^n: must be a {word} from 1 to 10, .* given$"):
        check_number("n", value, 1, 10, kind)


@for_each(
    ("given", "told"),
    [
        (timedelta(days=8), "8 days"),
        (timedelta(days=7, seconds=1), "7 days, 0:00:01"),
        (691_200, "691200 (8 days)"),
        (3_000_000.0, "3e+06 (34 days, 17:20:00)"),
        (0.5, "0.5 (0:00:00.500000)"),
        (timedelta(seconds=-5), "-5.0"),
        (8614718004557, "8.6e+12"),
        (float("inf"), "inf"),
        ("10m", "'10m'"),
        (True, "True"),
        (None, "nothing"),
    ],
)
def test_the_error_of_an_invalid_duration_shows_it_readably(given: object, told: str) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        check_seconds("wait", given, 1, 604_800)
    limits = "from 1 to 604800 (seconds, 7 days at most, or a timedelta)"
    assert str(caught.value) == f"wait: must be a number {limits}, {told} given"


@for_each(
    ("given", "told"),
    [(10_001, "10001"), (1_000_000, "1e+06"), ("6048000", "6e+06"), ("+86 147-1800-4557", "'+86…57'")],
)
def test_a_large_number_given_as_a_limit_is_not_masked_as_a_phone_number(given: object, told: str) -> None:
    assert describe_number(given) == told

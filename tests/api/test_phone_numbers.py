from __future__ import annotations

import datetime
import enum
import sys
import time
import unicodedata
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from airflow_provider_itnio.api.characters import show_invisible
from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.masking import mask_phone
from airflow_provider_itnio.api.phone_numbers import canonical_number, normalize_phone, split_numbers
from tests.any_data import Hostile
from tests.tables import for_each


@for_each(
    "written",
    [
        "8614718004557",
        "+8614718004557",
        "+86 147-1800-4557",
        " +86 (147) 1800 4557\n",
        "+86 (0) 147 1800 4557",
        "0086 147 1800 4557",
        "00 86 (0)14718004557",
        "86.147.1800/4557",
        "86–147—1800−4557",
        "\u202a+86\u00a0147\u20111800\u201145\u00ad57\u202c",
        "\ufeff+8614718004557",
        "\uff0b8614718004557",
        "\uff18\uff16\uff11\uff14\uff17\uff11\uff18\uff10\uff10\uff14\uff15\uff15\uff17",
        "٨٦١٤٧١٨٠٠٤٥٥٧",
        "[86] 147・1800".replace("・", "·") + "‧4557",
        "＋８６（１４７）１８００－４５５７",
        "86\u202f147\u30001800\t4557",
        8614718004557,
        8614718004557.0,
        Decimal("8614718004557"),
        Decimal("8.614718004557E+12"),
        Fraction(8614718004557),
        np.int64(8614718004557),
        np.uint64(8614718004557),
        np.float64(8614718004557),
        np.array(8614718004557),
        np.str_("+86 147 1800 4557"),
        pd.Series([8614718004557]).iloc[0],
        enum.IntEnum("Number", {"LI": 8614718004557}).LI,
        enum.Enum("Text", {"LI": "+86 147-1800-4557"}).LI,
    ],
)
def test_a_phone_number_is_accepted_in_every_usual_spelling(written: object) -> None:
    assert normalize_phone(written) == "8614718004557"


@pytest.mark.parametrize(("at", "past"), [("1234567", "123456"), ("12345678901234", "123456789012345")])
def test_a_number_has_7_to_14_digits(at: str, past: str) -> None:
    assert normalize_phone(at) == at
    with pytest.raises(InvalidMessageError, match=f"^recipient: 7 to 14 digits, {len(past)} given "):
        normalize_phone(past)


NO_DIGITS = "must be a phone number of digits, for example +86 147-1800-4557; "
SCIENTIFIC = (
    "must be a phone number, one in scientific notation given (8.…12), as spreadsheets write long numbers; "
    "give it as text with all its digits"
)
ROUNDED = (
    "ending in six zeros given (86…00), as spreadsheets round numbers; give it as text with all its digits"
)
HINT = "for several numbers use recipients of a broadcast, or .expand(recipient=[...])"
REFUSED = [
    (None, "a phone number is required, none given"),
    ("", "a phone number is required, none given"),
    ("  ", "a phone number is required, none given"),
    ("\u200b\ufe0f", "a phone number is required, none given"),
    ("+", "7 to 14 digits, 0 given"),
    ("12", "7 to 14 digits, 2 given"),
    ("12-34", "7 to 14 digits, 4 given (12…34)"),
    ("ann", f"{NO_DIGITS}'a' given, which is not a digit"),
    (["8614718004557"], f"one phone number, a list of 1 given; {HINT}"),
    (("1", "2"), f"one phone number, a list of 2 given; {HINT}"),
    ({"8614718004557"}, f"one phone number, a list of 1 given; {HINT}"),
    ("8614718004557,91856321322", f"one phone number, several given (86…22); {HINT}"),
    ("8614718004557\n91856321322", f"one phone number, several given (86…22); {HINT}"),
    ("8614718004557; 91856321322", f"one phone number, several given (86…22); {HINT}"),
    (True, "must be a phone number as text, bool given"),
    (8614718004557.5, "must be a phone number as text, float given"),
    (float("inf"), "must be a phone number as text, float given"),
    (b"8614718004557", "must be a phone number as text, bytes given"),
    ({"phone": "8614718004557"}, "must be a phone number as text, dict given"),
    (
        "8614718004557.0",
        "must be a phone number, a decimal number given (86….0); "
        "give it as text, so that no decimal point gets into it",
    ),
    ("ann@a.example", f"{NO_DIGITS}'an…le' given; 'a' is not a digit"),
    ("+86 147 1800 4557 ext 9", f"{NO_DIGITS}'+8…t9' given; 'e' is not a digit"),
    ("+8614718004557 ext 5", f"{NO_DIGITS}'+8…t5' given; 'e' is not a digit"),
    ("8614718004557 or 91856321322", f"{NO_DIGITS}'86…22' given; 'o' is not a digit"),
    ("86²14718004557", f"{NO_DIGITS}'86…57' given; '²' is not a digit"),
    ("++8614718004557", f"{NO_DIGITS}'++…57' given; '+' is not a digit"),
    ("8614718\x004557", f"{NO_DIGITS}'86…57' given; '<U+0000>' is not a digit"),
    ("8614718\ud8004557", f"{NO_DIGITS}'86…57' given; '<U+D800>' is not a digit"),
    ("8.614718E+12", SCIENTIFIC),
    (
        "8614718004557.5",
        "must be a phone number, a decimal number given (86….5); "
        "give it as text, so that no decimal point gets into it",
    ),
    (
        np.float32(8614718004557),
        "must be a phone number, a float32 that has lost digits given; give it as text or int",
    ),
    (1e20, "must be a phone number, a float that has lost digits given; give it as text or int"),
    (8.61472e12, f"must be a phone number, a float {ROUNDED}"),
    (np.float64("8.61E+12"), f"must be a phone number, a float64 {ROUNDED}"),
    (Decimal("8.61472E+12"), f"must be a phone number, a Decimal {ROUNDED}"),
    (float("nan"), "a phone number is required, a missing value (nan) given"),
    (pd.NA, "a phone number is required, a missing value (<NA>) given"),
    (pd.NaT, "a phone number is required, a missing value (NaT) given"),
    (np.array([8614718004557]), "must be a phone number as text, ndarray given"),
    (pd.Series(["8614718004557"]), "must be a phone number as text, Series given"),
    (pd.DataFrame({"a": [1]}), "must be a phone number as text, DataFrame given"),
    (datetime.date(2026, 1, 2), "must be a phone number as text, date given"),
    (
        "014718004557",
        "must begin with the country code, as in +86 147-1800-4557; no country code begins with 0 (01…57)",
    ),
    (
        "+014718004557",
        "must begin with the country code, as in +86 147-1800-4557; no country code begins with 0 (+0…57)",
    ),
    (10**5000, "7 to 14 digits, far more given"),
    ("1" * 10_000, "7 to 14 digits, 10000 given (11…11)"),
]


@for_each(("written", "error"), REFUSED)
def test_an_invalid_phone_number_is_refused_without_showing_it(written: object, error: str) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        normalize_phone(written)
    assert caught.value.problems == (f"recipient: {error}",)
    assert "14718004557" not in f"{caught.value} {caught.value!r}"


def test_the_error_names_the_field() -> None:
    with pytest.raises(
        InvalidMessageError, match=r"^business_phone: a phone number is required, none given$"
    ):
        normalize_phone(None, "business_phone")


def test_many_separators_take_little_time() -> None:
    before = time.process_time()
    with pytest.raises(InvalidMessageError):
        normalize_phone("1" + "," * 100_000)
    assert time.process_time() - before < 2


@for_each(
    ("number", "shown"),
    [
        ("8614718004557", "86…57"),
        ("+86 147", "+8…47"),
        ("12345", "12…45"),
        ("1234", "****"),
        ("1 2", "**"),
        ("", ""),
    ],
)
def test_a_masked_number_shows_its_first_two_and_last_two_characters(number: str, shown: str) -> None:
    assert mask_phone(number) == shown


@for_each(
    ("written", "numbers"),
    [
        ("", []),
        ("8614718004557", ["8614718004557"]),
        ("8614718004557, 91856321322;\n no number,,", ["8614718004557", " 91856321322", " no number"]),
        ("8614718004557，91856321322、55119；1\r2", ["8614718004557", "91856321322", "55119", "1", "2"]),
    ],
)
def test_a_string_of_numbers_is_split_and_not_validated(written: str, numbers: list[str]) -> None:
    assert split_numbers(written) == numbers


@for_each(
    "written",
    [
        "+49 (0)30 123456",
        "49 (0)30 123456",
        "(+49) (0)30 123456",
        "(0049)(0)30 123456",
        "+ 49 ( 0 ) 30 123456",
    ],
)
def test_a_trunk_zero_is_removed_after_every_spelling_of_the_country_code(written: str) -> None:
    assert normalize_phone(written) == "4930123456"


def test_a_trunk_zero_without_a_country_code_is_refused() -> None:
    with pytest.raises(InvalidMessageError, match="must begin with the country code"):
        normalize_phone("(0)30 12345678")


INVISIBLE_OF_OTHER_CATEGORIES = [0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0]
MARKS = [*range(0x180B, 0x180E), 0x180F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]


def test_every_invisible_character_is_removed_from_a_phone_number() -> None:
    formats = [point for point in range(sys.maxunicode + 1) if unicodedata.category(chr(point)) == "Cf"]
    points = [*formats, *INVISIBLE_OF_OTHER_CATEGORIES, *MARKS]
    assert len(points) >= 414
    for point in points:
        mark = chr(point)
        assert normalize_phone(f"{mark}+{mark}86{mark} 147{mark}1800 4557{mark}") == "8614718004557", hex(
            point
        )
        assert show_invisible(f"a{mark}b") == f"a<U+{point:04X}>b"


def test_show_invisible_leaves_visible_text_unchanged() -> None:
    for text in ("", "plain", "Müller 李 😀", "two\nlines and\ta tab\u00a0"):
        assert show_invisible(text) == text


def test_a_value_whose_methods_all_raise_is_refused() -> None:
    with pytest.raises(
        InvalidMessageError, match=r"^recipient: must be a phone number as text, Hostile given$"
    ):
        normalize_phone(Hostile())


# --- several numbers in one value--------------------------------------------------------------------------


@for_each(
    "written",
    [
        "+86 147 1800 4557 +86 138 0013 8000",
        "8614718004557/8613800138000",
        "8614718004557 8613800138000",
        "1234567 7654321",
        "1234567/7654321",
        "123-4567 765-4321",
        "555 1234 / 555 5678",
        "+683 4123 +683 4567",
        "+49 30 123456/57",
        "+1 212 555 1234/5",
        "+65 6123 4567/8901",
        "86147180045 57",
        "8614718004557，8613800138000",
    ],
)
def test_two_numbers_in_one_value_are_refused(written: str) -> None:
    with pytest.raises(InvalidMessageError, match=r"^recipient: one phone number, several given \("):
        normalize_phone(written)


@for_each(
    ("written", "number"),
    [
        ("+49 171/1234567", "491711234567"),
        ("0049 (0)171 / 1234567", "491711234567"),
        ("86.147.1800/4557", "8614718004557"),
        ("+55 11 91234-5678", "5511912345678"),
        ("+62 8123 4567 8901", "62812345678901"),
    ],
)
def test_spaces_and_slashes_inside_a_number_are_ignored(written: str, number: str) -> None:
    assert normalize_phone(written) == number


@for_each(
    ("field", "options", "advice"),
    [
        ("recipient", {}, f"; {HINT}"),
        ("business_phone", {}, ""),
        (
            "recipients[3]",
            {"if_several": "give each as a separate entry"},
            "; give each as a separate entry",
        ),
    ],
)
def test_the_error_of_several_numbers_gives_the_fields_own_advice(
    field: str, options: dict[str, str], advice: str
) -> None:
    for several in ("8614718004557,91856321322", ["8614718004557"]):
        with pytest.raises(InvalidMessageError) as caught:
            normalize_phone(several, field, **options)
        assert str(caught.value).partition(" given")[2].endswith(advice)
        assert (";" in str(caught.value)) == bool(advice)


# --- spellings of the same person -----------------------------------------------------------------------


@for_each(
    ("one", "other"),
    [
        ("525512345678", "5215512345678"),
        ("541123456789", "5491123456789"),
        ("551187654321", "5511987654321"),
        ("559987654321", "5599987654321"),
        ("551191234567", "5511991234567"),
        ("551112345678", "5511912345678"),
    ],
)
def test_two_spellings_of_a_number_have_the_same_canonical_number(one: str, other: str) -> None:
    assert canonical_number(one) == canonical_number(other)
    assert canonical_number(canonical_number(one)) == canonical_number(one)


@for_each(
    ("one", "other"),
    [
        ("551123456789", "5511923456789"),  # a Brazilian landline has no ninth digit
        ("551151234567", "5511951234567"),
        ("525512345678", "525512345679"),
        ("8613800000001", "86913800000001"),
        ("52155123456", "5255123456"),
    ],
)
def test_different_numbers_have_different_canonical_numbers(one: str, other: str) -> None:
    assert canonical_number(one) != canonical_number(other)

from __future__ import annotations

import time

import pytest

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.phone_numbers import (
    mask_phone,
    mask_phone_numbers,
    normalize_phone,
    split_numbers,
)


@pytest.mark.parametrize(
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
        8614718004557,
        8614718004557.0,
    ],
)
def test_a_number_is_taken_as_people_write_it(written: object) -> None:
    assert normalize_phone(written) == "8614718004557"


@pytest.mark.parametrize(("at", "past"), [("1234567", "123456"), ("12345678901234", "123456789012345")])
def test_a_number_has_7_to_14_digits(at: str, past: str) -> None:
    assert normalize_phone(at) == at
    with pytest.raises(InvalidMessageError, match=f"^recipient: 7 to 14 digits, {len(past)} given "):
        normalize_phone(past)


HINT = "for several use recipients of a broadcast, or .expand(recipient=[...])"
REFUSED = [
    (None, "a phone number is required, none given"),
    ("", "a phone number is required, none given"),
    ("  ", "7 to 14 digits, 0 given ()"),
    ("+", "7 to 14 digits, 0 given (*)"),
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
    ("ann@a.example", "must be a phone number of digits, for example +86 147-1800-4557; 'an…le' given"),
    (
        "+86 147 1800 4557 ext 9",
        "must be a phone number of digits, for example +86 147-1800-4557; '+8…t9' given",
    ),
    ("86²14718004557", "must be a phone number of digits, for example +86 147-1800-4557; '86…57' given"),
    ("++8614718004557", "must be a phone number of digits, for example +86 147-1800-4557; '++…57' given"),
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


@pytest.mark.parametrize(
    ("written", "error"), [pytest.param(*entry, id=str(entry[1])[:60]) for entry in REFUSED]
)
def test_what_is_no_number_is_refused(written: object, error: str) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        normalize_phone(written)
    assert caught.value.problems == (f"recipient: {error}",)
    assert "14718004557" not in f"{caught.value} {caught.value!r}"


def test_the_error_names_the_field() -> None:
    with pytest.raises(
        InvalidMessageError, match=r"^business_phone: a phone number is required, none given$"
    ):
        normalize_phone(None, "business_phone")


def test_many_separators_are_judged_quickly() -> None:
    before = time.process_time()
    with pytest.raises(InvalidMessageError):
        normalize_phone("1" + "," * 100_000)
    assert time.process_time() - before < 2


@pytest.mark.parametrize(
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
def test_a_shortened_number_shows_two_first_and_two_last_characters(number: str, shown: str) -> None:
    assert mask_phone(number) == shown


@pytest.mark.parametrize(
    ("recipients", "entries"),
    [
        (None, []),
        ("", []),
        ("8614718004557", ["8614718004557"]),
        ("8614718004557, 91856321322;\n no number,,", ["8614718004557", " 91856321322", " no number"]),
        (["8614718004557", 91856321322, None], ["8614718004557", 91856321322, None]),
        (("8614718004557",), ["8614718004557"]),
        (8614718004557, [8614718004557]),
    ],
)
def test_recipients_are_taken_apart_and_not_judged(recipients: object, entries: list[object]) -> None:
    assert split_numbers(recipients) == entries


@pytest.mark.parametrize(
    "written",
    [
        "+49 (0)30 123456",
        "49 (0)30 123456",
        "(+49) (0)30 123456",
        "(0049)(0)30 123456",
        "+ 49 ( 0 ) 30 123456",
    ],
)
def test_a_trunk_zero_is_taken_off_however_the_number_begins(written: str) -> None:
    assert normalize_phone(written) == "4930123456"


def test_a_trunk_zero_without_a_country_code_is_refused() -> None:
    with pytest.raises(InvalidMessageError, match="must begin with the country code"):
        normalize_phone("(0)30 12345678")


def test_numbers_in_words_are_shortened() -> None:
    assert (
        mask_phone_numbers("from +86 147-1800-4557 to 91856321322, 12.3456789")
        == "from +86…57 to 91…22, 12.3456789"
    )

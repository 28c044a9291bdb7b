from __future__ import annotations

import json
import time
from urllib.parse import quote

import pytest

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.phone_numbers import (
    mask_phone_numbers,
    normalize_phone,
)

# --- numbers in foreign words ---------------------------------------------------------------------------

NUMBERS = [
    "86-138-0000-0001",
    "0086 138 0000 0001",
    "(86) 138 0000 0001",
    "+86 138 0000 0001",
    "+86 (0)138-0000-0001",
    "+86\u00a0138\u00a00000\u00a00001",
    "+86\u202f138\u202f0000\u202f0001",
    "86\u200b138\u2060000\ufe0f00001",
    "\uff18\uff16\uff11\uff13\uff18\uff10\uff10\uff10\uff10\uff10\uff10\uff10\uff11",
    "٨٦١٣٨٠٠٠٠٠٠٠١",
    "86.138.0000.0001",
    "86.13800000001",
    "86/138/0000/0001",
    "86–138—0000−0001",
    "８６（１３８）００００－０００１",
    "8613800000001",
]
IN_WORDS = {
    "words": "no message to {}, sorry".format,
    "a repr": lambda number: repr([number]),
    "an ascii repr": lambda number: ascii({"to": number}),
    "JSON": lambda number: json.dumps({"recipient": number}),
    "JSON in JSON": lambda number: json.dumps(json.dumps(number)),
    "an address": lambda number: f"/send?to={quote(number, safe=number if not number.isascii() else '')}",
    "a name": "p{}_x".format,
}


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("write", IN_WORDS.values(), ids=IN_WORDS)
def test_a_number_in_words_is_shortened_however_it_is_written(write, number: str) -> None:
    masked = mask_phone_numbers(write(number))
    assert "…" in masked
    assert "0000" not in masked
    assert "٠٠٠" not in masked
    assert "００" not in masked


@pytest.mark.parametrize(
    "words",
    [
        "2026-11-25 18:31:02",
        "2026-11-25T18:31:28+00:00",
        "manual__2026-11-25T18:31:28.123456+00:00",
        "scheduled__2026-07-01T02:00:00+00:00",
        "20261125T183128",
        "[2026-11-25 18:31:02,123] status -5, HTTP 503",
        "Wed, 25 Nov 2026 18:31:02 GMT",
        "25/11/2026 25.11.2026 11/25/2026",
        "s3://bucket/2026/11/25/18/part",
        "192.168.100.200 10.20.30.40:8080 203.112.103.104:443",
        "550e8400-e29b-41d4-a716-446655440000",
        "-122.4194155, 12.3456789, 0.123456789012",
        "1,234,567 rows, 3 of 10, recipients[3]: 12 given",
    ],
)
def test_what_is_no_number_stays_readable(words: str) -> None:
    assert mask_phone_numbers(words) == words


def test_a_number_beside_a_time_is_shortened_all_the_same() -> None:
    words = "2026-11-25T18:31:28+0800 8613800000001 at 18:31 +8613800000001"
    assert mask_phone_numbers(words) == "2026-11-25T18:31:28+0800 86…01 at 18:31 +86…01"


@pytest.mark.parametrize(
    "pattern",
    [
        "1",
        "-",
        "1-",
        "1 ",
        "1+",
        "\\u0661",
        "%31",
        "1\\",
        "0.",
        "1:",
        "f0",
        "8613800000001,",
        "\u200b",
        "12:30 +",
    ],
)
def test_long_words_take_time_in_proportion(pattern: str) -> None:
    def seconds(length: int) -> float:
        text = (pattern * length)[:length]
        before = time.process_time()
        mask_phone_numbers(text)
        return time.process_time() - before

    # A quadratic expression would take 400 times as long, or for ever.
    assert seconds(1_000_000) < 100 * max(seconds(50_000), 0.005)


def test_numbers_in_words_are_shortened() -> None:
    assert (
        mask_phone_numbers("from +86 147-1800-4557 to 91856321322, 12.3456789")
        == "from +86…57 to 91…22, 12.3456789"
    )


@pytest.mark.parametrize(
    "written",
    [
        "+8614718004557.0",
        "(8614718004557.0)",
        "[8614718004557.00]",
        "８６１４７１８００４５５７．０",
        "8614718004557\N{MIDDLE DOT}0",
        "+8614718004557.5",
    ],
)
def test_a_decimal_number_makes_no_longer_number(written):
    with pytest.raises(InvalidMessageError, match="a decimal number given"):
        normalize_phone(written)


@pytest.mark.parametrize("written", ["+8.61472E+12", "８．６１４７２Ｅ＋１２", "(8.61472e12)"])
def test_scientific_notation_is_known_in_each_spelling(written):
    with pytest.raises(InvalidMessageError, match="one in scientific notation given"):
        normalize_phone(written)

from __future__ import annotations

import html
import json
import re
import time
from urllib.parse import quote, unquote

import pytest

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.masking import mask_phone_numbers
from airflow_provider_itnio.api.phone_numbers import normalize_phone
from tests.tables import for_each

# --- numbers in other texts -----------------------------------------------------------------------------

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
    "८६१३८०००००००१",
    "𝟖𝟔𝟏𝟑𝟖𝟎𝟎𝟎𝟎𝟎𝟎𝟎𝟏",
    "86\u2028138\x0b0000\x1f0001",
    "[86] [138] 0000 0001",
    "86_138_0000_0001",
    "86\u20e3138\u20e30000\u20e30001",
    "86\ufffd138\ufffd0000\ufffd0001",
    "8613800000001",
]
IN_WORDS = {
    "words": "no message to {}, sorry".format,
    "a repr": lambda number: repr([number]),
    "an ascii repr": lambda number: ascii({"to": number}),
    "JSON": lambda number: json.dumps({"recipient": number}),
    "JSON in JSON": lambda number: json.dumps(json.dumps(number)),
    "an address": lambda number: f"/send?to={quote(number, safe=number if not number.isascii() else '')}",
    "an address in an address": lambda number: quote(quote(f"/send?to={number}", safe="")),
    "an address of bytes": lambda number: "".join(f"%{octet:02x}" for octet in number.encode()),
    "HTML": lambda number: html.escape(number).encode("ascii", "xmlcharrefreplace").decode(),
    "HTML of code points": lambda number: "".join(f"&#x{ord(mark):x};" for mark in number),
    "bytes": lambda number: repr(number.encode()),
    "escapes": lambda number: re.sub("(....)", r"\\u\1", number.encode("utf-16-be").hex()),
    "a name": "p{}_x".format,
}


@for_each("number", NUMBERS)
@for_each("write", IN_WORDS.values())
def test_a_phone_number_in_text_is_masked_in_every_spelling_and_escape(write, number: str) -> None:
    masked = mask_phone_numbers(write(number))
    assert "…" in masked
    assert len(re.findall(r"\d", decoded(masked))) <= 4


def decoded(text: str) -> str:
    """Decode escapes of every kind, as a person who wants to know the number could."""
    for _ in range(2):
        text = unquote(html.unescape(text))
        text = re.sub(
            r"\\+(?:u(\w{4})|x(\w\w)|U(\w{8}))",
            lambda code: chr(int(code[1] or code[2] or code[3], 16)),
            text,
        )
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


@for_each(
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
        "interactive.action.sections[0].rows[12]: at most 10 rows, 1,204 given",
        "50%25 of /a%2Fb%3Fc%3D1, &lt;b&gt; &amp; \\u0041\\u0042 \\x41",
    ],
)
def test_text_without_a_phone_number_is_not_masked(words: str) -> None:
    assert mask_phone_numbers(words) == words


def test_a_phone_number_next_to_a_time_is_masked() -> None:
    words = "2026-11-25T18:31:28+0800 8613800000001 at 18:31 +8613800000001"
    assert mask_phone_numbers(words) == "2026-11-25T18:31:28+0800 86…01 at 18:31 +86…01"


@for_each(
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
        "%25",
        "%252",
        "&#",
        "&#49;",
        "\\\\\\\\",
        "\\ud83",
        "\\x",
        "[1][",
        "<U+",
        "%d9%a1",
    ],
)
def test_masking_time_is_linear_in_the_texts_length(pattern: str) -> None:
    def seconds(length: int) -> float:
        text = (pattern * length)[:length]
        before = time.process_time()
        mask_phone_numbers(text)
        return time.process_time() - before

    # A quadratic regular expression would take 400 times as long, or for ever.
    assert seconds(100_000) < 100 * max(seconds(5_000), 0.005)


def test_phone_numbers_in_a_sentence_are_masked() -> None:
    assert (
        mask_phone_numbers("from +86 147-1800-4557 to 91856321322, 12.3456789")
        == "from +86…57 to 91…22, 12.3456789"
    )


@for_each(
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
def test_a_decimal_number_is_not_read_as_a_longer_phone_number(written):
    with pytest.raises(InvalidMessageError, match="a decimal number given"):
        normalize_phone(written)


@for_each("written", ["+8.61472E+12", "８．６１４７２Ｅ＋１２", "(8.61472e12)"])
def test_scientific_notation_is_refused_in_each_spelling(written):
    with pytest.raises(InvalidMessageError, match="one in scientific notation given"):
        normalize_phone(written)

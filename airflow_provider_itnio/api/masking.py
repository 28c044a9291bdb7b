"""Mask phone numbers in errors and logs: only the first two and the last two digits stay."""

from __future__ import annotations

import re
from typing import Final

from airflow_provider_itnio.api.characters import (
    BLANKS,
    INVISIBLE,
    INVISIBLE_RUN,
    MARKS,
    PLUS,
    show_invisible,
)

_MIN_DIGITS: Final = 7
"""Fewer digits are no phone number."""

# Compiled when they are first used: a valid message needs none of them.
# Characters that may occur within a number, as people, libraries and terminals write it; no line break.
_SEPARATOR: Final = (
    rf"[\x00-\t\v\f\x0e-\x1f\x7f-\x9f\u2028\u2029\[\]{BLANKS}{PLUS}{MARKS}{INVISIBLE}"
    r"_~*\u0300-\u036f\u20d0-\u20ff\u2022\u301c\u30fb\uff3f\uff5e\ufffd]"
)
# In a repr, in JSON, in HTML and in a URL a character may be escaped, also several times.
_HEX: Final = "[0-9a-fA-F]"
_OCTET: Final = r"(?:%(?:25)*|\\{1,8}x)"
_ESCAPE: Final = (
    rf"{_OCTET}[c-fC-F]{_HEX}(?:{_OCTET}[89abAB]{_HEX}){{1,3}}|{_OCTET}{_HEX}{{2}}"
    rf"|\\{{1,8}}u[dD][89abAB]{_HEX}{{2}}\\{{1,8}}u[dD][c-fC-F]{_HEX}{{2}}"
    rf"|\\{{1,8}}(?:u{_HEX}{{4}}|U{_HEX}{{8}}|[tvf])"
    rf"|&(?:\#\d{{1,7}}|\#[xX]{_HEX}{{1,6}}|[a-zA-Z]{{2,8}});|<U\+{_HEX}{{4,6}}>"
)
_TOKEN: Final = rf"\d|{_SEPARATOR}|{_ESCAPE}"
# Possessive, to avoid backtracking. At most 1,000 repetitions, since they need memory.
_TOKENS: Final = rf"(?:\d|{_ESCAPE})(?:{_TOKEN}){{{_MIN_DIGITS - 1},1000}}+"
_NUMBER_KINDS: Final = rf"d(?:s{{0,12}}d){{{_MIN_DIGITS - 1},}}"
_DAY, _MONTH, _YEAR = "(?:0?[1-9]|[12][0-9]|3[01])", "(?:0?[1-9]|1[0-2])", "(?:19|20)[0-9]{2}"
_BYTE: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_NO_PHONE_NUMBER: Final = (
    # Not directly after a digit, or after a + with a country code.
    r"(?<![\d+(])(?<!\d[-./])(?<!\+\d )(?<!\+\d\d )(?<!\+\d\d\d )(?:"
    rf"{_YEAR}(?P<mark>[-/.]){_MONTH}(?P=mark){_DAY}(?:/\d\d){{0,2}}"
    rf"|(?:{_DAY}(?P<sign>[-/.]){_MONTH}|{_MONTH}/{_DAY})[-/.]{_YEAR}"
    r"|\d{1,2}:\d\d(?::\d\d(?:\.\d{1,9}|,\d{3})?)?(?:[ ]?[+-]\d\d:?\d\d)?"
    rf"|{_YEAR}[0-9]{{4}}T[0-9]{{6}}(?:\.\d{{1,9}})?"
    rf"|(?:10|127)(?:\.{_BYTE}){{3}}|(?:192\.168|172\.(?:1[6-9]|2[0-9]|3[01])|169\.254)(?:\.{_BYTE}){{2}}"
    rf"|{_BYTE}(?:\.{_BYTE}){{3}}(?=:\d)"
    r"|(?:0|[1-9][0-9]?|1[0-7][0-9]|180)\.\d{4,7}(?![ ]\d)|0\.\d{4,20}"
    r"|(?<![0-9a-fA-F-])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9a-fA-F])"
    r")(?!\d|[-./+]\d)"
)


def mask_phone(number: str) -> str:
    """Shorten a number for logs and errors to its first two and last two characters.

    :param number: any text that may be a phone number.
    """
    marks = "".join(re.sub(INVISIBLE_RUN, "", number).split())
    if len(marks) <= 4:
        return "*" * len(marks)
    return f"{show_invisible(marks[:2])}…{show_invisible(marks[-2:])}"


def mask_phone_numbers(text: str) -> str:
    """Shorten each phone number in a text, however it is written or encoded there.

    Dates, times, IP addresses, UUIDs and coordinates stay. Anything else with at least 7 digits is masked:
    better to hide a count than to show a person's number. The time is linear in the text's length.

    :param text: any text, such as the words of a person, a server or a library.
    """
    if not re.search(_TOKENS, text):
        return text
    masked: list[str] = []
    end = 0
    for match in re.finditer(_NO_PHONE_NUMBER, text):
        masked += re.sub(_TOKENS, _mask_run, text[end : match.start()]), match[0]
        end = match.end()
    return "".join((*masked, re.sub(_TOKENS, _mask_run, text[end:])))


def _mask_run(run: re.Match[str]) -> str:
    """Shorten each number in a run of digits, characters that may occur within a number, and escapes."""
    tokens = re.findall(_TOKEN, run[0])
    kinds = "".join(map(_token_kind, tokens))
    shortened: list[str] = []
    end = 0
    for number in re.finditer(_NUMBER_KINDS, kinds):
        positions = range(*number.span())
        first, second, *_, next_to_last, last = (tokens[at] for at in positions if kinds[at] == "d")
        shortened += *tokens[end : number.start()], f"{first}{second}…{next_to_last}{last}"
        end = number.end()
    return "".join((*shortened, *tokens[end:]))


def _token_kind(token: str) -> str:
    """Classify a token: a digit (d), a character that may occur within a number (s), or another (x)."""
    character = token if len(token) == 1 else _unescape(token)
    if len(character) == 1 and character.isdecimal():
        return "d"
    return "s" if re.fullmatch(f"{_SEPARATOR}?", character) else "x"


def _unescape(escape: str) -> str:
    if escape[0] == "&":
        import html  # nothing else needs it

        return html.unescape(escape)
    if escape[-1] in "tvf" and len(escape.lstrip("\\")) == 1:
        return "\t"
    if codes := re.findall(rf"[uU]\+?({_HEX}{{4,8}})", escape):
        units = b"".join(min(int(code, 16), 0x10FFFF).to_bytes(4) for code in codes)
        return (
            units.decode("utf-32-be", "surrogatepass")
            .encode("utf-16", "surrogatepass")
            .decode("utf-16", "replace")
        )
    octets = re.findall(rf"(?:%(?:25)*|x)({_HEX}{{2}})", escape)
    return bytes.fromhex("".join(octets)).decode("utf-8", "replace")

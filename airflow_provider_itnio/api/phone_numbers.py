"""Phone numbers: as people write them, as the API takes them, as errors and logs show them.

Rule of the vendor: digits only, 7 to 14 of them (codes -70 to -72 and -93 to -95 of the send page).
"""

from __future__ import annotations

import re
import unicodedata
from itertools import accumulate
from typing import Any, Final

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.values import has_lost_digits, integral, is_gap, plain_scalar, type_name

__all__ = [
    "MAX_DIGITS",
    "MIN_DIGITS",
    "NUMBER_SEPARATORS",
    "canonical_number",
    "mask_phone",
    "mask_phone_numbers",
    "normalize_phone",
    "show_invisible",
    "split_numbers",
]

MIN_DIGITS: Final = 7
MAX_DIGITS: Final = 14
_COMPLETE: Final = 10
"""Digits that may be a whole number: what follows them behind a blank or slash is another, or its ending."""

NUMBER_SEPARATORS: Final = r",;\n\r\u060c\u061b\u3001\uff0c\uff1b"
"""What stands between two numbers in a text: a comma or semicolon of any script, a line break."""

# Character classes. Invisible: category Cf, Unicode's default-ignorables, the blank of Braille.
_INVISIBLE: Final = (
    r"\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff"
)
_PLUS: Final = r"+\ufe62\uff0b"
# Blanks, brackets, dashes, dots and slashes of a line.
_BLANKS: Final = r" \t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_SLASHES: Final = r"/\u2044\u2215\uff0f"
_DOTS: Final = r".\u00b7\u2024\u2027\uff0e"
_MARKS: Final = r"()\uff08\uff09\-\u058a\u05be\u2010-\u2015\u2043\u2212\ufe58\ufe63\uff0d" + _DOTS + _SLASHES

_INVISIBLE_ONES = re.compile(f"[{_INVISIBLE}]+")
_WRITTEN_AROUND_DIGITS = re.compile(rf"[\s\[\]{_MARKS}]+")
_DOUBLE_ZERO = re.compile(rf"^[\s\[\]{_MARKS}]*00")
_TRUNK_ZERO = re.compile(r"(?<=\d)(\D*)[(\uff08]\s*0\s*[)\uff09]")
_PLAIN = re.compile(rf"[1-9]\d{{{MIN_DIGITS - 1},{MAX_DIGITS - 1}}}", re.ASCII)
# As most are written, such as +86 147-1800-4557: a list of 100,000 is read in a third of the time.
_COMMON = re.compile(r"\+?[1-9][0-9]{0,3}(?: \(?[0-9]{1,5}\)?){0,5}(?:-[0-9]{1,5}){0,4}")
_WITHOUT_MARKS = str.maketrans("", "", "+ ()-")
_DECIMAL = re.compile(rf"\D*(?:\d+[{_DOTS}]0+|\d{{{MIN_DIGITS},}}[{_DOTS}]\d+)\D*")
_SCIENTIFIC = re.compile(rf"\D*\d[\d,{_DOTS}]*[eE\uff25\uff45][{_PLUS}]?\d+\D*")
_BETWEEN_NUMBERS = re.compile(f"[{NUMBER_SEPARATORS}]")
_BEFORE_ANOTHER = re.compile(rf"(?<=\d)[^\d{_PLUS}]*[{_PLUS}]")
_BETWEEN_TOKENS = re.compile(rf"[\s{_SLASHES}]+")
_SLASH = re.compile(f"[{_SLASHES}]")
_DIGIT = re.compile(r"\d")
_BRAZIL = re.compile(r"55([1-9]{2})9?([016-9]\d{7})", re.ASCII)
_MEXICO = re.compile(r"521?(\d{10})", re.ASCII)
_ARGENTINA = re.compile(r"549?(\d{10})", re.ASCII)

# What masks is compiled when it is first used: a message that is fine needs none of it.
# All that may stand within a number, and what else people, libraries and terminals put there; no line break.
_WITHIN: Final = (
    rf"[\x00-\t\v\f\x0e-\x1f\x7f-\x9f\u2028\u2029\[\]{_BLANKS}{_PLUS}{_MARKS}{_INVISIBLE}"
    r"_~*\u0300-\u036f\u20d0-\u20ff\u2022\u301c\u30fb\uff3f\uff5e\ufffd]"
)
# In a repr, in JSON, in HTML and in an address a character may be written as an escape, also twice or more.
_HEX: Final = "[0-9a-fA-F]"
_OCTET: Final = r"(?:%(?:25)*|\\{1,8}x)"
_ESCAPE: Final = (
    rf"{_OCTET}[c-fC-F]{_HEX}(?:{_OCTET}[89abAB]{_HEX}){{1,3}}|{_OCTET}{_HEX}{{2}}"
    rf"|\\{{1,8}}u[dD][89abAB]{_HEX}{{2}}\\{{1,8}}u[dD][c-fC-F]{_HEX}{{2}}"
    rf"|\\{{1,8}}(?:u{_HEX}{{4}}|U{_HEX}{{8}}|[tvf])"
    rf"|&(?:\#\d{{1,7}}|\#[xX]{_HEX}{{1,6}}|[a-zA-Z]{{2,8}});|<U\+{_HEX}{{4,6}}>"
)
_TOKEN: Final = rf"\d|{_WITHIN}|{_ESCAPE}"
# Possessive, so that there is nothing to go back for. 1,000 at a time: memory grows with the repetitions.
_TOKENS: Final = rf"(?:\d|{_ESCAPE})(?:{_TOKEN}){{{MIN_DIGITS - 1},1000}}+"
_NUMBER_OF_TOKENS: Final = rf"d(?:s{{0,12}}d){{{MIN_DIGITS - 1},}}"
_DAY, _MONTH, _YEAR = "(?:0?[1-9]|[12][0-9]|3[01])", "(?:0?[1-9]|1[0-2])", "(?:19|20)[0-9]{2}"
_BYTE: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_NO_PHONE_NUMBER: Final = (
    # No digit, and no + with a country code, stands right before it.
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


# --- what is sent -----------------------------------------------------------------------------------------


def normalize_phone(value: object, field: str = "recipient", *, if_several: str = "") -> str:
    """Turn a number as people write it into the digits the API takes.

    Taken off are a leading ``+`` or ``00``, a trunk ``(0)`` behind the country code, and blanks, brackets,
    dashes, dots, slashes and invisible characters. Digits may be of any script. A whole number is taken
    whatever its type: an int, an integral float or Decimal, a scalar of numpy or pandas.

    :param value: ``"+86 147-1800-4557"``, ``"8614718004557"`` or ``8614718004557``.
    :param field: the name an error gives the value.
    :param if_several: what an error advises where several numbers are given; for ``recipient`` to use a
        broadcast.
    :return: 7 to 14 digits.
    :raises InvalidMessageError: if it is no number in international form. No error shows a whole number.
    """
    if type(value) is str:
        if _PLAIN.fullmatch(value):
            return value
        if _COMMON.fullmatch(value) and "(0)" not in value:
            digits = value.translate(_WITHOUT_MARKS)
            if MIN_DIGITS <= len(digits) <= MAX_DIGITS:
                return digits
    if field == "recipient":
        if_several = if_several or "for several use recipients of a broadcast, or .expand(recipient=[...])"
    try:
        written = _as_text(value, field, if_several)
        return _digits_of(written, field, if_several)
    except InvalidMessageError:
        raise
    except Exception:  # data that fails when it is asked what it is
        raise InvalidMessageError(
            f"{field}: must be a phone number as text, {type_name(value)} given"
        ) from None


def _as_text(value: Any, field: str, if_several: str) -> str:
    whole = integral(value)
    if whole is None and has_lost_digits(value):
        raise InvalidMessageError(
            f"{field}: must be a phone number, a {type_name(value)} that has lost digits given; "
            "give it as text or int"
        )
    if whole is None:
        value = plain_scalar(value)
        whole = integral(value)
    if whole is not None:
        if abs(whole) >= 10**30:  # Python refuses to write the longest
            raise InvalidMessageError(f"{field}: {MIN_DIGITS} to {MAX_DIGITS} digits, far more given")
        return str(whole)
    if isinstance(value, (list, tuple, set, frozenset)):
        raise InvalidMessageError(
            f"{field}: one phone number, a list of {len(value)} given{_advice(if_several)}"
        )
    if is_gap(value):
        given = "none" if value is None else f"a missing value ({value!s:.20})"
        raise InvalidMessageError(f"{field}: a phone number is required, {given} given")
    if not isinstance(value, str):
        raise InvalidMessageError(f"{field}: must be a phone number as text, {type_name(value)} given")
    text = _INVISIBLE_ONES.sub("", value).strip()
    if not text:
        raise InvalidMessageError(f"{field}: a phone number is required, none given")
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(mark)) if mark.isdecimal() else mark for mark in text)


def _advice(if_several: str) -> str:
    return f"; {if_several}" if if_several else ""


def _digits_of(written: str, field: str, if_several: str) -> str:
    shown = mask_phone(written)
    if _DECIMAL.fullmatch(written):
        raise InvalidMessageError(
            f"{field}: must be a phone number, a decimal number given ({shown}); "
            "give it as text, so that no decimal point gets into it"
        )
    if _SCIENTIFIC.fullmatch(written):
        raise InvalidMessageError(
            f"{field}: must be a phone number, one in scientific notation given ({shown}), as spreadsheets "
            "write long numbers; give it as text with all its digits"
        )
    written = _TRUNK_ZERO.sub(r"\1", _DOUBLE_ZERO.sub("+", written))
    if _are_several(written):
        raise InvalidMessageError(f"{field}: one phone number, several given ({shown}){_advice(if_several)}")
    digits = re.sub(f"^[{_PLUS}]", "", _WRITTEN_AROUND_DIGITS.sub("", written))
    if odd := re.search("[^0-9]", digits):
        mark = show_invisible(odd[0])
        given = f"{shown!r} given, in which {mark!r} is" if "…" in shown else f"{mark!r} given, which is"
        raise InvalidMessageError(
            f"{field}: must be a phone number of digits, for example +86 147-1800-4557; {given} no digit"
        )
    if not MIN_DIGITS <= len(digits) <= MAX_DIGITS:
        given = f"{len(digits)} given" + (f" ({shown})" if "…" in shown else "")
        raise InvalidMessageError(f"{field}: {MIN_DIGITS} to {MAX_DIGITS} digits, {given}")
    if digits.startswith("0"):
        raise InvalidMessageError(
            f"{field}: must begin with the country code, as in +86 147-1800-4557; "
            f"no country code begins with 0 ({shown})"
        )
    return digits


def _are_several(written: str) -> bool:
    """Say whether a text may be more than one number, so that nobody gets what is meant for two others.

    Blanks and slashes also stand within a number. They stand between two where both sides are long enough to
    be one, or where more follows a number that may be complete, as in ``+49 30 123456/57``.
    """
    if any(len(_digits_in(written, between)) > 1 for between in (_BETWEEN_NUMBERS, _BEFORE_ANOTHER)):
        return True
    *before, _ = tokens = _digits_in(written, _BETWEEN_TOKENS) or [0]
    if sum(digits >= MIN_DIGITS for digits in tokens) > 1 or max(before, default=0) >= _COMPLETE:
        return True
    *before, _ = parts = _digits_in(written, _SLASH) or [0]
    return sum(before) >= _COMPLETE or any(
        digits >= MIN_DIGITS and sum(parts) - digits >= MIN_DIGITS for digits in accumulate(before)
    )


def _digits_in(written: str, between: re.Pattern[str]) -> list[int]:
    """Count the digits of each part that has any."""
    return [digits for part in between.split(written) if (digits := len(_DIGIT.findall(part)))]


def canonical_number(number: str) -> str:
    """Give the one spelling that stands for all spellings WhatsApp knows of the same person's number.

    Mobile numbers of Brazil have a ninth digit, 9, or lack it. Numbers of Mexico have a 1 and of Argentina a
    9 behind the country code, or lack it. In Brazil eight digits that begin with 2 to 5 are a landline's.

    :param number: digits only, as :func:`normalize_phone` gives them.
    :return: digits to compare with; what is sent is the number as it was given.
    """
    if not number.startswith(("52", "54", "55")):
        return number
    if brazil := _BRAZIL.fullmatch(number):
        return f"55{brazil[1]}9{brazil[2]}"
    if mexico := _MEXICO.fullmatch(number):
        return f"52{mexico[1]}"
    if argentina := _ARGENTINA.fullmatch(number):
        return f"549{argentina[1]}"
    return number


def split_numbers(written: str) -> list[str]:
    """Take a text with several numbers apart, without judging any.

    :param written: numbers separated by commas, semicolons or line breaks.
    :return: what is to be one number each.
    """
    return [entry for entry in _BETWEEN_NUMBERS.split(written) if entry.strip()]


# --- what is shown ----------------------------------------------------------------------------------------


def show_invisible(text: str) -> str:
    """Write a code point, such as ``<U+200B>``, in place of each character that can't be seen.

    :param text: any text. Blanks and line breaks stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if (character.isprintable() and not _INVISIBLE_ONES.match(character)) or character.isspace()
        else f"<U+{ord(character):04X}>"
        for character in text
    )


def mask_phone(number: str) -> str:
    """Shorten a number for logs and errors to its two first and two last characters.

    :param number: any text that may hold a phone number.
    """
    marks = "".join(_INVISIBLE_ONES.sub("", number).split())
    if len(marks) <= 4:
        return "*" * len(marks)
    return f"{show_invisible(marks[:2])}…{show_invisible(marks[-2:])}"


def mask_phone_numbers(text: str) -> str:
    """Shorten each phone number in a text, however it is written or encoded there.

    Dates, times, addresses of machines, UUIDs and coordinates stay. What else has as many digits as a phone
    number is taken for one: better a count too few than a person's number shown. Takes time in proportion to
    the text's length.

    :param text: words of anybody's: of a person, of a server, of a library.
    """
    if not re.search(_TOKENS, text):
        return text
    masked: list[str] = []
    end = 0
    for kept in re.finditer(_NO_PHONE_NUMBER, text):
        masked += re.sub(_TOKENS, _shortened, text[end : kept.start()]), kept[0]
        end = kept.end()
    return "".join((*masked, re.sub(_TOKENS, _shortened, text[end:])))


def _shortened(run: re.Match[str]) -> str:
    """Shorten each number in a run of digits, of what may stand within a number, and of escapes."""
    tokens = re.findall(_TOKEN, run[0])
    kinds = "".join(map(_kind_of, tokens))
    shortened: list[str] = []
    end = 0
    for number in re.finditer(_NUMBER_OF_TOKENS, kinds):
        positions = range(*number.span())
        first, second, *_, next_to_last, last = (tokens[at] for at in positions if kinds[at] == "d")
        shortened += *tokens[end : number.start()], f"{first}{second}…{next_to_last}{last}"
        end = number.end()
    return "".join((*shortened, *tokens[end:]))


def _kind_of(token: str) -> str:
    """Tell a digit (d) from what may stand within a number (s) and other characters (x)."""
    character = token if len(token) == 1 else _unescaped(token)
    if len(character) == 1 and character.isdecimal():
        return "d"
    return "s" if re.fullmatch(f"{_WITHIN}?", character) else "x"


def _unescaped(escape: str) -> str:
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

"""Phone numbers: as people write them and as the API takes them.

Rule of the vendor: digits only, 7 to 14 of them (codes -70 to -72 and -93 to -95 of the send page).
"""

from __future__ import annotations

import re
import unicodedata
from itertools import accumulate
from typing import Any, Final

from airflow_provider_itnio.api.characters import DOTS, INVISIBLE_ONES, MARKS, PLUS, SLASHES, show_invisible
from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.masking import mask_phone
from airflow_provider_itnio.api.values import has_lost_digits, integral, is_gap, plain_scalar, type_name

MIN_DIGITS: Final = 7
MAX_DIGITS: Final = 14
_COMPLETE: Final = 10
"""Digits that may be a whole number: what follows them behind a blank or slash is another, or its ending."""

NUMBER_SEPARATORS: Final = r",;\n\r\u060c\u061b\u3001\uff0c\uff1b"
"""What stands between two numbers in a text: a comma or semicolon of any script, a line break."""

_WRITTEN_AROUND_DIGITS = re.compile(rf"[\s\[\]{MARKS}]+")
_DOUBLE_ZERO = re.compile(rf"^[\s\[\]{MARKS}]*00")
_TRUNK_ZERO = re.compile(r"(?<=\d)(\D*)[(\uff08]\s*0\s*[)\uff09]")
_PLAIN = re.compile(rf"[1-9]\d{{{MIN_DIGITS - 1},{MAX_DIGITS - 1}}}", re.ASCII)
# As most are written, such as +86 147-1800-4557: a list of 100,000 is read in a third of the time.
_COMMON = re.compile(r"\+?[1-9][0-9]{0,3}(?: \(?[0-9]{1,5}\)?){0,5}(?:-[0-9]{1,5}){0,4}")
_WITHOUT_MARKS = str.maketrans("", "", "+ ()-")
_DECIMAL = re.compile(rf"\D*(?:\d+[{DOTS}]0+|\d{{{MIN_DIGITS},}}[{DOTS}]\d+)\D*")
_SCIENTIFIC = re.compile(rf"\D*\d[\d,{DOTS}]*[eE\uff25\uff45][{PLUS}]?\d+\D*")
_BETWEEN_NUMBERS = re.compile(f"[{NUMBER_SEPARATORS}]")
_BEFORE_ANOTHER = re.compile(rf"(?<=\d)[^\d{PLUS}]*[{PLUS}]")
_BETWEEN_TOKENS = re.compile(rf"[\s{SLASHES}]+")
_SLASH = re.compile(f"[{SLASHES}]")
_DIGIT = re.compile(r"\d")
_LETTER = re.compile(r"[^\W\d_]")
_BRAZIL = re.compile(r"55([1-9]{2})9?([016-9]\d{7})", re.ASCII)
_MEXICO = re.compile(r"521?(\d{10})", re.ASCII)
_ARGENTINA = re.compile(r"549?(\d{10})", re.ASCII)


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
    text = re.sub(INVISIBLE_ONES, "", value).strip()
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
    if not _LETTER.search(written) and _are_several(written):
        raise InvalidMessageError(f"{field}: one phone number, several given ({shown}){_advice(if_several)}")
    digits = re.sub(f"^[{PLUS}]", "", _WRITTEN_AROUND_DIGITS.sub("", written))
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
    """Return whether a text may be more than one number, so that nobody gets what is meant for two others.

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
    """Return the one spelling that stands for all spellings WhatsApp knows of the same person's number.

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


def spellings(number: str) -> list[str]:
    """Return all spellings WhatsApp knows of a person's number.

    :param number: digits only.
    """
    one = canonical_number(number)
    others = [f"521{one[2:]}", one[:2] + one[3:], one[:4] + one[5:]]  # Mexico, Argentina, Brazil
    return [one, *(other for other in others if other != one and canonical_number(other) == one)]


def split_numbers(written: str) -> list[str]:
    """Take a text with several numbers apart, without judging any.

    :param written: numbers separated by commas, semicolons or line breaks.
    :return: what is to be one number each.
    """
    return [entry for entry in _BETWEEN_NUMBERS.split(written) if entry.strip()]

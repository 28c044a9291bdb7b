"""Convert phone numbers as people write them to the form of the API.

The vendor's rule: 7 to 14 digits and nothing else (codes -70 to -72 and -93 to -95 of the send page).
"""

from __future__ import annotations

import re
import unicodedata
from itertools import accumulate
from typing import Any, Final

from airflow_provider_itnio.api.characters import DOTS, INVISIBLE_RUN, MARKS, PLUS, SLASHES, show_invisible
from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.masking import mask_phone
from airflow_provider_itnio.api.values import has_lost_digits, integral, is_missing, plain_scalar, type_name

MIN_DIGITS: Final = 7
MAX_DIGITS: Final = 14
_COMPLETE_DIGITS: Final = 10
"""Digits that may be a complete number: after a space or slash, more digits are a second number or another
ending."""
_ROUNDED: Final = 10**11
"""From twelve digits on, spreadsheets write a number to a CSV file with six digits and an exponent."""

NUMBER_SEPARATORS: Final = r",;\n\r\u060c\u061b\u3001\uff0c\uff1b"
"""Characters between two numbers in a text: commas and semicolons of any script, line breaks."""

_PUNCTUATION = re.compile(rf"[\s\[\]{MARKS}]+")
_DOUBLE_ZERO = re.compile(rf"^[\s\[\]{MARKS}]*00")
_TRUNK_ZERO = re.compile(r"(?<=\d)(\D*)[(\uff08]\s*0\s*[)\uff09]")
_PLAIN = re.compile(rf"[1-9]\d{{{MIN_DIGITS - 1},{MAX_DIGITS - 1}}}", re.ASCII)
# The most common spelling, such as +86 147-1800-4557. This makes a list of 100,000 three times as fast.
_COMMON = re.compile(r"\+?[1-9][0-9]{0,3}(?: \(?[0-9]{1,5}\)?){0,5}(?:-[0-9]{1,5}){0,4}")
_REMOVE_MARKS = str.maketrans("", "", "+ ()-")
_DECIMAL = re.compile(rf"\D*(?:\d+[{DOTS}]0+|\d{{{MIN_DIGITS},}}[{DOTS}]\d+)\D*")
_SCIENTIFIC = re.compile(rf"\D*\d[\d,{DOTS}]*[eE\uff25\uff45][{PLUS}]?\d+\D*")
_NUMBER_SEPARATOR = re.compile(f"[{NUMBER_SEPARATORS}]")
_BEFORE_PLUS = re.compile(rf"(?<=\d)[^\d{PLUS}]*[{PLUS}]")
_TOKEN_SEPARATOR = re.compile(rf"[\s{SLASHES}]+")
_SLASH = re.compile(f"[{SLASHES}]")
_DIGIT = re.compile(r"\d")
_LETTER = re.compile(r"[^\W\d_]")
_BRAZIL = re.compile(r"55([1-9]{2})9?([016-9]\d{7})", re.ASCII)
_MEXICO = re.compile(r"521?(\d{10})", re.ASCII)
_ARGENTINA = re.compile(r"549?(\d{10})", re.ASCII)


def normalize_phone(value: object, field: str = "recipient", *, if_several: str = "") -> str:
    """Convert a phone number as people write it to the digits that the API takes.

    Removes a leading ``+`` or ``00``, a trunk ``(0)`` after the country code, and spaces, brackets, dashes,
    dots, slashes and invisible characters. Accepts digits of any script, and a whole number of any type: an
    int, an integral float or Decimal, a scalar of numpy or pandas.

    :param value: ``"+86 147-1800-4557"``, ``"8614718004557"`` or ``8614718004557``.
    :param field: the value's name, for errors.
    :param if_several: the advice in the error for several numbers. For ``recipient`` the default is to use a
        broadcast.
    :return: 7 to 14 digits.
    :raises InvalidMessageError: if it is no number in international form. The error masks the number.
    """
    if type(value) is str:
        if _PLAIN.fullmatch(value):
            return value
        if _COMMON.fullmatch(value) and "(0)" not in value:
            digits = value.translate(_REMOVE_MARKS)
            if MIN_DIGITS <= len(digits) <= MAX_DIGITS:
                return digits
    if field == "recipient":
        broadcast = "for several numbers use recipients of a broadcast, or .expand(recipient=[...])"
        if_several = if_several or broadcast
    try:
        text = _as_text(value, field, if_several)
        return _parse_digits(text, field, if_several)
    except InvalidMessageError:
        raise
    except Exception:  # data may raise anything when it is inspected
        raise InvalidMessageError(
            f"{field}: must be a phone number as text, {type_name(value)} given"
        ) from None


def _as_text(value: Any, field: str, if_several: str) -> str:
    number = integral(value)
    if number is None and has_lost_digits(value):
        raise InvalidMessageError(
            f"{field}: must be a phone number, a {type_name(value)} that has lost digits given; "
            "give it as text or int"
        )
    if number is None:
        value = plain_scalar(value)
        number = integral(value)
    if number is not None:
        if abs(number) >= 10**30:  # Python does not convert the longest ones to text
            raise InvalidMessageError(f"{field}: {MIN_DIGITS} to {MAX_DIGITS} digits, far more given")
        if number >= _ROUNDED and not number % 10**6 and not hasattr(value, "__index__"):
            raise InvalidMessageError(
                f"{field}: must be a phone number, a {type_name(value)} ending in six zeros given "
                f"({mask_phone(str(number))}), as spreadsheets round numbers; "
                "give it as text with all its digits"
            )
        return str(number)
    if isinstance(value, (list, tuple, set, frozenset)):
        raise InvalidMessageError(
            f"{field}: one phone number, a list of {len(value)} given{_advice(if_several)}"
        )
    if is_missing(value):
        given = "none" if value is None else f"a missing value ({value!s:.20})"
        raise InvalidMessageError(f"{field}: a phone number is required, {given} given")
    if not isinstance(value, str):
        raise InvalidMessageError(f"{field}: must be a phone number as text, {type_name(value)} given")
    text = re.sub(INVISIBLE_RUN, "", value).strip()
    if not text:
        raise InvalidMessageError(f"{field}: a phone number is required, none given")
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(mark)) if mark.isdecimal() else mark for mark in text)


def _advice(if_several: str) -> str:
    return f"; {if_several}" if if_several else ""


def _parse_digits(text: str, field: str, if_several: str) -> str:
    masked = mask_phone(text)
    if _DECIMAL.fullmatch(text):
        raise InvalidMessageError(
            f"{field}: must be a phone number, a decimal number given ({masked}); "
            "give it as text, so that no decimal point gets into it"
        )
    if _SCIENTIFIC.fullmatch(text):
        raise InvalidMessageError(
            f"{field}: must be a phone number, one in scientific notation given ({masked}), as spreadsheets "
            "write long numbers; give it as text with all its digits"
        )
    text = _TRUNK_ZERO.sub(r"\1", _DOUBLE_ZERO.sub("+", text))
    if not _LETTER.search(text) and _has_several_numbers(text):
        raise InvalidMessageError(f"{field}: one phone number, several given ({masked}){_advice(if_several)}")
    digits = re.sub(f"^[{PLUS}]", "", _PUNCTUATION.sub("", text))
    if invalid := re.search("[^0-9]", digits):
        mark = show_invisible(invalid[0])
        given = f"{masked!r} given; {mark!r} is" if "…" in masked else f"{mark!r} given, which is"
        raise InvalidMessageError(
            f"{field}: must be a phone number of digits, for example +86 147-1800-4557; {given} not a digit"
        )
    if not MIN_DIGITS <= len(digits) <= MAX_DIGITS:
        given = f"{len(digits)} given" + (f" ({masked})" if "…" in masked else "")
        raise InvalidMessageError(f"{field}: {MIN_DIGITS} to {MAX_DIGITS} digits, {given}")
    if digits.startswith("0"):
        raise InvalidMessageError(
            f"{field}: must begin with the country code, as in +86 147-1800-4557; "
            f"no country code begins with 0 ({masked})"
        )
    return digits


def _has_several_numbers(text: str) -> bool:
    """Return whether a text may be several numbers; joined, they could be the number of someone else.

    Spaces and slashes also occur within a number. They separate two if both sides are long enough to be a
    number, or if more digits follow a number that may be complete, as in ``+49 30 123456/57``.
    """
    if any(len(_count_digits(text, separator)) > 1 for separator in (_NUMBER_SEPARATOR, _BEFORE_PLUS)):
        return True
    *before, _ = tokens = _count_digits(text, _TOKEN_SEPARATOR) or [0]
    if sum(digits >= MIN_DIGITS for digits in tokens) > 1 or max(before, default=0) >= _COMPLETE_DIGITS:
        return True
    *before, _ = parts = _count_digits(text, _SLASH) or [0]
    return sum(before) >= _COMPLETE_DIGITS or any(
        digits >= MIN_DIGITS and sum(parts) - digits >= MIN_DIGITS for digits in accumulate(before)
    )


def _count_digits(text: str, separator: re.Pattern[str]) -> list[int]:
    """Return the count of digits in each part that has digits."""
    return [digits for part in separator.split(text) if (digits := len(_DIGIT.findall(part)))]


def canonical_number(number: str) -> str:
    """Return one canonical spelling for all spellings of the same number that WhatsApp knows.

    Mobile numbers of Brazil may have a ninth digit, 9. After the country code, numbers of Mexico may have a 1
    and numbers of Argentina a 9. In Brazil, eight digits that begin with 2 to 5 are a landline.

    :param number: digits only, as :func:`normalize_phone` returns them.
    :return: digits for comparison only; messages go to the number as it was given.
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
    """Return all spellings of a number that WhatsApp knows.

    :param number: digits only.
    """
    main = canonical_number(number)
    others = [f"521{main[2:]}", main[:2] + main[3:], main[:4] + main[5:]]  # Mexico, Argentina, Brazil
    return [main, *(other for other in others if other != main and canonical_number(other) == main)]


def split_numbers(text: str) -> list[str]:
    """Split a text with several numbers, without checking them.

    :param text: numbers separated by commas, semicolons or line breaks.
    :return: one text for each number.
    """
    return [entry for entry in _NUMBER_SEPARATOR.split(text) if entry.strip()]

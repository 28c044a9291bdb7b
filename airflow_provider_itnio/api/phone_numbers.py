"""A phone number as people write it becomes the digits the API takes.

Rule of the vendor: digits only, 7 to 14 of them (codes -70 to -72 and -93 to -95 of the send page).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from airflow_provider_itnio.api.errors import InvalidMessageError

__all__ = [
    "MAX_DIGITS",
    "MIN_DIGITS",
    "mask_phone",
    "mask_phone_numbers",
    "normalize_phone",
    "split_numbers",
]

MIN_DIGITS: Final = 7
MAX_DIGITS: Final = 14
_LONGEST_INT: Final = 1000
"""Digits of an int that is still written out to count them; Python refuses to write the longest."""

# Blanks, brackets, dashes, dots and slashes, the marks a number picks up when it is copied from a page
# (directional marks, soft hyphen, zero-width characters), and a leading plus.
_WRITTEN_AROUND_DIGITS = re.compile(
    r"[\s()\-\u2010-\u2015\u2212./\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]+"
)
_TRUNK_ZERO = re.compile(r"(?<=\d)([^\d]*)\(\s*0\s*\)")
_PLAIN = re.compile(rf"[1-9]\d{{{MIN_DIGITS - 1},{MAX_DIGITS - 1}}}", re.ASCII)
_DECIMAL = re.compile(r"\d+\.0+")
# Digits behind a point are a fraction's, such as a longitude's.
_PHONE_NUMBER: Final = re.compile(r"\+\d[\d ()./-]{5,}\d|(?<![\d.])\d{7,}")
_BETWEEN_NUMBERS = re.compile(r"[,;\n]")
_DIGIT = re.compile(r"\d")


def normalize_phone(value: object, field: str = "recipient") -> str:
    """Turn a number as people write it into the digits the API takes.

    Taken off are a leading ``+`` or ``00``, a trunk ``(0)`` behind the country code, and blanks, brackets,
    dashes, dots and slashes. A whole number, which native rendering makes of digits, is taken as it is.

    :param value: ``"+86 147-1800-4557"``, ``"8614718004557"`` or ``8614718004557``.
    :param field: the name an error gives the value.
    :return: 7 to 14 digits.
    :raises InvalidMessageError: if it is no number in international form. No error shows a whole number.
    """
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) >= 10**_LONGEST_INT:
            raise InvalidMessageError(f"{field}: {MIN_DIGITS} to {MAX_DIGITS} digits, far more given")
        value = str(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        raise InvalidMessageError(
            f"{field}: one phone number, a list of {len(value)} given; "
            "for several use recipients of a broadcast, or .expand(recipient=[...])"
        )
    if value is None or value == "":
        raise InvalidMessageError(f"{field}: a phone number is required, none given")
    if not isinstance(value, str):
        raise InvalidMessageError(f"{field}: must be a phone number as text, {type(value).__name__} given")
    return _digits_of(value.strip(), field)


def _digits_of(written: str, field: str) -> str:
    if _DECIMAL.fullmatch(written):
        raise InvalidMessageError(
            f"{field}: must be a phone number, a decimal number given ({mask_phone(written)}); "
            "give it as text, so that no decimal point gets into it"
        )
    if sum(1 for part in _BETWEEN_NUMBERS.split(written) if _DIGIT.search(part)) > 1:
        raise InvalidMessageError(
            f"{field}: one phone number, several given ({mask_phone(written)}); "
            "for several use recipients of a broadcast, or .expand(recipient=[...])"
        )
    number = _WRITTEN_AROUND_DIGITS.sub("", _TRUNK_ZERO.sub("", written))
    if number.startswith(("+", "＋")):
        number = number[1:]
    elif number.startswith("00"):
        number = number[2:]
    try:
        digits = "".join(str(unicodedata.decimal(character)) for character in number)
    except ValueError:
        raise InvalidMessageError(
            f"{field}: must be a phone number of digits, for example +86 147-1800-4557; "
            f"{mask_phone(written)!r} given"
        ) from None
    if not MIN_DIGITS <= len(digits) <= MAX_DIGITS:
        raise InvalidMessageError(
            f"{field}: {MIN_DIGITS} to {MAX_DIGITS} digits, {len(digits)} given ({mask_phone(written)})"
        )
    if digits.startswith("0"):
        raise InvalidMessageError(
            f"{field}: must begin with the country code, as in +86 147-1800-4557; "
            f"no country code begins with 0 ({mask_phone(written)})"
        )
    return digits


def split_numbers(recipients: object) -> list[object]:
    """Take recipients apart, in each of the forms they may be given in, without judging any.

    :param recipients: one number, several in a text separated by commas, semicolons or lines, or a list.
    :return: what is to be one number each.
    """
    if isinstance(recipients, str):
        return [entry for entry in _BETWEEN_NUMBERS.split(recipients) if entry.strip()]
    if isinstance(recipients, (list, tuple, set, frozenset)):
        return list(recipients)
    return [] if recipients is None else [recipients]


def mask_phone(number: str) -> str:
    """Shorten a number for logs and errors to its two first and two last characters.

    :param number: any text that may hold a phone number.
    """
    marks = [character for character in number if not character.isspace()]
    if len(marks) <= 4:
        return "".join("*" for _ in marks)
    return f"{marks[0]}{marks[1]}…{marks[-2]}{marks[-1]}"


def mask_phone_numbers(text: str) -> str:
    """Shorten each phone number in a text.

    :param text: words of anybody's.
    """

    def shortened(number: re.Match[str]) -> str:
        plus = "+" if number[0].startswith("+") else ""
        return plus + mask_phone(number[0].removeprefix("+"))

    return _PHONE_NUMBER.sub(shortened, text)

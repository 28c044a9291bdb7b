"""Validators of single values, and the base of all models."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from numbers import Number
from os import PathLike
from string import punctuation
from typing import Annotated, ClassVar, Final, TypeAlias, TypeVar
from urllib.parse import quote, urlsplit
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

from airflow_provider_itnio.api.characters import is_invisible, show_invisible
from airflow_provider_itnio.api.describe import describe_value, link_without_query
from airflow_provider_itnio.api.values import (
    has_lost_digits,
    integral,
    is_infinite,
    is_missing,
    plain_scalar,
    type_name,
)

CUSTOM_MESSAGE: Final = "wa/custom/sendMsg"
TEMPLATE_MESSAGE: Final = "wa/template/sendMsg"

MAX_INTEGER: Final = 2**63 - 1

IsUnrendered: TypeAlias = Callable[[object], bool]
"""Returns whether a value in a DAG file is not known before it is rendered, such as a template."""


def rule_error(sentence: str) -> PydanticCustomError:
    """Create a validation error whose text is the given sentence."""
    return PydanticCustomError("rule", "{sentence}", {"sentence": sentence})


def never_unrendered(value: object) -> bool:
    """Return ``False``: all values are rendered."""
    return False


def unrendered_rule(info: ValidationInfo) -> IsUnrendered:
    """Return the ``is_unrendered`` of this validation."""
    return info.context["is_unrendered"] if info.context else never_unrendered


# Types that are accepted as text and written by ``str``.
_SCALARS = (Number, date, time, timedelta, UUID)


def text_value(value: object) -> str:
    """Read a text, or write a scalar as text."""
    value = value if type(value) is str else plain_scalar(value)
    if isinstance(value, _SCALARS) and not is_missing(value) and not is_infinite(value):
        return _scalar_text(value)
    if isinstance(value, str):
        if not value or value.isspace():
            raise rule_error("must not be empty")
        if not value.isascii():
            if is_invisible(value):
                raise rule_error("must not be empty; it contains only invisible characters")
            try:
                value.encode()
            except UnicodeEncodeError:
                raise rule_error("must be valid Unicode text; it has an unpaired surrogate") from None
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        raise rule_error(
            f"must be text, {describe_value(value)} given; join it, for example with | join(', ')"
        )
    raise rule_error(f"must be text, {describe_value(value)} given")


def _scalar_text(scalar: object) -> str:
    try:
        return str(scalar)
    except ValueError:  # more digits than Python converts to text
        raise rule_error("must be text, a number too large given") from None
    except Exception:
        raise rule_error(f"must be text, {describe_value(scalar)} given") from None


def is_blank(value: object) -> bool:
    """Return whether a value counts as not given: ``None``, or text that is empty or only whitespace."""
    return value is None or (isinstance(value, str) and not value.strip())


def optional_text(value: object) -> str | None:
    """Read an optional text."""
    return None if is_blank(value) else text_value(value)


def phone_text(value: object) -> str:
    """Read a phone number that is only shown: a text as it is, a whole number (also a float) as digits."""
    number = integral(value)
    return text_value(value if number is None else number)


def optional_phone_text(value: object) -> str | None:
    """Read an optional phone number that is only shown."""
    return None if is_blank(value) else phone_text(value)


def optional_list(value: object) -> object:
    """Read an optional list; an empty one counts as not given."""
    return None if isinstance(value, (list, tuple)) and not value else value


_NOT_A_PATH: Final = (
    "; WhatsApp fetches the link itself and can't read your files or buckets: "
    "give a public https:// link, or give a file in object storage as "
    '{"object": "s3://conn@bucket/report.pdf"}, which is signed before it is sent'
)


def link_value(value: object) -> str:
    """Read a link. Characters that are not ASCII are percent-encoded; the host name is encoded with IDNA."""
    if isinstance(value, PathLike):
        value = str(value)
    text = text_value(value).strip()
    given = f"{describe_value(link_without_query(text))} given"
    if not text.lower().startswith(("http://", "https://")):
        name = "/" not in text and "." in text
        is_path = name or re.match(r"[/.~]|file:|(?!https?:)[\w+.-]+:[/\\]", text)
        raise rule_error(f"must be an http:// or https:// link, {given}{_NOT_A_PATH if is_path else ''}")
    if re.search(r"\s", text):
        raise rule_error(f"must not contain spaces or line breaks, {given}; write a space as %20")
    if show_invisible(text) != text:
        raise rule_error(f"must not contain invisible characters, {given}; remove them")
    try:
        parts = urlsplit(text)
        if not parts.hostname or parts.port == 0:
            raise ValueError
        if not text.isascii():
            host = parts.netloc.encode("idna").decode()
            text = quote(parts._replace(netloc=host).geturl(), safe=punctuation)
    except ValueError:
        raise rule_error(f"must be an http:// or https:// link, {given}") from None
    return text


def optional_link(value: object) -> str | None:
    """Read an optional link."""
    return None if is_blank(value) else link_value(value)


def one_line(value: object) -> str:
    """Read a parameter of a WhatsApp template, which must be a single line."""
    text = text_value(value)
    if re.search(r"[\n\r\t\v\f\x85\u2028\u2029]| {5}", text):
        raise rule_error(
            "must not contain line breaks, tabs or more than four spaces in a row, as WhatsApp requires"
        )
    return text


def degrees(limit: int) -> BeforeValidator:
    """Return a validator for decimal degrees from ``-limit`` to ``limit``, as text or any real number."""

    def check(value: object) -> str:
        is_number = isinstance(value, Number) and not isinstance(value, bool)
        if is_missing(value):
            text = ""
        elif is_number:
            text = _scalar_text(float(value) if isinstance(value, Fraction) else value)
        else:
            text = text_value(value).strip()
        exponent = r"([eE][+-]?\d{1,9})?" if is_number else ""
        match = re.fullmatch(rf"[+-]?\d+(\.\d+)?{exponent}", text, re.ASCII)
        if not match or not -limit <= (number := Decimal(text)) <= limit:
            raise rule_error(
                f"must be decimal degrees from -{limit} to {limit}, {describe_value(text or value)} given"
            )
        if not exponent or not match[2]:
            return text
        # A number very close to zero would need a very long text.
        return format(number if number.adjusted() > -20 else Decimal(0), "f")

    return BeforeValidator(check)


def matching(pattern: str, sentence: str) -> BeforeValidator:
    """Return a validator for a text that matches a pattern; its error begins with the sentence."""
    regex = re.compile(pattern)

    def check(value: object) -> str:
        text = text_value(value)
        if not regex.fullmatch(text):
            raise rule_error(f"{sentence}, {describe_value(text)} given")
        return text

    return BeforeValidator(check)


def parse_integer(value: object) -> object:
    """Read a whole number of any numeric type, or as text."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        raise rule_error("must be a whole number, a bool given")
    if has_lost_digits(value):
        raise rule_error(
            f"must be a whole number, a {type_name(value)} that has lost digits given; give it as int or text"
        )
    number = integral(value)
    if number is None:
        raise rule_error(f"must be a whole number, {describe_value(value)} given")
    if abs(number) > MAX_INTEGER:
        raise rule_error("must be a whole number, a number too large given")
    return number


RequiredText = Annotated[str, BeforeValidator(text_value)]
OptionalText = Annotated[str | None, BeforeValidator(optional_text)]
OneLine = BeforeValidator(one_line)
OptionalLink = Annotated[str | None, BeforeValidator(optional_link)]
Text20 = Annotated[str, BeforeValidator(text_value), StringConstraints(max_length=20)]
Text24 = Annotated[str, BeforeValidator(text_value), StringConstraints(max_length=24)]
Text60 = Annotated[str, BeforeValidator(text_value), StringConstraints(max_length=60)]
Text1024 = Annotated[str, BeforeValidator(text_value), StringConstraints(max_length=1024)]
Caption = Annotated[Annotated[str, StringConstraints(max_length=1024)] | None, BeforeValidator(optional_text)]
Longitude = Annotated[str, degrees(180)]
Latitude = Annotated[str, degrees(90)]
Item = TypeVar("Item")
OptionalList = Annotated[list[Item] | None, BeforeValidator(optional_list)]


class Part(BaseModel):
    """A part of a message, without unknown keys. Its repr hides its values, which may be phone numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(type(self).model_fields)})"

    __str__ = __repr__


def refuse_duplicates(values: list[str], path: str, info: ValidationInfo) -> None:
    """Refuse duplicates of a value that must be unique in a message."""
    seen: set[str] = set()
    for value in values:
        if value in seen and not unrendered_rule(info)(value):
            raise rule_error(f"each {path} only once in a message, {describe_value(value)} given twice")
        seen.add(value)


class ContentModel(Part):
    """Base of the models of whole messages."""

    endpoint: ClassVar[str] = CUSTOM_MESSAGE

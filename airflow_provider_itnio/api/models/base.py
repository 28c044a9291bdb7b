"""What a single value of a message may be, and the base of all models."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, ClassVar, Final, TypeAlias, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from airflow_provider_itnio.api.validation_errors import (
    describe_value,
    link_without_query,
)

CUSTOM_MESSAGE: Final = "wa/custom/sendMsg"
TEMPLATE_MESSAGE: Final = "wa/template/sendMsg"

LARGEST_NUMBER: Final = 2**63 - 1

IsUnrendered: TypeAlias = Callable[[object], bool]
"""Says of a value in a DAG file that only rendering will tell what it is."""


def rule_error(sentence: str) -> PydanticCustomError:
    """Make the error of a rule that pydantic has no word for.

    :param sentence: the limit and what was given.
    """
    return PydanticCustomError("rule", "{sentence}", {"sentence": sentence})


def never_unrendered(value: object) -> bool:
    """Say that everything is rendered."""
    return False


def unrendered_rule(info: ValidationInfo) -> IsUnrendered:
    """Give the rule by which this validation knows an unrendered value."""
    return info.context["is_unrendered"] if info.context else never_unrendered


# Native rendering makes these of a text that looks like one.
_SCALARS = (bool, int, float, Decimal, date, UUID)


def text_value(value: object) -> str:
    """Read a text, or a scalar as the text that it writes itself as."""
    if isinstance(value, _SCALARS):
        try:
            return str(value)
        except ValueError:  # more digits than Python writes
            raise rule_error("must be text, a number too large given") from None
    if isinstance(value, str):
        if not value or value.isspace():
            raise rule_error("must not be empty")
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise rule_error("must be valid Unicode text, a lone surrogate given") from None
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        raise rule_error(
            f"must be text, {describe_value(value)} given; join it, for example with | join(', ')"
        )
    raise rule_error(f"must be text, {describe_value(value)} given")


def is_blank(value: object) -> bool:
    """Say whether a value counts as not given."""
    return value is None or (isinstance(value, str) and not value.strip())


def optional_text(value: object) -> str | None:
    """Read a text that may be left out."""
    return None if is_blank(value) else text_value(value)


def optional_list(value: object) -> object:
    """Read a list that may be left out or empty."""
    return None if isinstance(value, (list, tuple)) and not value else value


def link_value(value: object) -> str:
    """Read a link."""
    text = text_value(value)
    text = text.strip()
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\x00-\x1f]", text):
        raise rule_error(
            f"must be an http:// or https:// link, {describe_value(link_without_query(text))} given"
        )
    return text


def optional_link(value: object) -> str | None:
    """Read a link that may be left out."""
    return None if optional_text(value) is None else link_value(value)


def one_line(value: object) -> str:
    """Read a value of a WhatsApp template, which stands in one line."""
    text = text_value(value)
    if re.search(r"[\n\r\t\v\f\x85\u2028\u2029]", text) or "    " in text:
        raise rule_error("must hold no line break, no tab and no four blanks in a row, as WhatsApp demands")
    return text


def degrees(limit: int) -> BeforeValidator:
    """Make the validator of decimal degrees from ``-limit`` to ``limit``."""

    def check(value: object) -> str:
        if isinstance(value, float):
            value = format(Decimal(repr(value)), "f")
        text = text_value(value)
        text = text.strip()
        written = re.fullmatch(r"[+-]?\d+(\.\d+)?", text, re.ASCII)
        if not written or not -limit <= Decimal(text) <= limit:
            raise rule_error(
                f"must be decimal degrees from -{limit} to {limit}, {describe_value(text)} given"
            )
        return text

    return BeforeValidator(check)


def matching(pattern: str, sentence: str) -> BeforeValidator:
    """Take a text of one shape; the sentence says which, to whoever gave another."""
    shape = re.compile(pattern)

    def check(value: object) -> str:
        text = text_value(value)
        if not shape.fullmatch(text):
            raise rule_error(f"{sentence}, {describe_value(text)} given")
        return text

    return BeforeValidator(check)


def whole_number(value: object) -> object:
    """Read a whole number, also written as text."""
    if isinstance(value, bool):
        raise rule_error("must be a whole number, a bool given")
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise rule_error("must be a whole number, a number too large given")
    return value.strip() if isinstance(value, str) else value


RequiredText = Annotated[str, BeforeValidator(text_value)]
OptionalText = Annotated[str | None, BeforeValidator(optional_text)]
OneLine = BeforeValidator(one_line)
Link = Annotated[str, BeforeValidator(link_value)]
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
    """A part of a message: no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)


def refuse_repeated(values: list[str], path: str, info: ValidationInfo) -> None:
    """Refuse a value that a message may hold only once."""
    seen: set[str] = set()
    for value in values:
        if value in seen and not unrendered_rule(info)(value):
            raise rule_error(f"each {path} only once in a message, {describe_value(value)} given twice")
        seen.add(value)


class ContentModel(Part):
    """The object of one message type."""

    endpoint: ClassVar[str] = CUSTOM_MESSAGE

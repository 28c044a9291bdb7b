"""Checks of single parameters: a number in a range, one of a few words, a name, true or false."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from numbers import Number
from typing import Any, Final, Literal, TypeAlias, TypeVar, get_args

from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import InvalidParameterError
from airflow_provider_itnio.api.values import integral, plain_scalar

Delivery: TypeAlias = Literal["at_least_once", "at_most_once"]
"""What matters more if the outcome of a message is unknown: not to lose it, or not to send it twice."""

STATUS_ORDER: Final = ("none", "sent", "delivered", "read")
"""Statuses of an accepted message that does not fail, in order. ``none``: nothing was pushed yet."""
REACHABLE: Final = STATUS_ORDER[1:]
"""Statuses that a task can wait for."""

_MAX_SHOWN_SECONDS: Final = 1e9
"""Seconds, about 30 years, up to which an error also shows the time in days."""

Kind = TypeVar("Kind", int, float)


def check_number(name: str, value: object, lowest: float, highest: float, kind: type[Kind]) -> Kind:
    """Check a number of any numeric type.

    :param name: the parameter's name, for errors.
    :param value: the value that was given.
    :param lowest: the smallest valid number.
    :param highest: the largest valid number.
    :param kind: ``int`` for a whole number, else ``float``.
    :return: the number as an ``int`` or ``float``.
    :raises InvalidParameterError: if the value is no such number.
    """
    number = integral(value) if kind is int else _real(value)
    if number is None or not lowest <= number <= highest:
        word = "whole number" if kind is int else "number"
        raise InvalidParameterError(
            f"{name}: must be a {word} from {lowest:.15g} to {highest:.15g}, {describe_number(value)} given"
        )
    return kind(number)


def describe_number(value: object) -> str:
    """Describe a number, or a text with a number, like :func:`describe_value`.

    A number with so many digits that it could be a phone number is rounded to two digits: ``8.6e+12``.
    """
    given = describe_value(value)
    if "…" not in given:
        return given
    try:
        return f"{float(str(value)):.2g}"
    except ValueError:
        return given


def check_seconds(name: str, value: object, lowest: float, highest: float) -> float:
    """Check a duration.

    :param name: the parameter's name, for errors.
    :param value: a timedelta, or seconds.
    :param lowest: the fewest seconds that are valid.
    :param highest: the most seconds that are valid.
    :return: the seconds.
    :raises InvalidParameterError: if the value is no such duration.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    number = _real(seconds)
    if number is not None and lowest <= number <= highest:
        return number
    given = describe_number(seconds if number is not None else value)
    if number is not None and 0 < number < _MAX_SHOWN_SECONDS:
        given = _span(number) if isinstance(value, timedelta) else f"{given} ({_span(number)})"
    raise InvalidParameterError(
        f"{name}: must be a number from {lowest:.15g} to {highest:.15g} (seconds, {_span(highest)} at most, "
        f"or a timedelta), {given} given"
    )


def _span(seconds: float) -> str:
    """Format a duration as "7 days" or "0:00:30"."""
    return str(timedelta(seconds=seconds)).removesuffix(", 0:00:00")


def _real(value: Any) -> float | None:
    try:
        is_number = isinstance(value, Number) and not isinstance(value, bool)
        return float(value) if is_number else None
    except Exception:
        return None


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Check that a parameter is one of some words.

    :param name: the parameter's name, for errors.
    :param value: the value that was given.
    :param choices: the valid words.
    :raises InvalidParameterError: if it is something else. An enum is always refused: its hash may not be
        that of the word.
    """
    word = None if _is_enum(value) else plain_scalar(value)
    if type(word) is not str or word not in choices:
        raise InvalidParameterError(f"{name}: must be one of {', '.join(choices)}; {_describe_given(value)}")


def check_name(name: str, value: object) -> str:
    """Check the name of something, such as a connection's id.

    :return: the name without leading and trailing whitespace.
    :raises InvalidParameterError: if it is empty, or neither text nor a whole number.
    """
    word = plain_scalar(value)
    if type(word) not in (str, int):
        raise InvalidParameterError(f"{name}: must be text, {describe_value(value)} given")
    if not str(word).strip():
        raise InvalidParameterError(f"{name}: must not be empty")
    return str(word).strip()


def check_delivery(delivery: object) -> None:
    """Check that ``delivery`` is ``at_least_once`` or ``at_most_once``.

    :raises InvalidParameterError: if it is something else.
    """
    check_choice("delivery", delivery, get_args(Delivery))


def check_flag(name: str, value: object) -> None:
    """Check that a parameter is ``True`` or ``False``.

    :param name: the parameter's name, for errors.
    :param value: the value that was given.
    :raises InvalidParameterError: if it is something else, such as the text "no".
    """
    if _is_enum(value) or type(plain_scalar(value)) is not bool:  # an enum is always true
        raise InvalidParameterError(f"{name}: must be True or False, {_describe_given(value)}")


def _is_enum(value: object) -> bool:
    return issubclass(type(value), Enum)  # isinstance reads value.__class__, which may raise


def _describe_given(value: object) -> str:
    return f"{'an enum in place of its .value ' if _is_enum(value) else ''}{describe_value(value)} given"


def check_link_options(link_expires_in: object, check_link: object) -> int:
    """Check the two parameters for links to a message's file.

    :param link_expires_in: how long a signed link is valid: a timedelta, or seconds, from 60 seconds to 7
        days, the most that S3 allows.
    :param check_link: whether plain links are fetched and checked.
    :return: ``link_expires_in`` in seconds.
    :raises InvalidParameterError: if one of them is invalid.
    """
    check_flag("check_link", check_link)
    return int(check_seconds("link_expires_in", link_expires_in, 60, 604_800))

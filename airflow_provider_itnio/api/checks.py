"""What a single parameter may be: a number in a range, one of a few words, or a name."""

from __future__ import annotations

from datetime import timedelta
from numbers import Number
from typing import Any, Final, Literal, TypeAlias, TypeVar, get_args

from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import InvalidParameterError
from airflow_provider_itnio.api.values import integral, plain_scalar

Delivery: TypeAlias = Literal["at_least_once", "at_most_once"]
"""What matters more where the outcome of a message is unknown: that it is not lost, or not sent twice."""

STATUS_ORDER: Final = ("none", "sent", "delivered", "read")
"""What becomes of an accepted message, in this order, unless it fails. ``none``: nothing was pushed yet."""
REACHABLE: Final = STATUS_ORDER[1:]
"""What can be waited for."""

Kind = TypeVar("Kind", int, float)


def check_number(name: str, value: object, lowest: float, highest: float, kind: type[Kind]) -> Kind:
    """Check a number, which may be of any numeric type.

    :param name: the name an error gives it.
    :param value: what was given.
    :param lowest: the least it may be.
    :param highest: the most it may be.
    :param kind: ``int`` for a whole number, else ``float``.
    :return: the number as Python's own.
    :raises InvalidParameterError: if it is something else.
    """
    number = integral(value) if kind is int else _real(value)
    if number is None or not lowest <= number <= highest:
        word = "whole number" if kind is int else "number"
        raise InvalidParameterError(
            f"{name}: must be a {word} from {lowest:g} to {highest:g}, {describe_value(value)} given"
        )
    return kind(number)


def _real(value: Any) -> float | None:
    try:
        is_number = isinstance(value, Number) and not isinstance(value, bool)
        return float(value) if is_number else None
    except Exception:
        return None


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Check a word.

    :param name: the name an error gives it.
    :param value: what was given.
    :param choices: the words it may be.
    :raises InvalidParameterError: if it is something else.
    """
    word = plain_scalar(value)
    if type(word) is not str or word not in choices:
        raise InvalidParameterError(
            f"{name}: must be one of {', '.join(choices)}; {describe_value(value)} given"
        )


def check_name(name: str, value: object) -> str:
    """Check the name of something, such as a connection's id.

    :return: the name without blanks around it.
    :raises InvalidParameterError: if it is no text (a whole number counts as one), or empty.
    """
    word = plain_scalar(value)
    if type(word) not in (str, int):
        raise InvalidParameterError(f"{name}: must be text, {describe_value(value)} given")
    if not str(word).strip():
        raise InvalidParameterError(f"{name}: must not be empty")
    return str(word).strip()


def check_delivery(delivery: object) -> None:
    """Check what was given for ``delivery``.

    :param delivery: ``at_least_once`` or ``at_most_once``.
    :raises InvalidParameterError: if it is something else.
    """
    check_choice("delivery", delivery, get_args(Delivery))


def check_flag(name: str, value: object) -> None:
    """Check that a parameter is true or false.

    :param name: the name an error gives it.
    :param value: what was given.
    :raises InvalidParameterError: if it is something else, such as the text "no".
    """
    if type(plain_scalar(value)) is not bool:
        raise InvalidParameterError(f"{name}: must be True or False, {describe_value(value)} given")


def check_link_options(link_expires_in: object, check_link: object) -> int:
    """Check how a message's file is given to WhatsApp.

    :param link_expires_in: for how long a signed link can be fetched: a timedelta, or seconds. S3 takes at
        most 7 days.
    :param check_link: whether plain links are fetched and checked.
    :return: the seconds of the first.
    :raises InvalidParameterError: if one of them is something else.
    """
    seconds = link_expires_in.total_seconds() if isinstance(link_expires_in, timedelta) else link_expires_in
    check_flag("check_link", check_link)
    try:
        return int(check_number("link_expires_in", seconds, 60, 604_800, float))
    except InvalidParameterError as error:
        raise InvalidParameterError(f"{error} (seconds, or a timedelta)") from None

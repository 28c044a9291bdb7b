"""What a single parameter may be: a number in a range, or one of a few words."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from airflow_provider_itnio.api.errors import InvalidParameterError

__all__ = ["Delivery", "check_delivery", "check_number"]

Delivery: TypeAlias = Literal["at_least_once", "at_most_once"]
"""What matters more where the outcome of a message is unknown: that it is not lost, or not sent twice."""


def check_number(name: str, value: object, lowest: float, highest: float, *, whole: bool) -> None:
    """Check a number.

    :param name: the name an error gives it.
    :param value: what was given.
    :param lowest: the least it may be.
    :param highest: the most it may be.
    :param whole: whether it must be a whole number.
    :raises InvalidParameterError: if it is something else.
    """
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not lowest <= value <= highest:
        kind = "whole number" if whole else "number"
        raise InvalidParameterError(
            f"{name}: must be a {kind} from {lowest:g} to {highest:g}, {value!r:.60} given"
        )


def check_delivery(delivery: object) -> None:
    """Check what was given for ``delivery``.

    :param delivery: ``at_least_once`` or ``at_most_once``.
    :raises InvalidParameterError: if it is something else.
    """
    if delivery not in get_args(Delivery):
        raise InvalidParameterError(
            f"delivery: must be one of {', '.join(get_args(Delivery))}; {delivery!r:.60} given"
        )

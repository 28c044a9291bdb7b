"""Whether a number that a task or a notifier is given lies within its limits."""

from __future__ import annotations

from airflow_provider_itnio.api.errors import InvalidMessageError

__all__ = ["check_number"]


def check_number(name: str, value: object, lowest: float, highest: float, *, whole: bool) -> None:
    """Check a number.

    :param name: the name an error gives it.
    :param value: what was given.
    :param lowest: the least it may be.
    :param highest: the most it may be.
    :param whole: whether it must be a whole number.
    :raises InvalidMessageError: if it is something else.
    """
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not lowest <= value <= highest:
        kind = "whole number" if whole else "number"
        raise InvalidMessageError(
            f"{name}: must be a {kind} from {lowest:g} to {highest:g}, {value!r:.60} given"
        )

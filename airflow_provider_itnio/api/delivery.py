"""What matters more where nobody can say what became of a message: that none is lost, or none sent twice."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from airflow_provider_itnio.api.errors import InvalidMessageError

__all__ = ["Delivery", "check_delivery"]

Delivery: TypeAlias = Literal["at_least_once", "at_most_once"]


def check_delivery(delivery: object) -> None:
    """Check what was given for ``delivery``.

    :param delivery: ``at_least_once`` or ``at_most_once``.
    :raises InvalidMessageError: if it is something else.
    """
    if delivery not in get_args(Delivery):
        raise InvalidMessageError(
            f"delivery: must be one of {', '.join(get_args(Delivery))}; {delivery!r:.60} given"
        )

"""What a value from data is, by what it can do: a gap, a whole number, a scalar.

Data comes from data frames, databases and files. numpy and pandas are never imported: their values are known
by how they behave. No function here raises, whatever it is given.
"""

from __future__ import annotations

import operator
from decimal import Decimal
from numbers import Number
from typing import Any

__all__ = ["integral", "is_gap", "plain_scalar"]


def is_gap(value: Any) -> bool:
    """Say whether a value stands for a missing one: ``None``, NaN of any type, ``NaT``, ``pandas.NA``.

    :param value: anything.
    """
    if value is None:
        return True
    if isinstance(value, (str, int, list, tuple, dict)):
        return False
    if isinstance(value, Decimal):
        return value.is_nan()  # a signalling NaN can't be compared
    try:
        differs = value != value  # noqa: PLR0124 - what NaN is known by
        # An array compares by element; NA gives itself.
        return differs is value or (getattr(differs, "ndim", 0) == 0 and bool(differs))
    except Exception:
        return False


def integral(value: Any) -> int | None:
    """Give the whole number that a value is, ``None`` if it is none.

    ``5``, ``5.0``, ``Decimal("5")`` and numpy's and pandas' scalars are; ``True`` and ``"5"`` are not.

    :param value: anything.
    """
    if isinstance(value, bool):
        return None
    try:
        if hasattr(value, "__index__"):
            return operator.index(value)
        is_number = isinstance(value, Number)
        return int(value) if is_number and int(value) == value else None
    except Exception:
        return None


def plain_scalar(value: Any) -> Any:
    """Give the Python value that a scalar of numpy holds; anything else as it is.

    :param value: anything.
    """
    try:
        return value.item() if getattr(value, "ndim", None) == 0 else value
    except Exception:
        return value

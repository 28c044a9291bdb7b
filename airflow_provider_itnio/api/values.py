"""Classify values from data: missing values, whole numbers, scalars.

Data comes from data frames, databases and files. numpy and pandas are never imported: their values are
recognized by how they behave. Except :func:`plain_data`, no function here raises.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from numbers import Integral, Number, Rational, Real
from typing import Any, Final

_MAX_DEPTH: Final = 12
"""How deep data may be nested. A message needs nine levels."""
_MAX_DIGITS: Final = 5000
"""Most digits of a Decimal to convert to an int: ``Decimal("1E+999999999")`` would fill the memory."""


def type_name(value: object) -> str:
    """Return the name of a value's type for an error."""
    try:
        name = type(value).__name__
        return name if name.isidentifier() and len(name) <= 60 else "object"
    except Exception:
        return "object"


def is_missing(value: Any) -> bool:
    """Return whether a value is a missing value: ``None``, NaN of any type, ``NaT``, ``pandas.NA``."""
    if value is None:
        return True
    try:
        if isinstance(value, (str, int, list, tuple, dict)):
            return False
        if isinstance(value, Decimal):
            return value.is_nan()  # a signalling NaN can't be compared
        if hasattr(type(value), "as_py"):  # of pyarrow, whose null is equal to itself
            return is_missing(value.as_py())
        differs = value != value  # noqa: PLR0124 - NaN differs from itself
        # An array compares by element; pandas.NA returns itself.
        return differs is value or (getattr(differs, "ndim", 0) == 0 and bool(differs))
    except Exception:
        return False


def is_unset(value: object) -> bool:
    """Return whether a parameter counts as not given: ``None`` or an empty text."""
    return value is None or (isinstance(value, str) and not value)


def is_infinite(value: Any) -> bool:
    """Return whether a value is an infinite number of any type."""
    try:
        return isinstance(value, (Real, Decimal)) and math.isinf(value)
    except Exception:
        return False


def has_lost_digits(value: Any) -> bool:
    """Return whether a float is so large that its type can't represent all whole numbers near it.

    This is so from ``2**53`` on, about 9e15, for Python's floats and from 16,777,216 on for numpy's float32.
    """
    try:
        if not isinstance(value, Real) or isinstance(value, Rational) or not math.isfinite(value):
            return False
        return bool(value + type(value)(1) == value)  # type: ignore[call-arg]
    except Exception:
        return False


def integral(value: Any) -> int | None:
    """Convert a whole number of any type to an int; return ``None`` if the value is none.

    ``5``, ``5.0``, ``Decimal("5")`` and scalars of numpy and pandas are whole numbers; ``True``, ``"5"`` and
    a float that has lost digits are not.
    """
    try:
        if isinstance(value, bool):
            return None
        if hasattr(value, "__index__"):
            return int(operator.index(value))
        if not isinstance(value, Number) or has_lost_digits(value):
            return None
        if isinstance(value, Decimal) and value.adjusted() > _MAX_DIGITS:
            return None
        number = int(value)  # type: ignore[call-overload]
        return number if number == value else None
    except Exception:
        return None


def plain_scalar(value: Any) -> Any:
    """Convert a scalar to a plain Python value: a scalar of numpy or pyarrow, an enum, a subclass of ``str``.

    A float32 stays as it is: as a Python float, 0.1 would be 0.10000000149011612.

    :return: the plain value; other values are returned as they are.
    """
    try:
        if isinstance(value, Enum):
            return plain_scalar(value.value)
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return int.__add__(value, 0)
        if isinstance(value, float):
            return float.__add__(value, 0.0)
        if hasattr(type(value), "as_py"):  # of pyarrow
            plain = value.as_py()
            return value if plain is None else plain_scalar(plain)
        if getattr(value, "ndim", None) != 0:
            return value
        scalar = value[()]  # the element of an array without dimensions
        if isinstance(scalar, Real) and not isinstance(scalar, (Integral, float)):
            return scalar
        plain = scalar.item()
        kind = getattr(getattr(value, "dtype", None), "kind", "")
        if kind in ("m", "M") and isinstance(plain, int):  # a datetime or timedelta in nanoseconds
            plain = scalar.astype(f"{kind}8[us]").item()
        return value if plain is None else plain  # NaT becomes None: keep NaT, so that errors can name it
    except Exception:
        return value


def plain_data(value: Any, ancestors: tuple[int, ...] = ()) -> Any:
    """Copy data with plain dicts, lists and scalars instead of types that behave like them.

    :param value: anything.
    :param ancestors: the ids of the containers around it.
    :return: the copy. Values that are no mapping, list, tuple or scalar are not copied.
    :raises RecursionError: if it is nested more than 12 levels deep, or contains itself.
    :raises Exception: any error of a mapping or list in it.
    """
    if value is None or type(value) is str:
        return value
    if isinstance(value, (Mapping, list, tuple)):
        if len(ancestors) >= _MAX_DEPTH or id(value) in ancestors:
            raise RecursionError
        ancestors = (*ancestors, id(value))
        if isinstance(value, Mapping):
            return {plain_scalar(key): plain_data(inner, ancestors) for key, inner in value.items()}
        return [plain_data(inner, ancestors) for inner in value]
    return plain_scalar(value)

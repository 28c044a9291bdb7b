"""Whether a parameter is what it has to be; an error names it, its bounds and what was given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def whole(name: str, value: object, least: int, most: float = math.inf) -> int:
    """
    Check a whole number.

    :param value: what was given
    :raises ValueError: if it is something else
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        bounds = f"from {least}" if math.isinf(most) else f"from {least} to {most}"
        raise ValueError(f"{name}: a whole number {bounds}, {value!r:.60} given")
    return value


def seconds(name: str, value: object, most: float = math.inf) -> float:
    """
    Check a number of seconds, from 0.

    :param value: what was given
    :raises ValueError: if it is something else
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        bounds = "from 0" if math.isinf(most) else f"from 0 to {most:g}"
        raise ValueError(f"{name}: seconds, {bounds}, {value!r:.60} given")
    return float(value)


def text(name: str, value: object) -> str:
    """
    Check a text that the environment of a process can hold.

    :param value: what was given
    :raises ValueError: if it is something else
    """
    if not isinstance(value, str):
        raise ValueError(f"{name}: a text, {value!r:.60} given")
    if "\0" in value or any("\ud800" <= one <= "\udfff" for one in value):
        raise ValueError(f"{name}: a text without NUL and lone surrogates, {value!r:.60} given")
    return value


def mapping(name: str, value: object) -> Mapping[Any, Any]:
    """
    Check a dict, for which None is an empty one.

    :param value: what was given
    :raises ValueError: if it is something else
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{name}: a dict, {value!r:.60} given")
    return value

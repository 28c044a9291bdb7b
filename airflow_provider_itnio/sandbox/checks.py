"""Whether a parameter is what it has to be; an error names it, its bounds and what was given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def environment_text(value: object) -> str:
    """
    Check a text that the environment of a process can hold.

    :param value: what was given
    :raises ValueError: if it is something else; it says what is needed
    """
    if not isinstance(value, str):
        raise ValueError("a text")
    if "\0" in value or any("\ud800" <= one <= "\udfff" for one in value):
        raise ValueError("a text without NUL and lone surrogates")
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

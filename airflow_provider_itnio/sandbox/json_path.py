"""Read any JSON by paths: the vendor accepts more than WhatsApp shows."""

from __future__ import annotations

from typing import Any


def values_at(value: Any, *path: str) -> list[Any]:
    """Return the values at the end of a path; for a list on the way, those of all its entries."""
    found = [value]
    for name in path:
        inner = [one.get(name) for one in found if isinstance(one, dict)]
        found = [entry for one in inner for entry in (one if isinstance(one, list) else [one])]
    return found


def objects_at(value: Any, *path: str) -> list[dict[str, Any]]:
    """Return the objects among the values of :func:`values_at`."""
    return [one for one in values_at(value, *path) if isinstance(one, dict)]


def text_at(value: Any, *path: str) -> str:
    """Return the text, number or boolean at the end of a path as text; empty if there is none."""
    found = values_at(value, *path)
    is_one = len(found) == 1 and found[0] is not None and not isinstance(found[0], (dict, list))
    return str(found[0]) if is_one else ""

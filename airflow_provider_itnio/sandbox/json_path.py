"""Reading JSON that may be anything: the vendor accepts more than WhatsApp shows."""

from __future__ import annotations

from typing import Any


def values_at(value: Any, *path: str) -> list[Any]:
    """Give what stands at the end of a path; of a list on the way, what each of its entries has there."""
    found = [value]
    for name in path:
        inner = [one.get(name) for one in found if isinstance(one, dict)]
        found = [entry for one in inner for entry in (one if isinstance(one, list) else [one])]
    return found


def objects_at(value: Any, *path: str) -> list[dict[str, Any]]:
    """Give what stands at the end of a path as :func:`values_at` does, but only the objects."""
    return [one for one in values_at(value, *path) if isinstance(one, dict)]


def text_at(value: Any, *path: str) -> str:
    """Give the text, number or boolean that stands at the end of a path; empty if there is none."""
    found = values_at(value, *path)
    is_one = len(found) == 1 and found[0] is not None and not isinstance(found[0], (dict, list))
    return str(found[0]) if is_one else ""

"""What in a DAG file only rendering will tell, and what rendering must have left behind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

__all__ = [
    "TEMPLATE_EXT",
    "entries_outside_jinja",
    "is_rendered_later",
    "template_files",
    "unread_template_files",
]

TEMPLATE_EXT = (".j2",)
"""Endings that make a value the name of a Jinja file. A text that ends in ``.txt`` or ``.md`` is a text."""

_JINJA_MARKS = ("{{", "{%", "{#")


def is_rendered_later(value: object) -> bool:
    """Say whether a value in a DAG file stands for another that is known when the task runs.

    :param value: anything given to an operator: text with Jinja in it, the name of a Jinja file, the output
        of an upstream task, a ``literal(...)``.
    """
    if isinstance(value, str):
        return value.endswith(TEMPLATE_EXT) or any(mark in value for mark in _JINJA_MARKS)
    return hasattr(value, "iter_references")


def unread_template_files(value: object, path: str) -> Iterator[str]:
    """Find values that are still the name of a Jinja file although everything is rendered.

    :param value: a rendered field.
    :param path: its name.
    :return: one sentence for each.
    """
    for place, file in template_files(value, path):
        yield f"{place}: the Jinja file {file[:60]!r} was not found, or its name came from data"


def template_files(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Find values that are the name of a Jinja file, to any depth.

    :param value: a field.
    :param path: its name.
    :return: for each, where it stands and the name.
    """
    if isinstance(value, str):
        if value.endswith(TEMPLATE_EXT):
            yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from template_files(inner, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from template_files(inner, f"{path}[{index}]")


_ENTRY = re.compile(r"(?:\{\{.*?\}\}|[^,;\n])+", re.DOTALL)


def entries_outside_jinja(text: str) -> list[str]:
    """Take a text of several entries apart, but not where a comma belongs to Jinja.

    :param text: entries separated by commas, semicolons or lines. One with ``{% … %}`` in it stays whole.
    """
    if "{%" in text or "{#" in text:
        return [text]
    return [entry.strip() for entry in _ENTRY.findall(text) if entry.strip()]

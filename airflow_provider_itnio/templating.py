"""What in a DAG file only rendering will tell, and what rendering must have left behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

__all__ = ["TEMPLATE_EXT", "is_rendered_later", "unread_template_files"]

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
    if isinstance(value, str):
        if value.endswith(TEMPLATE_EXT):
            yield f"{path}: the Jinja file {value[:60]!r} was not found, or its name came from data"
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from unread_template_files(inner, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from unread_template_files(inner, f"{path}[{index}]")

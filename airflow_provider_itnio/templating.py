"""What in a DAG file only rendering will tell, and what rendering must have left behind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = [
    "TEMPLATE_EXT",
    "is_rendered_later",
    "leaves",
    "literal_unless_templated",
    "recipient_entries",
    "references_in",
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
    for place, leaf in leaves(value, path):
        if isinstance(leaf, str) and leaf.endswith(TEMPLATE_EXT):
            yield place, leaf


def references_in(value: object, path: str) -> Iterator[str]:
    """Find outputs of upstream tasks in a field, to any depth.

    :param value: a field.
    :param path: its name.
    :return: where each stands.
    """
    for place, leaf in leaves(value, path):
        if hasattr(leaf, "iter_references") and any(True for _ in leaf.iter_references()):
            yield place


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Give what stands in a field of dicts and lists, to any depth.

    :param value: a field.
    :param path: its name.
    :return: for each, where it stands and what it is.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{index}]")
    else:
        yield path, value


def literal_unless_templated(value: Any) -> Any:
    """Keep a list or dict without Jinja from Airflow's renderer, which would compile each text in it.

    :param value: a field as it is given.
    :return: the same, as a ``literal(...)`` if nothing in it is to be rendered.
    """
    if not isinstance(value, (list, tuple, dict)):
        return value
    if any(is_rendered_later(leaf) for _, leaf in leaves(value)):
        return value
    from airflow.providers.common.compat.sdk import literal

    return literal(value)


def recipient_entries(recipients: object) -> list[object]:
    """Take the recipients of a DAG file apart, before anything in them is filled in.

    A comma inside of Jinja separates nothing; a text with ``{% … %}`` in it stays whole.

    :param recipients: one number, several in a text separated by commas, semicolons or lines, or a list.
    """
    from airflow_provider_itnio.api.phone_numbers import split_numbers

    if not isinstance(recipients, str):
        return split_numbers(recipients)
    if "{%" in recipients or "{#" in recipients:
        return [recipients]
    entries = re.findall(r"(?:\{\{.*?\}\}|[^,;\n])+", recipients, re.DOTALL)
    return [entry.strip() for entry in entries if entry.strip()]

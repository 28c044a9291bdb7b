"""What in a DAG file only rendering will tell, and what rendering must have left behind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = [
    "TEMPLATE_EXT",
    "is_list_in_text",
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

_LEVELS = 32
"""How deep Jinja and outputs of upstream tasks are looked for. A message needs nine levels."""

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
    from airflow_provider_itnio.api.describe import describe_value

    for place, file in template_files(value, path):
        yield f"{place}: the Jinja file {describe_value(file)} was not found, or its name came from data"


def template_files(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Find values that are the name of a Jinja file.

    :param value: a field.
    :param path: its name.
    :return: for each, where it stands and the name.
    """
    for place, leaf in leaves(value, path):
        if isinstance(leaf, str) and leaf.endswith(TEMPLATE_EXT):
            yield place, leaf


def references_in(value: object, path: str) -> Iterator[str]:
    """Find outputs of upstream tasks in a field.

    :param value: a field.
    :param path: its name.
    :return: where each stands.
    """
    for place, leaf in leaves(value, path):
        if hasattr(leaf, "iter_references") and any(True for _ in leaf.iter_references()):
            yield place


def leaves(value: object, path: str = "", within: tuple[int, ...] = ()) -> Iterator[tuple[str, object]]:
    """Give what stands in a field of dicts and lists.

    :param value: a field.
    :param path: its name.
    :param within: the ids of what holds it.
    :return: for each, where it stands and what it is. What holds itself, is nested too deep or can't be read
        counts as a leaf.
    """
    is_leaf = len(within) >= _LEVELS or id(value) in within
    try:
        if isinstance(value, Mapping) and not is_leaf:
            inner = [(f"{path}.{key}", one) for key, one in value.items()]
        elif isinstance(value, (list, tuple)) and not is_leaf:
            inner = [(f"{path}[{index}]", one) for index, one in enumerate(value)]
        else:
            inner = None
    except Exception:  # data that fails when it is asked what it holds
        inner = None
    if inner is None:
        yield path, value
        return
    for place, one in inner:
        yield from leaves(one, place, (*within, id(value)))


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


def recipient_entries(recipients: Any) -> list[Any]:
    """Take the recipients of a DAG file apart, before anything in them is filled in.

    A comma inside of Jinja separates nothing; a text with ``{% … %}`` in it, or with a list, stays whole.

    :param recipients: one number, several in a text separated by commas, semicolons or lines, or a list.
    """
    from airflow_provider_itnio.api.phone_numbers import NUMBER_SEPARATORS

    if isinstance(recipients, (list, tuple, set, frozenset)):
        return list(recipients)
    if not isinstance(recipients, str):
        return [] if recipients is None else [recipients]
    is_list = is_list_in_text(recipients) and not recipients.lstrip().startswith("{{")
    if is_list or "{%" in recipients or "{#" in recipients:
        return [recipients]
    entries = re.findall(rf"(?:\{{\{{.*?\}}\}}|[^{NUMBER_SEPARATORS}])+", recipients, re.DOTALL)
    return [entry.strip() for entry in entries if entry.strip()]


def is_list_in_text(text: str) -> bool:
    """Say whether a text begins as a list or dict does, in JSON or as Python writes it.

    :param text: recipients, with or without Jinja.
    """
    return re.match(r"\s*(?:[A-Za-z_]+\()?(?:[\[{]|\(['\"])", text) is not None

"""Finds what in a DAG file is rendered later: Jinja, files of templates, XComs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

TEMPLATE_EXT = (".j2",)
"""Endings that make a value the name of a Jinja file. A text that ends in ``.txt`` or ``.md`` is a text."""

_JINJA_MARKS = ("{{", "{%", "{#")


def is_template_file(value: str, endings: Sequence[str] = TEMPLATE_EXT) -> bool:
    """Return whether a text in a DAG file is the name of a Jinja file; one with a blank in it is none.

    :param value: the text.
    :param endings: those of Jinja files.
    """
    return value.endswith(tuple(endings)) and not re.search(r"\s", value)


def is_reference(value: object) -> bool:
    """Return whether a value stands for data: the output of an upstream task, or what ``literal(...)`` holds.

    :param value: anything. Its type is asked, since data may answer as it likes.
    """
    return hasattr(type(value), "iter_references")


def is_rendered_later(value: Any) -> bool:
    """Return whether a value in a DAG file stands for another that is known when the task runs.

    :param value: anything given to an operator: text with Jinja in it, the name of a Jinja file, the output
        of an upstream task, a ``literal(...)``, a function of ``(context, jinja_env)``.
    """
    if issubclass(type(value), str):
        return is_template_file(value) or any(mark in value for mark in _JINJA_MARKS)
    return is_reference(value) or callable(value)


def jinja_texts(value: object) -> Iterator[Any]:
    """Find texts that are to be rendered, to any depth."""
    for _, leaf in leaves(value):
        if issubclass(type(leaf), str) and is_rendered_later(leaf):
            yield leaf


def template_files(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Find the names of Jinja files, to any depth.

    :return: for each, where it stands and the name.
    """
    for place, leaf in leaves(value, path):
        if isinstance(leaf, str) and is_template_file(leaf):
            yield place, leaf


def references_in(value: object, path: str) -> Iterator[str]:
    """Find outputs of upstream tasks in a field.

    :return: where each stands.
    """
    for place, leaf in leaves(value, path):
        if is_reference(leaf) and any(True for _ in leaf.iter_references()):  # type: ignore[attr-defined]
            yield place


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield what stands in a field of dicts and lists, to any depth, each dict and list once.

    :return: for each, where it stands and what it is. What holds itself, is nested too deep or can't be read
        counts as a leaf.
    """
    seen: set[int] = set()
    waiting: list[tuple[str, object]] = [(path, value)]
    while waiting:
        place, each = waiting.pop()
        kind = type(each)
        if issubclass(kind, (Mapping, list, tuple)):
            if id(each) not in seen:
                seen.add(id(each))
                waiting += reversed(_entries(each, place))
        else:
            yield place, each


def _entries(value: Any, path: str) -> list[tuple[str, object]]:
    try:
        if issubclass(type(value), Mapping):
            return [(f"{path}.{key}", inner) for key, inner in value.items()]
        return [(f"{path}[{index}]", inner) for index, inner in enumerate(value)]
    except Exception:  # data may answer as it likes
        return []


def literal_unless_templated(recipients: Any) -> Any:
    """Keep recipients without Jinja from Airflow's renderer, which would compile each text in them.

    :param recipients: as they are given. In a list, numbers and the ``phone`` of a dict may be Jinja; what
        else stands in a dict is data.
    :return: the same, as a ``literal(...)`` if nothing in it is to be rendered.
    """
    if not isinstance(recipients, (list, tuple, dict)):
        return recipients
    entries = [recipients] if isinstance(recipients, dict) else recipients
    for entry in entries:
        if is_rendered_later(entry.get("phone") if isinstance(entry, dict) else entry):
            return recipients
    if any(is_reference(leaf) for _, leaf in leaves(recipients)):
        return recipients
    from airflow.providers.common.compat.sdk import literal

    return literal(recipients)


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
    # Of ``{{`` without an end the expression below would look for one again and again.
    is_open = recipients.count("{{") != recipients.count("}}")
    is_open |= recipients.rfind("{{") > recipients.rfind("}}")
    if is_list or is_open or "{%" in recipients or "{#" in recipients:
        return [recipients]
    entries = re.findall(rf"(?:\{{\{{.*?\}}\}}|[^{NUMBER_SEPARATORS}])+", recipients, re.DOTALL)
    return [entry.strip() for entry in entries if entry.strip()]


def is_list_in_text(text: str) -> bool:
    """Return whether a text begins as a list or dict does, in JSON or as Python writes it.

    :param text: recipients, with or without Jinja.
    """
    return re.match(r"\s*(?:[A-Za-z_]+\()?(?:[\[{]|\(['\"])", text) is not None

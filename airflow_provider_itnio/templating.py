"""Finds the values in a DAG file that are rendered later: Jinja, names of Jinja files, XComs."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.values import type_name

TEMPLATE_EXT = (".j2",)
"""Endings of the names of Jinja files. A text that ends in ``.txt`` or ``.md`` is a text."""

_JINJA_MARKS = ("{{", "{%", "{#")


def is_template_file(value: str, endings: Sequence[str] = TEMPLATE_EXT) -> bool:
    """Return whether a text in a DAG file is the name of a Jinja file. A text with a space in it is not.

    :param value: the text.
    :param endings: the endings of Jinja files.
    """
    return value.endswith(tuple(endings)) and not re.search(r"\s", value)


def is_reference(value: object) -> bool:
    """Return whether a value is a reference to data: the output of an upstream task, or a ``literal(...)``.

    :param value: anything. Its type is checked, because an attribute of the value itself may be data.
    """
    return hasattr(type(value), "iter_references")


def is_rendered_later(value: Any) -> bool:
    """Return whether a value in a DAG file is known only when the task runs.

    :param value: anything given to an operator: text with Jinja in it, the name of a Jinja file, the output
        of an upstream task, a ``literal(...)``, a function of ``(context, jinja_env)``.
    """
    if issubclass(type(value), str):
        return is_template_file(value) or any(mark in value for mark in _JINJA_MARKS)
    return is_reference(value) or callable(value)


def check_functions(value: object, path: str) -> None:
    """Check that the functions in a field take the arguments with which rendering calls them.

    :param value: the field.
    :param path: its name for errors.
    :raises InvalidMessageError: if one of them does not. The error tells if it is a task that was not called.
    """
    for where, leaf in leaves(value, path):
        if not callable(leaf) or is_reference(leaf):
            continue
        name = getattr(inspect.unwrap(leaf), "__name__", type_name(leaf))
        if hasattr(leaf, "expand"):
            raise InvalidMessageError(f"{where}: the task {name} is given, not its output; write {name}(…)")
        try:
            inspect.signature(leaf).bind(context=None, jinja_env=None)
        except TypeError:
            parameters = ", ".join(inspect.signature(leaf).parameters)
            raise InvalidMessageError(
                f"{where}: a function must take context and jinja_env, {name}({parameters}) given"
            ) from None
        except ValueError:  # a builtin function has no signature
            continue


def jinja_texts(value: object) -> Iterator[Any]:
    """Yield the texts that will be rendered, at any depth."""
    for _, leaf in leaves(value):
        if issubclass(type(leaf), str) and is_rendered_later(leaf):
            yield leaf


def template_files(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Yield the names of Jinja files, at any depth.

    :return: for each, its path and the name.
    """
    for where, leaf in leaves(value, path):
        if isinstance(leaf, str) and is_template_file(leaf):
            yield where, leaf


def references_in(value: object, path: str) -> Iterator[str]:
    """Yield the paths of outputs of upstream tasks in a field."""
    for where, leaf in leaves(value, path):
        if is_reference(leaf) and any(True for _ in leaf.iter_references()):  # type: ignore[attr-defined]
            yield where


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield the values in a field of dicts and lists, at any depth. Each dict and list is read once.

    :return: for each value, its path and the value. A dict or list that can't be read has no values.
    """
    seen: set[int] = set()
    stack: list[tuple[str, object]] = [(path, value)]
    while stack:
        where, item = stack.pop()
        kind = type(item)
        if issubclass(kind, (Mapping, list, tuple)):
            if id(item) not in seen:
                seen.add(id(item))
                stack += reversed(_entries(item, where))
        else:
            yield where, item


def _entries(value: Any, path: str) -> list[tuple[str, object]]:
    try:
        if issubclass(type(value), Mapping):
            return [(f"{path}.{key}", inner) for key, inner in value.items()]
        return [(f"{path}[{index}]", inner) for index, inner in enumerate(value)]
    except Exception:  # the data's own code may raise
        return []


def literal_unless_templated(recipients: Any) -> Any:
    """Wrap recipients without Jinja in a ``literal(...)``, so that Airflow does not compile their texts.

    :param recipients: the parameter. In a list, numbers and the ``phone`` of a dict may be Jinja; the rest of
        a dict is data.
    :return: the recipients, as a ``literal(...)`` if there is nothing to render.
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
    """Split the recipients of a DAG file into entries, before they are rendered.

    A comma inside Jinja does not separate entries. A text with ``{% … %}``, or with a list, is not split.

    :param recipients: one number, several in a text separated by commas, semicolons or lines, or a list.
    """
    from airflow_provider_itnio.api.phone_numbers import NUMBER_SEPARATORS

    if isinstance(recipients, (list, tuple, set, frozenset)):
        return list(recipients)
    if not isinstance(recipients, str):
        return [] if recipients is None else [recipients]
    is_list = is_list_in_text(recipients) and not recipients.lstrip().startswith("{{")
    # With an unclosed ``{{``, the regular expression below would take too long.
    is_unclosed = recipients.count("{{") != recipients.count("}}")
    is_unclosed |= recipients.rfind("{{") > recipients.rfind("}}")
    if is_list or is_unclosed or "{%" in recipients or "{#" in recipients:
        return [recipients]
    entries = re.findall(rf"(?:\{{\{{.*?\}}\}}|[^{NUMBER_SEPARATORS}])+", recipients, re.DOTALL)
    return [entry.strip() for entry in entries if entry.strip()]


def is_list_in_text(text: str) -> bool:
    """Return whether a text begins like a list or dict, in JSON or as a Python literal.

    :param text: recipients, with or without Jinja.
    """
    return re.match(r"\s*(?:[A-Za-z_]+\()?(?:[\[{]|\(['\"])", text) is not None

"""Values that must not become text: a dict, a function, a connection and other objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from numbers import Number
from typing import Any, Final

from airflow_provider_itnio.api.describe import describe_keys
from airflow_provider_itnio.api.values import is_infinite, type_name

PATH: Final = re.compile(r"[^\W\d]\w*(\.\w+)*")
"""A name, or names with dots, in a Jinja expression."""


class NoTextError(TypeError):
    """A value would become text as Python's ``repr`` shows it.

    :param name: the value's name in the error.
    :param value: the value.
    """

    def __init__(self, name: str, value: Any) -> None:
        path = name if PATH.fullmatch(name) else "…"
        if isinstance(value, Mapping):
            example = next(
                (f", as in {{{{ {path}.{key} }}}}" for key in value if PATH.fullmatch(str(key))), ""
            )
            advice = f"write its values one by one{example}; it has {describe_keys(value) or 'nothing'}"
        elif is_infinite(value):
            advice = f"it is {value}; write a text instead, as in {{{{ '-' if {path} > 1e99 else {path} }}}}"
        elif callable(value):
            advice = f"call it, as in {{{{ {path}() }}}}; it is a function"
        elif hasattr(type(value), "__iter__") and not hasattr(type(value), "model_fields"):  # pydantic
            advice = f"write its entries, as in {{{{ {path} | join(', ') }}}}; it is a {type_name(value)}"
        else:
            advice = f"write one of its values, as in {{{{ {path}.… }}}}; it is a {type_name(value)}"
        super().__init__(f"{name or 'a value'} is no text: {advice}")


def has_text(kind: type) -> bool:
    """Return whether values of a type have a useful text, and not only Python's ``repr`` of any object."""
    if issubclass(kind, (Number, list, tuple, set, frozenset)) or hasattr(kind, "ndim"):
        return True
    write = kind.__str__
    return write is not object.__str__ and not getattr(write, "__module__", "").startswith("pydantic")

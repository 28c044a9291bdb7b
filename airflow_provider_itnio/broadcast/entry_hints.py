"""Hints in errors: how to convert an object to a dict of a recipient, by the methods the object has."""

from __future__ import annotations

from typing import Any, Final

_ROW_HINT: Final = "; give each row as dict(row._mapping), or select with .mappings()"  # of SQLAlchemy
_HINTS_BY_ATTRIBUTE: Final = {
    "model_dump": "give each as a dict (.model_dump())",  # pydantic
    "__dataclass_fields__": "give each as a dict (dataclasses.asdict)",
    "__attrs_attrs__": "give each as a dict (attrs.asdict)",
}


def dict_hint(value: Any) -> str:
    """Return a hint how to convert an object to a dict.

    :param value: the value that was given.
    :return: the rest of a sentence; empty if it is no object with fields.
    """
    kind = type(value)
    if hasattr(kind, "_mapping"):
        return _ROW_HINT
    if hasattr(kind, "__getitem__"):  # a sequence; Airflow's lazy sequences are attrs classes
        return ""
    return next((f"; {hint}" for name, hint in _HINTS_BY_ATTRIBUTE.items() if hasattr(kind, name)), "")


def entry_hint(entry: Any) -> str:
    """Return a hint what to give instead of an invalid entry of a list of recipients.

    :param entry: the entry.
    :return: the rest of a sentence; empty if the entry may be a number or a dict.
    """
    kind = type(entry)
    if hint := dict_hint(entry):
        return hint
    dimensions = getattr(entry, "ndim", 0) if hasattr(kind, "ndim") else 0
    if hasattr(kind, "to_dict") and dimensions:  # pandas
        return "; give each row as a dict (row.to_dict())" if dimensions == 1 else "; give its rows as dicts"
    if dimensions:  # numpy
        return '; make each row a dict, {"phone": row[0], …}'
    is_scalar = hasattr(kind, "ndim") or issubclass(kind, (str, bytes, bytearray, memoryview, set, frozenset))
    if not is_scalar and hasattr(kind, "__len__") and hasattr(kind, "__getitem__"):
        return "; pass it by itself, not in a list; .concat() joins the outputs of several tasks"
    return ""


def rows_of_table(value: Any) -> str | None:
    """Return the call that converts a data frame to a list of dicts.

    :param value: the value that was given.
    :return: the call; ``None`` if the value is no data frame.
    """
    if getattr(value, "ndim", 2) == 1 or not (hasattr(value, "columns") or hasattr(value, "to_dict")):
        return None
    methods = {"to_dicts": "", "to_pylist": "", "to_dict": '"records"'}  # of polars, pyarrow and pandas
    return next((f".{name}({argument})" for name, argument in methods.items() if hasattr(value, name)), None)

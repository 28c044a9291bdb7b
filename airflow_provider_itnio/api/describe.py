"""Describe values in errors and logs: shortened, and without private data."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from numbers import Number
from typing import Any, Final

from airflow_provider_itnio.api.characters import show_invisible
from airflow_provider_itnio.api.masking import mask_phone_numbers
from airflow_provider_itnio.api.values import is_missing, plain_scalar, type_name

_MAX_SHOWN: Final = 60
_MAX_READ: Final = 500
"""Characters of a value that are read. More than are shown, since masking shortens a text."""
_FENCE: Final = "```"
_WORD: Final = r"[\w-]{1,60}"


def truncate(text: str, limit: int) -> str:
    """Cut a text that is too long, and end it with ``…``.

    :param text: any text.
    :param limit: the most characters it may have, including the ``…``.
    """
    return text if len(text) <= limit else f"{text[: max(0, limit - 1)]}…"[:limit]


def truncate_body(text: str, limit: int) -> str:
    """Cut a message's text that is too long, and close a monospaced block that was cut.

    Without the closing fence, WhatsApp shows the opening fence and no monospaced text.

    :param text: any text.
    :param limit: the most characters it may have.
    """
    shortened = truncate(text, limit)
    if shortened == text or not shortened.count(_FENCE) % 2:
        return shortened
    shortened = truncate(text, limit - len(_FENCE) - 1)
    return f"{shortened}\n{_FENCE}" if shortened.count(_FENCE) % 2 else shortened


def describe_value(value: object) -> str:
    """Describe a value for an error: short, and without the items of a list or an object.

    The description has no query of a link and no whole phone number, and shows invisible characters as code
    points. Never raises.
    """
    try:
        return _describe(plain_scalar(value))
    except Exception:
        return f"a value of type {type_name(value)}"


def _describe(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str):
        text = value[:_MAX_READ]
        text = mask_phone_numbers(link_without_query(text) if "://" in text else text)
        return repr(truncate(show_invisible(text), _MAX_SHOWN))
    if isinstance(value, (list, tuple, set, frozenset)):
        return f"a list of {len(value)}"
    if isinstance(value, Mapping):
        return "an object"
    if is_missing(value):
        return f"a missing value ({truncate(str(value), 20)})"
    if isinstance(value, Number):
        try:
            return truncate(mask_phone_numbers(str(value)[:_MAX_READ]), _MAX_SHOWN)
        except ValueError:  # more digits than Python writes
            return "a number too large"
    return f"a value of type {type_name(value)}"


def describe_address(address: str, limit: int = 100) -> str:
    """Describe the address of an object in storage, with its connection id but without password and query.

    :param address: the address.
    :param limit: the most characters to show.
    """
    address = address[:_MAX_READ]
    scheme, separator, rest = address.partition("://")
    conn_id, at, _ = rest.partition("/")[0].rpartition("@")
    bare = link_without_query(address).removeprefix(f"{scheme}{separator}")
    shown = f"{scheme}{separator}{'…' if ':' in conn_id else conn_id}{at}{bare}"
    return repr(truncate(show_invisible(mask_phone_numbers(shown)), limit))


def describe_key(key: object) -> str:
    """Write a key of an object as a part of a path: short, in one line, quoted unless it is a plain word."""
    key = plain_scalar(key)
    if type(key) is not str:
        return f"<{type_name(key)}>"
    return key if re.fullmatch(_WORD, key) and mask_phone_numbers(key) == key else describe_value(key)


def describe_keys(keys: Collection[object]) -> str:
    """List keys of an object or names of columns, as many as fit into an error."""
    shown: list[str] = []
    for key in keys:
        if sum(map(len, shown)) > _MAX_SHOWN:
            break
        shown.append(describe_key(key))
    more = f" and {len(keys) - len(shown)} more" if len(keys) > len(shown) else ""
    return f"{', '.join(shown)}{more}"


def closest_key(name: str, known: Iterable[object], at_least: float = 0.7) -> str:
    """Return the known name that is most similar, ignoring case; empty if none is similar.

    :param name: the name that was written.
    :param known: the valid names.
    :param at_least: how similar it must be, 0 to 1.
    """
    from difflib import get_close_matches

    by_lower = {key.lower(): key for key in known if isinstance(key, str)}
    close = get_close_matches(name.lower(), by_lower, 1, cutoff=at_least)
    return by_lower[close[0]] if close else ""


def link_without_query(link: str) -> str:
    """Remove query, fragment and user name from a link: they may contain a signature or password."""
    bare = link.partition("?")[0].partition("#")[0]
    scheme, separator, rest = bare.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"

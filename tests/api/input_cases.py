"""Hypothesis strategies for values of every kind."""

from __future__ import annotations

from collections import deque
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

quickly = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Odd:
    type = "list"

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __repr__(self) -> str:
        return "Odd()"


WORDS = [
    "body", "link", "caption", "filename", "type", "text", "header", "footer", "action", "buttons",
    "sections",
    "rows", "reply", "id", "title", "button", "list", "location_request_message", "name", "language", "code",
    "components", "parameters", "sub_type", "url", "quick_reply", "index", "payload", "currency", "date_time",
    "image", "document", "location", "latitude", "longitude", "amount_1000", "hour", "formatted_name",
    "phones",
    "phone", "emails", "message", "reply_to", "document", "HOME",
]  # fmt: skip
texts = st.text(max_size=20) | st.sampled_from(
    [*WORDS, "\ud800", "a\nb", "x" * 5000, "https://a.example/?s=1", "1", "en"]
)
numbers = (
    st.integers()
    | st.floats()
    | st.decimals()
    | st.sampled_from([2**63, 1e300, Decimal("sNaN"), float("nan"), True])
    | st.integers(4000, 5000).map(lambda digits: 10**digits)
)
odd = st.sampled_from(
    [
        None,
        b"bytes",
        Odd(),
        object(),
        Odd,
        {1},
        frozenset("a"),
        date(2025, 1, 1),
        range(3),
        deque("ab"),
        iter(()),
    ]
)
keys = st.sampled_from(WORDS) | texts | st.integers() | st.none() | st.booleans() | st.binary(max_size=3)


def wrapped(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.dictionaries(keys, inner, max_size=6)
    return objects | objects.map(MappingProxyType) | st.lists(inner, max_size=4) | st.lists(inner).map(tuple)


anything = st.recursive(texts | numbers | odd, wrapped, max_leaves=25)

"""Values of every kind for tests: scalars of every library, hostile objects, nested containers."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

NUMBER = "8614718004557"


class Hostile:
    """Every access raises, also to its class."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def _fail(self, *args: object) -> Any:
        raise RuntimeError

    __eq__ = __ne__ = __lt__ = __hash__ = __str__ = __repr__ = __bool__ = _fail  # type: ignore[assignment]
    __len__ = __iter__ = __contains__ = __getitem__ = __index__ = __int__ = __float__ = _fail


class HostileText(str):
    """A str whose methods all raise."""

    def _fail(self, *args: object) -> Any:
        raise RuntimeError

    __eq__ = __ne__ = __str__ = __repr__ = __len__ = __iter__ = _fail  # type: ignore[assignment]
    strip = isspace = lower = isascii = encode = _fail  # type: ignore[assignment]
    __hash__ = str.__hash__


class HostileNumber(int):
    """An int whose ``str`` and ``repr`` raise."""

    def _fail(self, *args: object) -> Any:
        raise RuntimeError

    __str__ = __repr__ = __index__ = __int__ = _fail  # type: ignore[assignment]


class HostileDict(Mapping[str, Any]):
    """A mapping whose methods raise."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError

    def __len__(self) -> int:
        raise RuntimeError


class HostileList(list[Any]):
    """A list whose methods raise."""

    def _fail(self, *args: object) -> Any:
        raise RuntimeError

    __iter__ = __len__ = __getitem__ = _fail  # type: ignore[assignment]


class Word(enum.StrEnum):
    LIST = "list"
    TEXT = "text"


Plain = enum.Enum("Plain", {"WORD": "text", "NUMBER": 8614718004557, "LIST": [1]})


def nested(levels: int, *, of: type = list) -> Any:
    """Return a list or dict nested this many levels deep."""
    value: Any = "a"
    for _ in range(levels):
        value = [value] if of is list else {"body": value}
    return value


ITSELF: list[Any] = []
ITSELF.append(ITSELF)
DICT_OF_ITSELF: dict[str, Any] = {}
DICT_OF_ITSELF.update(phone=DICT_OF_ITSELF, body=DICT_OF_ITSELF)

HOSTILE = [Hostile(), HostileText("a"), HostileNumber(NUMBER), HostileDict(), HostileList([1])]
SCALARS = [
    *[
        np.int64(5),
        np.uint8(5),
        np.float64(52.5),
        np.float32(0.1),
        np.float16(1),
        np.bool_(True),
        np.str_("a"),
    ],
    *[np.int64(NUMBER), np.float64(NUMBER), np.float32(NUMBER), np.datetime64("2026-01-02T03:04:05", "ns")],
    *[np.timedelta64(5, "ns"), np.complex128(1j), np.void(b"a"), np.bytes_(b"a"), np.longdouble(1)],
    *[pd.Timestamp(0), pd.Timedelta(1), pd.Interval(0, 1), pd.Period("2026"), pd.Categorical(["a"])],
    *[Decimal("1E+999999999"), Decimal("1E-999999999"), Decimal("Infinity"), Decimal(NUMBER), Fraction(1, 3)],
    *[Word.LIST, Word.TEXT, Plain.WORD, Plain.NUMBER, Plain.LIST, enum.IntEnum("I", {"A": 5}).A],
    *[10**5000, -(10**5000), 1e300, 2.0**60, float("inf"), 1j, True, date(2026, 1, 2), timedelta(1)],
    *[
        "\ud800",
        "nan",
        "\x00",
        "\u200b",
        "",
        " ",
        b"a",
        bytearray(b"a"),
        memoryview(b"a"),
        ...,
        NotImplemented,
    ],
]


class ArrowScalar:
    """Behaves like pyarrow's scalars: a null has a ``str`` and is equal to itself."""

    def __init__(self, value):
        self._value = value

    def as_py(self):
        return self._value

    def __str__(self):
        return str(self._value)


GAPS = [float("nan"), Decimal("NaN"), Decimal("sNaN"), np.float32("nan"), np.datetime64("NaT"), pd.NA, pd.NaT]
GAPS += [ArrowScalar(None), ArrowScalar(float("nan"))]
ARRAYS = [
    *[
        np.array([1]),
        np.array([]),
        np.array(5),
        np.array([[NUMBER]]),
        np.array([None, b"a"], dtype=object),
    ],
    *[pd.Series([NUMBER]), pd.Series([1.5, np.nan]), pd.DataFrame({"phone": [NUMBER]}), pd.Index([1])],
]
NESTED = [ITSELF, DICT_OF_ITSELF, nested(600), nested(600, of=dict), nested(20_000)]

_ODD = [*HOSTILE, *SCALARS, *GAPS, *ARRAYS, *NESTED, None, object(), range(3), iter("ab"), {1}]
# Drawn by index, since hypothesis prints the values to choose from.
odd = st.integers(0, len(_ODD) - 1).map(lambda place: _ODD[place])
numbers = st.integers() | st.floats() | st.decimals() | st.fractions()
texts = st.text(max_size=20) | st.sampled_from(
    [NUMBER, "+86 147-1800-4557", f"['{NUMBER}']", "https://a.example/b"]
)
leaves = odd | numbers | texts


def data(keys: st.SearchStrategy[Any], of: st.SearchStrategy[Any] = leaves) -> st.SearchStrategy[Any]:
    """Draw any data, also in dicts with these keys among others.

    :param keys: keys of the dicts.
    :param of: the values in dicts and lists.
    """
    every = (
        keys | st.integers() | st.none() | st.text(max_size=3) | st.sampled_from([Word.LIST, np.str_("body")])
    )
    return st.recursive(
        of,
        lambda inner: st.dictionaries(every, inner, max_size=4) | st.lists(inner, max_size=4),
        max_leaves=10,
    )

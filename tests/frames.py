"""What an error collector shows of an error: the locals of every frame of every traceback in its chain."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

from urllib3._collections import RecentlyUsedContainer

from airflow_provider_itnio.api.signing import Credentials

DEPTH = 4
_NOT_LOOKED_INTO = (ModuleType, type, FunctionType)


_LIKE_A_SIGN = re.compile(r"(?=([0-9a-fA-F]{32}))")


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Return the error with its causes and contexts, also those a traceback hides."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__]
            waiting += [inner for inner in one.args if isinstance(inner, BaseException)]


def locals_of(error: BaseException) -> Iterator[tuple[str, Any]]:
    """Return the locals of each frame, except the tests' frames, which contain the secrets."""
    for one in chain(error):
        trace = one.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if "/tests/" not in code.co_filename:
                for name, value in trace.tb_frame.f_locals.items():
                    yield f"{code.co_qualname}: {name}", value
            trace = trace.tb_next


def shown(value: Any, depth: int = DEPTH) -> Iterator[str]:
    """Return the reprs of a value and of its parts."""
    yield f"{value!r} {value}" if not isinstance(value, (bytes, bytearray)) else repr(bytes(value))
    if depth == 0 or isinstance(value, _NOT_LOOKED_INTO):
        return
    inner: list[Any] = []
    if isinstance(value, Mapping) and not isinstance(
        value, RecentlyUsedContainer
    ):  # its __dict__ has all attributes
        inner += [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        inner += value
    inner += getattr(value, "__dict__", {}).values()
    for cls in type(value).__mro__:
        slots = vars(cls).get("__slots__", ())
        inner += [getattr(value, name, None) for name in ([slots] if isinstance(slots, str) else slots)]
    for one in inner:
        if one is not None and not isinstance(one, (int, float)):
            yield from shown(one, depth - 1)


def assert_shows_no_secret(error: BaseException, api_key: str, secret: str, *others: str) -> None:
    """Assert that an error shows neither the secrets nor a signature of the last minutes."""
    credentials = Credentials(api_key, secret)
    now = int(time.time())
    signs = {credentials.sign(str(second)) for second in range(now - 300, now + 5)}
    for one in chain(error):
        assert not any(word in f"{one} {one!r} {one.args!r} {vars(one)!r}" for word in (api_key, secret))
    looked_at = 0
    for place, value in locals_of(error):
        for text in shown(value):
            looked_at += 1
            for word in (api_key, secret, *others):
                assert word not in text, f"{place} shows a secret"
            assert signs.isdisjoint(_LIKE_A_SIGN.findall(text)), f"{place} shows a Sign"
    assert looked_at

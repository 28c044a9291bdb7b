"""Tables of cases: one test for many cheap cases, and pairwise selection from a product of cases."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from itertools import combinations, product
from typing import Any


def for_each(
    names: str | tuple[str, ...], values: Iterable[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test with each of these values of one or more parameters, as one test; a failure names the row.

    Fixtures are made once. Between two rows the sandbox (except its open windows), the store, the log, the
    traffic and all fixtures with a method ``begin_again`` are reset; a test must leave nothing else behind.
    """
    is_one = isinstance(names, str)
    cases = [{names: value} if is_one else dict(zip(names, value, strict=True)) for value in values]
    assert cases

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(*of_class: Any, **others: Any) -> None:
            for place, case in enumerate(cases):
                if place:
                    _begin_again(others)
                try:
                    test(*of_class, **others, **case)
                except BaseException as error:
                    error.add_note(
                        f"with row {place}: " + ", ".join(f"{k}={_shown(v)}" for k, v in case.items())
                    )
                    raise

        signature = inspect.signature(test)
        kept = [one for one in signature.parameters.values() if one.name not in cases[0]]
        run.__signature__ = signature.replace(parameters=kept)
        return run

    return decorate


def _shown(value: Any) -> str:
    try:
        return repr(value)[:200]
    except Exception:  # of hostile data
        return type(value).__name__


def _begin_again(fixtures: Mapping[str, Any]) -> None:
    for name, fixture in fixtures.items():
        if name in ("sandbox", "itnio_sandbox"):
            open_windows = [*fixture._vendor.store._windows]
            fixture.clear()
            fixture.clear_faults()
            for number in open_windows:
                fixture.window_open(number)
        elif name in ("store", "maybe_store") and fixture is not None:
            fixture.__init__()
        elif name in ("traffic", "caplog"):
            fixture.clear()
        elif hasattr(fixture, "begin_again") and not isinstance(fixture, type):
            fixture.begin_again()


def pairs(
    **parameters: Mapping[str, Any] | Iterable[Any],
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test like :func:`for_each`, with rows that cover each pair of values of any two parameters.

    :param parameters: the values; for a mapping, its values.
    """
    values = [[*(one.values() if isinstance(one, Mapping) else one)] for one in parameters.values()]
    rows = [[*enumerate(row)] for row in product(*(range(len(one)) for one in values))]
    left = {pair for row in rows for pair in combinations(row, 2)}
    chosen = []
    while left:
        row = max(rows, key=lambda row: len(left.intersection(combinations(row, 2))))
        left.difference_update(combinations(row, 2))
        chosen.append(tuple(values[at][place] for at, place in row))
    return for_each(tuple(parameters), chosen)

"""Tables of cases: one test for hundreds that cost less than pytest does for a test, few for a product."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from itertools import combinations, product
from typing import Any

import pytest


def for_each(
    names: str | tuple[str, ...], values: Iterable[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test with each value of one of its parameters, or of some, as one test; a failure names it.

    It fits a test that leaves nothing behind: fixtures are made once.
    """
    is_one = isinstance(names, str)
    cases = [{names: value} if is_one else dict(zip(names, value, strict=True)) for value in values]
    assert cases

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(**others: Any) -> None:
            for case in cases:
                try:
                    test(**others, **case)
                except BaseException as error:
                    error.add_note("with " + ", ".join(f"{name}={value!r}" for name, value in case.items()))
                    raise

        signature = inspect.signature(test)
        kept = [one for one in signature.parameters.values() if one.name not in cases[0]]
        run.__signature__ = signature.replace(parameters=kept)
        return run

    return decorate


def pairs(**parameters: Mapping[str, Any] | Iterable[Any]) -> pytest.MarkDecorator:
    """Run a test with rows in which any two values of any two parameters meet, in place of all rows.

    :param parameters: the values, or values by the name that a failure shows.
    """
    named = [
        values if isinstance(values, Mapping) else {str(value): value for value in values}
        for values in parameters.values()
    ]
    rows = [[*enumerate(row)] for row in product(*named)]
    left = {pair for row in rows for pair in combinations(row, 2)}
    chosen = []
    while left:
        row = max(rows, key=lambda row: len(left.intersection(combinations(row, 2))))
        left.difference_update(combinations(row, 2))
        chosen.append(pytest.param(*(named[at][name] for at, name in row), id="-".join(n for _, n in row)))
    return pytest.mark.parametrize(list(parameters), chosen)

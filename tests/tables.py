"""Tables of hundreds of cases, each of which costs less than pytest does for a test."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any


def for_each(name: str, values: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test with each value of one of its parameters, as one test; a failure names the value.

    It fits a test that leaves nothing behind: fixtures are made once.
    """
    cases = [*values]
    assert cases

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(**others: Any) -> None:
            for value in cases:
                try:
                    test(**others, **{name: value})
                except BaseException as error:
                    error.add_note(f"with {name}={value!r}")
                    raise

        signature = inspect.signature(test)
        kept = [one for one in signature.parameters.values() if one.name != name]
        run.__signature__ = signature.replace(parameters=kept)
        return run

    return decorate

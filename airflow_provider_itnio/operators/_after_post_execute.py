"""Run a function after all of a task's user code."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any


def run_after_post_execute(operator: Any, finish: Callable[[], None]) -> None:
    """Call a function after ``post_execute``, which is the last user code of a task that Airflow runs.

    The method is replaced on this one object, because a subclass may override ``post_execute`` without
    calling ``super()``.

    :param operator: the operator that is executed.
    :param finish: called after ``post_execute`` returns, and not if it raises.
    """
    original = operator.post_execute

    @wraps(original)
    def post_execute(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        finish()
        return result

    @wraps(original)
    def post_execute_that_yields(*args: Any, **kwargs: Any) -> Any:
        result = yield from original(*args, **kwargs)
        finish()
        return result

    # Airflow reads asset events from a post_execute that is a generator.
    operator.post_execute = post_execute_that_yields if isgeneratorfunction(original) else post_execute

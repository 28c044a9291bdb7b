"""What runs behind all of a task's own code."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any


def run_after_post_execute(operator: Any, finish: Callable[[], None]) -> None:
    """Let something follow ``post_execute``, the last of a task's own code that Airflow runs.

    A subclass may have a ``post_execute`` that does not call ``super()``. So it is the method of this one
    object that is replaced, whatever its class is.

    :param operator: the operator that is executed.
    :param finish: called once ``post_execute`` has not raised.
    """
    own = operator.post_execute

    @wraps(own)
    def post_execute(*args: Any, **kwargs: Any) -> Any:
        result = own(*args, **kwargs)
        finish()
        return result

    @wraps(own)
    def post_execute_that_yields(*args: Any, **kwargs: Any) -> Any:
        result = yield from own(*args, **kwargs)
        finish()
        return result

    # Airflow takes the events of assets from one that yields.
    operator.post_execute = post_execute_that_yields if isgeneratorfunction(own) else post_execute

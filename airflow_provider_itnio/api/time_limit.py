"""Run functions that can't be interrupted, such as name lookups, and abandon them after a timeout."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


def run_with_timeout(seconds: float, function: Callable[[], Result]) -> Result:
    """Run a function in a separate thread and return its result.

    :param seconds: the longest time to wait for the result.
    :param function: the function. If it takes longer, it is left running in a daemon thread.
    :raises TimeoutError: if it has not ended in time.
    """
    try:
        return in_thread(function).result(seconds)
    except TimeoutError:
        raise TimeoutError(f"no answer within {seconds:g} s") from None


def in_thread(function: Callable[[], Result]) -> Future[Result]:
    """Start a function in a separate daemon thread.

    :param function: the function.
    :return: its future result.
    """
    result: Future[Result] = Future()
    result.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result.set_result(function())
        except BaseException as error:
            result.set_exception(error)

    Thread(target=copy_context().run, args=(run,), daemon=True).start()
    return result

"""A limit of time for work that can't be ended, such as the look-up of a name."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


def within(seconds: float, work: Callable[[], Result]) -> Result:
    """Do work in a thread of its own, and return what it returns.

    :param seconds: how long it is waited for at most.
    :param work: what to do. If it takes longer it goes on, and keeps no process from ending.
    :raises TimeoutError: if it has not ended in time.
    """
    result: Future[Result] = Future()

    def do() -> None:
        try:
            result.set_result(work())
        except BaseException as error:
            result.set_exception(error)

    Thread(target=do, daemon=True).start()
    try:
        return result.result(seconds)
    except TimeoutError:
        raise TimeoutError(f"no answer within {seconds:g} s") from None

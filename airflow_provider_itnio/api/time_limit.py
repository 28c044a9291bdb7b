"""Work that can't be ended, such as the look-up of a name: it is left to itself when its time is over."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


def within(seconds: float, work: Callable[[], Result]) -> Result:
    """Do work in a thread of its own, and return what it returns.

    :param seconds: how long it is waited for at most.
    :param work: what to do. If it takes longer it goes on, and keeps no process from ending.
    :raises TimeoutError: if it has not ended in time.
    """
    try:
        return in_thread(work).result(seconds)
    except TimeoutError:
        raise TimeoutError(f"no answer within {seconds:g} s") from None


def in_thread(work: Callable[[], Result]) -> Future[Result]:
    """Begin work in a thread of its own, which keeps no process from ending.

    :param work: what to do.
    :return: what comes of it.
    """
    result: Future[Result] = Future()
    result.set_running_or_notify_cancel()

    def do() -> None:
        try:
            result.set_result(work())
        except BaseException as error:
            result.set_exception(error)

    Thread(target=copy_context().run, args=(do,), daemon=True).start()
    return result

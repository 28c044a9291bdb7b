"""``execution_timeout`` at a moment that a test chooses, and calls that block beyond it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from airflow.providers.common.compat.sdk import timeout

BLOCKED = 60.0
"""Seconds for which a call blocks if it is not ended: much longer than a test waits."""


@contextmanager
def limit_set() -> Iterator[Callable[[], None]]:
    """Run a block as Airflow does with an ``execution_timeout``, and give what makes the time be over."""
    with timeout(3600):
        yield lambda: os.kill(os.getpid(), signal.SIGALRM)


class Blocking:
    """A call that blocks, in which the time is over and was so before; it says how long it blocked each time.

    :param time_is_over: of :func:`limit_set`.
    :param times: how many calls block.
    """

    def __init__(self, time_is_over: Callable[[], None], times: int = 1) -> None:
        self.time_is_over = time_is_over
        self.left = times
        self.blocked: list[float] = []

    def __call__(self, *_: Any) -> str:
        if self.left:
            self.left -= 1
            begun = time.monotonic()
            try:
                for _ in range(2):  # the second is the alarm for a call that blocks on
                    self.time_is_over()
                    time.sleep(0)
                time.sleep(BLOCKED)
            finally:
                self.blocked.append(time.monotonic() - begun)
        return "x"

    @property
    def was_ended(self) -> bool:
        """Whether each call that blocked was ended before its time."""
        return bool(self.blocked) and max(self.blocked) < BLOCKED / 2

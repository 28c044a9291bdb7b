"""``execution_timeout`` at a moment the test chooses, and calls that block longer."""

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
    """Run a block under an ``execution_timeout`` as Airflow does; yield a function that triggers it."""
    with timeout(3600):
        yield lambda: os.kill(os.getpid(), signal.SIGALRM)


class Blocking:
    """A blocking call during which the timeout fires, twice; it stores how long each call blocked.

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
                for _ in range(2):  # the second is the alarm for a call that still blocks
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

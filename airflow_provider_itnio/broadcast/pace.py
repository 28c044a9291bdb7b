"""Limit how fast the messages of a broadcast are sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from math import ceil
from typing import Final


class Pace:
    """Limits the rate of messages within any second.

    Each message has a time slot, ``1 / per_second`` after the previous one. A late message delays all later
    slots, except for up to 10 ms, which compensates for late timers.

    :param per_second: messages per second; ``None`` for no limit.
    """

    _CATCH_UP: Final = 0.010

    def __init__(self, per_second: float | None) -> None:
        self._interval = 0.0 if per_second is None else 1 / per_second
        self._next: float | None = None
        # Only one waits for its slot at a time: several would leave at once after the loop was blocked.
        self._slot_lock = asyncio.Lock()
        self._waiter: asyncio.Future[None] | None = None
        self._is_ended = False

    async def wait_for_slot(self) -> None:
        """Wait until the next message may be sent, or :meth:`end` is called."""
        if not self._interval:
            return
        async with self._slot_lock:
            if self._is_ended:
                return
            loop = asyncio.get_running_loop()
            now = loop.time()
            at = now if self._next is None else max(self._next, now - self._CATCH_UP)
            self._next = at + self._interval
            if at > now:
                self._waiter = loop.create_future()
                timer = loop.call_at(at, self._wake)
                try:
                    await self._waiter
                finally:
                    timer.cancel()

    def end(self) -> None:
        """End the current and all later waits."""
        self._is_ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class BatchSize:
    """Sizes batches for about one second, by the rate of the previous batch.

    :param first: the size of the first batch.
    :param max_size: the largest size.
    :param now: returns the time in seconds.
    """

    _MIN_ELAPSED: Final = 0.001

    def __init__(self, first: int, max_size: int, now: Callable[[], float] = time.monotonic) -> None:
        self._first = min(first, max_size)
        self._max_size = max_size
        self._now = now
        self._last_size = 0
        self._last_time = 0.0

    def next(self) -> int:
        """Return the size of the next batch. Call it when all messages of the previous batch are taken.

        It is at most twice the previous size: waiting workers take the first messages at once, so their rate
        seems higher than it is.
        """
        now = self._now()
        size = self._first
        if self._last_size:
            per_second = self._last_size / max(now - self._last_time, self._MIN_ELAPSED)
            size = max(1, min(round(per_second), 2 * self._last_size))
        self._last_size, self._last_time = min(size, self._max_size), now
        return self._last_size


def expected_rate(in_flight: int, per_second: float | None) -> int:
    """Return how many messages are sent per second if each is answered after 0.1 seconds."""
    possible = in_flight * 10
    return possible if per_second is None else min(possible, ceil(per_second))

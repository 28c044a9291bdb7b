"""How fast the messages of a broadcast leave."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from math import ceil
from typing import Final


class Pace:
    """Lets messages leave no faster than a rate, in any second.

    Each has a moment of its own, ``1 / per_second`` after the one before. Whoever comes late moves the rest
    back, but for a hundredth of a second, which makes up for timers that fire late.

    :param per_second: messages a second; ``None`` for no limit.
    """

    _CATCH_UP: Final = 0.010

    def __init__(self, per_second: float | None) -> None:
        self._interval = 0.0 if per_second is None else 1 / per_second
        self._next: float | None = None
        # One waits for its moment at a time: several would all leave at once after the loop was held up.
        self._order = asyncio.Lock()
        self._waiting: asyncio.Future[None] | None = None
        self._has_ended = False

    async def turn(self) -> None:
        """Wait until the next message may leave, or the pace ends."""
        if not self._interval:
            return
        async with self._order:
            if self._has_ended:
                return
            loop = asyncio.get_running_loop()
            now = loop.time()
            at = now if self._next is None else max(self._next, now - self._CATCH_UP)
            self._next = at + self._interval
            if at > now:
                self._waiting = loop.create_future()
                alarm = loop.call_at(at, self._wake)
                try:
                    await self._waiting
                finally:
                    alarm.cancel()

    def end(self) -> None:
        """Let nobody wait any longer."""
        self._has_ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class BatchSize:
    """How many messages leave within about a second, by how fast the ones before have left.

    :param first: messages until that is known.
    :param most: messages at most.
    :param now: gives the time in seconds.
    """

    _SHORTEST: Final = 0.001

    def __init__(self, first: int, most: int, now: Callable[[], float] = time.monotonic) -> None:
        self._first = min(first, most)
        self._most = most
        self._now = now
        self._given = 0
        self._at = 0.0

    def next(self) -> int:
        """Return how many the next batch may have; called when all of the one before have been taken.

        It is at most twice what the one before had: who waits for a message takes one at once, and so the
        first ones seem to leave faster than they do.
        """
        now = self._now()
        size = self._first
        if self._given:
            per_second = self._given / max(now - self._at, self._SHORTEST)
            size = max(1, min(round(per_second), 2 * self._given))
        self._given, self._at = min(size, self._most), now
        return self._given


def messages_in_a_second(in_flight: int, per_second: float | None) -> int:
    """Return how many messages leave in a second if each is answered after a tenth of one."""
    possible = in_flight * 10
    return possible if per_second is None else min(possible, ceil(per_second))

"""How fast the messages of a broadcast leave."""

from __future__ import annotations

import asyncio
from typing import Final

__all__ = ["Pace"]


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

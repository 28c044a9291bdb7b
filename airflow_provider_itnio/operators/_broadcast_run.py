"""The event loop of a broadcast, and what ends it early."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow_provider_itnio.api.async_client import AsyncClient
    from airflow_provider_itnio.broadcast.engine import Broadcast
    from airflow_provider_itnio.delivery.graceful_timeout import GracefulTimeout

_GRACE: Final = 5.0
"""Seconds to wait for responses to open requests after the task's ``execution_timeout``."""

_GRACE_OF_KILL: Final = 2.0
"""The same after SIGTERM: Airflow kills the process 5 seconds later."""

_TIMED_OUT: Final = "the task's execution_timeout is over"


class BroadcastRun:
    """Runs a broadcast in a separate event loop.

    :param broadcast: the broadcast.
    :param clients: the clients it uses; they are closed at the end.
    :param limit: the task's ``execution_timeout``.
    """

    def __init__(self, broadcast: Broadcast, clients: list[AsyncClient], limit: GracefulTimeout) -> None:
        self.broadcast = broadcast
        self._clients = clients
        self._limit = limit
        self._stop: Callable[[str, float], None] | None = None

    def run(self) -> None:
        """Block until the broadcast has ended."""
        try:
            asyncio.run(self._run())
        finally:
            self._stop = None

    def end(self, why: str) -> None:
        """End the broadcast, from another thread or a signal handler.

        :param why: the reason, for the log and the error.
        """
        if self._stop is not None:
            self._stop(why, _GRACE_OF_KILL)

    async def _run(self) -> None:
        loop, limit = asyncio.get_running_loop(), self._limit

        def stop(why: str, grace: float) -> None:
            with suppress(RuntimeError):  # the loop has ended by itself just now
                loop.call_soon_threadsafe(self.broadcast.stop, why, grace)

        self._stop = stop
        limit.on_timeout = partial(stop, _TIMED_OUT, _GRACE)
        if limit.is_over:
            limit.on_timeout()
        async with AsyncExitStack() as stack:
            for client in self._clients:
                await stack.enter_async_context(client)
            await self.broadcast.run()

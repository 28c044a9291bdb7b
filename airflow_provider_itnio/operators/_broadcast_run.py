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

_KILL_GRACE: Final = 2.0
"""The same after SIGTERM: Airflow kills the process 5 seconds later."""

_TIMED_OUT: Final = "the task's execution_timeout is over"


class BroadcastRun:
    """Runs a broadcast in a separate event loop.

    :param broadcast: the broadcast.
    :param clients: the clients it uses; they are closed at the end.
    :param timeout: the task's ``execution_timeout``.
    """

    def __init__(self, broadcast: Broadcast, clients: list[AsyncClient], timeout: GracefulTimeout) -> None:
        self.broadcast = broadcast
        self._clients = clients
        self._timeout = timeout
        self._stop: Callable[[str, float], None] | None = None

    def run(self) -> None:
        """Block until the broadcast has ended."""
        try:
            asyncio.run(self._run())
        finally:
            self._stop = None

    def end(self, reason: str) -> None:
        """End the broadcast, from another thread or a signal handler.

        :param reason: the reason, for the log and the error.
        """
        if self._stop is not None:
            self._stop(reason, _KILL_GRACE)

    async def _run(self) -> None:
        loop, timeout = asyncio.get_running_loop(), self._timeout

        def stop(reason: str, grace: float) -> None:
            with suppress(RuntimeError):  # the loop has ended by itself just now
                loop.call_soon_threadsafe(self.broadcast.stop, reason, grace)

        self._stop = stop
        timeout.on_timeout = partial(stop, _TIMED_OUT, _GRACE)
        if timeout.has_timed_out:
            timeout.on_timeout()
        async with AsyncExitStack() as stack:
            for client in self._clients:
                await stack.enter_async_context(client)
            await self.broadcast.run()

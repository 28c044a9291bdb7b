"""uvicorn in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import uvicorn


class UvicornThread(threading.Thread):
    """
    A thread that runs uvicorn's server on a socket that listens already.

    :param begin: called in the server's loop before it serves
    :param stopping: set in the server's loop when it stops
    """

    def __init__(
        self,
        config: uvicorn.Config,
        listening: socket.socket,
        begin: Callable[[], None],
        stopping: asyncio.Event,
    ) -> None:
        super().__init__(name="itnio-sandbox", daemon=True)
        self._server = uvicorn.Server(config)
        self._listening, self._begin, self._stopping = listening, begin, stopping
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Start; when this returns the server answers."""
        super().start()
        while self.is_alive() and not self._server.started:
            time.sleep(0.001)
        if not self._server.started:
            raise RuntimeError("the sandbox did not start") from self._failure

    def run(self) -> None:
        """Serve until :meth:`stop`."""
        try:
            with self._listening:
                asyncio.run(self._serve())
        except BaseException as failure:
            self._failure = failure

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._begin()
        await self._server.serve([self._listening])

    def stop(self) -> None:
        """End the server, from any other thread, and wait for its end."""
        self._server.should_exit = True
        if self._loop:
            with suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._stopping.set)
        self.join()

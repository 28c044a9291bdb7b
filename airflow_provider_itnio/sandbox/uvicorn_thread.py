"""uvicorn in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import uvicorn


class UvicornThread(uvicorn.Server):
    """
    uvicorn's server on a socket that listens already, stopped from another thread.

    :param stopping: set in the server's loop when it stops
    :param begin: called in the server's loop when it starts
    """

    def __init__(
        self,
        config: uvicorn.Config,
        listening: socket.socket,
        stopping: asyncio.Event,
        begin: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self.begin = begin
        self.ready = threading.Event()
        self.failure: BaseException | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.listening = listening
        self.stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so to the thread that waits."""
        await super().startup(sockets)
        self.loop = asyncio.get_running_loop()
        self.begin()
        self.ready.set()

    def run_until_stopped(self) -> None:
        """Serve until :meth:`stop`; an error is kept in ``failure``."""
        try:
            with self.listening:
                self.run(sockets=[self.listening])
        except BaseException as failure:
            self.failure = failure
        finally:
            self.ready.set()

    def stop(self) -> None:
        """End the server, from any thread."""
        self.should_exit = True
        if self.loop is not None:
            with suppress(RuntimeError):  # the loop has ended already
                self.loop.call_soon_threadsafe(self.stopping.set)

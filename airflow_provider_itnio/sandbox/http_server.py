"""Run uvicorn in a thread, with connections that can be cut and a limit for request bodies."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import uvicorn
from starlette.requests import Request
from starlette.types import Receive, Scope

from airflow_provider_itnio.timed_http_protocol import TimedProtocol

MAX_BODY_SIZE = 1024 * 1024


class SandboxProtocol(TimedProtocol):
    """HTTP/1.1 that passes the connection to the application in the ASGI state."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(transport)
        # uvicorn copies this state into the scope of each request of this connection.
        self.app_state = {**self.app_state, "connection": transport}


async def cut(scope: Scope, receive: Receive) -> None:
    """Close the connection of a request without an answer. The request's body must have been read."""
    cast("asyncio.Transport", scope["state"]["connection"]).abort()
    # uvicorn would answer 500 to an endpoint that returns before it has noticed the closed connection.
    while (await receive())["type"] != "http.disconnect":
        pass


async def read_body(request: Request) -> bytes | None:
    """Read the body of a request; None if it is over ``MAX_BODY_SIZE`` bytes."""
    if int(request.headers.get("content-length", 0)) > MAX_BODY_SIZE:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_SIZE:
            return None
    return bytes(body)


class UvicornThread(threading.Thread):
    """
    A thread that runs uvicorn's server on a socket that listens already.

    :param begin: called in the server's loop before it serves
    :param stopping: set in the server's loop when it stops
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_socket: socket.socket,
        begin: Callable[[], None],
        stopping: asyncio.Event,
    ) -> None:
        super().__init__(name="itnio-sandbox", daemon=True)
        self._server = uvicorn.Server(config)
        self._listening, self._begin, self._stopping = server_socket, begin, stopping
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Start, and return when the server answers requests."""
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
        """Stop the server from another thread, and wait until it has stopped."""
        self._server.should_exit = True
        if self._loop:
            with suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._stopping.set)
        self.join()

"""HTTP as the sandbox speaks it: a connection that an endpoint can cut, bodies up to a length."""

from __future__ import annotations

import asyncio
from typing import cast

from starlette.requests import Request
from starlette.types import Receive, Scope

from airflow_provider_itnio.timed_http_protocol import TimedProtocol

LARGEST_BODY = 1024 * 1024


class SandboxProtocol(TimedProtocol):
    """HTTP/1.1, which also hands the connection to the application in the ASGI state."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection."""
        super().connection_made(transport)
        # uvicorn copies this state into the scope of each request of this connection.
        self.app_state = {**self.app_state, "connection": transport}


async def cut(scope: Scope, receive: Receive) -> None:
    """Close the connection of a request, of which the body must have been read, without an answer."""
    cast("asyncio.Transport", scope["state"]["connection"]).abort()
    # uvicorn would answer 500 to an endpoint that returns before it has noticed the closed connection.
    while (await receive())["type"] != "http.disconnect":
        pass


async def read_body(request: Request) -> bytes | None:
    """Read the body of a request; None if it is over ``LARGEST_BODY`` bytes."""
    if int(request.headers.get("content-length", 0)) > LARGEST_BODY:
        return None
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            return None
    return bytes(body)

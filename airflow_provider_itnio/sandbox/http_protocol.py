"""HTTP as uvicorn speaks it, with a connection that an endpoint can cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Receive, Scope


class CuttableProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, which also hands the connection to the application in the ASGI state."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """
        Begin a connection.

        :param transport: the connection
        """
        super().connection_made(transport)
        self.access_log = False
        # uvicorn copies this state into the scope of each request of this connection.
        self.app_state = {**self.app_state, "connection": transport}

    def shutdown(self) -> None:
        """End at once what only the client could end: an idle connection over TLS, or half a request."""
        super().shutdown()
        idle = self.transport.is_closing() and not self.transport.get_write_buffer_size()
        if idle or (self.cycle is not None and self.cycle.more_body):
            self.transport.abort()


async def cut(scope: Scope, receive: Receive) -> None:
    """
    Close the connection of a request without an answer.

    :param scope: the request's ASGI scope
    :param receive: the request's ASGI receive; its body must have been read
    """
    cast("asyncio.Transport", scope["state"]["connection"]).abort()
    # uvicorn would answer 500 to an endpoint that returns before it has noticed the closed connection.
    while (await receive())["type"] != "http.disconnect":
        pass

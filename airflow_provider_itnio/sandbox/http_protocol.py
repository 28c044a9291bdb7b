"""HTTP as uvicorn speaks it, with a connection that an endpoint can cut and requests that time out."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Receive, Scope

REQUEST_TIMEOUT = 30.0
"""Seconds that a client has to send a whole request, headers and body."""

TIMED_OUT = b'{"error": "the request was not complete in time"}'


class SandboxProtocol(H11Protocol):
    """
    uvicorn's HTTP/1.1 protocol, which also hands the connection to the application in the ASGI state.

    A request that is not complete after ``REQUEST_TIMEOUT`` seconds is answered with HTTP 408, and its
    connection is closed; uvicorn itself limits only the time between two requests.
    """

    _request_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """
        Begin a connection.

        :param transport: the connection
        """
        super().connection_made(transport)
        self.access_log = False
        # uvicorn copies this state into the scope of each request of this connection.
        self.app_state = {**self.app_state, "connection": transport}
        self._time_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """
        End a connection.

        :param exc: why it ended; None if it was closed
        """
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        super().data_received(data)
        self._time_request()

    def on_response_complete(self) -> None:
        """Go on with the next request, of which a part may have come already."""
        super().on_response_complete()
        self._time_request()

    def shutdown(self) -> None:
        """End at once what only the client could end: an idle connection over TLS, or half a request."""
        super().shutdown()
        idle = self.transport.is_closing() and not self.transport.get_write_buffer_size()
        if idle or (self.cycle is not None and self.cycle.more_body):
            self.transport.abort()

    def _time_request(self) -> None:
        """Let the timer run exactly while the client owes the rest of a request."""
        # Between two requests, uvicorn's own timer runs.
        waits = self.timeout_keep_alive_task is None and not self.transport.is_closing()
        if waits and (self.cycle is None or self.cycle.more_body or self.cycle.response_complete):
            if self._request_timer is None:
                self._request_timer = self.loop.call_later(REQUEST_TIMEOUT, self._request_timed_out)
        else:
            self._stop_timer()

    def _stop_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _request_timed_out(self) -> None:
        begun = self.conn.their_state is not h11.IDLE or self.conn.trailing_data[0]
        if begun and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(TIMED_OUT)),
                (b"connection", b"close"),
            ]
            for event in (
                h11.Response(status_code=408, headers=headers, reason=b"Request Timeout"),
                h11.Data(data=TIMED_OUT),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


async def cut(scope: Scope, receive: Receive) -> None:
    """
    Close the connection of a request without an answer.

    :param receive: the request's ASGI receive; its body must have been read
    """
    cast("asyncio.Transport", scope["state"]["connection"]).abort()
    # uvicorn would answer 500 to an endpoint that returns before it has noticed the closed connection.
    while (await receive())["type"] != "http.disconnect":
        pass

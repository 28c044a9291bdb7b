"""uvicorn's HTTP/1.1 protocol with a timeout for requests, for the sandbox and the receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

REQUEST_TIMEOUT = 30.0
"""Seconds in which a client must send a whole request, headers and body."""

TIMED_OUT = b'{"error": "the request was not complete in time"}'


class TimedProtocol(H11Protocol):
    """
    uvicorn's HTTP/1.1 protocol, without a log line for each request.

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
        self._update_timer()

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
        self._update_timer()

    def on_response_complete(self) -> None:
        """Start with the next request, whose beginning may have been received already."""
        super().on_response_complete()
        self._update_timer()

    def shutdown(self) -> None:
        """Close connections that wait for the client: idle over TLS, or with an incomplete request."""
        super().shutdown()
        idle = self.transport.is_closing() and not self.transport.get_write_buffer_size()
        if idle or (self.cycle is not None and self.cycle.more_body):
            self.transport.abort()

    def _update_timer(self) -> None:
        """Run the timer only while a request is incomplete."""
        # Between two requests, uvicorn's own timer runs.
        is_waiting = self.timeout_keep_alive_task is None and not self.transport.is_closing()
        if is_waiting and (self.cycle is None or self.cycle.more_body or self.cycle.response_complete):
            if self._request_timer is None:
                self._request_timer = self.loop.call_later(REQUEST_TIMEOUT, self._request_timed_out)
        else:
            self._stop_timer()

    def _stop_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _request_timed_out(self) -> None:
        has_started = self.conn.their_state is not h11.IDLE or self.conn.trailing_data[0]
        if has_started and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
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

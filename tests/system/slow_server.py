"""A server whose answers never end, and which notes the numbers whose client has given up."""

from __future__ import annotations

import json
import socket
from itertools import chain, repeat

from tests.api.servers import Received, Server

__all__ = ["SlowServer"]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class SlowServer(Server):
    """Answers a byte a second, or ``100 Continue`` again and again, until the client hangs up."""

    def __init__(self) -> None:
        super().__init__()
        self.given_up: set[str] = set()
        """Numbers whose message the client has given up while the server was answering."""

    def serve(self, received: Received, connection: socket.socket) -> None:
        parts = repeat(CONTINUE) if len(self.requests) % 2 else chain([b"HTTP/1.1 200 "], repeat(b"y"))
        try:
            while not self.stopped.wait(1.0):
                connection.sendall(next(parts))
        except OSError:
            if not self.stopped.is_set():
                self.given_up.add(json.loads(received.body)["recipient"])
            raise

"""A server that takes what the sandbox pushes, and counts it."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

__all__ = ["PushCounter"]


class PushCounter:
    """Counts the statuses pushed to ``url``, by name, until the end of the block."""

    def __init__(self) -> None:
        self.statuses = Counter[str]()
        counter = self

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                push = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                counter.statuses[push.get("status", push["eventType"])] += 1
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/push"

    def __enter__(self) -> Self:
        """Start the server."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()

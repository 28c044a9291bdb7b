"""A customer's server that receives pushes and answers as the test wants."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """Stores pushes; ``answers`` are the HTTP statuses of the next answers, then 200."""

    def __init__(self):
        self.got, self.paths, self.headers, self.answers = [], [], [], []
        receiver = self

        class Take(BaseHTTPRequestHandler):
            def do_POST(self):
                receiver.paths.append(self.path)
                receiver.headers.append(dict(self.headers))
                receiver.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                code = receiver.answers.pop(0) if receiver.answers else 200
                self.send_response(code)
                if 300 <= code < 400:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(b"Sign: 0123 secret")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/push/a-token?key=hidden"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def statuses(self, message_id=None):
        return [
            one["status"] for one in self.got if message_id in (None, one["messageId"]) and "status" in one
        ]

    def wait(self, count):
        until(lambda: len(self.got) >= count)
        return self.got


def until(condition):
    """Wait for a condition; a busy machine may take long."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    assert condition()


def state_of(wire, **wanted):
    """Wait until the webhook has these counts."""

    def state():
        return wire.control("GET", "webhook").json()

    until(lambda: wanted.items() <= state().items())
    return state()

"""A reverse proxy in front of a receiver that can answer requests itself for a while."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from contextlib import contextmanager

from tests.api.servers import Server, answer


class Proxy:
    """Forwards requests; after ``be_down`` it answers the next ones itself.

    :param receiver: the receiver behind it.
    """

    def __init__(self, receiver):
        self._receiver = receiver
        self._codes = []
        self._later = []
        self._ended = threading.Event()
        self.hangs_at = ""
        """Requests whose path starts with this get no answer before the end; empty for none."""

    def after(self, requests, happens):
        """Call a function after this many more requests were answered."""
        self._later = [lambda: None] * requests + [happens]

    def be_down(self, code, times=2):
        """Answer the next requests with an HTTP code."""
        self._codes = [code] * times

    def end(self):
        """Release the requests that hang."""
        self._ended.set()

    def answering(self, request):
        if self._later:
            self._later.pop(0)()
        if self._codes:
            return answer(b"not here", self._codes.pop())
        method, path, _ = request.first_line.split(" ")
        if self.hangs_at and path.startswith(self.hangs_at):
            self._ended.wait()
        headers = {"Authorization": request.headers.get("authorization", "")}
        onward = urllib.request.Request(
            f"{self._receiver.url}{path}", request.body or None, headers, method=method
        )
        try:
            with urllib.request.urlopen(onward) as told:
                return answer(told.read(), told.status)
        except urllib.error.HTTPError as error:
            return answer(error.read(), error.code)


@contextmanager
def proxy_of(receiver):
    """Run a proxy in front of a receiver."""
    proxy = Proxy(receiver)
    with Server(proxy.answering) as server:
        proxy.url = server.url
        try:
            yield proxy
        finally:
            proxy.end()

"""One HTTP/1.1 connection to Itniotech, direct or through a proxy, each of whose steps has a deadline."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPMessage, HTTPResponse, IncompleteRead
from typing import Any, Final, cast
from urllib.parse import SplitResult

from airflow_provider_itnio.api.network import Route
from airflow_provider_itnio.api.protocol import ANSWER_LIMIT, Response
from airflow_provider_itnio.api.sockets import TimedSocket, TimedTlsSocket, connect

__all__ = ["Connection"]

_PART: Final = 65536


class _Answer(HTTPResponse):
    """Skips what may precede an answer, of which http.client knows ``100 Continue`` alone."""

    def begin(self) -> None:
        super().begin()
        while 102 <= self.status < 200:
            self.headers = None  # type: ignore[assignment]
            super().begin()


class Connection(HTTPConnection):
    """A connection to Itniotech.

    :param route: the way there.
    """

    response_class = _Answer
    sock: Any

    def __init__(self, route: Route) -> None:
        peer = route.proxy or route.base_url
        super().__init__(peer.hostname or "", _port(peer))
        self.has_sent = False
        """Whether anything of the last request has left."""
        self.used_at = 0.0
        """When it was last used, in seconds of ``time.monotonic``."""
        self._route = route
        self._timed: TimedSocket | TimedTlsSocket | None = None
        self._pid = os.getpid()

    def __del__(self) -> None:
        """Close it with the thread or the client whose it was."""
        self.close()

    def can_be_used_again(self) -> bool:
        """Say whether it is open, and this process's own."""
        if self.sock is None or self._pid != os.getpid():
            return False
        # Nothing was asked, so what can be read now is its end, or at least no answer to us.
        waiting = select.poll()
        waiting.register(self.sock, select.POLLIN)
        return not waiting.poll(0)

    def open(self, seconds: float) -> None:
        """Connect.

        :param seconds: how long it may take, the look-up of the name, the proxy and TLS included.
        :raises OSError: if there is no connection after that.
        """
        ends_at = time.monotonic() + seconds
        self.sock = self._timed = connect(self.host, self.port, ends_at)
        if self._route.proxy and self._route.proxy.scheme == "https":
            self._speak_tls(self.host, ends_at)
        if self._route.base_url.scheme == "https":
            if self._route.proxy:
                self._open_tunnel()
            self._speak_tls(self._route.base_url.hostname, ends_at)

    def exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], seconds: float
    ) -> Response:
        """Send a request and read its answer.

        :param method: the HTTP method.
        :param path: the endpoint below the base URL.
        :param body: what is sent.
        :param headers: what is said about it.
        :param seconds: how long it may take from here to the last byte of the answer.
        :raises OSError: if the connection is lost, or the time is over.
        :raises HTTPException: if what comes is no HTTP.
        """
        assert self._timed is not None, "open() goes first"  # noqa: S101
        self._timed.ends_at = time.monotonic() + seconds
        base = self._route.base_url
        if self._route.proxy and base.scheme == "http":
            target, to_proxy = f"{base.geturl()}/{path}", self._proxy_headers()
        else:
            target, to_proxy = f"{base.path}/{path}", {}
        self.request(method, target, body, {"Host": base.netloc, **headers, **to_proxy})
        text = bytearray()
        with self.getresponse() as answer:
            # Part by part: http.client keeps each chunk of a part as an object, and a chunk may be one byte.
            while len(text) <= ANSWER_LIMIT and (part := answer.read(_PART)):
                text += part
            is_whole = answer.isclosed()
            headers = cast(Mapping[str, str], answer.headers)
            # The connection keeps its last answer, which may repeat what the request was signed with.
            answer.headers = answer.msg = HTTPMessage()
            answer.reason = ""
        if answer.length or not is_whole:
            self.close()
            if answer.length and len(text) <= ANSWER_LIMIT:
                raise IncompleteRead(b"", answer.length)
        self.used_at = time.monotonic()
        return Response(answer.status, headers, bytes(text))

    def send(self, data: Any) -> None:
        """Send a part of a request."""
        self.has_sent = True
        super().send(data)

    def _proxy_headers(self) -> dict[str, str]:
        authorization = self._route.proxy_authorization
        return {"Proxy-Authorization": authorization.reveal()} if authorization else {}

    def _open_tunnel(self) -> None:
        base = self._route.base_url
        target = base.netloc if base.port else f"{base.netloc}:{_port(base)}"
        lines = {"Host": target, **self._proxy_headers()}
        head = [f"CONNECT {target} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items())]
        self.sock.sendall("\r\n".join([*head, "", ""]).encode("latin-1"))
        with _Answer(self.sock, method="CONNECT") as answer:
            answer.begin()
        if answer.status != 200:
            raise OSError(f"the proxy answered HTTP {answer.status}")

    def _speak_tls(self, name: str | None, ends_at: float) -> None:
        context = self._route.tls
        assert context is not None  # noqa: S101
        if isinstance(self.sock, TimedTlsSocket):
            # TLS through a proxy that is itself spoken to in TLS, which ssl's sockets can't.
            from urllib3.util.ssltransport import SSLTransport

            self.sock = SSLTransport(self.sock, context, server_hostname=name)
        else:
            timed = cast(
                TimedTlsSocket,
                context.wrap_socket(self.sock, server_hostname=name, do_handshake_on_connect=False),
            )
            self.sock = self._timed = timed
            timed.ends_at = ends_at
            timed.wait_no_longer()
            timed.do_handshake()


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)

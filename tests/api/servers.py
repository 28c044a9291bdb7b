"""Small servers on free ports of 127.0.0.1 that misbehave on purpose."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

MESSAGE_ID = "10415ecbd0c848ebb7d5a3fe53269df6"
ACCEPTED = {"status": "0", "reason": "success", "data": {"messageId": MESSAGE_ID, "timestamp": 1693813991}}


@dataclass(frozen=True)
class Received:
    """One received request.

    :param connection: the number of the server's connection it came through, from 1.
    :param first_line: method, target and version.
    :param headers: the headers by lower-case name.
    :param body: the body.
    """

    connection: int
    first_line: str
    headers: dict[str, str]
    body: bytes


Answering = Callable[[Received], bytes | None]


def answer(body: Any = ACCEPTED, status: int = 200, **headers: str) -> bytes:
    """Write an HTTP answer; a body that is not bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Status", "Content-Type: application/json"]
    if "Content_Length" not in headers and "Transfer_Encoding" not in headers:
        headers["Content_Length"] = str(len(raw))
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + raw


class Server:
    """A server whose answers the test decides.

    :param answering: the bytes to answer a request with; ``None`` closes the connection without any.
    :param tls: with it the server speaks TLS.
    """

    def __init__(self, answering: Answering = lambda _: answer(), tls: ssl.SSLContext | None = None) -> None:
        self._answering = answering
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.stopped = threading.Event()
        self.requests: list[Received] = []
        self.connections = 0
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for one in (self._socket, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError, ValueError), connection:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            with connection, connection.makefile("rb") as stream:
                while received := self._read(stream, number):
                    self.requests.append(received)
                    self.serve(received, connection)

    def serve(self, received: Received, connection: socket.socket) -> None:
        """Answer one request, or raise ``OSError`` to end the connection."""
        given = self._answering(received)
        if given is None:
            raise ConnectionAbortedError
        connection.sendall(given)
        if b"connection: close" in given.partition(b"\r\n\r\n")[0].lower():
            raise ConnectionAbortedError

    def _read(self, stream: Any, number: int) -> Received | None:
        first_line = stream.readline().decode("latin-1").strip()
        if not first_line:
            return None
        headers = {}
        while line := stream.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
        return Received(number, first_line, headers, body)


class TunnelProxy(Server):
    """A proxy that opens the tunnels its clients ask for; with ``tls`` clients must speak TLS to it."""

    def serve(self, received: Received, connection: socket.socket) -> None:
        host, _, port = received.first_line.split()[1].partition(":")
        with socket.create_connection((host, int(port))) as upstream:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=self._copy, args=(upstream, connection), daemon=True)
            back.start()
            self._copy(connection, upstream)
            back.join()
        raise ConnectionAbortedError

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def full_backlog() -> Iterator[str]:
    """Listen without accepting: connecting to the address never completes."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(16):
            filling = stack.enter_context(socket.socket())
            filling.settimeout(0.1)
            try:
                filling.connect(listening.getsockname())
            except TimeoutError:
                break
        else:
            raise AssertionError("the backlog does not fill")
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port

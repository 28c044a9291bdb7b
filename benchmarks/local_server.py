"""A server in a separate process that accepts every message, with as little work as possible.

It keeps connections open, checks nothing and answers at once, or after a given time, so that it hardly
affects the measurement. ``GET /arrivals`` returns and clears the times at which messages arrived. To test
DAGs, use the sandbox instead, which checks everything.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

ROOT: Final = Path(__file__).resolve().parent.parent

_OF_ITNIOTECH: Final = {
    "status": "0",
    "reason": "success",
    "data": {"channelType": 0, "messageId": "3fa85f6457174562b3fc2c963f66afa6", "timestamp": 1767225600},
}
_OF_SLACK: Final = {"ok": True, "channel": "C0123456789", "ts": "1767225600.000100"}


def _http(payload: object) -> bytes:
    body = json.dumps(payload).encode()
    head = (
        "HTTP/1.1 200 OK\r\n"
        "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
        "Content-Type: application/json;charset=UTF-8\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Accepting(asyncio.Protocol):
    """Answers each request of a connection as soon as it is complete."""

    _itniotech: Final = _http(_OF_ITNIOTECH)
    _slack: Final = _http(_OF_SLACK)

    def __init__(self, latency: float, arrivals: list[float]) -> None:
        self._latency = latency
        self._arrivals = arrivals
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            _, _, length = head.partition(b"content-length:")
            whole = end + 4 + int(length.partition(b"\r")[0] or 0)
            if len(self._received) < whole:
                return
            self._received = self._received[whole:]
            if head.startswith(b"get /arrivals"):
                answer = _http(self._arrivals)
                self._arrivals.clear()
            elif head.startswith(b"post /api/"):
                answer = self._slack
            else:
                answer = self._itniotech
                self._arrivals.append(time.monotonic())
            closes = b"\r\nconnection: close" in head
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._answer, answer, closes)
            else:
                self._answer(answer, closes)

    def _answer(self, answer: bytes, closes: bool) -> None:
        assert self._transport is not None
        self._transport.write(answer)
        if closes:
            self._transport.close()


async def _serve(latency: float, certificate: str | None) -> None:
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    arrivals: list[float] = []
    server = await asyncio.get_running_loop().create_server(
        lambda: _Accepting(latency, arrivals), "127.0.0.1", 0, ssl=context, backlog=1000
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class LocalServer:
    """The server as a context manager.

    :param certificate: a PEM file with key and certificate; with it the server uses TLS.
    :param latency: seconds before it answers.
    """

    def __init__(self, certificate: Path | None = None, *, latency: float = 0.0) -> None:
        self._certificate = certificate
        self._latency = latency
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.local_server", str(self._latency)]
        command += [str(self._certificate)] if self._certificate else []
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        port = int(self._process.stdout.readline())
        self.url = f"https://localhost:{port}" if self._certificate else f"http://127.0.0.1:{port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        with self._process as process:
            process.terminate()


def trusted_certificate(folder: Path) -> Path:
    """Create a certificate for localhost, and trust it in the environment in addition to public authorities.

    :param folder: the folder for the certificate and the list of authorities.
    :return: a PEM file with key and certificate.
    """
    import certifi
    import trustme

    authority = trustme.CA()
    certificate = folder / "localhost.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    bundle = folder / "trusted.pem"
    # Including the usual authorities: reading them is most of the cost of a new TLS context.
    bundle.write_bytes(Path(certifi.where()).read_bytes() + b"\n" + authority.cert_pem.bytes())
    for name in ("CURL_CA_BUNDLE", "SSL_CERT_DIR"):
        os.environ.pop(name, None)
    os.environ["REQUESTS_CA_BUNDLE"] = os.environ["SSL_CERT_FILE"] = str(bundle)
    return certificate


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None))

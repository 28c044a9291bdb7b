"""A try ends at its deadline even if the other end is slow, and says whether anything was sent."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from airflow_provider_itnio.api.async_client import ItnioAsyncClient
from airflow_provider_itnio.api.client import ItnioClient
from airflow_provider_itnio.api.errors import ItnioError, NotSentError, UnknownOutcomeError
from airflow_provider_itnio.api.protocol import Request
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.signing import Credentials
from airflow_provider_itnio.api.status_codes import MESSAGE_CODES
from tests.api.conftest import API_KEY, SECRET, Authority, Make, Sender
from tests.api.servers import Received, Server, TunnelProxy, answer, full_backlog
from tests.frames import assert_shows_no_secret
from tests.tables import for_each

TIMEOUT = 0.4
GOES_ON_FOR = 15.0
"""Seconds until the server ends the answer; a try must end earlier, by its deadline."""


def in_time(send: Callable[[], Any]) -> ItnioError:
    """Return the error of a send, which must end before the server does."""
    before = time.monotonic()
    with pytest.raises(ItnioError) as caught:
        send()
    assert time.monotonic() - before < GOES_ON_FOR * 0.75
    return caught.value


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

SLOW: dict[str, tuple[bytes, Iterable[bytes], float]] = {
    # sent at once, then repeated without end, seconds between the parts
    "nothing": (b"", [], 0.05),
    "a byte of the status line at a time": (b"HTTP/1.1 200 ", itertools.repeat(b"y"), 0.05),
    "a byte of a header at a time": (HEAD + b"X: ", itertools.repeat(b"y"), 0.05),
    "a header at a time": (HEAD, itertools.repeat(b"X: y\r\n"), 0.05),
    "a byte of the body at a time": (HEAD + b"Content-Length: 99999\r\n\r\n", itertools.repeat(b" "), 0.05),
    "a body that ends with the connection": (HEAD + b"\r\n", itertools.repeat(b" "), 0.05),
    "a chunk at a time": (CHUNKED, itertools.repeat(b"1\r\n \r\n"), 0.05),
    "a chunk's size": (CHUNKED, itertools.repeat(b"0"), 0.05),
    "a chunk's extension": (CHUNKED + b"1;", itertools.repeat(b"x"), 0.05),
    "trailers": (CHUNKED + b"0\r\n", itertools.repeat(b"X: y\r\n"), 0.05),
    "100 Continue now and then": (b"", itertools.repeat(CONTINUE), 0.05),
    "100 Continue as fast as it goes": (b"", itertools.repeat(CONTINUE * 500), 0.0),
    "100 Continue with headers": (b"", itertools.repeat(CONTINUE[:-2] + b"X: y\r\n\r\n"), 0.01),
    "102 Processing": (b"", itertools.repeat(b"HTTP/1.1 102 Processing\r\n\r\n"), 0.05),
    "chunks of a byte as fast as it goes": (CHUNKED, itertools.repeat(b"0001\r\n \r\n" * 500), 0.0),
}


def dripping(first: bytes, parts: Iterable[bytes], pause: float) -> Callable[..., Server]:
    class Dripping(Server):
        def serve(self, received: Received, connection: socket.socket) -> None:
            drip(connection, self.stopped, first, parts, pause)

    return Dripping


def drip(
    connection: socket.socket, stopped: threading.Event, first: bytes, parts: Iterable[Any], pause: float
) -> None:
    ends_at = time.monotonic() + GOES_ON_FOR
    with contextlib.suppress(OSError):
        connection.sendall(first)
        for part in parts:
            if stopped.wait(pause) or time.monotonic() > ends_at:
                return
            connection.sendall(bytes([part]) if isinstance(part, int) else part)
        stopped.wait(GOES_ON_FOR)


@for_each("name", SLOW)
def test_an_answer_that_is_too_slow_is_unknown_and_no_frame_shows_a_secret(sender: Make, name: str) -> None:
    with dripping(*SLOW[name])() as server:
        error = in_time(sender(server.url, timeout=TIMEOUT).send)
        assert type(error) is UnknownOutcomeError
        assert len(server.requests) == 1
    assert_shows_no_secret(error, API_KEY, SECRET)


@for_each("name", ["a byte of a header at a time", "a byte of the body at a time"])
def test_an_answer_over_tls_that_is_too_slow_is_unknown(sender: Make, trusted: Authority, name: str) -> None:
    with dripping(*SLOW[name])(tls=trusted.server_context()) as server:
        error = in_time(sender(server.url, timeout=TIMEOUT).send)
        assert type(error) is UnknownOutcomeError
        assert len(server.requests) == 1


def test_each_message_has_a_separate_deadline(sender: Make) -> None:
    def slow_at_first(received: Received) -> bytes:
        if len(server.requests) == 1:
            server.stopped.wait(GOES_ON_FOR)
        return answer()

    with Server(slow_at_first) as server:
        one = sender(server.url, timeout=TIMEOUT)
        assert type(in_time(one.send)) is UnknownOutcomeError
        for _ in range(3):
            time.sleep(TIMEOUT / 2)  # in total longer than the deadline of one message
            assert one.send().type == "text"
    assert len(server.requests) == 4


def test_an_answer_that_arrives_in_parts_before_the_deadline_is_read(sender: Make) -> None:
    whole = answer()
    parts = [whole[at : at + 40] for at in range(0, len(whole), 40)]
    with dripping(b"", parts, 0.02)() as server:
        assert sender(server.url, timeout=10).send().type == "text"


def test_a_server_that_does_not_read_the_request_is_an_unknown_outcome(sender: Make) -> None:
    body = b" " * (64 * 1024 * 1024)
    large: Request[Any] = Request("POST", "wa/custom/sendMsg", body, "message", MESSAGE_CODES, lambda _: None)
    with silent() as url:
        one = sender(url, timeout=TIMEOUT)
        error = in_time(lambda: one._run(one.client.perform(large)))
    assert type(error) is UnknownOutcomeError


@contextlib.contextmanager
def silent(first: bytes = b"", parts: Iterable[Any] = ()) -> Iterator[str]:
    """A server that accepts connections and reads nothing."""
    stopped = threading.Event()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(
                    target=drip, args=(connection, stopped, first, parts, 0.05), daemon=True
                ).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        stopped.set()
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


RECORD = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03"
HANDSHAKES: dict[str, tuple[bytes, Iterable[Any]]] = {
    "nothing": (b"", []),
    "a byte at a time": (b"", itertools.chain(RECORD, itertools.repeat(0))),
}


@for_each("name", HANDSHAKES)
def test_a_message_whose_tls_handshake_takes_too_long_is_not_sent(sender: Make, name: str) -> None:
    with silent(*HANDSHAKES[name]) as url:
        one = sender(url.replace("http:", "https:"), connect_timeout=TIMEOUT, timeout=60.0, max_attempts=1)
        error = in_time(one.send)
    assert type(error) is NotSentError
    assert "no connection: " in str(error)


PROXIES: dict[str, tuple[bytes, Iterable[Any]]] = {
    "nothing": (b"", []),
    "a byte at a time": (b"", itertools.chain(b"HTTP/1.1 200 ", itertools.repeat(121))),
    "a header at a time": (b"HTTP/1.1 200 OK\r\n", itertools.repeat(b"X: y\r\n")),
    "100 Continue": (b"", itertools.repeat(CONTINUE)),
    "a tunnel to nowhere": (b"HTTP/1.1 200 OK\r\n\r\n", []),
}


@for_each("name", PROXIES)
def test_a_message_whose_proxy_opens_the_tunnel_too_late_is_not_sent(sender: Make, name: str) -> None:
    with silent(*PROXIES[name]) as url:
        one = sender("https://api.example", proxy=url, connect_timeout=TIMEOUT, timeout=60.0, max_attempts=1)
        error = in_time(one.send)
    assert type(error) is NotSentError
    assert "no connection: " in str(error)


def test_a_slow_answer_through_a_tunnel_is_unknown(sender: Make, trusted: Authority) -> None:
    slow = dripping(*SLOW["a byte of the body at a time"])
    with slow(tls=trusted.server_context()) as server, TunnelProxy() as proxy:
        error = in_time(sender(server.url, proxy=proxy.url, timeout=TIMEOUT).send)
        assert type(error) is UnknownOutcomeError
        assert len(server.requests) == 1


@pytest.fixture
def stalled_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Name look-ups never end, as with a name server that drops its queries."""
    over = threading.Event()
    look_up = socket.getaddrinfo

    def stall(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host == "stalls.example":
            over.wait(GOES_ON_FOR)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", stall)
    yield over
    over.set()


@pytest.mark.usefixtures("stalled_names")
def test_a_message_whose_name_lookup_never_ends_is_not_sent(sender: Make) -> None:
    one = sender("http://stalls.example", connect_timeout=TIMEOUT, max_attempts=2)
    error = in_time(one.send)
    assert type(error) is NotSentError


@pytest.mark.usefixtures("stalled_names")
def test_a_name_lookup_that_never_ends_does_not_block_the_end_of_the_event_loop() -> None:
    settings = ClientSettings("http://stalls.example", connect_timeout=TIMEOUT, max_attempts=1)

    async def ask() -> None:
        async with ItnioAsyncClient(Credentials("bDqJFiq9", "7bz1lzh9"), settings) as client:
            await asyncio.gather(*(client.get_balance() for _ in range(100)))

    assert type(in_time(lambda: asyncio.run(ask()))) is NotSentError


def test_an_address_that_never_answers_leaves_time_for_the_next_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name often has an IPv6 address that this machine can't reach before the IPv4 one that it can."""
    with Server() as server, full_backlog() as url:
        ports = (int(url.rpartition(":")[2]), server.port)
        addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
        settings = ClientSettings("http://two.example", connect_timeout=2.0, max_attempts=1)
        Sender(ItnioClient(Credentials("bDqJFiq9", "7bz1lzh9"), settings), lambda result: result).send()
    assert len(server.requests) == 1

"""Clients that send an incomplete request, or nothing."""

from __future__ import annotations

import socket
import time
from contextlib import suppress

import pytest

from airflow_provider_itnio.timed_http_protocol import REQUEST_TIMEOUT

BODY_MISSING = b"Content-Type: application/json\r\nContent-Length: 5\r\n\r\n"


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.timed_http_protocol.REQUEST_TIMEOUT", 0.3)


@pytest.fixture
def connect(sandbox):
    """Connect to the sandbox; reads fail if it leaves the connection open."""

    def connect():
        return socket.create_connection(("127.0.0.1", sandbox.port), timeout=20)

    return connect


def read_all(connection):
    found = b""
    while part := connection.recv(65536):
        found += part
    return found


def head(sandbox, line):
    return f"{line} HTTP/1.1\r\nHost: 127.0.0.1:{sandbox.port}\r\n".encode()


def test_an_incomplete_request_is_answered_and_closed(impatient, sandbox, connect):
    halves = [
        ("GET /sandbox/messages", b""),
        ("GET /sandbox/messages", b"X-Slow: "),
        ("POST /wa/custom/sendMsg", BODY_MISSING),
        ("POST /wa/custom/sendMsg", BODY_MISSING + b"{"),
        ("POST /wa/custom/sendMsg", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"),
        ("POST /sandbox/replies", BODY_MISSING + b"{"),
        ("POST /somewhere/else", BODY_MISSING),
    ]
    connections = [connect() for _ in halves]
    for connection, (line, rest) in zip(connections, halves, strict=True):
        connection.sendall(head(sandbox, line) + rest)
    for connection, half in zip(connections, halves, strict=True):
        with connection:
            answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n"), half
        assert answer.endswith(b'{"error": "the request was not complete in time"}'), half
    assert sandbox.requests == sandbox.messages == sandbox.replies == []


def test_a_connection_that_sends_nothing_is_closed(impatient, connect):
    with connect() as connection:
        assert read_all(connection) == b""


@pytest.mark.parametrize("line", ["G", "GET /sandbox/messages HTTP/1.1\r\nX-Slow: a"])
def test_an_incomplete_second_request_is_answered_and_closed(impatient, sandbox, connect, line):
    with connect() as connection:
        connection.sendall(head(sandbox, "GET /sandbox/faults") + b"\r\n" + line.encode())
        time.sleep(0.1)
        connection.sendall(b"E")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in answer


def test_single_bytes_do_not_keep_a_connection_open(impatient, sandbox, connect):
    with connect() as connection:
        connection.sendall(head(sandbox, "GET /sandbox/messages"))
        connection.settimeout(0.05)
        answer = b""
        while not answer:
            connection.sendall(b"X: y\r\n")
            with suppress(TimeoutError):
                answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_the_rest_of_a_refused_body_is_not_waited_for(impatient, sandbox, connect):
    with connect() as connection:
        connection.sendall(head(sandbox, "POST /sandbox/replies") + b"Content-Length: 99999999\r\n\r\n{")
        time.sleep(0.1)
        connection.sendall(b"x")
        assert b" 413 " in read_all(connection)


def test_a_stream_of_events_is_not_closed_by_the_request_timeout(impatient, sandbox, connect, wire, message):
    with connect() as connection:
        connection.sendall(head(sandbox, "GET /sandbox/events") + b"\r\n")
        time.sleep(0.6)
        wire.custom(message(text={"body": "still told"}))
        found = b""
        while b"still told" not in found:
            part = connection.recv(65536)
            assert part
            found += part


def test_a_delayed_answer_is_not_closed_by_the_request_timeout(impatient, sandbox, wire, message):
    sandbox.fail_next(delay=0.7)
    assert wire.custom(message()).json()["status"] == "0"


def test_many_incomplete_requests_do_not_delay_others(sandbox, connect, wire, message):
    assert REQUEST_TIMEOUT == 30
    slow = [connect() for _ in range(200)]
    for connection in slow:
        connection.sendall(head(sandbox, "POST /wa/custom/sendMsg") + BODY_MISSING + b"{")
    assert wire.custom(message()).json()["status"] == "0"
    for connection in slow:
        connection.close()

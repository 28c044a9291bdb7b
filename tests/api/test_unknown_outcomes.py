"""Answers that do not say whether the message was accepted: one request, no retry."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Callable
from typing import Any

from airflow_provider_itnio.api.errors import (
    RecipientError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.api.response import MAX_BODY_SIZE
from airflow_provider_itnio.sandbox import Sandbox
from tests.api.conftest import (
    Make,
    failure,
)
from tests.api.servers import (
    ACCEPTED,
    MESSAGE_ID,
    Received,
    Server,
    answer,
)
from tests.tables import for_each


@for_each(("drop", "kept"), [("before_accepting", 0), ("after_accepting", 1)])
def test_a_dropped_connection_is_an_unknown_outcome(
    sender: Make, sandbox: Sandbox, drop: str, kept: int
) -> None:
    sandbox.fail_next(drop=drop)
    error = failure(sender(sandbox.url).send)
    assert isinstance(error, UnknownOutcomeError)
    assert error.http_status is None
    assert str(error).startswith(
        "No complete answer came, so Itniotech may have accepted the text message to 86…57: "
    )
    assert (len(sandbox.requests), len(sandbox.messages)) == (1, kept)


def test_a_read_timeout_is_an_unknown_outcome(sender: Make, sandbox: Sandbox) -> None:
    sandbox.fail_next(delay=2)
    error = failure(sender(sandbox.url, timeout=0.2).send)
    assert isinstance(error, UnknownOutcomeError)
    assert len(sandbox.requests) == 1


def raw(text: str) -> Callable[[Received], bytes]:
    return lambda _: text.encode()


WHOLE = json.dumps(ACCEPTED)
UNREADABLE = {
    "stops amid the body": lambda _: answer(
        WHOLE.encode(), Content_Length=str(len(WHOLE) + 9), Connection="close"
    ),
    "stops amid the headers": raw("HTTP/1.1 200 OK\r\nContent-Type: appl\r\nConnection: close"),
    "stops amid a chunk": raw(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        f"fff\r\n{WHOLE}"
    ),
    "no HTTP at all": raw("SSH-2.0-OpenSSH_9.6\r\nconnection: close\r\n\r\n"),
    "no gzip though it says so": lambda _: answer(WHOLE.encode(), Content_Encoding="gzip"),
    "resets": lambda _: None,
}  # fmt: skip


@for_each("name", UNREADABLE)
def test_an_unreadable_answer_is_an_unknown_outcome(sender: Make, name: str) -> None:
    with Server(UNREADABLE[name]) as server:
        error = failure(sender(server.url, timeout=1.0).send)
    assert isinstance(error, UnknownOutcomeError), repr(error)
    assert len(server.requests) == 1


def test_an_answer_that_stops_midway_is_an_unknown_outcome(sender: Make) -> None:
    with Server(lambda _: answer(b'{"status": "0"', Content_Length="999")) as server:
        error = failure(sender(server.url, timeout=0.3).send)
        assert isinstance(error, UnknownOutcomeError)
    assert len(server.requests) == 1


UNKNOWN_ANSWERS = [
    ("not JSON", {"body": "<html>Welcome</html>"}, 200, "HTTP 200, 20 bytes of "),
    ("empty", {"http_status": 200, "body": ""}, 200, "HTTP 200, 0 bytes of "),
    ("a list", {"answer": [1]}, 200, "without a status"),
    ("0 without an id", {"answer": {"status": "0"}}, 200, "status 0, but the expected data is missing"),
    ("a positive status", {"answer": {"status": 401, "error": "gone"}}, 200, "HTTP 200, status 401"),
    ("a server error", {"http_status": 500, "body": "oops"}, 500, "HTTP 500, 4 bytes of "),
    ("a bad gateway", {"http_status": 502, "answer": {"status": 502}}, 502, "HTTP 502, status 502"),
    ("a gateway's timeout", {"http_status": 504}, 504, "HTTP 504"),
    ("a request timeout", {"http_status": 408}, 408, "HTTP 408"),
    ("too early", {"http_status": 425}, 425, "HTTP 425"),
    ("another proxy", {"http_status": 407}, 407, "HTTP 407"),
    ("no content", {"http_status": 201}, 201, "HTTP 201"),
    ("over 1 MiB", {"body": "[" + " " * MAX_BODY_SIZE + "]"}, 200, "HTTP 200, longer than 1 MiB"),
]  # fmt: skip


@for_each(("fault", "code", "words"), [row[1:] for row in UNKNOWN_ANSWERS])
@for_each("delivery", ["at_least_once", "at_most_once"])
def test_an_undocumented_answer_is_an_unknown_outcome(
    sender: Make, sandbox: Sandbox, *, fault: dict[str, Any], code: int, words: str, delivery: str
) -> None:
    sandbox.fail_next(9, **fault)
    error = failure(lambda: sender(sandbox.url).send(delivery=delivery))
    assert isinstance(error, UnknownOutcomeError)
    assert error.http_status == code
    assert words in str(error)
    assert len(sandbox.requests) == 1


@for_each("http_status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(sender: Make, http_status: int) -> None:
    with Server() as elsewhere, Server(lambda _: answer(b"", http_status, Location=elsewhere.url)) as server:
        error = failure(sender(server.url).send)
    assert isinstance(error, UnknownOutcomeError)
    assert error.http_status == http_status
    assert (len(server.requests), elsewhere.requests) == (1, [])


@for_each("location", ["/elsewhere", "http://[bad", "/\u00e9\u4e2d", "http://a.example:port"])
def test_a_redirects_body_is_read_as_an_answer(sender: Make, location: str) -> None:
    given = location.encode("utf-8").decode("latin-1")

    def redirect(body: Any) -> Server:
        return Server(lambda _: answer(body, 302, Location=given))

    with redirect(ACCEPTED) as server:
        assert sender(server.url).send().message_id == MESSAGE_ID
    with redirect({"status": "-70"}) as server:
        assert isinstance(failure(sender(server.url).send), RecipientError)
    with redirect(b"[" + b" " * (2 * MAX_BODY_SIZE)) as server:
        error = failure(sender(server.url).send)
        assert isinstance(error, UnknownOutcomeError)
        assert "longer than 1 MiB" in str(error)
        assert len(server.requests) == 1


def test_an_answer_of_exactly_1_mib_is_read_and_a_larger_one_is_not(sender: Make) -> None:
    full = json.dumps(ACCEPTED).encode().ljust(MAX_BODY_SIZE)
    with Server(lambda _: answer(full)) as server:
        assert sender(server.url).send().message_id == MESSAGE_ID
    bomb = gzip.compress(b" " * (64 * MAX_BODY_SIZE))
    with Server(lambda _: answer(bomb, Content_Encoding="gzip")) as server:
        error = failure(sender(server.url).send)
    assert isinstance(error, UnknownOutcomeError)
    assert "longer than 1 MiB" in str(error)


class EndlessServer(Server):
    """A server whose answer does not end within 64 MiB."""

    sent = 0

    def serve(self, received: Received, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while self.sent < 64 * MAX_BODY_SIZE and not self.stopped.is_set():
            self.sent += connection.send(b" " * 65536)
        raise ConnectionAbortedError


def test_an_endless_answer_is_given_up_after_1_mib(sender: Make) -> None:
    with EndlessServer() as server:
        error = failure(sender(server.url).send)
        assert isinstance(error, UnknownOutcomeError)
        assert "longer than 1 MiB" in str(error)
        assert server.sent < 32 * MAX_BODY_SIZE

"""Both clients over real sockets: one table of what can happen to a message, and what each must do alike."""

from __future__ import annotations

import asyncio
import base64
import gzip
import inspect
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pendulum
import pytest

from airflow_provider_itnio.api import async_client, client
from airflow_provider_itnio.api.async_client import ItnioAsyncClient, _Deadlines, _Exchange
from airflow_provider_itnio.api.client import ItnioClient, shared_client
from airflow_provider_itnio.api.errors import (
    AccountError,
    AuthenticationError,
    ConfigurationError,
    ContentError,
    ItnioError,
    NotSentError,
    PlatformError,
    RecipientError,
    RefusedError,
    UnknownOutcomeError,
    is_marked_as_not_sent,
)
from airflow_provider_itnio.api.models import message_from
from airflow_provider_itnio.api.protocol import ANSWER_LIMIT
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.signing import Credentials
from airflow_provider_itnio.sandbox import Sandbox
from tests.api.conftest import API_KEY, APP_ID, BUSINESS_PHONE, RECIPIENT, SECRET, Authority, Sender
from tests.api.servers import (
    ACCEPTED,
    MESSAGE_ID,
    Received,
    Server,
    TunnelProxy,
    answer,
    free_port,
    full_backlog,
)

Make = Callable[..., Sender]


def failure(send: Callable[[], Any]) -> ItnioError:
    with pytest.raises(ItnioError) as caught:
        send()
    return caught.value


# --- accepted -------------------------------------------------------------------------------------------


def test_a_message_is_accepted(sender: Make, sandbox: Sandbox) -> None:
    receipt = sender(sandbox.url).send("42 rows loaded")
    (message,) = sandbox.messages
    assert receipt == Receipt(
        message.id, RECIPIENT, "text", pendulum.instance(message.at).replace(microsecond=0)
    )
    assert message.body == {
        "appId": APP_ID,
        "businessPhone": BUSINESS_PHONE,
        "recipient": RECIPIENT,
        "channelType": 0,
        "type": "text",
        "text": {"body": "42 rows loaded"},
    }


def test_what_goes_over_the_wire(sender: Make) -> None:
    with Server() as server:
        assert sender(server.url).send("行 loaded").message_id == MESSAGE_ID
    (request,) = server.requests
    assert request.first_line == "POST /wa/custom/sendMsg HTTP/1.1"
    assert request.headers["content-type"] == "application/json;charset=UTF-8"
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"].startswith("airflow-provider-itnio/")
    assert request.headers["api-key"] == API_KEY
    assert request.headers["sign"] == Credentials(API_KEY, SECRET).sign(request.headers["timestamp"])
    assert abs(int(request.headers["timestamp"]) - time.time()) < 5
    assert "authorization" not in request.headers
    assert json.loads(request.body)["text"] == {"body": "行 loaded"}


def test_the_path_of_the_base_url_stands_before_the_endpoints(sender: Make) -> None:
    with Server() as server:
        sender(f"{server.url}/gate").send()
    assert server.requests[0].first_line == "POST /gate/wa/custom/sendMsg HTTP/1.1"


def test_the_balance_is_read(sender: Make, sandbox: Sandbox) -> None:
    assert str(sender(sandbox.url).get_balance().balance) == "1000.00"
    assert sandbox.messages == []


@pytest.mark.parametrize("status", [0, "0", " 0 "])
@pytest.mark.parametrize("http_status", [200, 202, 302, 404, 429, 500, 503])
def test_status_0_with_an_id_is_accepted_whatever_the_http_code(
    sender: Make, http_status: int, status: object
) -> None:
    with Server(lambda _: answer(ACCEPTED | {"status": status}, http_status)) as server:
        assert sender(server.url).send().message_id == MESSAGE_ID
    assert len(server.requests) == 1


def test_a_compressed_answer_is_read(sender: Make) -> None:
    with Server(
        lambda _: answer(gzip.compress(json.dumps(ACCEPTED).encode()), Content_Encoding="gzip")
    ) as server:
        assert sender(server.url).send().message_id == MESSAGE_ID


def test_a_chunked_answer_is_read(sender: Make) -> None:
    text = json.dumps(ACCEPTED).encode()
    parts = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (text[:10], text[10:])) + b"0\r\n\r\n"
    with Server(lambda _: answer(parts, Transfer_Encoding="chunked")) as server:
        assert sender(server.url).send().message_id == MESSAGE_ID


@pytest.mark.parametrize("early", ["100 Continue", "102 Processing", "103 Early Hints", "199 Soon"])
def test_what_precedes_an_answer_is_skipped(sender: Make, early: str) -> None:
    first = f"HTTP/1.1 {early}\r\nLink: </x>\r\n\r\n".encode() * 2
    with Server(lambda _: first + answer()) as server:
        one = sender(server.url)
        assert one.send().message_id == one.send().message_id == MESSAGE_ID
    assert [request.connection for request in server.requests] == [1, 1]


# --- not sent: no connection ----------------------------------------------------------------------------


def test_a_name_that_is_not_known_is_tried_again(sender: Make, caplog: pytest.LogCaptureFixture) -> None:
    error = failure(sender("http://no-such-host.invalid", max_attempts=3).send)
    assert isinstance(error, NotSentError)
    assert error.http_status is None
    assert str(error).startswith("The text message to 86…57 was not sent, no connection: ")
    assert [record.getMessage()[:11] for record in caplog.records if record.levelname == "WARNING"] == [
        "Try 1 of 3:",
        "Try 2 of 3:",
    ]


def test_a_refused_connection_is_tried_again(sender: Make, caplog: pytest.LogCaptureFixture) -> None:
    error = failure(sender(f"http://127.0.0.1:{free_port()}").send)
    assert isinstance(error, NotSentError)
    assert error.try_again
    assert "no connection" in str(error)
    assert sum("trying again in" in record.getMessage() for record in caplog.records) == 3


def test_a_connection_that_never_comes_is_tried_again(sender: Make, caplog: pytest.LogCaptureFixture) -> None:
    with full_backlog() as url:
        error = failure(sender(url, connect_timeout=0.3, max_attempts=2).send)
    assert isinstance(error, NotSentError)
    assert sum("trying again in" in record.getMessage() for record in caplog.records) == 1


def test_a_server_that_comes_up_meanwhile_gets_the_message(sender: Make) -> None:
    one = sender(f"http://127.0.0.1:{free_port()}", max_attempts=2)
    url = []

    def come_up(*_: object) -> None:
        url.append(sandbox.url)

    with Sandbox(port=int(one.client._settings.base_url.rpartition(":")[2])) as sandbox:
        sandbox.stop()
        starting = threading.Timer(0.05, sandbox.start)
        starting.start()
        late = sender(sandbox.url, max_attempts=6, first_wait=0.1)
        assert late.send().type == "text"
        starting.join()
        assert len(sandbox.messages) == 1


# --- certificates ---------------------------------------------------------------------------------------


def test_tls_is_verified_against_the_environments_bundle(sender: Make, trusted: Authority) -> None:
    with Sandbox(certfile=trusted.certificate()) as sandbox:
        one = sender(sandbox.url)
        one.send()
        one.send()
        assert len(sandbox.messages) == 2


def test_a_certificate_of_an_unknown_authority_is_tried_once(
    sender: Make, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    with Server(tls=authority.server_context()) as server:
        error = failure(sender(server.url).send)
    assert isinstance(error, NotSentError)
    assert not error.try_again
    assert str(error) == (
        "The text message to 86…57 was not sent, the server's certificate does not verify: "
        "unable to get local issuer certificate"
    )
    assert server.connections == 1
    assert server.requests == []
    assert "trying again" not in caplog.text


def test_a_certificate_for_another_name_is_tried_once(sender: Make, trusted: Authority) -> None:
    with Server(tls=trusted.server_context("other.example")) as server:
        error = failure(sender(server.url).send)
    assert isinstance(error, NotSentError)
    assert not error.try_again
    assert "the server's certificate does not verify: IP address mismatch" in str(error)
    assert (server.connections, server.requests) == (1, [])


def test_a_server_that_speaks_no_tls_gets_no_message(sender: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def speak_plainly() -> None:
            with listening.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.recv(9999)

        thread = threading.Thread(target=speak_plainly)
        thread.start()
        error = failure(sender(f"https://127.0.0.1:{listening.getsockname()[1]}", max_attempts=1).send)
        thread.join()
    assert type(error) is NotSentError
    assert "SSL" in str(error)


def test_a_server_that_does_not_shake_hands_gets_no_message(sender: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        error = failure(sender(url, connect_timeout=0.3, timeout=0.3, max_attempts=2).send)
    assert type(error) is NotSentError


def test_one_context_is_shared_by_both_clients_and_all_sessions(
    sender: Make, trusted: Authority, own_contexts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[object] = []
    create = ssl.create_default_context
    monkeypatch.setattr(
        ssl,
        "create_default_context",
        lambda *args, **options: built.append(args) or create(*args, **options),
    )
    with Sandbox(certfile=trusted.certificate()) as sandbox:
        for _ in range(3):
            sender(sandbox.url).send()
    assert len(built) == 1


# --- proxies --------------------------------------------------------------------------------------------


def test_a_proxy_that_is_not_there_is_tried_again(sender: Make, caplog: pytest.LogCaptureFixture) -> None:
    proxy = f"http://127.0.0.1:{free_port()}"
    for url in ("http://api.example", "https://api.example"):
        caplog.clear()
        error = failure(sender(url, proxy=proxy, max_attempts=2).send)
        assert isinstance(error, NotSentError)
        assert sum("trying again in" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize("code", [403, 407, 502])
def test_a_proxy_that_lets_nobody_through_is_tried_again(sender: Make, code: int) -> None:
    with Server(lambda _: answer(b"", code, Connection="close")) as proxy:
        error = failure(sender("https://api.example", proxy=proxy.url, max_attempts=2).send)
    assert isinstance(error, NotSentError)
    assert str(code) in str(error)
    assert [request.first_line[:-1] for request in proxy.requests] == ["CONNECT api.example:443 HTTP/1."] * 2


def test_a_message_goes_through_a_tunnel(sender: Make, trusted: Authority) -> None:
    with Sandbox(certfile=trusted.certificate()) as sandbox, TunnelProxy() as proxy:
        one = sender(sandbox.url, proxy=proxy.url)
        one.send()
        one.send()
        assert len(sandbox.messages) == 2
    (connect,) = proxy.requests
    assert connect.first_line.startswith(f"CONNECT 127.0.0.1:{sandbox.port} HTTP/1.")
    assert not {"sign", "api-key", "timestamp"} & connect.headers.keys()


def test_a_message_goes_through_a_tunnel_of_a_proxy_that_speaks_tls(sender: Make, trusted: Authority) -> None:
    with (
        Sandbox(certfile=trusted.certificate()) as sandbox,
        TunnelProxy(tls=trusted.server_context()) as proxy,
    ):
        one = sender(sandbox.url, proxy=proxy.url.replace("//", "//ann:pr0xypass@"))
        one.send()
        one.send()
        assert len(sandbox.messages) == 2
    (connect,) = proxy.requests
    assert connect.headers["proxy-authorization"] == "Basic YW5uOnByMHh5cGFzcw=="


def test_a_proxy_that_speaks_tls_is_verified(sender: Make, authority: Authority) -> None:
    with TunnelProxy(tls=authority.server_context()) as proxy:
        error = failure(sender("https://api.example", proxy=proxy.url).send)
    assert isinstance(error, NotSentError)
    assert not error.try_again
    assert proxy.requests == []


@pytest.mark.parametrize("password", ["pr0xy%2Fp%40ss", "p%C3%A4ss", "p%FCss"])
def test_a_proxys_password_may_be_any_of_latin_1(sender: Make, password: str) -> None:
    with Server() as proxy:
        url = proxy.url.replace("//", f"//ann:{password}@")
        if password == "p%FCss":  # not UTF-8
            with pytest.raises(ConfigurationError, match=r"^proxy: .* outside Latin-1"):
                sender("http://api.example", proxy=url)
            return
        sender("http://api.example", proxy=url).send()
    sent = base64.b64decode(proxy.requests[0].headers["proxy-authorization"].removeprefix("Basic "))
    assert sent.decode("latin-1") == f"ann:{unquote(password)}"


def test_a_certificate_is_verified_behind_a_proxy(sender: Make, authority: Authority) -> None:
    with Server(tls=authority.server_context()) as server, TunnelProxy() as proxy:
        error = failure(sender(server.url, proxy=proxy.url).send)
    assert isinstance(error, NotSentError)
    assert not error.try_again
    assert "the server's certificate does not verify" in str(error)
    assert len(proxy.requests) == 1


def test_a_message_lost_behind_a_tunnel_is_unknown(sender: Make, trusted: Authority) -> None:
    with Server(lambda _: None, tls=trusted.server_context()) as server, TunnelProxy() as proxy:
        error = failure(sender(server.url, proxy=proxy.url).send)
    assert isinstance(error, UnknownOutcomeError)
    assert len(server.requests) == 1


def test_a_message_lost_in_a_proxy_is_unknown(sender: Make) -> None:
    with Server(lambda _: None) as proxy:
        error = failure(sender("http://api.example", proxy=proxy.url).send)
    assert isinstance(error, UnknownOutcomeError)
    assert [request.first_line for request in proxy.requests] == [
        "POST http://api.example/wa/custom/sendMsg HTTP/1.1"
    ]


def test_a_proxy_that_takes_too_long_with_a_message_is_unknown(sender: Make) -> None:
    with Server() as proxy:
        proxy._answering = lambda _: proxy.stopped.wait(5) and None
        error = failure(sender("http://api.example", proxy=proxy.url, timeout=0.2).send)
        assert isinstance(error, UnknownOutcomeError)
        assert len(proxy.requests) == 1


def test_a_proxys_user_and_password_are_used_and_not_shown(
    sender: Make, caplog: pytest.LogCaptureFixture
) -> None:
    with Server(lambda _: answer(b"", 407)) as proxy:
        url = proxy.url.replace("//", "//ann:pr0xypass@")
        error = failure(sender("https://api.example", proxy=url, max_attempts=2).send)
    assert proxy.requests[0].headers["proxy-authorization"].startswith("Basic ")
    assert "pr0xypass" not in f"{error!r} {error} {caplog.text}"


def test_the_environments_proxy_is_used(sender: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        sender("http://api.example").send()
        assert proxy.requests[0].first_line == "POST http://api.example/wa/custom/sendMsg HTTP/1.1"
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        with Server() as direct:
            sender(direct.url).send()
            assert len(direct.requests) == 1
        assert len(proxy.requests) == 1


def test_the_environment_is_read_once(sender: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server() as direct:
        one = sender(direct.url)
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
        one.send()
        assert len(direct.requests) == 1


def test_the_settings_proxy_goes_before_the_environments(
    sender: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    with Server() as proxy:
        sender("http://api.example", proxy=proxy.url).send()
        assert len(proxy.requests) == 1


# --- not sent: turned away ------------------------------------------------------------------------------


@pytest.mark.parametrize("http_status", [429, 503])
def test_a_server_that_turns_away_is_tried_again_until_it_takes(
    sender: Make, sandbox: Sandbox, http_status: int
) -> None:
    sandbox.fail_next(2, http_status=http_status)
    assert sender(sandbox.url).send().type == "text"
    assert len(sandbox.requests) == 3
    assert len(sandbox.messages) == 1


@pytest.mark.parametrize("http_status", [429, 503])
def test_a_server_that_goes_on_turning_away_ends_as_not_sent(
    sender: Make, sandbox: Sandbox, http_status: int
) -> None:
    sandbox.fail_next(9, http_status=http_status)
    error = failure(sender(sandbox.url, max_attempts=3).send)
    assert isinstance(error, NotSentError)
    assert (error.http_status, error.retry_after) == (http_status, None)
    assert str(error).endswith(f": HTTP {http_status}")
    assert ("probably not sent" in str(error)) is (http_status == 503)
    assert ("at_most_once" in str(error)) is (http_status == 503)
    assert len(sandbox.requests) == 3


@pytest.mark.parametrize("http_status", [429, 503])
def test_retry_after_is_obeyed(sender: Make, sandbox: Sandbox, http_status: int) -> None:
    sandbox.fail_next(http_status=http_status, headers={"Retry-After": "0.4"})
    before = time.monotonic()
    sender(sandbox.url).send()
    assert time.monotonic() - before >= 0.4
    assert len(sandbox.messages) == 1


@pytest.mark.parametrize("http_status", [429, 503])
def test_a_retry_after_beyond_the_cap_ends_at_once(sender: Make, sandbox: Sandbox, http_status: int) -> None:
    sandbox.fail_next(9, http_status=http_status, headers={"Retry-After": "61"})
    before = time.monotonic()
    error = failure(sender(sandbox.url).send)
    assert time.monotonic() - before < 30
    assert isinstance(error, NotSentError)
    assert (error.http_status, error.retry_after) == (http_status, 61)
    assert str(error).endswith(f": HTTP {http_status}, which asks to wait 61 s")
    assert len(sandbox.requests) == 1


def test_a_retry_after_may_be_a_date(sender: Make, sandbox: Sandbox) -> None:
    sandbox.fail_next(http_status=429, headers={"Retry-After": formatdate(time.time() + 300, usegmt=True)})
    error = failure(sender(sandbox.url).send)
    assert isinstance(error, NotSentError)
    assert 290 < (error.retry_after or 0) <= 300


def test_at_most_once_does_not_try_again_after_503(sender: Make, sandbox: Sandbox) -> None:
    sandbox.fail_next(http_status=503)
    error = failure(lambda: sender(sandbox.url).send(delivery="at_most_once"))
    assert isinstance(error, UnknownOutcomeError)
    assert len(sandbox.requests) == 1


def test_at_most_once_tries_again_after_429(sender: Make, sandbox: Sandbox) -> None:
    sandbox.fail_next(http_status=429)
    sender(sandbox.url).send(delivery="at_most_once")
    assert len(sandbox.requests) == 2


def test_each_try_is_signed_anew(sender: Make) -> None:
    times = iter(range(1_700_000_000, 1_700_000_900, 7))
    with Server(lambda received: answer({}, 429) if len(server.requests) < 3 else answer()) as server:
        sender(server.url, now=lambda: next(times)).send()
    stamps = [request.headers["timestamp"] for request in server.requests]
    assert len(set(stamps)) == 3
    assert [request.headers["sign"] for request in server.requests] == [
        Credentials(API_KEY, SECRET).sign(stamp) for stamp in stamps
    ]


# --- unknown: exactly one request -----------------------------------------------------------------------


@pytest.mark.parametrize(("drop", "kept"), [("before_accepting", 0), ("after_accepting", 1)])
def test_a_dropped_connection_is_unknown(sender: Make, sandbox: Sandbox, drop: str, kept: int) -> None:
    sandbox.fail_next(drop=drop)
    error = failure(sender(sandbox.url).send)
    assert isinstance(error, UnknownOutcomeError)
    assert error.http_status is None
    assert str(error).startswith(
        "No complete answer came, so Itniotech may have accepted the text message to 86…57: "
    )
    assert (len(sandbox.requests), len(sandbox.messages)) == (1, kept)


def test_an_answer_that_does_not_come_is_unknown(sender: Make, sandbox: Sandbox) -> None:
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


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_answer_that_can_not_be_read_is_unknown(sender: Make, name: str) -> None:
    with Server(UNREADABLE[name]) as server:
        error = failure(sender(server.url, timeout=1.0).send)
    assert isinstance(error, UnknownOutcomeError), repr(error)
    assert len(server.requests) == 1


def test_an_answer_that_stops_coming_is_unknown(sender: Make) -> None:
    with Server(lambda _: answer(b'{"status": "0"', Content_Length="999")) as server:
        error = failure(sender(server.url, timeout=0.3).send)
        assert isinstance(error, UnknownOutcomeError)
    assert len(server.requests) == 1


UNKNOWN_ANSWERS = [
    ("not JSON", {"body": "<html>Welcome</html>"}, 200, "HTTP 200, 20 bytes of "),
    ("empty", {"http_status": 200, "body": ""}, 200, "HTTP 200, 0 bytes of "),
    ("a list", {"answer": [1]}, 200, "that hold no status"),
    ("0 without an id", {"answer": {"status": "0"}}, 200, "HTTP 200, status 0 without what was asked for"),
    ("a positive status", {"answer": {"status": 401, "error": "gone"}}, 200, "HTTP 200, status 401"),
    ("a server error", {"http_status": 500, "body": "oops"}, 500, "HTTP 500, 4 bytes of "),
    ("a bad gateway", {"http_status": 502, "answer": {"status": 502}}, 502, "HTTP 502, status 502"),
    ("a gateway's timeout", {"http_status": 504}, 504, "HTTP 504"),
    ("a request timeout", {"http_status": 408}, 408, "HTTP 408"),
    ("too early", {"http_status": 425}, 425, "HTTP 425"),
    ("another proxy", {"http_status": 407}, 407, "HTTP 407"),
    ("no content", {"http_status": 201}, 201, "HTTP 201"),
    ("over 1 MiB", {"body": "[" + " " * ANSWER_LIMIT + "]"}, 200, "HTTP 200, longer than 1 MiB"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "code", "words"), [row[1:] for row in UNKNOWN_ANSWERS], ids=[row[0] for row in UNKNOWN_ANSWERS]
)
@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
def test_an_answer_that_is_not_documented_is_unknown(
    sender: Make, sandbox: Sandbox, *, fault: dict[str, Any], code: int, words: str, delivery: str
) -> None:
    sandbox.fail_next(9, **fault)
    error = failure(lambda: sender(sandbox.url).send(delivery=delivery))
    assert isinstance(error, UnknownOutcomeError)
    assert error.http_status == code
    assert words in str(error)
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("http_status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(sender: Make, http_status: int) -> None:
    with Server() as elsewhere, Server(lambda _: answer(b"", http_status, Location=elsewhere.url)) as server:
        error = failure(sender(server.url).send)
    assert isinstance(error, UnknownOutcomeError)
    assert error.http_status == http_status
    assert (len(server.requests), elsewhere.requests) == (1, [])


@pytest.mark.parametrize(
    "location", ["/elsewhere", "http://[bad", "/\u00e9\u4e2d", "http://a.example:port"], ids=ascii
)
def test_a_redirect_is_read_as_the_answer_it_is(sender: Make, location: str) -> None:
    given = location.encode("utf-8").decode("latin-1")

    def redirect(body: Any) -> Server:
        return Server(lambda _: answer(body, 302, Location=given))

    with redirect(ACCEPTED) as server:
        assert sender(server.url).send().message_id == MESSAGE_ID
    with redirect({"status": "-70"}) as server:
        assert isinstance(failure(sender(server.url).send), RecipientError)
    with redirect(b"[" + b" " * (2 * ANSWER_LIMIT)) as server:
        error = failure(sender(server.url).send)
        assert isinstance(error, UnknownOutcomeError)
        assert "longer than 1 MiB" in str(error)
        assert len(server.requests) == 1


def test_an_answer_of_exactly_1_mib_is_read_and_an_endless_one_is_not(sender: Make) -> None:
    full = json.dumps(ACCEPTED).encode().ljust(ANSWER_LIMIT)
    with Server(lambda _: answer(full)) as server:
        assert sender(server.url).send().message_id == MESSAGE_ID
    bomb = gzip.compress(b" " * (64 * ANSWER_LIMIT))
    with Server(lambda _: answer(bomb, Content_Encoding="gzip")) as server:
        error = failure(sender(server.url).send)
    assert isinstance(error, UnknownOutcomeError)
    assert "longer than 1 MiB" in str(error)


class EndlessServer(Server):
    """A server whose answer has no end, or at least not within 64 MiB."""

    sent = 0

    def serve(self, received: Received, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while self.sent < 64 * ANSWER_LIMIT and not self.stopped.is_set():
            self.sent += connection.send(b" " * 65536)
        raise ConnectionAbortedError


def test_an_answer_without_end_is_given_up(sender: Make) -> None:
    with EndlessServer() as server:
        error = failure(sender(server.url).send)
        assert isinstance(error, UnknownOutcomeError)
        assert "longer than 1 MiB" in str(error)
        assert server.sent < 32 * ANSWER_LIMIT


# --- refused: exactly one request -----------------------------------------------------------------------

REFUSALS = [
    ({"status": -1}, AuthenticationError, -1),
    ({"status": -68}, AccountError, -68),
    ({"status": -133, "http_status": 400}, ContentError, -133),
    ({"answer": {"status": -112, "reason": "x"}}, ContentError, -112),
    ({"status": -5}, PlatformError, -5),
    ({"status": -999}, RefusedError, -999),
    ({"http_status": 400}, RefusedError, None),
    ({"http_status": 401}, AuthenticationError, None),
    ({"http_status": 403}, AuthenticationError, None),
    ({"http_status": 404, "body": "<html>"}, RefusedError, None),
    ({"http_status": 404, "answer": {"status": 404}}, RefusedError, None),
]


@pytest.mark.parametrize(("fault", "family", "code"), REFUSALS, ids=[str(row[0]) for row in REFUSALS])
def test_a_refusal_is_one_request(
    sender: Make, sandbox: Sandbox, fault: dict[str, Any], family: type[RefusedError], code: int | None
) -> None:
    sandbox.fail_next(9, **fault)
    error = failure(sender(sandbox.url).send)
    assert type(error) is family
    assert error.code == code
    assert len(sandbox.requests) == 1


def test_what_the_vendor_refuses_is_one_request(sender: Make, sandbox: Sandbox) -> None:
    error = failure(lambda: sender(sandbox.url).send(app_id="nosuchid"))
    assert isinstance(error, AccountError)
    assert error.code == -10
    error = failure(sender(sandbox.url, credentials=Credentials(API_KEY, "wrong")).send)
    assert isinstance(error, AuthenticationError)
    assert error.code == -1
    assert len(sandbox.requests) == 2


# --- clock ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_an_hour_off_heals_with_one_more_request(sender: Make, sandbox: Sandbox, hours: int) -> None:
    one = sender(sandbox.url, now=lambda: time.time() + hours * 3600)
    one.send()
    assert [request.answer["status"] for request in sandbox.requests] == ["-4", "0"]
    one.send()
    one.get_balance()
    assert [request.answer["status"] for request in sandbox.requests] == ["-4", "0", "0", "0"]
    assert len({request.sign_fingerprint for request in sandbox.requests[:2]}) == 2


def test_a_clock_that_does_not_heal_is_two_requests(sender: Make, sandbox: Sandbox) -> None:
    sandbox.fail_next(9, status=-4)
    error = failure(sender(sandbox.url).send)
    assert isinstance(error, AuthenticationError)
    assert error.code == -4
    assert len(sandbox.requests) == 2


@pytest.mark.parametrize("off", [366 * 86400, -366 * 86400, 86400])
def test_an_offset_that_does_not_help_is_dropped(sender: Make, sandbox: Sandbox, off: int) -> None:
    one = sender(sandbox.url)
    wrong = formatdate(time.time() + off, usegmt=True)
    sandbox.fail_next(status=-4, headers={"Date": wrong})
    assert isinstance(failure(one.send), AuthenticationError)
    for _ in range(3):
        assert one.send().type == "text"
    assert [request.answer["status"] for request in sandbox.requests] == ["-4", "-4", "0", "0", "0"]


def test_an_offset_that_helped_outlives_one_that_does_not(sender: Make, sandbox: Sandbox) -> None:
    one = sender(sandbox.url, now=lambda: time.time() + 3600)
    one.send()
    sandbox.fail_next(status=-4, headers={"Date": formatdate(time.time() + 10**7, usegmt=True)})
    assert isinstance(failure(one.send), AuthenticationError)
    one.send()
    assert [request.answer["status"] for request in sandbox.requests] == ["-4", "0", "-4", "-4", "0"]


def test_an_offset_goes_when_the_machines_clock_is_set_right(sender: Make) -> None:
    """And the server gives no date by which it could be corrected."""
    ahead = [3600.0]

    def judge(received: Received) -> bytes:
        if abs(int(received.headers["timestamp"]) - time.time()) < 300:
            return answer()
        headers = {"Date": formatdate(time.time(), usegmt=True)} if ahead[0] else {}
        return answer({"status": "-4"}, **headers)

    with Server(judge) as server:
        one = sender(server.url, now=lambda: time.time() + ahead[0])
        one.send()
        ahead[0] = 0.0
        one.send()
        one.send()
    assert len(server.requests) == 5


def test_without_a_date_the_clock_is_not_set(sender: Make) -> None:
    with Server(lambda _: answer({"status": "-16", "reason": "timestamp expires"})) as server:
        error = failure(sender(server.url).send)
    assert isinstance(error, AuthenticationError)
    assert len(server.requests) == 1


def test_an_unknown_answer_after_the_clock_was_set_is_not_repeated(sender: Make, sandbox: Sandbox) -> None:
    sandbox.fail_next(status=-4)
    sandbox.fail_next(drop="after_accepting")
    assert isinstance(failure(sender(sandbox.url).send), UnknownOutcomeError)
    assert (len(sandbox.requests), len(sandbox.messages)) == (2, 1)


# --- connections ----------------------------------------------------------------------------------------


def test_a_connection_is_used_again(sender: Make) -> None:
    with Server() as server:
        one = sender(server.url)
        for _ in range(3):
            one.send()
    assert [request.connection for request in server.requests] == [1, 1, 1]


def test_a_connection_that_was_idle_too_long_is_not_used_again(
    sender: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "IDLE_LIMIT", 0.2)
    monkeypatch.setattr(async_client, "IDLE_LIMIT", 0.2)
    with Server() as server:
        one = sender(server.url)
        one.send()
        one.send()
        time.sleep(0.4)
        one.send()
    assert [request.connection for request in server.requests] == [1, 1, 2]


def test_idle_connections_are_kept_for_four_seconds_at_most() -> None:
    assert client.IDLE_LIMIT == async_client.IDLE_LIMIT == 4


def test_a_closed_client_opens_new_connections(sender: Make) -> None:
    with Server() as server:
        one = sender(server.url)
        one.close()
        one.send()
        one.close()
        one.send()
    assert [request.connection for request in server.requests] == [1, 2]


def test_a_refusal_and_a_long_answer_do_not_spoil_the_next_message(sender: Make, sandbox: Sandbox) -> None:
    one = sender(sandbox.url)
    for fault in (
        {"status": -68},
        {"http_status": 404, "body": "x" * 9999},
        {"body": "x" * (ANSWER_LIMIT + 9)},
    ):
        sandbox.fail_next(**fault)
        failure(one.send)
        assert one.send().type == "text"


def test_cookies_are_not_kept(sender: Make) -> None:
    body = ACCEPTED | {"balance": "1"}
    with Server(lambda _: answer(body, Set_Cookie="session=1; Path=/")) as server:
        one = sender(server.url)
        one.send()
        one.send()
        one.get_balance()
    assert len(server.requests) == 3
    assert all("cookie" not in request.headers for request in server.requests)


def test_netrc_is_ignored(sender: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login ann password netrcpass\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    with Server() as server:
        sender(server.url).send()
    assert "authorization" not in server.requests[0].headers
    assert server.requests[0].headers["api-key"] == API_KEY


def test_a_client_is_a_context_manager(sandbox: Sandbox) -> None:
    with ItnioClient(Credentials(API_KEY, SECRET), ClientSettings(base_url=sandbox.url)) as one:
        assert one.get_balance().balance


def test_an_async_client_is_a_context_manager(sandbox: Sandbox) -> None:
    import asyncio

    async def ask() -> Any:
        settings = ClientSettings(base_url=sandbox.url)
        async with ItnioAsyncClient(Credentials(API_KEY, SECRET), settings) as one:
            return await asyncio.gather(*(one.get_balance() for _ in range(20)))

    assert len(asyncio.run(ask())) == 20


# --- the aiohttp client: what a broadcast asks of it ----------------------------------------------------


def impatient(url: str, **settings: Any) -> ItnioAsyncClient:
    quick = {"connect_timeout": 2.0, "timeout": 5.0, "first_wait": 0.01, "jitter": 0.01}
    return ItnioAsyncClient(Credentials(API_KEY, SECRET), ClientSettings(base_url=url, **(quick | settings)))


def sending(client: ItnioAsyncClient) -> Any:
    message = message_from({"text": "42 rows loaded"})
    return client.send(message, recipient=RECIPIENT, app_id=APP_ID, business_phone=BUSINESS_PHONE)


def ended_while(url: str, is_so: Callable[[], bool], **settings: Any) -> BaseException | None:
    """Cancel a message that is being sent once something is so, and give how it ends."""

    async def end_of(sent: Any) -> BaseException | None:
        # Looked at here: outside of its task each cancellation looks alike.
        try:
            await sent
        except BaseException as error:
            return error
        return None

    async def send() -> BaseException | None:
        async with impatient(url, **settings) as client:
            task = asyncio.create_task(end_of(sending(client)))
            while not is_so():
                await asyncio.sleep(0.005)
            task.cancel()
            return await task

    return asyncio.run(asyncio.wait_for(send(), 10))


def test_what_is_accepted_at_once_pays_for_no_tries(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("tries were set up")

    monkeypatch.setattr(async_client, "AsyncRetrying", none)

    async def send() -> Receipt:
        async with impatient(sandbox.url) as client:
            receipt: Receipt = await sending(client)
            return receipt

    assert asyncio.run(send()).message_id == sandbox.messages[0].id


@pytest.mark.parametrize("fault", [{"status": -114}, {"drop": "before_accepting"}])
def test_what_is_not_worth_another_try_pays_for_none_either(
    fault: dict[str, Any], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("tries were set up")

    monkeypatch.setattr(async_client, "AsyncRetrying", none)
    sandbox.fail_next(**fault)

    async def send() -> None:
        async with impatient(sandbox.url) as client:
            await sending(client)

    with pytest.raises((RefusedError, UnknownOutcomeError)):
        asyncio.run(send())
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("max_attempts", [1, 2, 4])
def test_the_first_try_counts_as_one_of_them(
    max_attempts: int, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.fail_next(9, http_status=503)

    async def send() -> None:
        async with impatient(sandbox.url, max_attempts=max_attempts) as client:
            await sending(client)

    with pytest.raises(NotSentError, match="HTTP 503"):
        asyncio.run(send())
    assert len(sandbox.requests) == max_attempts
    said = [message for message in caplog.messages if message.startswith("Try ")]
    assert [line.split(":")[0] for line in said] == [
        f"Try {n} of {max_attempts}" for n in range(1, max_attempts)
    ]


def test_cancelled_between_two_tries_it_says_that_nothing_was_sent(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.fail_next(http_status=429, headers={"Retry-After": "30"})
    ended = ended_while(sandbox.url, lambda: "trying again in 30.0 s" in caplog.text)
    assert type(ended) is asyncio.CancelledError
    assert is_marked_as_not_sent(ended)
    assert len(sandbox.requests) == 1
    assert sandbox.messages == []


def test_cancelled_in_a_request_it_does_not_say_so(sandbox: Sandbox) -> None:
    sandbox.fail_next(delay=3)
    ended = ended_while(sandbox.url, lambda: bool(sandbox.requests))
    assert type(ended) is asyncio.CancelledError
    assert not is_marked_as_not_sent(ended)
    assert len(sandbox.messages) == 1


def test_cancelled_in_the_request_of_a_second_try_it_does_not_say_so(sandbox: Sandbox) -> None:
    sandbox.fail_next(http_status=503)
    sandbox.fail_next(delay=3)
    ended = ended_while(sandbox.url, lambda: len(sandbox.requests) == 2)
    assert type(ended) is asyncio.CancelledError
    assert not is_marked_as_not_sent(ended)


# --- the blocking client: threads, processes, one per account -------------------------------------------


def blocking(url: str) -> Sender:
    quick = ClientSettings(base_url=url, timeout=5.0, first_wait=0.01, jitter=0.01)
    return Sender(ItnioClient(Credentials(API_KEY, SECRET), quick), lambda result: result)


def test_threads_share_a_client_but_no_connection() -> None:
    arrived = threading.Barrier(4)

    def all_at_once(_: Received) -> bytes:
        arrived.wait(5)
        return answer()

    with Server(all_at_once) as server:
        one = blocking(server.url)

        def send_twice() -> None:
            one.send()
            one.send()

        threads = [threading.Thread(target=send_twice) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(request.connection for request in server.requests) == [1, 1, 2, 2, 3, 3, 4, 4]


def test_a_client_survives_a_fork(tmp_path: Path) -> None:
    """The child neither writes into its parent's socket nor breaks it."""
    program = textwrap.dedent("""
        import os, sys
        from airflow_provider_itnio.api.client import shared_client
        from airflow_provider_itnio.api.models import message_from
        from airflow_provider_itnio.api.settings import ClientSettings
        from airflow_provider_itnio.api.signing import Credentials

        addressed = {"recipient": "8614718004557", "app_id": "a", "business_phone": "91856321321"}

        def send(text):
            client = shared_client(Credentials("key", "secret"), ClientSettings(base_url=sys.argv[1]))
            client.send(message_from({"text": text}), **addressed)
            return client

        before = send("before")
        child = os.fork()
        if child == 0:
            try:
                before.send(message_from({"text": "child"}), **addressed)
                os._exit(0 if send("kept child") is not before else 3)
            except BaseException as error:
                print(repr(error), file=sys.stderr)
                os._exit(4)
        _, status = os.waitpid(child, 0)
        assert send("after") is before
        sys.exit(os.waitstatus_to_exitcode(status))
    """)
    with Server() as server:
        ran = subprocess.run(
            [sys.executable, "-c", program, server.url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    came = {json.loads(request.body)["text"]["body"]: request.connection for request in server.requests}
    assert came == {"before": 1, "child": 2, "kept child": 3, "after": 1}


def test_equal_accounts_and_settings_share_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_kept", {})
    kept = shared_client(Credentials("key", "secret"), ClientSettings(base_url="https://a.example"))
    assert shared_client(Credentials("key", "secret"), ClientSettings(base_url="https://a.example")) is kept
    assert (
        shared_client(Credentials("key", "other"), ClientSettings(base_url="https://a.example")) is not kept
    )
    assert (
        shared_client(Credentials("key", "secret"), ClientSettings(base_url="https://b.example")) is not kept
    )
    assert (
        shared_client(Credentials("key", "secret"), ClientSettings(base_url="https://a.example", timeout=1))
        is not kept
    )
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert (
        shared_client(Credentials("key", "secret"), ClientSettings(base_url="https://a.example")) is not kept
    )


def test_only_so_many_clients_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_kept", {})
    first = shared_client(Credentials("key", "0"), ClientSettings())
    for number in range(1, 40):
        shared_client(Credentials("key", f"{number}"), ClientSettings())
    assert len(client._kept) == 32
    assert shared_client(Credentials("key", "0"), ClientSettings()) is not first


# --- alike ----------------------------------------------------------------------------------------------


def public(cls: type) -> dict[str, Any]:
    return {
        name: member
        for name, member in vars(cls).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }


def test_both_clients_have_the_same_methods_with_the_same_words() -> None:
    one, other = public(ItnioClient), public(ItnioAsyncClient)
    assert one.keys() == other.keys() == {"send", "get_balance", "close"}
    for name in ("send", "get_balance"):
        assert inspect.signature(one[name]) == inspect.signature(other[name])
        assert inspect.getdoc(one[name]) == inspect.getdoc(other[name])
        assert inspect.iscoroutinefunction(other[name])
    assert inspect.signature(ItnioClient) == inspect.signature(ItnioAsyncClient)


def test_both_clients_name_a_failure_alike() -> None:
    """The word for the error itself is the library's; the sentence around it is ours."""
    import asyncio

    settings = ClientSettings(base_url=f"http://127.0.0.1:{free_port()}", max_attempts=1)
    credentials = Credentials(API_KEY, SECRET)
    sentences = [
        str(failure(ItnioClient(credentials, settings).get_balance)),
        str(failure(lambda: asyncio.run(ItnioAsyncClient(credentials, settings).get_balance()))),
    ]
    for one, other in pairwise(re.sub(r"connection: .*", "", sentence) for sentence in sentences):
        assert one == other == "The question for the balance was not sent, no "


@pytest.mark.parametrize(
    "second", [answer({"status": "0", "data": {"messageId": "again"}}), b"\r\nHTTP/1.1 2"]
)
def test_what_comes_behind_an_answer_is_not_taken_for_the_next_one(sender: Make, second: bytes) -> None:
    class Twice(Server):
        def serve(self, received: Received, connection: socket.socket) -> None:
            super().serve(received, connection)
            self.stopped.wait(0.05)  # by then the connection is idle
            connection.sendall(second)

    with Twice() as server:
        one = sender(server.url, timeout=5)
        for recipient in ("8614718004557", "8614718004558", "8614718004559"):
            assert one.send(recipient=recipient).message_id == MESSAGE_ID
            one._run(_pause(one))
        assert [json.loads(one.body)["recipient"][-1] for one in server.requests] == ["7", "8", "9"]


def _pause(one: Sender) -> Any:
    if isinstance(one.client, ItnioAsyncClient):
        return asyncio.sleep(0.2)
    time.sleep(0.2)
    return None


def test_an_exchange_ends_at_its_deadline_whatever_it_waits_for() -> None:
    async def stuck() -> BaseException:
        deadlines, exchange = _Deadlines(0.05), _Exchange()
        exchange.connection = SimpleNamespace(transport=None)
        deadlines.begin(exchange)
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            return exchange.ended_by(error)
        raise AssertionError

    async def both() -> tuple[BaseException, int]:
        ended = await stuck()
        return ended, asyncio.current_task().cancelling()  # type: ignore[union-attr]

    ended, still_cancelled = asyncio.run(asyncio.wait_for(both(), 10))
    assert isinstance(ended, TimeoutError)
    assert still_cancelled == 0


def test_who_cancels_a_late_exchange_cancels_it() -> None:
    async def cancelled() -> BaseException:
        exchange = _Exchange()
        exchange.connection = SimpleNamespace(transport=None)
        exchange.end_late()
        exchange.task.cancel()
        try:
            await asyncio.sleep(10)
        except BaseException as error:
            return exchange.ended_by(error)
        raise AssertionError

    async def aside() -> BaseException:
        return await asyncio.create_task(cancelled())

    assert isinstance(asyncio.run(aside()), asyncio.CancelledError)

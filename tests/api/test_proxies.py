"""Messages through a proxy."""

from __future__ import annotations

import base64
from urllib.parse import unquote

import pytest

from airflow_provider_itnio.api.errors import (
    ConfigurationError,
    NotSentError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.sandbox import Sandbox
from tests.api.conftest import (
    Authority,
    Make,
    failure,
)
from tests.api.servers import (
    Server,
    TunnelProxy,
    answer,
    free_port,
)
from tests.tables import for_each


def test_an_unreachable_proxy_is_tried_again(sender: Make, caplog: pytest.LogCaptureFixture) -> None:
    proxy = f"http://127.0.0.1:{free_port()}"
    for url in ("http://api.example", "https://api.example"):
        caplog.clear()
        error = failure(sender(url, proxy=proxy, max_attempts=2).send)
        assert isinstance(error, NotSentError)
        assert sum("trying again in" in record.getMessage() for record in caplog.records) == 1


@for_each("code", [403, 407, 502])
def test_a_proxy_that_refuses_the_tunnel_is_tried_again(sender: Make, code: int) -> None:
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


def test_a_message_goes_through_a_tunnel_of_an_https_proxy(sender: Make, trusted: Authority) -> None:
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


def test_the_certificate_of_an_https_proxy_is_verified(sender: Make, authority: Authority) -> None:
    with TunnelProxy(tls=authority.server_context()) as proxy:
        error = failure(sender("https://api.example", proxy=proxy.url).send)
    assert isinstance(error, NotSentError)
    assert not error.try_again
    assert proxy.requests == []


@for_each("password", ["pr0xy%2Fp%40ss", "p%C3%A4ss", "p%FCss"])
def test_a_proxys_password_may_contain_latin_1_characters_only(sender: Make, password: str) -> None:
    with Server() as proxy:
        url = proxy.url.replace("//", f"//ann:{password}@")
        if password == "p%FCss":  # not UTF-8
            with pytest.raises(ConfigurationError, match=r"^proxy: .* outside Latin-1"):
                sender("http://api.example", proxy=url)
            return
        sender("http://api.example", proxy=url).send()
    sent = base64.b64decode(proxy.requests[0].headers["proxy-authorization"].removeprefix("Basic "))
    assert sent.decode("latin-1") == f"ann:{unquote(password)}"


def test_the_servers_certificate_is_verified_through_a_proxy(sender: Make, authority: Authority) -> None:
    with Server(tls=authority.server_context()) as server, TunnelProxy() as proxy:
        error = failure(sender(server.url, proxy=proxy.url).send)
    assert isinstance(error, NotSentError)
    assert not error.try_again
    assert "the server's certificate does not verify" in str(error)
    assert len(proxy.requests) == 1


def test_a_connection_lost_in_a_tunnel_is_an_unknown_outcome(sender: Make, trusted: Authority) -> None:
    with Server(lambda _: None, tls=trusted.server_context()) as server, TunnelProxy() as proxy:
        error = failure(sender(server.url, proxy=proxy.url).send)
    assert isinstance(error, UnknownOutcomeError)
    assert len(server.requests) == 1


def test_a_connection_lost_in_a_proxy_is_an_unknown_outcome(sender: Make) -> None:
    with Server(lambda _: None) as proxy:
        error = failure(sender("http://api.example", proxy=proxy.url).send)
    assert isinstance(error, UnknownOutcomeError)
    assert [request.first_line for request in proxy.requests] == [
        "POST http://api.example/wa/custom/sendMsg HTTP/1.1"
    ]


def test_a_proxy_that_answers_too_late_is_an_unknown_outcome(sender: Make) -> None:
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


def test_the_proxy_variables_are_read_once_per_client(sender: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server() as direct:
        one = sender(direct.url)
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
        one.send()
        assert len(direct.requests) == 1


def test_the_settings_proxy_has_precedence_over_the_environments(
    sender: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    with Server() as proxy:
        sender("http://api.example", proxy=proxy.url).send()
        assert len(proxy.requests) == 1

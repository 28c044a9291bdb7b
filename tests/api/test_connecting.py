"""A failed connection sends no message: names, ports, certificates and TLS."""

from __future__ import annotations

import socket
import ssl
import threading

import pytest

from airflow_provider_itnio.api.errors import (
    NotSentError,
)
from airflow_provider_itnio.sandbox import Sandbox
from tests.api.conftest import (
    Authority,
    Make,
    failure,
)
from tests.api.servers import (
    Server,
    free_port,
    full_backlog,
)


def test_an_unknown_host_name_is_tried_again(sender: Make, caplog: pytest.LogCaptureFixture) -> None:
    error = failure(sender("http://no-such-host.invalid", max_attempts=3).send)
    assert isinstance(error, NotSentError)
    assert error.http_status is None
    assert str(error).startswith("The text message to 86…57 was not sent, no connection: ")
    assert [record.getMessage()[:14] for record in caplog.records if record.levelname == "WARNING"] == [
        "Attempt 1 of 3",
        "Attempt 2 of 3",
    ]


def test_a_refused_connection_is_tried_again(sender: Make, caplog: pytest.LogCaptureFixture) -> None:
    error = failure(sender(f"http://127.0.0.1:{free_port()}").send)
    assert isinstance(error, NotSentError)
    assert error.try_again
    assert "no connection" in str(error)
    assert sum("trying again in" in record.getMessage() for record in caplog.records) == 3


def test_a_connect_timeout_is_tried_again(sender: Make, caplog: pytest.LogCaptureFixture) -> None:
    with full_backlog() as url:
        error = failure(sender(url, connect_timeout=0.3, max_attempts=2).send)
    assert isinstance(error, NotSentError)
    assert sum("trying again in" in record.getMessage() for record in caplog.records) == 1


def test_a_server_that_starts_between_two_tries_gets_the_message(sender: Make) -> None:
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


def test_a_server_without_tls_gets_no_message(sender: Make) -> None:
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


def test_a_server_that_never_ends_the_tls_handshake_gets_no_message(sender: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        error = failure(sender(url, connect_timeout=0.3, timeout=0.3, max_attempts=2).send)
    assert type(error) is NotSentError


def test_all_clients_share_one_tls_context(
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

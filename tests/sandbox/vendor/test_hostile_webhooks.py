"""No webhook can delay, flood or mislead the sandbox."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest
import trustme

from airflow_provider_itnio.sandbox import Sandbox
from airflow_provider_itnio.sandbox.vendor import webhook as module
from tests.sandbox.receiving import state_of, until

NUMBER = "91856321322"


@contextmanager
def listening(behave):
    """A server with the given behaviour for each connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def serve():
            while not ended.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=behaves, args=(connection,), daemon=True).start()

        def behaves(connection):
            with connection, suppress(OSError):
                behave(connection, ended)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        ended.set()
        server.shutdown(socket.SHUT_RDWR)


def silent(connection, ended):
    ended.wait(60)


def dripping(connection, ended):
    connection.sendall(b"HTTP/1.1 200")
    while not ended.wait(0.05):
        connection.sendall(b" ")


def flooding(connection, ended):
    while not ended.is_set():
        connection.sendall(b"x" * 65536)


def endless(connection, ended):
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not ended.is_set():
        connection.sendall(b"x" * 65536)


def rude(connection, ended):
    connection.recv(65536)
    connection.sendall(b"\x16\x03\x01\x00")


@pytest.mark.parametrize("behave", [silent, dripping, flooding])
def test_a_hostile_webhook_does_not_delay_messages(pushing, template_message, behave, monkeypatch):
    monkeypatch.setattr(module, "RESPONSE_TIMEOUT", 3600)
    with listening(behave) as url:
        sandbox, wire = pushing(webhook=url)
        for _ in range(30):
            assert wire.template(template_message()).json()["status"] == "0"
        sandbox.reply(recipient=NUMBER, text="hello")
        state = wire.control("GET", "webhook").json()
        assert state["taken"] == 0
        if behave is not flooding:
            assert (state["waiting"], state["failed_tries"]) == (91, 0)
        sandbox.stop()


@pytest.mark.parametrize(
    ("behave", "longest", "trouble"),
    [
        (silent, 0.1, "no answer within 0.1 s"),
        (dripping, 0.1, "no answer within 0.1 s"),
        (flooding, 60, "the answer is not HTTP"),
        (rude, 60, "the answer is not HTTP"),
    ],
)
def test_a_push_with_a_missing_or_invalid_answer_is_given_up(
    pushing, behave, longest, trouble, monkeypatch, caplog
):
    monkeypatch.setattr(module, "RESPONSE_TIMEOUT", longest)
    with listening(behave) as url:
        sandbox, wire = pushing(webhook=url)
        sandbox.reply(recipient=NUMBER, text="hello")
        state_of(wire, given_up=1)
    assert f": {trouble}. " in caplog.text


def test_only_the_beginning_of_an_endless_answer_is_read(pushing):
    with listening(endless) as url:
        sandbox, wire = pushing(webhook=url)
        sandbox.reply(recipient=NUMBER, text="hello")
        state_of(wire, taken=1)


def wait_until_logged(words, caplog):
    """Wait for a line of the webhook's thread, for up to a minute."""
    end = time.monotonic() + 60
    while words not in caplog.text:
        assert time.monotonic() < end, caplog.text
        time.sleep(0.01)


def test_pushes_over_the_limit_are_dropped_and_counted(pushing, template_message, monkeypatch, caplog):
    monkeypatch.setattr(module, "MAX_WAITING", 5)
    with listening(silent) as url:
        _, wire = pushing(webhook=url)
        for _ in range(4):
            wire.template(template_message())
        state = wire.control("GET", "webhook").json()
        assert (state["waiting"], state["dropped"]) == (5, 7)
        wait_until_logged("5 pushes wait already", caplog)


def test_pushes_to_a_closed_port_are_given_up_and_logged_without_the_path(
    pushing, wire_to, template_message, caplog
):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    _, wire = pushing(webhook=f"http://127.0.0.1:{port}/a-token")
    for _ in range(5):
        assert wire.template(template_message()).json()["status"] == "0"
    state_of(wire, given_up=15)
    line = next(one for one in caplog.messages if one.startswith("webhook"))
    assert line.startswith(f"webhook http://127.0.0.1:{port}: connection refused. ")
    assert "a-token" not in caplog.text


def test_a_webhook_with_an_untrusted_certificate_gets_no_push(pushing, tmp_path, caplog):
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "pem"))
    with Sandbox(certfile=tmp_path / "pem") as other:
        sandbox, wire = pushing(webhook=f"{other.url}/wa/custom/sendMsg")
        sandbox.reply(recipient=NUMBER, text="hello")
        state_of(wire, given_up=1)
        assert other.requests == []
    assert "no TLS connection (CERTIFICATE_VERIFY_FAILED)" in caplog.text


def test_a_webhook_with_a_trusted_certificate_gets_pushes(pushing, tmp_path, monkeypatch):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca"))
    with Sandbox(certfile=tmp_path / "pem") as other:
        sandbox, wire = pushing(webhook=f"{other.url}/wa/custom/sendMsg")
        sandbox.reply(recipient=NUMBER, text="hello")
        state_of(wire, taken=1)
        assert other.requests[0].body["eventType"] == "up-message-event"


def test_the_thread_ends_with_the_sandbox(pushing, receiver):
    before = set(threading.enumerate())  # other sandboxes of these tests may have such a thread
    sandbox, _ = pushing()
    sandbox.reply(recipient=NUMBER, text="hello")
    receiver.wait(1)
    begun = set(threading.enumerate()) - before
    assert "itnio-sandbox-webhook" in {one.name for one in begun}
    sandbox.stop()
    until(lambda: not any(one.is_alive() for one in begun))

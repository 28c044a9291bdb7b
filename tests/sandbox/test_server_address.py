"""The sandbox as an object in a test: start, stop, wait, connect."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import socket
import ssl
import time
from urllib.parse import parse_qs, unquote, urlsplit

import aiohttp
import pytest
import requests
import trustme

from airflow_provider_itnio.sandbox import Sandbox
from airflow_provider_itnio.sandbox.addresses import AllowedHosts, base_url
from airflow_provider_itnio.sandbox.phone_numbers import shortened
from tests.sandbox.conftest import REFUSED
from tests.tables import for_each


def test_the_connection_as_json(sandbox):
    assert json.loads(sandbox.connection_json()) == {
        "conn_type": "itnio",
        "login": "bDqJFiq9",
        "password": "7bz1lzh9",
        "host": sandbox.url,
        "extra": {"app_id": "DGziZf5u", "business_phone": "91856321321"},
    }


def test_the_connection_as_uri_is_the_same():
    with Sandbox(api_key="k/e:y", secret="s@c?et#%", app_id="a&b") as sandbox:
        parts = urlsplit(sandbox.connection_uri())
        login, host = parts.netloc.split("@")
        assert parts.scheme == "itnio"
        assert [unquote(part) for part in login.split(":")] == ["k/e:y", "s@c?et#%"]
        assert unquote(host) == sandbox.url
        (extra,) = parse_qs(parts.query)["__extra__"]
        assert json.loads(extra) == {"app_id": "a&b", "business_phone": "91856321321"}


def test_an_account_that_accepts_any_sender_has_a_default_sender():
    sandbox = Sandbox(app_id=None, business_phone=None)
    assert (sandbox.app_id, sandbox.business_phone) == ("DGziZf5u", "91856321321")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    authority = trustme.CA()
    folder = tmp_path_factory.mktemp("tls")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "server.pem")
    )
    return folder


def test_with_a_certificate_it_speaks_https(start_sandbox, wire_to, message, certificate):
    sandbox = start_sandbox(certfile=certificate / "server.pem")
    wire = wire_to(sandbox)
    assert sandbox.url.startswith("https://127.0.0.1:")
    with pytest.raises(requests.exceptions.SSLError):
        wire.balance()
    wire.session.verify = str(certificate / "ca.pem")
    assert wire.custom(message()).json()["status"] == "0"
    assert wire.session.get(sandbox.url, headers={"Origin": sandbox.url}).status_code == 200
    sandbox.fail_next(drop="before_accepting")
    with pytest.raises(requests.ConnectionError):
        wire.custom(message())
    assert wire.custom(message()).json()["status"] == "0"


def test_the_certificates_key_may_be_in_a_separate_file(start_sandbox, certificate, tmp_path):
    key, chain = (certificate / "server.pem").read_text().split("-----BEGIN CERTIFICATE-----", 1)
    (tmp_path / "key.pem").write_text(key)
    (tmp_path / "cert.pem").write_text("-----BEGIN CERTIFICATE-----" + chain)
    sandbox = start_sandbox(certfile=str(tmp_path / "cert.pem"), keyfile=str(tmp_path / "key.pem"))
    context = ssl.create_default_context(cafile=str(certificate / "ca.pem"))
    connection = http.client.HTTPSConnection("localhost", sandbox.port, context=context, timeout=5)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()


def test_concurrent_messages_of_an_async_client_are_all_accepted(sandbox, wire, message):
    async def send_all():
        async with aiohttp.ClientSession(sandbox.url, headers=wire.headers()) as session:

            async def send(number):
                body = message(text={"body": str(number)})
                async with session.post("/wa/custom/sendMsg", json=body) as answer:
                    return (await answer.json(content_type=None))["data"]["messageId"]

            return await asyncio.gather(*(send(number) for number in range(200)))

    ids = asyncio.run(send_all())
    assert len(set(ids)) == 200
    assert {one.id for one in sandbox.messages} == set(ids)
    assert sorted(int(one.text) for one in sandbox.messages) == list(range(200))


def test_a_dropped_connection_raises_in_an_async_client(sandbox, wire, message):
    async def send():
        async with aiohttp.ClientSession(sandbox.url, headers=wire.headers()) as session:
            await session.post("/wa/custom/sendMsg", json=message())

    sandbox.fail_next(drop="after_accepting")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        asyncio.run(send())
    assert len(sandbox.messages) == 1


def test_an_idle_connection_is_closed_after_keep_alive_seconds(start_sandbox):
    sandbox = start_sandbox(keep_alive=1)
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=5) as idle:
        idle.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{sandbox.port}\r\n\r\n".encode())
        while idle.recv(65536):
            pass


def test_answers_are_not_delayed_by_nagles_algorithm(wire, message):
    wire.custom(message())
    taken = []
    for _ in range(20):
        began = time.monotonic()
        wire.custom(message())
        taken.append(time.monotonic() - began)
    assert min(taken) < 0.04  # Nagle's algorithm would add 0.04 s each time


def test_the_log_has_one_line_per_message_and_no_whole_number_key_or_sign(wire, sandbox, message, caplog):
    caplog.set_level(logging.DEBUG)
    headers = wire.headers()
    wire.custom(message(), headers)
    wire.custom(message(recipient="123"), headers)
    own = [one.getMessage() for one in caplog.records if one.name.startswith("airflow_provider_itnio")]
    assert own == [
        f"accepted text to 91…22 as {sandbox.messages[0].id}",
        REFUSED,
    ]
    for secret in (sandbox.api_key, sandbox.secret, headers["Sign"], "91856321322"):
        assert secret not in caplog.text


def test_uvicorns_log_is_quiet_unless_its_level_is_set(caplog, monkeypatch):
    logger = logging.getLogger("uvicorn.error")
    monkeypatch.setattr(logger, "propagate", True)  # Airflow adds a handler to it
    kept = logger.level
    try:
        for level, quiet in [(logging.NOTSET, True), (logging.INFO, False)]:
            caplog.clear()
            caplog.set_level(logging.INFO)
            logger.setLevel(level)
            with Sandbox():
                pass
            assert ("Shutting down" not in caplog.text) == quiet
    finally:
        logger.setLevel(kept)


@for_each(("number", "shown"), [("8614718004557", "86…57"), ("12345", "12…45"), ("1234", "…"), ("", "…")])
def test_a_number_is_masked_except_its_ends(number, shown):
    assert shortened(number) == shown


@for_each(
    ("scheme", "host", "port", "url", "more"),
    [
        ("http", "127.0.0.1", 8025, "http://127.0.0.1:8025", set()),
        ("http", "::", 8025, "http://[::1]:8025", {"[::]:8025"}),
        ("https", "Box.local", 443, "https://Box.local:443", {"box.local", "box.local:443", "localhost"}),
        ("http", "127.0.0.1", 80, "http://127.0.0.1:80", {"localhost", "[::1]"}),
    ],
)
def test_addresses_are_written_like_in_browsers(scheme, host, port, url, more):
    assert base_url(scheme, host, port) == url
    hosts = AllowedHosts(scheme, host, port)
    assert [one for one in (*more, f"localhost:{port}", f"[::1]:{port}") if one not in hosts] == []


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_it_can_be_bound_to_ipv6(start_sandbox, wire_to):
    try:
        sandbox = start_sandbox(host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    assert sandbox.url == f"http://[::1]:{sandbox.port}"
    assert wire_to(sandbox).balance().json()["status"] == "0"

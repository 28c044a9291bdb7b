"""The sandbox as an object in a test: start, stop, wait, connect."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import socket
import ssl
import threading
import time
from urllib.parse import parse_qs, unquote, urlsplit

import aiohttp
import pytest
import requests
import trustme
import uvicorn

from airflow_provider_itnio.sandbox import ReceivedMessage, RefusedRequest, Sandbox, SeenRequest
from airflow_provider_itnio.sandbox.addresses import OwnHosts, base_url
from airflow_provider_itnio.sandbox.phone_numbers import shortened

REFUSED = "refused with -71 (recipient number is shorter than 7 digits): recipient has 3 digits, at least 7"


def test_it_answers_inside_the_with_and_not_after(wire_to):
    with Sandbox() as sandbox:
        url = sandbox.url
        assert url == f"http://127.0.0.1:{sandbox.port}"
        assert wire_to(sandbox).balance().json()["status"] == "0"
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=1)


def test_what_it_got_stays_readable_after_the_end(wire_to, message):
    with Sandbox() as sandbox:
        wire_to(sandbox).custom(message())
    assert len(sandbox.messages) == 1


def test_it_can_be_started_again_on_the_same_port(wire_to):
    with Sandbox() as first:
        port = first.port
    second = Sandbox(port=port)
    for _ in range(2):
        with second:
            assert second.port == port
            assert wire_to(second).balance().json()["status"] == "0"


def test_starting_twice_is_an_error(sandbox):
    with pytest.raises(RuntimeError, match="runs already"):
        sandbox.start()


def test_stopping_twice_is_none(start_sandbox):
    sandbox = start_sandbox()
    sandbox.stop()
    sandbox.stop()


def test_there_is_no_address_before_the_start():
    with pytest.raises(RuntimeError, match="no port before it is started"):
        _ = Sandbox().url


def test_a_taken_port_is_an_error_at_once(sandbox):
    with pytest.raises(OSError, match="in use"):
        Sandbox(port=sandbox.port).start()


def test_a_missing_certificate_is_an_error_that_leaves_the_port_free(tmp_path):
    sandbox = Sandbox(certfile=tmp_path / "none.pem")
    with pytest.raises(FileNotFoundError):
        sandbox.start()
    with socket.create_server(("127.0.0.1", sandbox.port)):
        pass


def test_a_server_that_cannot_start_is_an_error_and_no_hang(monkeypatch):
    async def startup(self, sockets=None):
        raise ValueError("no loop today")

    monkeypatch.setattr(uvicorn.Server, "startup", startup)
    with pytest.raises(RuntimeError, match="did not start") as raised:
        Sandbox().start()
    assert isinstance(raised.value.__cause__, ValueError)


def test_open_connections_do_not_hang_the_end(wire_to, message):
    sandbox = Sandbox()
    sandbox.start()
    idle = socket.create_connection(("127.0.0.1", sandbox.port))
    half = socket.create_connection(("127.0.0.1", sandbox.port))
    half.sendall(b"POST /wa/custom/sendMsg HTTP/1.1\r\n")
    kept_alive = wire_to(sandbox)
    kept_alive.custom(message())
    began = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - began < 1.5
    idle.close()
    half.close()


@pytest.mark.parametrize(("latency", "delay"), [(0, 60), (60, None)], ids=["by fault", "by latency"])
def test_a_held_back_answer_does_not_hang_the_end(latency, delay, wire_to, message):
    sandbox = Sandbox(latency=latency)
    sandbox.start()
    if delay:
        sandbox.fail_next(delay=delay)
    errors = []

    def send():
        try:
            wire_to(sandbox).custom(message())
        except requests.ConnectionError as error:
            errors.append(error)

    waiting = threading.Thread(target=send)
    waiting.start()
    sandbox.wait_for(1)
    began = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - began < 1.5
    waiting.join(5)
    assert len(errors) == 1


@pytest.mark.parametrize("path", ["/wa/custom/sendMsg", "/sandbox/faults"])
def test_a_body_that_never_ends_does_not_hang_the_end(caplog, path):
    sandbox = Sandbox()
    sandbox.start()
    stuck = socket.create_connection(("127.0.0.1", sandbox.port))
    host = f"127.0.0.1:{sandbox.port}"
    stuck.sendall(f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\n{{".encode())
    time.sleep(0.1)
    began = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - began < 0.9
    assert stuck.recv(100) == b""
    assert [one for one in caplog.records if one.levelno > logging.INFO] == []
    stuck.close()


def test_two_sandboxes_know_nothing_of_each_other(start_sandbox, wire_to, message):
    one, other = start_sandbox(), start_sandbox(secret="another")
    wire_to(one).custom(message())
    assert (len(one.messages), other.messages) == (1, [])
    assert wire_to(other).balance(wire_to(one).headers()).json()["status"] == "-1"


def test_messages_are_found_by_a_number_as_people_write_it(wire, sandbox, message):
    wire.custom(message(recipient="8614718004557"))
    wire.custom(message())
    for number in ("+86 147-1800-4557", "(86) 147.1800.4557", 8614718004557):
        assert [one.recipient for one in sandbox.sent_to(number)] == ["8614718004557"]
    assert sandbox.sent_to("147") == []


def test_what_is_kept_has_types(wire, sandbox, message):
    wire.custom(message())
    wire.custom(message(recipient="1"))
    assert isinstance(sandbox.messages[0], ReceivedMessage)
    assert isinstance(sandbox.refused[0], RefusedRequest)
    assert isinstance(sandbox.requests[0], SeenRequest)


def test_a_list_that_was_read_does_not_change(wire, sandbox, message):
    wire.custom(message())
    before = sandbox.messages
    sandbox.clear()
    assert (len(before), sandbox.messages) == (1, [])


def test_waiting_ends_as_soon_as_the_message_is_there(wire, sandbox, message):
    threading.Timer(0.2, lambda: wire.custom(message())).start()
    began = time.monotonic()
    assert [one.text for one in sandbox.wait_for(1)] == ["42 rows loaded"]
    assert time.monotonic() - began < 5


def test_waiting_in_vain_says_what_came_instead(wire, sandbox, message):
    wire.custom(message())
    wire.custom(message(recipient="123"))
    with pytest.raises(TimeoutError) as raised:
        sandbox.wait_for(2, timeout=0.05)
    assert str(raised.value).splitlines() == [
        "2 accepted messages were expected within 0.05 s, 1 came",
        "  accepted text to 91…22: '42 rows loaded'",
        f"  {REFUSED}",
    ]


def test_waiting_for_more_than_is_kept_is_an_error_at_once(start_sandbox):
    with pytest.raises(ValueError, match="keeps 5"):
        start_sandbox(keep=5).wait_for(6)


def test_only_the_last_ones_are_kept(start_sandbox, wire_to, message):
    sandbox = start_sandbox(keep=3)
    wire = wire_to(sandbox)
    for number in range(5):
        wire.custom(message(text={"body": str(number)}))
        wire.custom(message(recipient=str(number)))
    assert [one.text for one in sandbox.messages] == ["2", "3", "4"]
    assert [one.body["recipient"] for one in sandbox.refused] == ["2", "3", "4"]
    assert len(sandbox.requests) == 3


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"latency": "200ms"}, "latency: seconds, from 0 to 600, '200ms' given"),
        ({"clock_tolerance": -1}, "clock_tolerance: seconds, from 0, -1 given"),
        ({"keep": "5"}, "keep: a whole number from 1, '5' given"),
        ({"port": 70000}, "port: a whole number from 0 to 65535, 70000 given"),
        ({"balance": "x"}, "balance: an amount from 0, 'x' given"),
        ({"price": -1}, "price: an amount from 0, -1 given"),
        ({"business_phone": "mine"}, "business_phone: a phone number, 'mine' given"),
        ({"business_phone": []}, "give at least one value"),
    ],
)
def test_a_parameter_that_cannot_be_is_named(options, text):
    with pytest.raises(ValueError, match=text):
        Sandbox(**options)


def test_a_business_phone_is_taken_as_people_write_it(start_sandbox, wire_to, message):
    sandbox = start_sandbox(business_phone="+91 (856) 321-321")
    assert sandbox.business_phone == "91856321321"
    assert wire_to(sandbox).custom(message()).json()["status"] == "0"


@pytest.mark.parametrize("number", [None, "abc", "", ["8614718004557"], 3.5])
def test_messages_to_what_is_no_number_are_not_none(sandbox, number):
    with pytest.raises(ValueError, match="number: a phone number, "):
        sandbox.sent_to(number)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((-1,), "n: a whole number from 1, -1 given"),
        (("1",), "n: a whole number from 1, '1' given"),
        ((1, None), "timeout: seconds, .* None given"),
        ((1, -1), "timeout: seconds, .* -1 given"),
    ],
)
def test_waiting_for_what_cannot_be_is_an_error(sandbox, given, text):
    with pytest.raises(ValueError, match=text):
        sandbox.wait_for(*given)


def test_what_came_instead_is_told_of_the_last_alone(sandbox, wire, message):
    for number in range(13):
        wire.custom(message(text={"body": f"row {number}."}))
    with pytest.raises(TimeoutError) as caught:
        sandbox.wait_for(14, timeout=0)
    told = str(caught.value)
    assert "13 came" in told
    assert "... and 3 more accepted before these" in told
    assert ("row 2." in told, "row 3." in told, "row 12." in told) == (False, True, True)


def test_keeping_none_makes_no_sense():
    with pytest.raises(ValueError, match="keep: a whole number from 1, 0 given"):
        Sandbox(keep=0)


def test_the_connection_as_json(sandbox):
    assert json.loads(sandbox.connection_json()) == {
        "conn_type": "itnio",
        "login": "bDqJFiq9",
        "password": "7bz1lzh9",
        "host": sandbox.url,
        "extra": {"app_id": "DGziZf5u", "business_phone": "91856321321"},
    }


def test_the_connection_as_uri_says_the_same():
    with Sandbox(api_key="k/e:y", secret="s@c?et#%", app_id="a&b") as sandbox:
        parts = urlsplit(sandbox.connection_uri())
        login, host = parts.netloc.split("@")
        assert parts.scheme == "itnio"
        assert [unquote(part) for part in login.split(":")] == ["k/e:y", "s@c?et#%"]
        assert unquote(host) == sandbox.url
        (extra,) = parse_qs(parts.query)["__extra__"]
        assert json.loads(extra) == {"app_id": "a&b", "business_phone": "91856321321"}


def test_an_account_that_accepts_any_sender_still_has_one_to_send_from():
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


def test_the_certificates_key_may_be_in_a_file_of_its_own(start_sandbox, certificate, tmp_path):
    key, chain = (certificate / "server.pem").read_text().split("-----BEGIN CERTIFICATE-----", 1)
    (tmp_path / "key.pem").write_text(key)
    (tmp_path / "cert.pem").write_text("-----BEGIN CERTIFICATE-----" + chain)
    sandbox = start_sandbox(certfile=str(tmp_path / "cert.pem"), keyfile=str(tmp_path / "key.pem"))
    context = ssl.create_default_context(cafile=str(certificate / "ca.pem"))
    connection = http.client.HTTPSConnection("localhost", sandbox.port, context=context, timeout=5)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()


def test_an_async_client_sends_many_at_once_and_none_is_lost(sandbox, wire, message):
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


def test_an_async_client_sees_a_dropped_connection(sandbox, wire, message):
    async def send():
        async with aiohttp.ClientSession(sandbox.url, headers=wire.headers()) as session:
            await session.post("/wa/custom/sendMsg", json=message())

    sandbox.fail_next(drop="after_accepting")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        asyncio.run(send())
    assert len(sandbox.messages) == 1


def test_an_idle_connection_is_closed_after_its_time(start_sandbox):
    sandbox = start_sandbox(keep_alive=1)
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=5) as idle:
        idle.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{sandbox.port}\r\n\r\n".encode())
        while idle.recv(65536):
            pass


def test_answers_come_without_nagles_delay(wire, message):
    wire.custom(message())
    began = time.monotonic()
    for _ in range(20):
        wire.custom(message())
    assert time.monotonic() - began < 0.8


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


def test_the_servers_own_log_is_quiet_unless_someone_set_its_level(caplog):
    logger = logging.getLogger("uvicorn.error")
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


@pytest.mark.parametrize(
    ("number", "shown"), [("8614718004557", "86…57"), ("12345", "12…45"), ("1234", "…"), ("", "…")]
)
def test_a_number_is_shortened_to_its_ends(number, shown):
    assert shortened(number) == shown


@pytest.mark.parametrize(
    ("scheme", "host", "port", "url", "more"),
    [
        ("http", "127.0.0.1", 8025, "http://127.0.0.1:8025", set()),
        ("http", "::", 8025, "http://[::1]:8025", {"[::]:8025"}),
        ("https", "Box.local", 443, "https://Box.local:443", {"box.local", "box.local:443", "localhost"}),
        ("http", "127.0.0.1", 80, "http://127.0.0.1:80", {"localhost", "[::1]"}),
    ],
)
def test_addresses_are_written_as_browsers_do(scheme, host, port, url, more):
    assert base_url(scheme, host, port) == url
    hosts = OwnHosts(scheme, host, port)
    assert [one for one in (*more, f"localhost:{port}", f"[::1]:{port}") if one not in hosts] == []


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_it_can_be_bound_to_ipv6(start_sandbox, wire_to):
    try:
        sandbox = start_sandbox(host="::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    assert sandbox.url == f"http://[::1]:{sandbox.port}"
    assert wire_to(sandbox).balance().json()["status"] == "0"

"""The sandbox as an object in a test: start, stop, wait, connect."""

from __future__ import annotations

import logging
import socket
import threading
import time

import pytest
import requests
import uvicorn

from airflow_provider_itnio.sandbox import ReceivedMessage, RefusedRequest, Sandbox, SeenRequest
from tests.sandbox.conftest import REFUSED
from tests.tables import for_each


def test_it_answers_inside_the_with_block_only(wire_to):
    with Sandbox() as sandbox:
        url = sandbox.url
        assert url == f"http://127.0.0.1:{sandbox.port}"
        assert wire_to(sandbox).balance().json()["status"] == "0"
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=1)


def test_messages_can_be_read_after_the_stop(wire_to, message):
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
    with pytest.raises(RuntimeError, match="is already running"):
        sandbox.start()


def test_stopping_twice_is_not_an_error(start_sandbox):
    sandbox = start_sandbox()
    sandbox.stop()
    sandbox.stop()


def test_the_url_before_the_start_raises():
    with pytest.raises(RuntimeError, match="no port before it is started"):
        _ = Sandbox().url


def test_a_port_in_use_is_an_error_at_once(sandbox):
    with pytest.raises(OSError, match="in use"):
        Sandbox(port=sandbox.port).start()


def test_a_missing_certificate_is_an_error_that_leaves_the_port_free(tmp_path):
    sandbox = Sandbox(certfile=tmp_path / "none.pem")
    with pytest.raises(FileNotFoundError):
        sandbox.start()
    with socket.create_server(("127.0.0.1", sandbox.port)):
        pass


def test_a_server_that_cannot_start_raises_and_does_not_hang(monkeypatch):
    async def startup(self, sockets=None):
        raise ValueError("no loop today")

    monkeypatch.setattr(uvicorn.Server, "startup", startup)
    with pytest.raises(RuntimeError, match="did not start") as raised:
        Sandbox().start()
    assert isinstance(raised.value.__cause__, ValueError)


def test_open_connections_do_not_block_the_stop(wire_to, message):
    sandbox = Sandbox()
    sandbox.start()
    idle = socket.create_connection(("127.0.0.1", sandbox.port))
    half = socket.create_connection(("127.0.0.1", sandbox.port))
    half.sendall(b"POST /wa/custom/sendMsg HTTP/1.1\r\n")
    kept_alive = wire_to(sandbox)
    kept_alive.custom(message())
    began = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - began < 300
    idle.close()
    half.close()


@pytest.mark.parametrize(("latency", "delay"), [(0, 600), (600, None)], ids=["by fault", "by latency"])
def test_a_delayed_answer_does_not_block_the_stop(latency, delay, wire_to, message):
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
    assert time.monotonic() - began < 300
    waiting.join(30)
    assert len(errors) == 1


@pytest.mark.parametrize("path", ["/wa/custom/sendMsg", "/sandbox/faults"])
def test_an_incomplete_body_does_not_block_the_stop(caplog, path):
    sandbox = Sandbox()
    sandbox.start()
    stuck = socket.create_connection(("127.0.0.1", sandbox.port))
    host = f"127.0.0.1:{sandbox.port}"
    stuck.sendall(f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\n{{".encode())
    time.sleep(0.1)
    began = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - began < 300
    assert stuck.recv(100) == b""
    assert [one for one in caplog.records if one.levelno > logging.INFO] == []
    stuck.close()


def test_two_sandboxes_are_independent(start_sandbox, wire_to, message):
    one, other = start_sandbox(), start_sandbox(secret="another")
    wire_to(one).custom(message())
    assert (len(one.messages), other.messages) == (1, [])
    assert wire_to(other).balance(wire_to(one).headers()).json()["status"] == "-1"


def test_sent_to_finds_messages_by_any_spelling_of_the_number(wire, sandbox, message):
    wire.custom(message(recipient="8614718004557"))
    wire.custom(message())
    for number in ("+86 147-1800-4557", "(86) 147.1800.4557", 8614718004557):
        assert [one.recipient for one in sandbox.sent_to(number)] == ["8614718004557"]
    assert sandbox.sent_to("147") == []


def test_messages_refusals_and_requests_are_typed(wire, sandbox, message):
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


def test_wait_for_returns_as_soon_as_the_message_arrives(wire, sandbox, message):
    threading.Timer(0.2, lambda: wire.custom(message())).start()
    began = time.monotonic()
    assert [one.text for one in sandbox.wait_for(1, timeout=600)] == ["42 rows loaded"]
    assert time.monotonic() - began < 300


def test_the_timeout_of_wait_for_lists_what_arrived(wire, sandbox, message):
    wire.custom(message())
    wire.custom(message(recipient="123"))
    with pytest.raises(TimeoutError) as raised:
        sandbox.wait_for(2, timeout=0.05)
    assert str(raised.value).splitlines() == [
        "2 accepted messages were expected within 0.05 s, 1 came",
        "  accepted text to 91…22: '42 rows loaded'",
        f"  {REFUSED}",
    ]


def test_wait_for_more_than_is_kept_raises_at_once(start_sandbox):
    with pytest.raises(ValueError, match="keeps 5"):
        start_sandbox(keep=5).wait_for(6)


def test_only_the_latest_items_are_kept(start_sandbox, wire_to, message):
    sandbox = start_sandbox(keep=3)
    wire = wire_to(sandbox)
    for number in range(5):
        wire.custom(message(text={"body": str(number)}))
        wire.custom(message(recipient=str(number)))
    assert [one.text for one in sandbox.messages] == ["2", "3", "4"]
    assert [one.body["recipient"] for one in sandbox.refused] == ["2", "3", "4"]
    assert [one.body["recipient"] for one in sandbox.requests[1::2]] == ["2", "3", "4"]


@for_each(
    ("options", "text"),
    [
        ({"latency": "200ms"}, "latency: seconds, from 0 to 600, '200ms' given"),
        ({"clock_tolerance": -1}, "clock_tolerance: seconds, from 0, -1 given"),
        ({"keep": "5"}, "keep: a whole number from 1, '5' given"),
        ({"port": 70000}, "port: a whole number from 0 to 65535, 70000 given"),
        ({"balance": "x"}, "balance: an amount from 0, 'x' given"),
        ({"price": -1}, "price: an amount from 0, -1 given"),
        ({"business_phone": "mine"}, "business_phone: a phone number, 'mine' given"),
        ({"business_phone": []}, "business_phone: at least one value, or None"),
    ],
)
def test_the_error_of_an_invalid_parameter_names_it(options, text):
    with pytest.raises(ValueError, match=text):
        Sandbox(**options)


def test_a_business_phone_is_accepted_in_any_spelling(start_sandbox, wire_to, message):
    sandbox = start_sandbox(business_phone="+91 (856) 321-321")
    assert sandbox.business_phone == "91856321321"
    assert wire_to(sandbox).custom(message()).json()["status"] == "0"


@for_each("number", [None, "abc", "", ["8614718004557"], 3.5])
def test_sent_to_with_an_invalid_number_raises(sandbox, number):
    with pytest.raises(ValueError, match="number: a phone number, "):
        sandbox.sent_to(number)


@for_each(
    ("given", "text"),
    [
        ((-1,), "n: a whole number from 1, -1 given"),
        (("1",), "n: a whole number from 1, '1' given"),
        ((1, None), "timeout: seconds, .* None given"),
        ((1, -1), "timeout: seconds, .* -1 given"),
    ],
)
def test_wait_for_with_invalid_arguments_raises(sandbox, given, text):
    with pytest.raises(ValueError, match=text):
        sandbox.wait_for(*given)


def test_the_timeout_of_wait_for_lists_only_the_latest_items(sandbox, wire, message):
    for number in range(13):
        wire.custom(message(text={"body": f"row {number}."}))
    with pytest.raises(TimeoutError) as caught:
        sandbox.wait_for(14, timeout=0)
    told = str(caught.value)
    assert "13 came" in told
    assert "... and 3 more accepted before these" in told
    assert ("row 2." in told, "row 3." in told, "row 12." in told) == (False, True, True)


def test_keep_0_is_refused():
    with pytest.raises(ValueError, match="keep: a whole number from 1, 0 given"):
        Sandbox(keep=0)

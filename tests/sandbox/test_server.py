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
    with pytest.raises(RuntimeError, match="is already running"):
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
    assert time.monotonic() - began < 300
    idle.close()
    half.close()


@pytest.mark.parametrize(("latency", "delay"), [(0, 600), (600, None)], ids=["by fault", "by latency"])
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
    assert time.monotonic() - began < 300
    waiting.join(30)
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
    assert time.monotonic() - began < 300
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
    assert [one.text for one in sandbox.wait_for(1, timeout=600)] == ["42 rows loaded"]
    assert time.monotonic() - began < 300


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
def test_a_parameter_that_cannot_be_is_named(options, text):
    with pytest.raises(ValueError, match=text):
        Sandbox(**options)


def test_a_business_phone_is_taken_as_people_write_it(start_sandbox, wire_to, message):
    sandbox = start_sandbox(business_phone="+91 (856) 321-321")
    assert sandbox.business_phone == "91856321321"
    assert wire_to(sandbox).custom(message()).json()["status"] == "0"


@for_each("number", [None, "abc", "", ["8614718004557"], 3.5])
def test_messages_to_what_is_no_number_are_not_none(sandbox, number):
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

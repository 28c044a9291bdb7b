"""What is pushed to a customer's address, and that no address can hurt."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest
import trustme

from airflow_provider_itnio.sandbox import Sandbox
from airflow_provider_itnio.sandbox.vendor import webhook as module
from tests.sandbox.receiving import Receiver, until

NUMBER = "91856321322"
STATUS_FIELDS = {
    "appId": str,
    "channelType": int,
    "messageId": str,
    "eventType": str,
    "billable": str,
    "form": str,
    "recipient": str,
    "status": str,
    "timestamp": int,
}
"""What every status push has, as Itniotech's page pushMsgReport names and types it."""


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def pushing(receiver, start_sandbox, wire_to):
    """A sandbox that pushes without pauses, and what sends to it."""

    def start(**options):
        sandbox = start_sandbox(**{"webhook": receiver.url, "push_scale": 0, **options})
        return sandbox, wire_to(sandbox)

    return start


def test_a_status_is_pushed_as_the_page_has_it(pushing, receiver, template_message):
    sandbox, wire = pushing()
    wire.template(template_message())
    sent, delivered, read = receiver.wait(3)
    (kept,) = sandbox.messages
    second = int(kept.statuses[0].at.timestamp())
    common = {
        "appId": "DGziZf5u",
        "channelType": 0,
        "messageId": kept.id,
        "eventType": "message-status-event",
        "billable": "true",
        "form": "91856321321",
        "recipient": NUMBER,
    }
    conversation = {"conversationId": sent["conversationId"], "conversationType": "utility"}
    expires = int(kept.at.timestamp()) + 24 * 60 * 60
    assert sent == common | conversation | {"status": "sent", "expiresAt": expires, "timestamp": second}
    assert delivered == common | conversation | {"status": "delivered", "timestamp": delivered["timestamp"]}
    assert read == common | {"status": "read", "timestamp": read["timestamp"]}
    assert len(sent["conversationId"]) == 32
    assert set(receiver.paths) == {"/push/a-token?key=hidden"}
    assert receiver.headers[0]["Content-Type"] == "application/json;charset=UTF-8"


@pytest.mark.parametrize("changes", [{"businessPhone": 91856321321}, {"recipient": int(NUMBER)}])
def test_numbers_that_came_as_numbers_are_pushed_as_text(pushing, receiver, message, changes):
    _, wire = pushing(open_windows=True)
    wire.custom(message(**changes))
    for push in receiver.wait(3):
        assert {name: type(push[name]) for name in STATUS_FIELDS} == STATUS_FIELDS


def test_outside_the_window_failed_is_pushed_with_131047(pushing, receiver, message):
    _, wire = pushing()
    assert wire.custom(message()).json()["status"] == "0"
    (push,) = receiver.wait(1)
    assert (push["status"], push["billable"]) == ("failed", "false")
    assert push["failure"].startswith("131047")
    assert not {"conversationId", "expiresAt"} & set(push)


def test_what_recipients_write_is_pushed(pushing, receiver, message):
    sandbox, wire = pushing()
    reply = sandbox.reply(recipient="+91 856321322", text="هل انتهى؟")
    (push,) = receiver.wait(1)
    assert push == {
        "appId": "DGziZf5u",
        "channelType": 0,
        "messageId": reply.id,
        "timestamp": int(reply.at.timestamp()),
        "eventType": "up-message-event",
        "businessPhone": "91856321321",
        "from": {"phone": NUMBER, "name": ""},
        "message": {"type": "text", "text": {"body": "هل انتهى؟"}},
    }
    wire.control("POST", "replies", json={"recipient": NUMBER, "location": {"longitude": "1", "latitude": 2}})
    assert receiver.wait(2)[1]["message"] == {
        "type": "location",
        "location": {"longitude": "1", "latitude": "2"},
    }


def test_a_tap_on_a_button_is_pushed_with_what_it_answers(pushing, receiver, message):
    sandbox, wire = pushing(open_windows=True)
    buttons = [{"type": "reply", "reply": {"id": "yes", "title": "Yes"}}]
    question = {"type": "button", "body": {"text": "?"}, "action": {"buttons": buttons}}
    message_id = wire.custom(message(type="interactive", interactive=question)).json()["data"]["messageId"]
    receiver.wait(3)
    sandbox.reply(message_id=message_id, button="yes")
    assert receiver.wait(4)[3]["message"] == {
        "type": "interactive",
        "interactive": {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}},
        "context": {"from": "91856321321", "id": message_id},
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["sent", "delivered", "read"]),
        ({"push_twice": True}, ["sent", "sent", "delivered", "delivered", "read", "read"]),
        ({"push_disorder": True}, ["read", "delivered", "sent"]),
        ({"push_disorder": True, "push_scale": 0.05}, ["read", "delivered", "sent"]),
        (
            {"push_twice": True, "push_disorder": True},
            ["read", "read", "delivered", "delivered", "sent", "sent"],
        ),
    ],
)
def test_the_order_and_how_often(pushing, receiver, template_message, options, expected):
    sandbox, wire = pushing(**options)
    for _ in range(3):
        wire.template(template_message())
    receiver.wait(3 * len(expected))
    for kept in sandbox.messages:
        assert receiver.statuses(kept.id) == expected
        assert kept.status == "read"


@pytest.mark.parametrize("code", [100, 301, 400, 404, 500, 503])
def test_a_push_that_is_not_taken_comes_again(pushing, receiver, code):
    sandbox, wire = pushing()
    receiver.answers = [code, code]
    sandbox.reply(recipient=NUMBER, text="hello")
    first, *others = receiver.wait(3)
    assert others == [first, first]
    state = state_of(wire, taken=1)
    assert (state["failed_tries"], state["given_up"], state["waiting"]) == (2, 0, 0)
    assert "/elsewhere" not in receiver.paths


def test_a_push_is_given_up_after_three_repeats(pushing, receiver, caplog):
    sandbox, wire = pushing()
    receiver.answers = [500] * 4
    with caplog.at_level(logging.WARNING, "airflow_provider_itnio.sandbox"):
        sandbox.reply(recipient=NUMBER, text="hello")
        state = state_of(wire, given_up=1)
    assert len(receiver.got) == 4
    assert (state["taken"], state["failed_tries"], state["waiting"]) == (0, 4, 0)
    line = caplog.messages[0]
    assert line.startswith(f"webhook http://127.0.0.1:{receiver.server.server_address[1]}: HTTP 500. ")
    assert "\n" not in line
    for secret in ("a-token", "hidden", NUMBER, "0123", sandbox.secret, sandbox.api_key):
        assert secret not in caplog.text


def test_the_log_tells_how_it_went_on(pushing, receiver, caplog, monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.3)
    sandbox, _ = pushing()
    receiver.answers = [500] * 8
    for _ in range(2):
        sandbox.reply(recipient=NUMBER, text="hello")
    until(lambda: caplog.messages[-1:] and "8 failed tries, 2 given up, 0 dropped" in caplog.messages[-1])
    assert len([line for line in caplog.messages if line.startswith("webhook")]) <= 8


def test_the_pauses_are_those_of_the_vendor_on_a_scale(pushing, receiver):
    sandbox, _ = pushing(push_scale=0.004)
    receiver.answers = [500] * 3
    began = time.monotonic()
    sandbox.reply(recipient=NUMBER, text="hello")
    receiver.wait(4)
    assert time.monotonic() - began >= 0.004 * (60 + 180 + 300)


def test_a_status_is_pushed_on_demand_as_often_as_asked(pushing, receiver, template_message):
    sandbox, wire = pushing()
    wire.template(template_message() | {"recipient": "99970000003"})
    (kept,) = sandbox.messages
    sandbox.push(kept, "read", times=3)
    sandbox.push(kept.id, "sent")
    sandbox.push(kept, "failed", failure="131049: too much")
    answer = wire.control("POST", "pushes", json={"message_id": kept.id, "status": "failed"})
    assert (answer.status_code, answer.json()["status"]) == (201, "read")
    receiver.wait(6)
    assert receiver.statuses() == ["read"] * 3 + ["sent", "failed", "failed"]
    assert [one["failure"] for one in receiver.got[-2:]] == [
        "131049: too much",
        "131026: Message undeliverable",
    ]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"status": "gone"}, "status: one of sent, delivered, read, failed, deleted, 'gone' given"),
        ({"status": "read", "failure": "no"}, "failure: only with the status failed"),
        ({"status": "read", "times": 0}, "times: a whole number from 1 to 100, 0 given"),
        ({"status": "read", "times": "2"}, "times: a whole number from 1 to 100, '2' given"),
        ({"status": "failed", "failure": "x" * 1001}, "failure: a text of up to 1,000 characters"),
        ({"status": "read", "message_id": "none"}, "message_id: no message with this id is kept"),
        ({"status": "read", "message_id": None}, "message_id: the id of a message, a text, None given"),
        ({"status": "read", "also": 1}, "also: unknown field; there are message_id, status, failure, times"),
        ({}, "status is missing"),
        ([], "give an object with message_id, status, failure, times"),
    ],
)
def test_a_push_that_can_not_be_is_an_error_that_names_the_field(wire, message, given, error):
    message_id = wire.custom(message()).json()["data"]["messageId"]
    body = {"message_id": message_id, **given} if isinstance(given, dict) else given
    answer = wire.control("POST", "pushes", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)


def test_pushes_go_elsewhere_at_any_time(wire, sandbox, receiver, template_message):
    wire.template(template_message())
    answer = wire.control("POST", "webhook", json={"url": receiver.url, "disorder": True})
    assert answer.status_code == 201
    assert answer.json()["url"] == receiver.url.partition("/push")[0]
    wire.template(template_message())
    receiver.wait(3)
    assert receiver.statuses() == ["read", "delivered", "sent"]
    assert state_of(wire, taken=3)["disorder"] is True
    assert wire.control("DELETE", "webhook").status_code == 204
    assert wire.control("GET", "webhook").json()["url"] == ""
    sandbox.push(sandbox.messages[0], "deleted")
    sandbox.push_to(receiver.url, twice=True)
    sandbox.push(sandbox.messages[0], "deleted")
    receiver.wait(5)
    assert receiver.statuses()[3:] == ["deleted", "deleted"]
    sandbox.push_to(None)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com/",
        "http://",
        "http://user:secret@example.com/",
        "http://exa mple/",
        "http://example.com/\r\nX: 1",
        "http://example.com/\x00",
        "http://[::1",
        "http://example.com:0/",
        "http://é.com/",
        5,
    ],
)
def test_an_address_that_can_not_be_is_refused_without_being_shown(wire, url):
    with pytest.raises(ValueError, match=r"^webhook: an http or https address") as caught:
        Sandbox(webhook=url)
    assert "secret" not in str(caught.value)
    if isinstance(url, str):
        answer = wire.control("POST", "webhook", json={"url": url})
        assert (answer.status_code, answer.json()["error"]) == (400, str(caught.value))


@contextmanager
def listening(behave):
    """A server that does with each connection what a test wants."""
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
def test_no_webhook_delays_the_vendor(pushing, template_message, behave, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_ANSWER", 3600)
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
    ("behave", "trouble"),
    [
        (silent, "no answer within 0.3 s"),
        (dripping, "no answer within 0.3 s"),
        (flooding, "the answer is not HTTP"),
        (rude, "the answer is not HTTP"),
    ],
)
def test_an_answer_that_does_not_come_is_given_up(pushing, behave, trouble, monkeypatch, caplog):
    monkeypatch.setattr(module, "LONGEST_ANSWER", 0.3)
    with listening(behave) as url:
        sandbox, wire = pushing(webhook=url)
        sandbox.reply(recipient=NUMBER, text="hello")
        state_of(wire, given_up=1)
    assert f": {trouble}. " in caplog.text


def test_of_an_endless_answer_no_more_is_read_than_a_little(pushing):
    with listening(endless) as url:
        sandbox, wire = pushing(webhook=url)
        sandbox.reply(recipient=NUMBER, text="hello")
        state_of(wire, taken=1)


def test_what_is_too_much_is_dropped_and_counted(pushing, template_message, monkeypatch, caplog):
    monkeypatch.setattr(module, "MOST_WAITING", 5)
    with listening(silent) as url:
        _, wire = pushing(webhook=url)
        for _ in range(4):
            wire.template(template_message())
        state = wire.control("GET", "webhook").json()
        assert (state["waiting"], state["dropped"]) == (5, 7)
    assert [line for line in caplog.messages if "5 pushes wait already" in line]


def test_nobody_listens(pushing, wire_to, template_message, caplog):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    _, wire = pushing(webhook=f"http://127.0.0.1:{port}/a-token")
    for _ in range(5):
        assert wire.template(template_message()).json()["status"] == "0"
    state_of(wire, given_up=15)
    line = next(one for one in caplog.messages if one.startswith("webhook"))
    assert line.startswith(f"webhook http://127.0.0.1:{port}: connection refused. ")
    assert "a-token" not in caplog.text


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(pushing, tmp_path, caplog):
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "pem"))
    with Sandbox(certfile=tmp_path / "pem") as other:
        sandbox, wire = pushing(webhook=f"{other.url}/wa/custom/sendMsg")
        sandbox.reply(recipient=NUMBER, text="hello")
        state_of(wire, given_up=1)
        assert other.requests == []
    assert "no TLS connection (CERTIFICATE_VERIFY_FAILED)" in caplog.text


def test_https_with_a_certificate_that_is_trusted(pushing, tmp_path, monkeypatch):
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
    before = threading.active_count()
    sandbox, _ = pushing()
    sandbox.reply(recipient=NUMBER, text="hello")
    receiver.wait(1)
    assert any(one.name == "itnio-sandbox-webhook" for one in threading.enumerate())
    sandbox.stop()
    until(lambda: not any(one.name == "itnio-sandbox-webhook" for one in threading.enumerate()))
    until(lambda: threading.active_count() <= before)


def state_of(wire, **wanted):
    """Wait until the webhook's counts are so."""

    def state():
        return wire.control("GET", "webhook").json()

    until(lambda: wanted.items() <= state().items())
    return state()

"""What is pushed to a customer's webhook, and when."""

from __future__ import annotations

import logging
import time

import pytest

from airflow_provider_itnio.sandbox import Sandbox
from airflow_provider_itnio.sandbox.vendor import webhook as module
from tests.sandbox.receiving import state_of, until
from tests.tables import for_each

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
"""The fields of every status push with their types, as on Itniotech's page pushMsgReport."""


def test_a_status_push_has_the_form_of_the_vendors_page(pushing, receiver, template_message):
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
def test_phone_numbers_given_as_ints_are_pushed_as_text(pushing, receiver, message, changes):
    _, wire = pushing(open_windows=True)
    wire.custom(message(**changes))
    for push in receiver.wait(3):
        assert {name: type(push[name]) for name in STATUS_FIELDS} == STATUS_FIELDS


def test_a_failed_status_outside_the_window_is_pushed_with_131047(pushing, receiver, message):
    _, wire = pushing()
    assert wire.custom(message()).json()["status"] == "0"
    (push,) = receiver.wait(1)
    assert (push["status"], push["billable"]) == ("failed", "false")
    assert push["failure"].startswith("131047")
    assert not {"conversationId", "expiresAt"} & set(push)


def test_a_reply_is_pushed(pushing, receiver, message):
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


def test_a_tap_on_a_button_is_pushed_with_the_message_it_answers(pushing, receiver, message):
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
def test_push_disorder_and_push_twice_change_order_and_number_of_pushes(
    pushing, receiver, template_message, options, expected
):
    sandbox, wire = pushing(**options)
    for _ in range(3):
        wire.template(template_message())
    receiver.wait(3 * len(expected))
    for kept in sandbox.messages:
        assert receiver.statuses(kept.id) == expected
        assert kept.status == "read"


@pytest.mark.parametrize("code", [100, 301, 400, 404, 500, 503])
def test_a_push_without_a_200_answer_is_repeated(pushing, receiver, code):
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


def test_the_log_shows_the_repeats_of_a_push(pushing, receiver, caplog, monkeypatch):
    monkeypatch.setattr(module, "LOG_INTERVAL", 0.3)
    sandbox, _ = pushing()
    receiver.answers = [500] * 8
    for _ in range(2):
        sandbox.reply(recipient=NUMBER, text="hello")
    until(lambda: caplog.messages[-1:] and "8 failed tries, 2 given up, 0 dropped" in caplog.messages[-1])
    assert len([line for line in caplog.messages if line.startswith("webhook")]) <= 8


def test_the_pauses_are_the_vendors_times_push_scale(pushing, receiver):
    sandbox, _ = pushing(push_scale=0.001)
    receiver.answers = [500] * 3
    began = time.monotonic()
    sandbox.reply(recipient=NUMBER, text="hello")
    receiver.wait(4)
    assert time.monotonic() - began >= 0.001 * (60 + 180 + 300)


def test_a_status_can_be_pushed_on_demand_several_times(pushing, receiver, template_message):
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


@for_each(
    ("given", "error"),
    [
        ({"status": "gone"}, "status: one of sent, delivered, read, failed, deleted, 'gone' given"),
        ({"status": "read", "failure": "no"}, "failure: only with the status failed"),
        ({"status": "read", "times": 0}, "times: a whole number from 1 to 100, 0 given"),
        ({"status": "read", "times": "2"}, "times: a whole number from 1 to 100, '2' given"),
        ({"status": "failed", "failure": "x" * 1001}, "failure: at most 1000 characters, 1001 given"),
        ({"status": "read", "message_id": "none"}, "message_id: there is no message with this id"),
        ({"status": "read", "message_id": None}, "message_id: the id of a message, a text, None given"),
        ({"status": "read", "also": 1}, "also: unknown field; there are message_id, status, failure, times"),
        ({}, "status is missing"),
        ([], "give an object with message_id, status, failure, times"),
    ],
)
def test_the_error_of_an_invalid_push_names_the_field(wire, message, given, error):
    message_id = wire.custom(message()).json()["data"]["messageId"]
    body = {"message_id": message_id, **given} if isinstance(given, dict) else given
    answer = wire.control("POST", "pushes", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)


def test_the_webhook_can_be_changed_and_removed_at_any_time(wire, sandbox, receiver, template_message):
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


@for_each(
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
def test_an_invalid_webhook_is_refused_and_not_shown(wire, url):
    with pytest.raises(ValueError, match=r"^webhook: an http or https address") as caught:
        Sandbox(webhook=url)
    assert "secret" not in str(caught.value)
    if isinstance(url, str):
        answer = wire.control("POST", "webhook", json={"url": url})
        assert (answer.status_code, answer.json()["error"]) == (
            400,
            f"url: {str(caught.value).removeprefix('webhook: ')}",
        )

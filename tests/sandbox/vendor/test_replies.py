"""Replies by the JSON API: ``/sandbox/replies``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "samples"
RECIPIENT = "91856321322"
ID = "the id of the message"


@pytest.fixture
def sent(wire, message):
    """Send a message to the recipient and return its id."""

    def sent(kind="text", **content):
        body = message(**({"type": kind} | content))
        return wire.custom(body).json()["data"]["messageId"]

    return sent


@pytest.fixture
def sample(sent):
    def send(name):
        held = json.loads((SAMPLES / f"{name}.json").read_text())
        return sent("interactive", interactive=held["interactive"])

    return send


def reply(wire, **given):
    return wire.control("POST", "replies", json=given)


def test_a_text_reply_has_the_form_of_the_vendors_push(wire, sent):
    sent()
    answer = reply(wire, recipient="+91 8563-21322", text="好的 *ok*")
    assert answer.status_code == 201
    kept = answer.json()
    assert wire.control("GET", "replies").json() == [kept]
    assert (kept["sender"], kept["type"], kept["answers"], kept["choice"]) == (
        "91856321322",
        "text",
        None,
        None,
    )
    body = kept["body"]
    assert body.pop("timestamp") > 1_600_000_000
    assert body == {
        "appId": "DGziZf5u",
        "channelType": 0,
        "messageId": kept["id"],
        "eventType": "up-message-event",
        "businessPhone": "91856321321",
        "from": {"phone": "91856321322", "name": ""},
        "message": {"type": "text", "text": {"body": "好的 *ok*"}},
    }


def test_a_button_reply_has_the_form_of_whatsapps_push(wire, sample):
    message_id = sample("interactive-button")
    kept = reply(wire, message_id=message_id, button="33").json()
    assert (kept["type"], kept["choice"], kept["text"]) == ("button_reply", "33", "two")
    assert kept["body"]["message"] == {
        "type": "interactive",
        "interactive": {"type": "button_reply", "button_reply": {"id": "33", "title": "two"}},
        "context": {"from": "91856321321", "id": message_id},
    }


def test_a_row_reply_has_the_form_of_whatsapps_push(wire, sample):
    kept = reply(wire, message_id=sample("interactive-list"), row="SECTION_2_ROW_2_ID").json()
    assert kept["body"]["message"]["interactive"]["list_reply"] == {
        "id": "SECTION_2_ROW_2_ID",
        "title": "SECTION_2_ROW_2_TITLE",
        "description": "SECTION_2_ROW_2_DESCRIPTION",
    }


def test_a_quick_reply_contains_the_buttons_payload(wire, template_message):
    parameters = [{"type": "payload", "payload": "acknowledge"}]
    button = {"type": "button", "sub_type": "quick_reply", "index": "1", "parameters": parameters}
    message_id = wire.template(template_message(components=[button])).json()["data"]["messageId"]
    kept = reply(wire, message_id=message_id, quick_reply=1).json()
    assert kept["body"]["message"]["button"] == {"payload": "acknowledge", "text": "acknowledge"}


def test_a_message_can_answer_a_reply(wire, sandbox, sent):
    sent()
    incoming = reply(wire, recipient=RECIPIENT, text="hello").json()["id"]
    sent(text={"body": "answer"}, context={"refMessageId": incoming})
    assert sandbox.messages[1].body["context"]["refMessageId"] == incoming
    assert sandbox.messages[1].notes == []


def test_replies_can_be_filtered_by_recipient_and_cleared(wire, sent):
    reply(wire, recipient=RECIPIENT, text="a")
    reply(wire, recipient="+86 147-1800-4557", text="b")
    found = wire.control("GET", "replies", params={"recipient": "8614718004557"}).json()
    assert [one["text"] for one in found] == ["b"]
    wire.control("DELETE", "messages")
    assert wire.control("GET", "replies").json() == []


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ([], "give an object with message_id, recipient, text"),
        ({}, "reply: give exactly one of text, button, row, quick_reply, location"),
        ({"text": "a", "button": "b"}, "reply: give exactly one of"),
        ({"text": "a", "colour": "red"}, "colour: unknown field; there are message_id, recipient, text"),
        ({"text": "a"}, "recipient: a phone number of 7 to 14 digits, or give message_id"),
        ({"text": " ", "recipient": RECIPIENT}, "text: at least one character"),
        ({"text": 5, "recipient": RECIPIENT}, "text: at least one character"),
        ({"text": "x" * 4097, "recipient": RECIPIENT}, "text: at most 4096 characters, 4097 given"),
        (
            {"text": "half \ud83d", "recipient": RECIPIENT},
            "text: a text that UTF-8 can hold, 'half \\ud83d' given",
        ),
        ({"text": "a", "message_id": "none"}, "message_id: there is no message with this id"),
        (
            {"text": "a", "recipient": "5511", "message_id": ID},
            "recipient: the message of message_id",
        ),
        ({"button": "44", "message_id": ID}, "button: the message of message_id has none with this id"),
        ({"button": "33", "recipient": RECIPIENT}, "message_id is missing: a button belongs to a message"),
        ({"row": "1"}, "message_id is missing: a row belongs to a message, give its id"),
        ({"quick_reply": 0, "recipient": RECIPIENT}, "message_id is missing: a quick_reply belongs to"),
        ({"text": "a", "recipient": 5}, "recipient: a phone number of 7 to 14 digits, '5' given"),
        ({"text": "a", "recipient": "1" * 15}, "recipient: a phone number of 7 to 14 digits, '1111"),
        ({"text": "a", "recipient": "abc"}, "recipient: a phone number, 'abc' given"),
        ({"row": "1", "message_id": ID}, "row: the message of message_id has none with this id"),
        (
            {"quick_reply": "0", "message_id": ID},
            "quick_reply: the message of message_id has no",
        ),
        ({"location": "here", "message_id": ID}, "location: an object with latitude and longitude"),
        (
            {"location": {"latitude": 91, "longitude": 0}, "message_id": ID},
            "location.latitude: degrees from",
        ),
        (
            {"location": {"latitude": 1, "longitude": "x"}, "message_id": ID},
            "location.longitude: degrees",
        ),
        (
            {"location": {"latitude": 1, "longitude": True}, "message_id": ID},
            "location.longitude: degrees",
        ),
        (
            {"location": {"latitude": "nan", "longitude": 1}, "message_id": ID},
            "location.latitude: degrees",
        ),
    ],
)
def test_the_error_of_an_invalid_reply_says_why(wire, sample, given, error):
    message_id = sample("interactive-button")
    if isinstance(given, dict) and given.get("message_id") == ID:
        given = given | {"message_id": message_id}
    answer = wire.control("POST", "replies", json=given)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)
    assert wire.control("GET", "replies").json() == []


def test_a_reply_that_is_not_json_or_too_long_is_refused(wire):
    assert wire.control("POST", "replies", data=b"{").json() == {"error": "the body is not JSON"}
    assert wire.control("POST", "replies", data=b" " * ((1 << 20) + 1)).status_code == 413


@pytest.mark.parametrize(("name", "value"), [("Origin", "http://evil.example"), ("Host", "evil.example")])
def test_another_site_can_neither_reply_nor_read(wire, sent, name, value):
    sent()
    answer = wire.control(
        "POST", "replies", json={"recipient": RECIPIENT, "text": "a"}, headers={name: value}
    )
    assert answer.status_code == 403
    assert wire.control("GET", "replies").json() == []
    for path in ("events", "exchanges/1", "inbox.html"):
        assert wire.control("GET", path, headers={name: value}).status_code == 403

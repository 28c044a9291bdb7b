"""Pushes over real sockets, and what can be read then."""

from __future__ import annotations

import itertools
import json
import random
import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from airflow_provider_itnio.receiver.mailbox import shorten_failure
from tests.receiver.running import AT, READ_TOKEN, incoming_push, status_push, text_push
from tests.tables import for_each

pytestmark = pytest.mark.xdist_group("postgresql")  # which is started once

SHAPES = {
    "button": {
        "type": "interactive",
        "interactive": {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}},
    },
    "row": {
        "type": "interactive",
        "interactive": {"list_reply": {"id": "yes", "title": "Yes", "description": "x"}},
    },
    "flat button": {"type": "button_reply", "button_reply": {"id": "yes", "title": "Yes"}},
    "flat button in camel case": {"type": "button_reply", "buttonReply": {"id": "yes", "title": "Yes"}},
    "flat row in camel case": {"type": "list_reply", "listReply": {"id": "yes", "title": "Yes"}},
    "quick reply": {"type": "button", "button": {"payload": "yes", "text": "Yes"}},
}


def final_status(order):
    """Return a message's status after these pushes, by the documented rule."""
    if "read" in order:
        return "read"
    if "failed" in order:
        return "failed"
    return "delivered" if "delivered" in order else "sent"


@for_each(
    "order",
    [one for n in (1, 2, 3, 4) for one in itertools.permutations(["sent", "delivered", "read", "failed"], n)],
)
def test_a_messages_status_does_not_depend_on_the_order_of_pushes(receiver, order):
    message_id = "order-" + "-".join(order)
    for status in [*order, *order]:  # each twice
        assert receiver.push(status_push(message_id, status, failure="131026: no")) == 200
    message = receiver.get(f"/v1/messages/{message_id}")
    assert message["status"] == final_status(order)
    assert sorted(one["status"] for one in message["history"]) == sorted(order)
    assert message["failure"] == ("131026: no" if message["status"] == "failed" else None)


def test_the_history_is_ordered_by_time(receiver):
    for status, at in (("read", AT + 9), ("sent", AT), ("delivered", AT + 3)):
        receiver.push(status_push("timed", status, at))
    message = receiver.get("/v1/messages/timed")
    assert [one["status"] for one in message["history"]] == ["sent", "delivered", "read"]
    assert message["at"] == "2026-09-21T14:13:29+00:00"


def test_an_unknown_message_has_the_status_none(receiver):
    assert receiver.get("/v1/messages/nobody") == {
        "message_id": "nobody", "status": "none", "at": None, "failure": None, "history": [],
    }  # fmt: skip


def test_deleted_is_in_the_history_but_is_not_a_status(receiver):
    receiver.push(status_push("gone", "delivered"))
    receiver.push(status_push("gone", "deleted", AT + 5))
    message = receiver.get("/v1/messages/gone")
    assert message["status"] == "delivered"
    assert [one["status"] for one in message["history"]] == ["delivered", "deleted"]


@for_each("timestamp", [str(AT), AT * 1000, f"{AT * 1000}"])
def test_a_time_as_text_or_in_milliseconds_is_read(receiver, timestamp):
    message_id = f"time-{timestamp!r}"
    receiver.push(status_push(message_id, "sent", timestamp))
    assert receiver.get(f"/v1/messages/{message_id}")["at"] == "2026-09-21T14:13:20+00:00"


def test_statuses_of_many_messages_are_answered_in_the_requested_order(receiver):
    receiver.push(status_push("many-2", "read"))
    answer = receiver.get("/v1/messages", {"ids": ["many-1", "many-2", "many-1"]})
    assert [(one["message_id"], one["status"]) for one in answer["messages"]] == [
        ("many-1", "none"), ("many-2", "read"), ("many-1", "none"),
    ]  # fmt: skip


LONG = "\u957f" * 20_000
"""The longest text that is stored, 60,000 bytes."""


def test_an_answer_about_many_messages_fits_into_the_clients_limit(receiver):
    """The client reads at most 1 MiB; a thousand long failures are more."""
    ids = [f"{n:064}" for n in range(20)]
    for message_id in ids:
        for status in ("sent", "delivered", "deleted"):
            receiver.push(status_push(message_id, status))
        receiver.push(status_push(message_id, "failed", failure="131026" + LONG))
    answer = receiver.get("/v1/messages", {"ids": ids})
    assert len(json.dumps(answer, ensure_ascii=False).encode()) / len(ids) * 1000 < 1024 * 1024
    for one in answer["messages"]:
        assert len(one["history"]) == 4
        assert one["failure"].startswith("131026" + LONG[:120])
    alone = receiver.get(f"/v1/messages/{ids[0]}")
    assert alone["failure"].startswith("131026" + LONG[:19_000])
    assert len(alone["history"]) == 4


def test_failures_are_truncated_by_their_length_in_json():
    told = shorten_failure({"failure": "131026" + "\x01" * 500 + "\n" + LONG})["failure"]
    assert told.startswith("131026" + LONG[:120])
    assert len(json.dumps(told, ensure_ascii=False).encode()) < 410
    assert shorten_failure({"failure": None}) == {"failure": None}


def test_incoming_messages_that_do_not_fit_into_an_answer_are_in_the_next(receiver):
    cursor = receiver.get("/v1/incoming?after=latest")["cursor"]
    for n in range(20):
        receiver.push(text_push(f"long-{n}", LONG))
    found = []
    while read := receiver.get(f"/v1/incoming?after={cursor}"):
        if not read["messages"]:
            break
        assert len(json.dumps(read, ensure_ascii=False).encode()) < 1024 * 1024
        found += [one["message_id"] for one in read["messages"]]
        cursor = read["cursor"]
    assert found == [f"long-{n}" for n in range(20)]


@for_each("place", ["inside message", "beside message"])
@for_each("shape", SHAPES)
def test_a_tap_of_each_shape_is_read(receiver, shape, place):
    message_id = f"{shape} {place}"
    cursor = receiver.get("/v1/incoming?after=latest")["cursor"]
    held = {**SHAPES[shape], "context": {"from": "1", "id": "question"}}
    push = incoming_push(message_id, held if place == "inside message" else {"type": "unknown"})
    assert receiver.push({**held, **push} if place == "beside message" else push) == 200
    [message] = receiver.get(f"/v1/incoming?after={cursor}")["messages"]
    assert message["option"] == {"id": "yes", "title": "Yes"}
    assert message["reply_to"] == "question"
    assert (message["text"], message["from"], message["name"]) == ("Yes", "8614718004557", "Ana")


@for_each(
    ("message", "text"),
    [
        ({"type": "text", "text": {"body": "hi"}}, "hi"),
        ({"type": "text", "text": "hi"}, "hi"),
        ({"type": "image", "image": {"filePath": "https://x/1.png", "caption": "see"}}, "see"),
        ({"type": "location", "location": {"longitude": "1", "latitude": "2"}}, ""),
        ({}, ""),
    ],
)
def test_an_incoming_message_of_each_type_is_read(receiver, message, text):
    cursor = receiver.get("/v1/incoming?after=latest")["cursor"]
    receiver.push(incoming_push(f"text {message}", message))
    [found] = receiver.get(f"/v1/incoming?after={cursor}")["messages"]
    assert (found["text"], found["option"], found["type"]) == (text, None, message.get("type", "unknown"))


def test_incoming_messages_are_read_once_each_in_order_and_in_pages(receiver):
    cursor = receiver.get("/v1/incoming?after=latest")["cursor"]
    for number in (1, 2, 2, 1, 3):
        receiver.push(text_push(f"page-{number}", f"text {number}"))
    seen = []
    while True:
        page = receiver.get(f"/v1/incoming?after={cursor}&limit=2")
        cursor = page["cursor"]
        if not page["messages"]:
            break
        assert len(page["messages"]) <= 2
        seen += [one["text"] for one in page["messages"]]
    assert seen == ["text 1", "text 2", "text 3"]


def test_a_window_is_open_for_a_day_after_the_latest_message(receiver):
    assert receiver.get("/v1/window/4915112345678") == {
        "phone": "4915112345678", "last_incoming_at": None, "open_until": None,
    }  # fmt: skip
    for at in (AT + 60, AT):
        receiver.push(text_push(f"window-{at}", "hi", phone="+49 151 12345678", at=at))
    assert receiver.get("/v1/window", {"phone": "+4915112345678"})["phone"] == "4915112345678"
    window = receiver.get("/v1/window/+4915112345678")
    assert window["last_incoming_at"] == "2026-09-21T14:14:20+00:00"
    assert window["open_until"] == "2026-09-22T14:14:20+00:00"


@for_each(
    "event",
    [
        [1, 2],
        "text",
        {},
        {"eventType": "billing-event", "fee": "0.05"},
        {"eventType": 7},
        status_push("", "sent"),
        status_push("x" * 201, "sent"),
        status_push("odd", "exploded"),
        {"eventType": "message-status-event", "messageId": ["a"], "status": "sent"},
        {"eventType": "up-message-event", "messageId": "m"},
        incoming_push("no sender", {}, phone=""),
    ],
)
def test_an_event_that_cannot_be_parsed_is_stored_and_listed_as_unread(receiver, event):
    assert receiver.push(event) == 200
    [newest] = receiver.get("/v1/unread?limit=1")["events"]
    assert json.loads(newest["body"]) == event
    assert newest["reason"]


@for_each(
    ("body", "code"),
    [
        (b"", 400),
        (b"x", 400),
        (b"\xff\xfe", 400),
        (b'{"a":', 400),
        (b"[" * 100_000, 400),
        (b'{"a": ' + b"9" * 5_000 + b"}", 400),
        (b'"' + b"x" * (256 * 1024) + b'"', 413),
    ],
)
def test_an_invalid_body_is_refused(receiver, body, code):
    assert receiver.push(body) == code


@for_each("name", ["failure", "eventType"])
def test_a_body_that_is_nested_too_deep_is_read_or_refused(receiver, name):
    codes = set()
    for depth in range(900, 1000, 2):
        nested = b"[" * depth + b"]" * depth
        whole = json.dumps(status_push("deep", "failed") | {name: "x"}).encode()
        codes.add(receiver.push(whole.replace(b'"x"', nested)))
    assert codes <= {200, 400}


@for_each("text", ["a\0b", "\ud83d", "\u202e", "😀" * 21_000])
@for_each("place", ["status", "text"])
def test_text_that_a_database_cannot_store_is_cleaned_and_stored(any_receiver, text, place):
    message_id = f"odd {len(text)} {ord(text[0])}"
    if place == "status":
        assert any_receiver.push(status_push(message_id, "failed", failure=text)) == 200
        kept = any_receiver.get(f"/v1/messages/{quote(message_id)}")["failure"]
    else:
        cursor = any_receiver.get("/v1/incoming?after=latest")["cursor"]
        assert any_receiver.push(text_push(message_id, text)) == 200
        kept = any_receiver.get(f"/v1/incoming?after={cursor}")["messages"][0]["text"]
    assert kept == text.replace("\0", "").replace("\ud83d", "?")[:20_000]


def test_a_push_with_a_wrong_token_gets_404(receiver):
    for token in ("", "x", READ_TOKEN, "%00", "%C3%A9"):
        with socket.create_connection(("127.0.0.1", receiver.port)) as connection:
            connection.sendall(
                f"POST /push/{token} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode()
            )
            assert connection.recv(1000).startswith(b"HTTP/1.1 404")


@for_each("path", ["/v1/messages/x", "/v1/incoming", "/v1/window/1", "/v1/unread"])
def test_a_read_with_a_wrong_token_gets_401(receiver, path):
    for token in ("", "x", "push-0123456789abcdefghijkl", "é"):
        code, answer = receiver.ask(path, token=token.encode().decode("latin-1"))
        assert (code, answer["error"]) == (401, "Authorization: must be Bearer and the read token")


@for_each(
    ("path", "body", "name"),
    [
        ("/v1/messages/x?wait=26", None, "wait"),
        ("/v1/messages/x?wait=nan", None, "wait"),
        ("/v1/messages/x?wait=-1", None, "wait"),
        ("/v1/messages/x?wait=soon", None, "wait"),
        ("/v1/messages/x?until=failed", None, "until"),
        ("/v1/messages", {"ids": "x"}, "ids"),
        ("/v1/messages", {"ids": ["x"] * 1001}, "ids"),
        ("/v1/messages", {"ids": [7]}, "message id"),
        ("/v1/messages", {"ids": ["x" * 201]}, "message id"),
        ("/v1/messages", {"ids": [], "until": ["sent"]}, "until"),
        ("/v1/messages", {"ids": [], "wait": 10**400}, "wait"),
        ("/v1/messages", [], "ids"),
        ("/v1/incoming?limit=0", None, "limit"),
        ("/v1/incoming?limit=1001", None, "limit"),
        ("/v1/incoming?after=1", None, "after"),
        ("/v1/incoming?after=abc-%D9%A1", None, "after"),
        ("/v1/window/x", None, "phone"),
        ("/v1/window", {"phone": 49}, "phone"),
        ("/v1/window", ["49"], "phone"),
        ("/v1/unread?limit=101", None, "limit"),
    ],
)
def test_the_error_of_an_invalid_parameter_names_it(receiver, path, body, name):
    code, answer = receiver.ask(path, body)
    assert (code, answer["error"].partition(":")[0]) == (400, name)


def test_a_request_with_wait_is_answered_when_the_status_is_reached(receiver):
    with ThreadPoolExecutor() as threads:
        one = threads.submit(receiver.get, "/v1/messages/awaited?wait=25&until=delivered")
        many = threads.submit(
            receiver.get, "/v1/messages", {"ids": ["awaited", "awaited-2"], "wait": 25, "until": "delivered"}
        )
        receiver.push(status_push("awaited", "sent"))
        receiver.push(status_push("awaited-2", "failed", failure="131026"))
        assert not many.done()
        receiver.push(status_push("awaited", "delivered"))
        assert one.result()["status"] == "delivered"
        assert [message["status"] for message in many.result()["messages"]] == ["delivered", "failed"]


def test_a_request_with_wait_is_answered_when_a_message_arrives(receiver):
    cursor = receiver.get("/v1/incoming?after=latest")["cursor"]
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(receiver.get, f"/v1/incoming?after={cursor}&wait=25")
        receiver.push(text_push("awaited text", "here"))
        assert [message["text"] for message in waiting.result()["messages"]] == ["here"]


def test_the_log_contains_neither_push_contents_nor_tokens(receiver):
    receiver.push(text_push("logged", "a secret text", phone="8613912345678"))
    receiver.push(b"not json a secret text")
    written = receiver.written()
    assert "secret text" not in written
    assert "8613912345678" not in written
    assert "0123456789abcdef" not in written
    assert "Traceback" not in written


def test_concurrent_pushes_are_all_stored(any_receiver):
    ids = [f"crowd-{number}" for number in range(400)]
    random.Random(7).shuffle(ids)
    with ThreadPoolExecutor(16) as threads:
        codes = list(threads.map(lambda one: any_receiver.push(status_push(one, "sent")), [*ids, *ids]))
    assert set(codes) == {200}
    found = any_receiver.get("/v1/messages", {"ids": ids})["messages"]
    assert {message["status"] for message in found} == {"sent"}


def test_incomplete_requests_do_not_delay_others(receiver):
    halves = [socket.create_connection(("127.0.0.1", receiver.port)) for _ in range(50)]
    for half in halves:
        half.sendall(
            b"POST /push/push-0123456789abcdefghijkl HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
        )
    try:
        assert receiver.push(status_push("beside halves", "sent")) == 200
    finally:
        for half in halves:
            half.close()
    assert receiver.push(status_push("after halves", "sent")) == 200

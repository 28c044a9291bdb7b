"""The 24-hour window: until when an ordinary message from a business phone reaches a number."""

from __future__ import annotations

import itertools
import json
import time

import pytest

from tests.receiver.running import AT, new_number, status_push, text_push
from tests.tables import for_each

pytestmark = pytest.mark.xdist_group("postgresql")  # which is started once

OWN, OTHER = "91856321321", "447700900123"
_ids = itertools.count()


def wrote(receiver, number, at=AT, **more):
    assert receiver.push(text_push(f"window {next(_ids)}", "hi", phone=number, at=at, **more)) == 200


@for_each(
    ("written_to", "sent_from", "is_known"),
    [
        (OTHER, {}, True),
        (OTHER, {"business_phone": ""}, True),
        (OTHER, {"business_phone": None}, True),
        (OTHER, {"business_phone": OWN}, False),
        (OTHER, {"business_phone": OTHER}, True),
        ("+91 856-321 321", {"business_phone": OWN}, True),
        (int(OWN), {"business_phone": "+91 856-321 321"}, True),
        ("", {"business_phone": OWN}, True),
        (None, {"business_phone": OWN}, True),
        ({}, {"business_phone": OWN}, True),
    ],
)
def test_a_window_belongs_to_a_number_and_a_business_phone(any_receiver, written_to, sent_from, is_known):
    number = new_number()
    wrote(any_receiver, number, businessPhone=written_to)
    window = any_receiver.get("/v1/window", {"phone": number, **sent_from})
    assert window["phone"] == number
    assert (window["last_incoming_at"] is not None) == is_known
    assert any_receiver.get(f"/v1/window/{number}")["last_incoming_at"]  # without a business phone


def test_the_latest_message_to_the_business_phone_counts(any_receiver):
    number = new_number()
    for at, to in ((AT, OWN), (AT + 60, OTHER), (AT - 60, OWN)):
        wrote(any_receiver, number, at, businessPhone=to)
    window = any_receiver.get("/v1/window", {"phone": number, "business_phone": OWN})
    assert window["open_until"] == "2026-09-22T14:13:20+00:00"


@for_each("given", ["nobody", [OWN], {"x": 1}, True])
def test_a_business_phone_without_digits_is_refused(any_receiver, given):
    code, answer = any_receiver.ask("/v1/window", {"phone": "49", "business_phone": given})
    assert (code, answer["error"]) == (400, "business_phone: must be digits")


WRITTEN = 1_779_123_456
"""Months ago, and not at a full minute."""


@for_each(
    "timestamp",
    [
        WRITTEN,
        f" {WRITTEN} ",
        WRITTEN + 0.629,
        f"{WRITTEN}.629",
        f"{WRITTEN},629",
        "1.779123456E9",
        *(value for unit in (10**3, 10**6, 10**9) for value in (WRITTEN * unit, f"{WRITTEN * unit}")),
        float(WRITTEN * 10**9),
        WRITTEN * 1000 + 0.5,
        "2026-05-18T16:57:36Z",
        "2026-05-18T16:57:36.629+00:00",
        "2026-05-18 16:57:36",
        "20260518T165736Z",
        "2026-05-19T00:57:36+08:00",
    ],
)
def test_a_time_of_any_shape_is_read(receiver, timestamp):
    number = new_number()
    wrote(receiver, number, timestamp)
    window = receiver.get("/v1/window", {"phone": number})
    assert window["last_incoming_at"] == "2026-05-18T16:57:36+00:00"
    message_id = f"time-of-{number}"
    receiver.push(status_push(message_id, "sent", timestamp))
    assert receiver.get(f"/v1/messages/{message_id}")["at"] == "2026-05-18T16:57:36+00:00"
    assert message_id not in json.dumps(receiver.get("/v1/unread?limit=5"))


@for_each(
    "timestamp",
    [
        *(None, "", 0, -1, True, [WRITTEN], {"seconds": WRITTEN}, "yesterday", "18/05/2026", "1_779_123_456"),
        *(float("nan"), float("inf"), 1e300, "1E99", 10**30, "20260518165736", "9" * 60, "\u0661" * 10),
        "9999-12-31T23:59:59Z",
    ],
)
def test_a_message_with_an_unreadable_time_is_stored_and_opens_no_window(any_receiver, timestamp):
    number, began = new_number(), int(time.time())
    cursor = any_receiver.get("/v1/incoming?after=latest")["cursor"]
    wrote(any_receiver, number, timestamp)
    [message] = any_receiver.get(f"/v1/incoming?after={cursor}")["messages"]
    assert message["from"] == number
    assert message["at"] >= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began))
    assert any_receiver.get(f"/v1/window/{number}")["open_until"] is None
    [unread] = any_receiver.get("/v1/unread?limit=1")["events"]
    assert json.loads(unread["body"])["messageId"] == message["message_id"]
    assert unread["reason"] == "timestamp can't be read"


def test_a_time_in_a_wrong_time_zone_counts_as_now(any_receiver):
    """The time is hours ahead, so the message was just written."""
    number, now = new_number(), int(time.time())
    wrote(any_receiver, number, now + 8 * 3600)
    told = any_receiver.get(f"/v1/window/{number}")["last_incoming_at"]
    assert told < time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now + 4 * 3600))


def test_a_status_without_a_time_counts_and_is_listed_as_unread(any_receiver):
    any_receiver.push(status_push("timeless", "delivered", None))
    assert any_receiver.get("/v1/messages/timeless")["status"] == "delivered"
    [unread] = any_receiver.get("/v1/unread?limit=1")["events"]
    assert json.loads(unread["body"])["messageId"] == "timeless"

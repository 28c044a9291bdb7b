"""Until when an ordinary message from a business phone reaches a person."""

from __future__ import annotations

import itertools

import pytest

from tests.receiver.running import AT, new_number, text_push
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
def test_a_window_belongs_to_a_person_and_a_business_phone(any_receiver, written_to, sent_from, is_known):
    number = new_number()
    wrote(any_receiver, number, businessPhone=written_to)
    window = any_receiver.get("/v1/window", {"phone": number, **sent_from})
    assert window["phone"] == number
    assert (window["last_incoming_at"] is not None) == is_known
    assert any_receiver.get(f"/v1/window/{number}")["last_incoming_at"]  # a person who asks for any


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

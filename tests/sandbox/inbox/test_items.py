"""The data of an exchange for the page, and why a request failed."""

from __future__ import annotations

import json

import pytest
import requests

from tests.tables import for_each


def test_an_exchange_contains_its_request_and_answer(wire, sandbox, message):
    headers = wire.headers()
    wire.custom(message(recipient="1"), headers)
    number = sandbox._vendor.store.exchanges()[0].number
    told = wire.control("GET", f"exchanges/{number}").json()
    assert told["request"]["body"] == message(recipient="1")
    assert told["request"]["answer"]["status"] == "-71"
    assert told["request"]["headers"]["sign"] == "***"
    assert told["failure"]["advice"].startswith("give the recipient with country code")
    assert headers["Sign"] not in json.dumps(told)


@for_each("number", ["0", "999999999", "-1", "x"])
def test_an_exchange_that_is_not_stored_is_not_found(wire, number):
    assert wire.control("GET", f"exchanges/{number}").status_code == 404


def failures(wire, sandbox):
    return [
        wire.control("GET", f"exchanges/{one.number}").json() for one in sandbox._vendor.store.exchanges()
    ]


def test_a_failure_without_a_status_describes_the_answer(wire, sandbox, message):
    sandbox.fail_next(http_status=503)
    wire.custom(message(text={"body": "lost"}))
    sandbox.fail_next(drop="after_accepting")
    with pytest.raises(requests.ConnectionError):
        wire.custom(message())
    wire.balance()
    first, second = failures(wire, sandbox)
    assert (first["failure"]["status"], first["failure"]["meaning"]) == (None, "the answer was HTTP 503")
    assert (first["failure"]["recipient"], first["failure"]["text"]) == ("91856321322", "lost")
    assert second["message"]["text"] == "42 rows loaded"
    assert second["failure"]["meaning"] == "the connection was closed without an answer"


WITHOUT_ID = {"status": "0", "reason": "success"}
WITH_ID = WITHOUT_ID | {"data": {"channelType": 0, "messageId": "a" * 32, "timestamp": 1}}


@for_each(
    ("fault", "meaning"),
    [
        ({"answer": WITHOUT_ID}, "the answer was a success without a message id"),
        ({"answer": WITHOUT_ID, "accept": True}, "the answer was a success without a message id"),
        ({"answer": WITH_ID | {"data": None}}, "the answer was a success without a message id"),
        ({"answer": WITH_ID}, "the answer was a success, but no message is kept"),
        ({"answer": [1]}, "the answer was not one that the vendor documents"),
        ({"body": "<h1>busy</h1>"}, "the answer was not one that the vendor documents"),
        ({"answer": WITH_ID, "http_status": 202}, "the answer was HTTP 202"),
    ],
)
def test_every_answer_except_a_success_with_a_message_is_a_failure(wire, sandbox, message, fault, meaning):
    sandbox.fail_next(**fault)
    wire.custom(message())
    (told,) = failures(wire, sandbox)
    assert told["failure"]["meaning"] == meaning
    assert told["failure"]["why"] == "a fault was asked for, by fail_next or POST /sandbox/faults"
    assert told["failure"]["by_fault"] is True
    assert ("message" in told) == fault.get("accept", False)


def test_a_test_number_without_a_message_id_is_a_failure(wire, sandbox, message):
    wire.custom(message(recipient="99950000002"))
    (told,) = failures(wire, sandbox)
    assert told["failure"]["meaning"] == "the answer was a success without a message id"
    assert "test number" in told["failure"]["why"]


def test_a_success_by_a_fault_with_a_stored_message_is_not_a_failure(wire, sandbox, message):
    sandbox.fail_next(answer=WITH_ID, accept=True)
    wire.custom(message())
    sandbox.fail_next(delay=0.01)
    wire.custom(message())
    sandbox.fail_next(answer=WITHOUT_ID, path="/sms/getBalance")
    wire.balance()
    assert [sorted(one) for one in failures(wire, sandbox)] == [
        ["message", "number", "pushes", "request"]
    ] * 2


@pytest.mark.parametrize(
    "fault", [{"answer": {"status": -5}}, {"body": '{"status": "-5"}', "http_status": 500}]
)
def test_a_negative_status_requested_in_any_way_is_a_refusal(wire, sandbox, message, fault):
    sandbox.fail_next(**fault)
    wire.custom(message())
    assert [(one.status, one.meaning) for one in sandbox.refused] == [(-5, "system exception")]
    (told,) = failures(wire, sandbox)
    assert (told["failure"]["status"], told["failure"]["by_fault"]) == (-5, True)


def test_a_delay_does_not_change_the_answer(wire, sandbox, message):
    sandbox.fail_next(delay=0.01)
    wire.custom(message(recipient="1"))
    (told,) = failures(wire, sandbox)
    assert (told["failure"]["status"], told["failure"]["by_fault"]) == (-71, False)
    assert told["failure"]["why"] == "recipient has 1 digits, at least 7"

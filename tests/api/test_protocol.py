"""Signed requests, and the answers that accept them, without a server."""

from __future__ import annotations

import json
from typing import Any

import pendulum

from airflow_provider_itnio.api.errors import (
    UnknownOutcomeError,
)
from airflow_provider_itnio.api.models import message_from
from airflow_provider_itnio.api.protocol import Protocol, Request
from airflow_provider_itnio.api.receipt import Receipt
from tests.api.conftest import NOW, RECIPIENT
from tests.api.protocol_cases import ACCEPTED, CREDENTIALS, answer, outcome
from tests.tables import for_each


def test_a_message_becomes_a_post(exchange: Protocol) -> None:
    request = exchange.message_request(
        message_from({"text": "行", "reply_to": "1"}),
        recipient=RECIPIENT,
        app_id="app",
        business_phone="91856321321",
    )
    assert (request.method, request.path) == ("POST", "wa/custom/sendMsg")
    assert (
        request.body
        == (
            '{"appId":"app","businessPhone":"91856321321","recipient":"8614718004557","channelType":0,"type":"text",'
            '"text":{"body":"行"},"context":{"refMessageId":"1"}}'
        ).encode()
    )
    assert request.subject == "text message to 86…57"


def test_a_whatsapp_template_has_a_separate_endpoint_and_no_type(exchange: Protocol) -> None:
    template = {"name": "new_shop", "language": {"code": "en"}}
    request = exchange.message_request(
        message_from({"template": template}), recipient=RECIPIENT, app_id="app", business_phone="91856321321"
    )
    assert request.path == "wa/template/sendMsg"
    assert json.loads(request.body or b"") == {
        "appId": "app", "businessPhone": "91856321321", "recipient": RECIPIENT, "channelType": 0,
        "template": {"language": {"code": "en"}, "name": "new_shop"},
    }  # fmt: skip


def test_the_balance_is_a_get(exchange: Protocol) -> None:
    request = exchange.balance_request()
    assert (request.method, request.path, request.body) == ("GET", "sms/getBalance", None)


def test_headers_are_signed_with_the_time_of_the_server(exchange: Protocol) -> None:
    for offset in (0, -3600):
        exchange.clock.offset = offset
        timestamp = str(int(NOW + offset))
        assert exchange.signed_headers() == {
            "Sign": CREDENTIALS.sign(timestamp),
            "Timestamp": timestamp,
            "Api-Key": "bDqJFiq9",
        }


@for_each("status", ["0", 0, " 0 ", "-0", "00"])
@for_each("http_status", [200, 201, 301, 400, 401, 404, 407, 408, 425, 429, 500, 503])
@for_each("delivery", ["at_least_once", "at_most_once"])
def test_status_0_with_an_id_is_accepted_with_any_http_status_and_delivery(
    exchange: Protocol, message: Request[Receipt], status: object, http_status: int, delivery: str
) -> None:
    given = answer(ACCEPTED | {"status": status}, http_status, retry_after="9")
    assert outcome(exchange, message, given, delivery) == Receipt(
        "10415e", RECIPIENT, "text", pendulum.from_timestamp(1693813991)
    )


@for_each(
    ("data", "at"),
    [
        ({"timestamp": 1693813991}, 1693813991),
        ({"timestamp": "1693813991"}, 1693813991),
        ({"imestamp": 1693813991}, 1693813991),
        ({"timestamp": 1693813991, "imestamp": 5}, 1693813991),
        ({}, None),
        ({"timestamp": None}, None),
        ({"timestamp": "soon"}, None),
        ({"timestamp": 1.5}, None),
        ({"timestamp": True}, None),
        ({"timestamp": [1]}, None),
        ({"timestamp": 10**30}, None),
        ({"timestamp": -(10**30)}, None),
        ({"timestamp": "9" * 12}, None),
    ],
)
def test_an_unreadable_timestamp_gives_a_receipt_without_a_time(
    exchange: Protocol, message: Request[Receipt], data: dict[str, Any], at: int | None
) -> None:
    receipt = outcome(exchange, message, answer({"status": 0, "data": {"messageId": "1"} | data}))
    assert receipt.message_id == "1"
    assert receipt.timestamp == (None if at is None else pendulum.from_timestamp(at))


@for_each(("given", "kept"), [("abc", "abc"), (" abc ", "abc"), (17, "17")])
def test_a_message_id_is_text(
    exchange: Protocol, message: Request[Receipt], given: object, kept: str
) -> None:
    receipt = outcome(exchange, message, answer({"status": "0", "data": {"messageId": given}}))
    assert receipt == Receipt(kept, RECIPIENT, "text", None)


@for_each(
    "data", [None, {}, [], "abc", 1, *({"messageId": bad} for bad in ("", " ", None, True, [], {}, 1.5))]
)
@for_each("http_status", [200, 400, 404, 500])
def test_status_0_without_an_id_is_an_unknown_outcome(
    exchange: Protocol, message: Request[Receipt], data: object, http_status: int
) -> None:
    error = outcome(exchange, message, answer({"status": "0", "data": data}, http_status))
    assert type(error) is UnknownOutcomeError
    assert str(error) == (
        "Itniotech's answer does not say whether it accepted the text message to 86…57: "
        f"HTTP {http_status}, status 0, but the expected data is missing"
    )

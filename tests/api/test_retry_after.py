"""How long to wait after an answer, and the clock that it sets."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest

from airflow_provider_itnio.api.protocol import Protocol, Request
from airflow_provider_itnio.api.receipt import Receipt
from tests.api.conftest import NOW
from tests.api.protocol_cases import ACCEPTED, REFUSED, answer, outcome
from tests.tables import for_each


@for_each(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("999999999", 999999999.0),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("1e9", None),
        ("9" * 10, 1e9),
        ("9" * 299, 1e9),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 1e9),
    ],
)
def test_retry_after_is_seconds_or_a_date(
    exchange: Protocol, message: Request[Receipt], header: str | None, seconds: float | None
) -> None:
    headers = {} if header is None else {"retry_after": header}
    error = outcome(exchange, message, answer(b"", 429, **headers))
    assert error.retry_after == seconds
    assert error.try_again
    asked = "" if seconds is None else f", which asks to wait {seconds:.0f} s"
    assert str(error) == f"Itniotech did not accept the text message to 86…57: HTTP 429{asked}"


def test_a_retry_after_date_is_compared_with_the_servers_time(
    exchange: Protocol, message: Request[Receipt]
) -> None:
    exchange.clock.offset = 3600
    error = outcome(exchange, message, answer(b"", 503, retry_after=formatdate(NOW + 3630, usegmt=True)))
    assert error.retry_after == 30


DATE = formatdate(NOW + 3600, usegmt=True)


@pytest.mark.parametrize("status", ["-4", "-16", -4, -16])
def test_an_expired_timestamp_sets_the_clock_by_the_answers_date(
    exchange: Protocol, message: Request[Receipt], status: object
) -> None:
    assert exchange.sets_clock(message, answer({"status": status}, date=DATE))
    assert exchange.signed_headers()["Timestamp"] == str(int(NOW + 3600))


@pytest.mark.parametrize("headers", [{}, {"date": ""}, {"date": "yesterday"}])
def test_an_answer_without_a_date_does_not_set_the_clock(
    exchange: Protocol, message: Request[Receipt], headers: dict[str, str]
) -> None:
    assert not exchange.sets_clock(message, answer({"status": "-4"}, **headers))
    assert exchange.clock.offset == 0


@for_each(
    ("body", "http_status"),
    [
        (ACCEPTED, 200),
        (REFUSED, 200),
        (b"", 200),
        ({"status": "-1"}, 200),
        ({"status": "-4"}, 429),
        ({"status": "-16"}, 503),
    ],
)
def test_no_other_answer_sets_the_clock(
    exchange: Protocol, message: Request[Receipt], body: Any, http_status: int
) -> None:
    assert not exchange.sets_clock(message, answer(body, http_status, date=DATE))
    assert exchange.clock.offset == 0


def test_only_status_minus_16_sets_the_clock_on_the_balance_endpoint(exchange: Protocol) -> None:
    assert not exchange.sets_clock(exchange.balance_request(), answer({"status": "-4"}, date=DATE))
    assert exchange.sets_clock(exchange.balance_request(), answer({"status": "-16"}, date=DATE))

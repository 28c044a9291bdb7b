"""The balance, and status codes that have another meaning on its endpoint."""

from __future__ import annotations

from typing import Any

from airflow_provider_itnio.api.errors import (
    AuthenticationError,
    ContentError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.api.protocol import Protocol, Request
from airflow_provider_itnio.api.receipt import Receipt
from tests.api.protocol_cases import answer, outcome
from tests.tables import for_each


@for_each(
    ("body", "amounts"),
    [
        ({"balance": "99.990000", "gift": "50.00000", "credit": "0"}, ("99.990000", "50.00000", "0")),
        ({"balance": 12}, ("12", None, None)),
        ({"balance": " -1.5 ", "gift": None, "credit": "none"}, ("-1.5", None, None)),
    ],
)
def test_a_balance_is_read_as_decimals(
    exchange: Protocol, body: dict[str, Any], amounts: tuple[Any, ...]
) -> None:
    balance = outcome(exchange, exchange.balance_request(), answer({"status": "0"} | body))
    assert (
        tuple(None if one is None else str(one) for one in (balance.balance, balance.gift, balance.credit))
        == amounts
    )


@for_each("balance", [None, "", "much", "NaN", "Infinity", True, [], {}, "1e99999999999999999999"])
def test_status_0_without_a_balance_is_an_unknown_outcome(exchange: Protocol, balance: object) -> None:
    error = outcome(exchange, exchange.balance_request(), answer({"status": "0", "balance": balance}))
    assert type(error) is UnknownOutcomeError
    assert "balance request" in str(error)


def test_status_codes_are_looked_up_per_endpoint(exchange: Protocol, message: Request[Receipt]) -> None:
    about_message = outcome(exchange, message, answer({"status": "-2"}))
    about_balance = outcome(exchange, exchange.balance_request(), answer({"status": "-2"}))
    assert type(about_message) is ContentError
    assert type(about_balance) is AuthenticationError

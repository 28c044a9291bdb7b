"""What errors say about an answer, and what they never contain."""

from __future__ import annotations

from airflow_provider_itnio.api.protocol import Protocol, Request
from airflow_provider_itnio.api.receipt import Receipt
from tests.api.conftest import BUSINESS_PHONE, NOW, RECIPIENT
from tests.api.protocol_cases import CREDENTIALS, JUNK, answer, outcome
from tests.tables import for_each


def test_a_refusal_shows_code_meaning_advice_and_reason(
    exchange: Protocol, message: Request[Receipt]
) -> None:
    error = outcome(exchange, message, answer({"status": "-68", "reason": "fee not enough"}))
    assert str(error) == (
        "Itniotech refused the text message to 86…57: status -68, balance too low (top up the account); "
        "its reason: 'fee not enough'"
    )
    assert (error.code, error.meaning, error.reason) == (-68, "balance too low", "fee not enough")
    assert (error.http_status, error.transient) == (200, False)
    error = outcome(exchange, message, answer({"status": "-5"}))
    assert str(error) == (
        "Itniotech refused the text message to 86…57: status -5, system exception "
        "(nothing is wrong with the request; send it again later)"
    )
    assert error.transient
    assert error.reason == ""


def test_an_unlisted_code_is_shown_with_its_reason(exchange: Protocol, message: Request[Receipt]) -> None:
    error = outcome(exchange, message, answer({"status": "-4711", "reason": "DST_MCCMNC_LIMIT"}))
    assert str(error) == (
        "Itniotech refused the text message to 86…57: status -4711, not a documented code (ask Itniotech); "
        "its reason: 'DST_MCCMNC_LIMIT'"
    )
    assert (error.code, error.transient) == (-4711, False)


def test_a_refusal_by_http_status_alone_says_so(exchange: Protocol, message: Request[Receipt]) -> None:
    assert str(outcome(exchange, message, answer(b"", 404))) == (
        "The text message to 86…57 was refused: HTTP 404, without a status code of Itniotech; "
        "check the connection's host"
    )
    error = outcome(exchange, message, answer(b"", 401))
    assert str(error) == "The text message to 86…57 was refused: HTTP 401, without a status code of Itniotech"
    assert (error.code, error.transient) == (None, False)


def test_an_unknown_outcome_describes_the_answer(exchange: Protocol, message: Request[Receipt]) -> None:
    start = "Itniotech's answer does not say whether it accepted the text message to 86…57: "
    assert str(outcome(exchange, message, answer(b"<html>", content_type="text/html; charset=utf-8"))) == (
        f"{start}HTTP 200, 6 bytes of text/html without a status"
    )
    assert str(outcome(exchange, message, answer(b"", 500))) == (
        f"{start}HTTP 500, 0 bytes of no content type without a status"
    )
    assert str(outcome(exchange, message, answer({"status": 500}, 500))) == f"{start}HTTP 500, status 500"
    assert (
        str(outcome(exchange, message, answer(JUNK["over 1 MiB"]))) == f"{start}HTTP 200, longer than 1 MiB"
    )


SIGN = CREDENTIALS.sign(str(int(NOW)))


@for_each(
    ("reason", "shown"),
    [
        ("key bDqJFiq9 is unknown", "key *** is unknown"),
        ("secret=7bz1lzh9", "secret=***"),
        (f"sign {SIGN} is wrong", "sign *** is wrong"),
        (f"sign {SIGN.upper()} is wrong", "sign *** is wrong"),
        (f"no such number {RECIPIENT}", "no such number 86…57"),
        (f"from +{BUSINESS_PHONE} to {RECIPIENT}", "from +91…21 to 86…57"),
        ("x" * 61, "x" * 59 + "…"),
        (["a"], "['a']"),
        (None, ""),
        (f"{'x' * 50} {SIGN}", f"{'x' * 50} ***"),
    ],
)
def test_private_values_in_a_reason_are_masked(
    exchange: Protocol, message: Request[Receipt], reason: object, shown: str
) -> None:
    error = outcome(exchange, message, answer({"status": "-1", "reason": reason}))
    assert error.reason == shown
    for secret in ("bDqJFiq9", "7bz1lzh9", SIGN, SIGN.upper(), RECIPIENT, BUSINESS_PHONE):
        assert secret not in f"{error} {error!r} {vars(error)}"


def test_private_values_in_a_content_type_are_masked(exchange: Protocol, message: Request[Receipt]) -> None:
    error = outcome(exchange, message, answer(b"", 500, content_type=f"text/{SIGN}-7bz1lzh9-{RECIPIENT}"))
    assert "text/***-***-86…57" in str(error)

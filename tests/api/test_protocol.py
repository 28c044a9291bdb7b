"""What an answer means, without a server."""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_itnio.api.errors import (
    AccountError,
    AuthenticationError,
    ContentError,
    ItnioError,
    NotSentError,
    PlatformError,
    RecipientError,
    RefusedError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.api.models import message_from
from airflow_provider_itnio.api.protocol import ANSWER_LIMIT, Protocol, Request, Response
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.api.signing import Credentials

NOW = 1_700_000_000.0
CREDENTIALS = Credentials("bDqJFiq9", "7bz1lzh9")
RECIPIENT = "8614718004557"
BUSINESS_PHONE = "91856321321"
ACCEPTED = {
    "status": "0",
    "reason": "success",
    "data": {"channelType": 0, "messageId": "10415e", "timestamp": 1693813991},
}
NO_ID = {"status": "0", "reason": "success"}
REFUSED = {"status": "-112", "reason": "no"}
PASSING = {"status": "-5", "reason": "busy"}


@pytest.fixture
def exchange() -> Protocol:
    return Protocol(CREDENTIALS, lambda: NOW)


@pytest.fixture
def message(exchange: Protocol) -> Request[Receipt]:
    return exchange.message_request(
        message_from({"text": "a"}), recipient=RECIPIENT, app_id="DGziZf5u", business_phone=BUSINESS_PHONE
    )


def answer(body: Any = None, http_status: int = 200, **headers: str) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(http_status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def outcome(
    exchange: Protocol, request: Request[Any], given: Response, delivery: Any = "at_least_once"
) -> Any:
    """The result, or the error instead of it."""
    try:
        return exchange.result(request, given, delivery)
    except ItnioError as error:
        return error


# --- requests -------------------------------------------------------------------------------------------


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


def test_a_whatsapp_template_has_an_endpoint_of_its_own_and_no_type(exchange: Protocol) -> None:
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


# --- accepted -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["0", 0, " 0 ", "-0", "00"])
@pytest.mark.parametrize("http_status", [200, 201, 301, 400, 401, 404, 407, 408, 425, 429, 500, 503])
@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
def test_status_0_with_an_id_is_accepted_before_all_else(
    exchange: Protocol, message: Request[Receipt], status: object, http_status: int, delivery: str
) -> None:
    given = answer(ACCEPTED | {"status": status}, http_status, retry_after="9")
    assert outcome(exchange, message, given, delivery) == Receipt(
        "10415e", RECIPIENT, "text", pendulum.from_timestamp(1693813991)
    )


@pytest.mark.parametrize(
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
def test_the_time_of_acceptance_is_read_leniently(
    exchange: Protocol, message: Request[Receipt], data: dict[str, Any], at: int | None
) -> None:
    receipt = outcome(exchange, message, answer({"status": 0, "data": {"messageId": "1"} | data}))
    assert receipt.message_id == "1"
    assert receipt.timestamp == (None if at is None else pendulum.from_timestamp(at))


@pytest.mark.parametrize(("given", "kept"), [("abc", "abc"), (" abc ", "abc"), (17, "17")])
def test_a_message_id_is_text(
    exchange: Protocol, message: Request[Receipt], given: object, kept: str
) -> None:
    receipt = outcome(exchange, message, answer({"status": "0", "data": {"messageId": given}}))
    assert receipt == Receipt(kept, RECIPIENT, "text", None)


@pytest.mark.parametrize(
    "data", [None, {}, [], "abc", 1, *({"messageId": bad} for bad in ("", " ", None, True, [], {}, 1.5))]
)
@pytest.mark.parametrize("http_status", [200, 400, 404, 500])
def test_0_without_an_id_is_unknown(
    exchange: Protocol, message: Request[Receipt], data: object, http_status: int
) -> None:
    error = outcome(exchange, message, answer({"status": "0", "data": data}, http_status))
    assert type(error) is UnknownOutcomeError
    assert str(error) == (
        "Itniotech's answer does not say whether it accepted the text message to 86…57: "
        f"HTTP {http_status}, status 0 without what was asked for"
    )


# --- the table of outcomes ------------------------------------------------------------------------------

AT_LEAST, AT_MOST = "at_least_once", "at_most_once"
BOTH = (AT_LEAST, AT_MOST)
OUTCOMES = [
    # body, HTTP codes, deliveries, outcome
    (NO_ID, [429], BOTH, NotSentError),
    (NO_ID, [503], [AT_LEAST], NotSentError),
    (NO_ID, [503], [AT_MOST], UnknownOutcomeError),
    (REFUSED, [429], BOTH, NotSentError),
    (REFUSED, [503], [AT_LEAST], NotSentError),
    (REFUSED, [503], [AT_MOST], UnknownOutcomeError),
    (b"", [429], BOTH, NotSentError),
    (b"", [503], [AT_LEAST], NotSentError),
    (b"", [503], [AT_MOST], UnknownOutcomeError),
    (REFUSED, [200, 302, 400, 401, 404, 407, 408, 425, 500, 502], BOTH, ContentError),
    (REFUSED | {"status": -112}, [200], BOTH, ContentError),
    (PASSING, [200, 400, 408, 500], [AT_LEAST], PlatformError),
    (PASSING, [200, 400, 408, 500], [AT_MOST], UnknownOutcomeError),
    ({"status": "-12"}, [200], [AT_MOST], UnknownOutcomeError),
    ({"status": "-18"}, [200], [AT_MOST], UnknownOutcomeError),
    ({"status": "-12"}, [200], [AT_LEAST], PlatformError),
    ({"status": "-18"}, [200], [AT_LEAST], PlatformError),
    ({"status": "-4"}, [200], BOTH, AuthenticationError),
    ({"status": "-68"}, [200], BOTH, AccountError),
    ({"status": "-70"}, [200], BOTH, RecipientError),
    ({"status": "-9999"}, [200, 404], BOTH, RefusedError),
    ({"status": 404}, [404], BOTH, RefusedError),
    ({"status": "1"}, [400, 422, 451], BOTH, RefusedError),
    ({"status": 401}, [401, 403], BOTH, AuthenticationError),
    ({"status": 200}, [200, 302, 407, 408, 425, 500, 502, 504], BOTH, UnknownOutcomeError),
    (NO_ID, [200, 302, 400, 401, 404, 408, 500], BOTH, UnknownOutcomeError),
    (b"<html>", [400, 404, 405, 410, 413, 415, 422, 431], BOTH, RefusedError),
    (b"<html>", [401, 403], BOTH, AuthenticationError),
    (b"<html>", [407, 408, 425], BOTH, UnknownOutcomeError),
    (b"<html>", [200, 201, 204, 301, 302, 303, 307, 308, 500, 501, 502, 504, 520], BOTH, UnknownOutcomeError),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "http_status", "delivery", "expected"),
    [
        (body, code, delivery, kind)
        for body, codes, ways, kind in OUTCOMES
        for code in codes
        for delivery in ways
    ],
)
def test_what_an_answer_means(
    exchange: Protocol,
    message: Request[Receipt],
    *,
    body: Any,
    http_status: int,
    delivery: str,
    expected: type,
) -> None:
    error = outcome(exchange, message, answer(body, http_status), delivery)
    assert type(error) is expected
    assert error.http_status == http_status


JUNK = {
    "empty": b"",
    "not UTF-8": b"\xff\xfe\x00 \x80",
    "a number": b"17",
    "a text": b'"-68"',
    "null": b"null",
    "NaN": b"NaN",
    "a list": b'[{"status": "-68"}]',
    "no status": b'{"reason": "-68"}',
    "status null": b'{"status": null}',
    "status true": b'{"status": true}',
    "status a decimal": b'{"status": -68.0}',
    "status NaN": b'{"status": NaN}',
    "status a word": b'{"status": "failed"}',
    "status empty": b'{"status": ""}',
    "status an object": b'{"status": {"code": -68}}',
    "status in other digits": '{"status": "-٦٨"}'.encode(),
    "status of ten digits": b'{"status": -1000000000}',
    "status of ten digits in text": b'{"status": "-1000000000"}',
    "status of 5,000 digits": b'{"status": -' + b"1" * 5000 + b"}",
    "status of 4,000 digits": b'{"status": -' + b"1" * 4000 + b"}",
    "nested deeply": b'{"status": ' * 100_000,
    "lists nested deeply": b"[" * 100_000,
    "cut": b'{"status": "-68", "reas',
    "over 1 MiB": json.dumps(ACCEPTED).encode().ljust(ANSWER_LIMIT + 1),
    "refused over 1 MiB": json.dumps(REFUSED).encode().ljust(ANSWER_LIMIT + 1),
}


@pytest.mark.parametrize("name", JUNK)
def test_junk_with_http_200_is_unknown(exchange: Protocol, message: Request[Receipt], name: str) -> None:
    error = outcome(exchange, message, answer(JUNK[name]))
    assert type(error) is UnknownOutcomeError
    assert len(str(error)) < 200
    assert type(outcome(exchange, message, answer(JUNK[name], 404))) is RefusedError


def test_an_answer_of_1_mib_is_read(exchange: Protocol, message: Request[Receipt]) -> None:
    whole = json.dumps(ACCEPTED).encode().ljust(ANSWER_LIMIT)
    assert isinstance(outcome(exchange, message, answer(whole)), Receipt)


@given(
    body=st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["status", "data", "messageId", "timestamp", "reason", "balance"])
                | st.text(),
                inner,
            )
        ),
    ),
    http_status=st.integers(100, 599),
    headers=st.dictionaries(st.sampled_from(["date", "retry-after", "content-type"]), st.text(max_size=30)),
    delivery=st.sampled_from(BOTH),
)
def test_any_answer_is_a_result_or_one_of_three_errors(
    body: Any, http_status: int, headers: dict[str, str], delivery: Any
) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    one = Protocol(CREDENTIALS, lambda: NOW)
    text = one.message_request(
        message_from({"text": "a"}), recipient=RECIPIENT, app_id="a", business_phone="91856321321"
    )
    for request in (text, one.balance_request()):
        given_answer = Response(http_status, headers, raw)
        assert one.sets_clock(request, given_answer) in (True, False)
        error = outcome(one, request, given_answer, delivery)
        if isinstance(error, ItnioError):
            assert isinstance(error, (NotSentError, RefusedError, UnknownOutcomeError))


# --- words ----------------------------------------------------------------------------------------------


def test_a_refusal_says_code_meaning_advice_and_reason(exchange: Protocol, message: Request[Receipt]) -> None:
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


def test_a_refusal_by_http_says_so(exchange: Protocol, message: Request[Receipt]) -> None:
    assert str(outcome(exchange, message, answer(b"", 404))) == (
        "The text message to 86…57 was refused: HTTP 404, no status of Itniotech's; "
        "check the connection's host"
    )
    error = outcome(exchange, message, answer(b"", 401))
    assert str(error) == "The text message to 86…57 was refused: HTTP 401, no status of Itniotech's"
    assert (error.code, error.transient) == (None, False)


def test_an_unknown_outcome_says_what_came(exchange: Protocol, message: Request[Receipt]) -> None:
    start = "Itniotech's answer does not say whether it accepted the text message to 86…57: "
    assert str(outcome(exchange, message, answer(b"<html>", content_type="text/html; charset=utf-8"))) == (
        f"{start}HTTP 200, 6 bytes of text/html that hold no status"
    )
    assert str(outcome(exchange, message, answer(b"", 500))) == (
        f"{start}HTTP 500, 0 bytes of no content type that hold no status"
    )
    assert str(outcome(exchange, message, answer({"status": 500}, 500))) == f"{start}HTTP 500, status 500"
    assert (
        str(outcome(exchange, message, answer(JUNK["over 1 MiB"]))) == f"{start}HTTP 200, longer than 1 MiB"
    )


SIGN = CREDENTIALS.sign(str(int(NOW)))


@pytest.mark.parametrize(
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
def test_a_reason_that_repeats_what_was_sent_is_cleaned(
    exchange: Protocol, message: Request[Receipt], reason: object, shown: str
) -> None:
    error = outcome(exchange, message, answer({"status": "-1", "reason": reason}))
    assert error.reason == shown
    for secret in ("bDqJFiq9", "7bz1lzh9", SIGN, SIGN.upper(), RECIPIENT, BUSINESS_PHONE):
        assert secret not in f"{error} {error!r} {vars(error)}"


def test_a_content_type_that_repeats_what_was_sent_is_cleaned(
    exchange: Protocol, message: Request[Receipt]
) -> None:
    error = outcome(exchange, message, answer(b"", 500, content_type=f"text/{SIGN}-7bz1lzh9-{RECIPIENT}"))
    assert "text/***-***-86…57" in str(error)


# --- waiting --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
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
    assert str(error) == f"Itniotech did not take the text message to 86…57: HTTP 429{asked}"


def test_a_date_is_compared_with_the_servers_time(exchange: Protocol, message: Request[Receipt]) -> None:
    exchange.clock.offset = 3600
    error = outcome(exchange, message, answer(b"", 503, retry_after=formatdate(NOW + 3630, usegmt=True)))
    assert error.retry_after == 30


# --- clock ----------------------------------------------------------------------------------------------

DATE = formatdate(NOW + 3600, usegmt=True)


@pytest.mark.parametrize("status", ["-4", "-16", -4, -16])
def test_an_expired_timestamp_sets_the_clock_by_the_answers_date(
    exchange: Protocol, message: Request[Receipt], status: object
) -> None:
    assert exchange.sets_clock(message, answer({"status": status}, date=DATE))
    assert exchange.signed_headers()["Timestamp"] == str(int(NOW + 3600))


@pytest.mark.parametrize("headers", [{}, {"date": ""}, {"date": "yesterday"}])
def test_without_a_date_the_clock_stays(
    exchange: Protocol, message: Request[Receipt], headers: dict[str, str]
) -> None:
    assert not exchange.sets_clock(message, answer({"status": "-4"}, **headers))
    assert exchange.clock.offset == 0


@pytest.mark.parametrize(
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


def test_the_balance_knows_but_one_code_of_the_clock(exchange: Protocol) -> None:
    assert not exchange.sets_clock(exchange.balance_request(), answer({"status": "-4"}, date=DATE))
    assert exchange.sets_clock(exchange.balance_request(), answer({"status": "-16"}, date=DATE))


# --- balance --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
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


@pytest.mark.parametrize(
    "balance", [None, "", "much", "NaN", "Infinity", True, [], {}, "1e99999999999999999999"]
)
def test_0_without_a_balance_is_unknown(exchange: Protocol, balance: object) -> None:
    error = outcome(exchange, exchange.balance_request(), answer({"status": "0", "balance": balance}))
    assert type(error) is UnknownOutcomeError
    assert "question for the balance" in str(error)


def test_codes_are_per_endpoint(exchange: Protocol, message: Request[Receipt]) -> None:
    about_message = outcome(exchange, message, answer({"status": "-2"}))
    about_balance = outcome(exchange, exchange.balance_request(), answer({"status": "-2"}))
    assert type(about_message) is ContentError
    assert type(about_balance) is AuthenticationError

"""Which result or error each answer gives, without a server."""

from __future__ import annotations

import json
from typing import Any

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
from airflow_provider_itnio.api.protocol import Protocol, Request
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.api.response import MAX_BODY_SIZE, Response
from tests.api.conftest import NOW, RECIPIENT
from tests.api.protocol_cases import ACCEPTED, CREDENTIALS, JUNK, NO_ID, PASSING, REFUSED, answer, outcome
from tests.tables import for_each

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


@for_each(
    ("body", "http_status", "delivery", "expected"),
    [
        (body, code, delivery, kind)
        for body, codes, ways, kind in OUTCOMES
        for code in codes
        for delivery in ways
    ],
)
def test_an_answer_gives_the_expected_result_or_error(
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


@for_each("name", JUNK)
def test_junk_with_http_200_is_an_unknown_outcome(
    exchange: Protocol, message: Request[Receipt], name: str
) -> None:
    error = outcome(exchange, message, answer(JUNK[name]))
    assert type(error) is UnknownOutcomeError
    assert len(str(error)) < 200
    assert type(outcome(exchange, message, answer(JUNK[name], 404))) is RefusedError


def test_an_answer_of_1_mib_is_read(exchange: Protocol, message: Request[Receipt]) -> None:
    whole = json.dumps(ACCEPTED).encode().ljust(MAX_BODY_SIZE)
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

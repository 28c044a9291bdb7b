"""HTTP 429 and 503 are tried again until the message is accepted or the tries are used up."""

from __future__ import annotations

import time
from email.utils import formatdate

from airflow_provider_itnio.api.errors import (
    NotSentError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.api.signing import Credentials
from airflow_provider_itnio.sandbox import Sandbox
from tests.api.conftest import (
    API_KEY,
    SECRET,
    Make,
    failure,
)
from tests.api.servers import (
    Server,
    answer,
)
from tests.tables import for_each


@for_each("http_status", [429, 503])
def test_429_and_503_are_tried_again_until_the_message_is_accepted(
    sender: Make, sandbox: Sandbox, http_status: int
) -> None:
    sandbox.fail_next(2, http_status=http_status)
    assert sender(sandbox.url).send().type == "text"
    assert len(sandbox.requests) == 3
    assert len(sandbox.messages) == 1


@for_each("http_status", [429, 503])
def test_429_or_503_on_every_try_ends_as_not_sent(sender: Make, sandbox: Sandbox, http_status: int) -> None:
    sandbox.fail_next(9, http_status=http_status)
    error = failure(sender(sandbox.url, max_attempts=3).send)
    assert isinstance(error, NotSentError)
    assert (error.http_status, error.retry_after) == (http_status, None)
    assert str(error).endswith(f": HTTP {http_status}")
    assert ("probably not sent" in str(error)) is (http_status == 503)
    assert ("at_most_once" in str(error)) is (http_status == 503)
    assert len(sandbox.requests) == 3


@for_each("http_status", [429, 503])
def test_retry_after_is_obeyed(sender: Make, sandbox: Sandbox, http_status: int) -> None:
    sandbox.fail_next(http_status=http_status, headers={"Retry-After": "0.4"})
    before = time.monotonic()
    sender(sandbox.url).send()
    assert time.monotonic() - before >= 0.4
    assert len(sandbox.messages) == 1


@for_each("http_status", [429, 503])
def test_a_retry_after_over_the_limit_fails_at_once(sender: Make, sandbox: Sandbox, http_status: int) -> None:
    sandbox.fail_next(9, http_status=http_status, headers={"Retry-After": "61"})
    before = time.monotonic()
    error = failure(sender(sandbox.url).send)
    assert time.monotonic() - before < 30
    assert isinstance(error, NotSentError)
    assert (error.http_status, error.retry_after) == (http_status, 61)
    assert str(error).endswith(f": HTTP {http_status}, which asks to wait 61 s")
    assert len(sandbox.requests) == 1


def test_a_retry_after_may_be_a_date(sender: Make, sandbox: Sandbox) -> None:
    sandbox.fail_next(http_status=429, headers={"Retry-After": formatdate(time.time() + 300, usegmt=True)})
    error = failure(sender(sandbox.url).send)
    assert isinstance(error, NotSentError)
    assert 290 < (error.retry_after or 0) <= 300


def test_at_most_once_does_not_try_again_after_503(sender: Make, sandbox: Sandbox) -> None:
    sandbox.fail_next(http_status=503)
    error = failure(lambda: sender(sandbox.url).send(delivery="at_most_once"))
    assert isinstance(error, UnknownOutcomeError)
    assert len(sandbox.requests) == 1


def test_at_most_once_tries_again_after_429(sender: Make, sandbox: Sandbox) -> None:
    sandbox.fail_next(http_status=429)
    sender(sandbox.url).send(delivery="at_most_once")
    assert len(sandbox.requests) == 2


def test_each_try_has_a_new_signature(sender: Make) -> None:
    times = iter(range(1_700_000_000, 1_700_000_900, 7))
    with Server(lambda received: answer({}, 429) if len(server.requests) < 3 else answer()) as server:
        sender(server.url, now=lambda: next(times)).send()
    stamps = [request.headers["timestamp"] for request in server.requests]
    assert len(set(stamps)) == 3
    assert [request.headers["sign"] for request in server.requests] == [
        Credentials(API_KEY, SECRET).sign(stamp) for stamp in stamps
    ]

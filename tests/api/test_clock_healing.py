"""A wrong machine clock is corrected with one more request."""

from __future__ import annotations

import time
from email.utils import formatdate

from airflow_provider_itnio.api.errors import (
    AuthenticationError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.sandbox import Sandbox
from tests.api.conftest import (
    Make,
    failure,
)
from tests.api.servers import (
    Received,
    Server,
    answer,
)
from tests.tables import for_each


@for_each("hours", [-1, 1])
def test_a_clock_an_hour_off_is_corrected_with_one_more_request(
    sender: Make, sandbox: Sandbox, hours: int
) -> None:
    one = sender(sandbox.url, now=lambda: time.time() + hours * 3600)
    one.send()
    assert [request.answer["status"] for request in sandbox.requests] == ["-4", "0"]
    one.send()
    one.get_balance()
    assert [request.answer["status"] for request in sandbox.requests] == ["-4", "0", "0", "0"]
    assert len({request.sign_fingerprint for request in sandbox.requests[:2]}) == 2


def test_a_clock_that_cannot_be_corrected_ends_after_two_requests(sender: Make, sandbox: Sandbox) -> None:
    sandbox.fail_next(9, status=-4)
    error = failure(sender(sandbox.url).send)
    assert isinstance(error, AuthenticationError)
    assert error.code == -4
    assert len(sandbox.requests) == 2


@for_each("off", [366 * 86400, -366 * 86400, 86400])
def test_an_offset_that_does_not_help_is_dropped(sender: Make, sandbox: Sandbox, off: int) -> None:
    one = sender(sandbox.url)
    wrong = formatdate(time.time() + off, usegmt=True)
    sandbox.fail_next(status=-4, headers={"Date": wrong})
    assert isinstance(failure(one.send), AuthenticationError)
    for _ in range(3):
        assert one.send().type == "text"
    assert [request.answer["status"] for request in sandbox.requests] == ["-4", "-4", "0", "0", "0"]


def test_an_offset_that_worked_is_kept_when_a_later_one_does_not(sender: Make, sandbox: Sandbox) -> None:
    one = sender(sandbox.url, now=lambda: time.time() + 3600)
    one.send()
    sandbox.fail_next(status=-4, headers={"Date": formatdate(time.time() + 10**7, usegmt=True)})
    assert isinstance(failure(one.send), AuthenticationError)
    one.send()
    assert [request.answer["status"] for request in sandbox.requests] == ["-4", "0", "-4", "-4", "0"]


def test_the_offset_is_dropped_after_the_machines_clock_is_corrected(sender: Make) -> None:
    """The server sends no date that could set a new offset."""
    ahead = [3600.0]

    def judge(received: Received) -> bytes:
        if abs(int(received.headers["timestamp"]) - time.time()) < 300:
            return answer()
        headers = {"Date": formatdate(time.time(), usegmt=True)} if ahead[0] else {}
        return answer({"status": "-4"}, **headers)

    with Server(judge) as server:
        one = sender(server.url, now=lambda: time.time() + ahead[0])
        one.send()
        ahead[0] = 0.0
        one.send()
        one.send()
    assert len(server.requests) == 5


def test_without_a_date_the_clock_is_not_set(sender: Make) -> None:
    with Server(lambda _: answer({"status": "-16", "reason": "timestamp expires"})) as server:
        error = failure(sender(server.url).send)
    assert isinstance(error, AuthenticationError)
    assert len(server.requests) == 1


def test_an_unknown_outcome_after_the_clock_was_set_is_not_retried(sender: Make, sandbox: Sandbox) -> None:
    sandbox.fail_next(status=-4)
    sandbox.fail_next(drop="after_accepting")
    assert isinstance(failure(sender(sandbox.url).send), UnknownOutcomeError)
    assert (len(sandbox.requests), len(sandbox.messages)) == (2, 1)

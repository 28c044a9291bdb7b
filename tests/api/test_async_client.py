"""The aiohttp client, as a broadcast uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_itnio.api import async_client
from airflow_provider_itnio.api.async_client import ItnioAsyncClient
from airflow_provider_itnio.api.errors import (
    NotSentError,
    RefusedError,
    UnknownOutcomeError,
    is_marked_as_not_sent,
)
from airflow_provider_itnio.api.models import message_from
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.signing import Credentials
from airflow_provider_itnio.sandbox import Sandbox
from tests.api.conftest import (
    API_KEY,
    APP_ID,
    BUSINESS_PHONE,
    RECIPIENT,
    SECRET,
)


def impatient(url: str, **settings: Any) -> ItnioAsyncClient:
    quick = {"connect_timeout": 2.0, "timeout": 5.0, "first_wait": 0.01, "jitter": 0.01}
    return ItnioAsyncClient(Credentials(API_KEY, SECRET), ClientSettings(base_url=url, **(quick | settings)))


def sending(client: ItnioAsyncClient) -> Any:
    message = message_from({"text": "42 rows loaded"})
    return client.send(message, recipient=RECIPIENT, app_id=APP_ID, business_phone=BUSINESS_PHONE)


def ended_while(url: str, is_so: Callable[[], bool], **settings: Any) -> BaseException | None:
    """Cancel a send as soon as the condition is true, and return the exception it ends with."""

    async def end_of(sent: Any) -> BaseException | None:
        # Caught inside the task: outside, asyncio raises a new CancelledError without the mark.
        try:
            await sent
        except BaseException as error:
            return error
        return None

    async def send() -> BaseException | None:
        async with impatient(url, **settings) as client:
            task = asyncio.create_task(end_of(sending(client)))
            while not is_so():
                await asyncio.sleep(0.005)
            task.cancel()
            return await task

    return asyncio.run(asyncio.wait_for(send(), 10))


def test_a_message_accepted_at_once_sets_up_no_retries(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("tries were set up")

    monkeypatch.setattr(async_client, "AsyncRetrying", none)

    async def send() -> Receipt:
        async with impatient(sandbox.url) as client:
            receipt: Receipt = await sending(client)
            return receipt

    assert asyncio.run(send()).message_id == sandbox.messages[0].id


@pytest.mark.parametrize("fault", [{"status": -114}, {"drop": "before_accepting"}])
def test_an_error_that_is_not_retried_sets_up_no_retries(
    fault: dict[str, Any], sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("tries were set up")

    monkeypatch.setattr(async_client, "AsyncRetrying", none)
    sandbox.fail_next(**fault)

    async def send() -> None:
        async with impatient(sandbox.url) as client:
            await sending(client)

    with pytest.raises((RefusedError, UnknownOutcomeError)):
        asyncio.run(send())
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("max_attempts", [1, 2, 4])
def test_the_first_try_counts_towards_max_attempts(
    max_attempts: int, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.fail_next(9, http_status=503)

    async def send() -> None:
        async with impatient(sandbox.url, max_attempts=max_attempts) as client:
            await sending(client)

    with pytest.raises(NotSentError, match="HTTP 503"):
        asyncio.run(send())
    assert len(sandbox.requests) == max_attempts
    said = [message for message in caplog.messages if message.startswith("Attempt ")]
    assert [line.split(":")[0] for line in said] == [
        f"Attempt {n} of {max_attempts} failed" for n in range(1, max_attempts)
    ]


def test_a_cancellation_between_two_tries_is_marked_as_not_sent(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.fail_next(http_status=429, headers={"Retry-After": "30"})
    ended = ended_while(sandbox.url, lambda: "trying again in 30.0 s" in caplog.text)
    assert type(ended) is asyncio.CancelledError
    assert is_marked_as_not_sent(ended)
    assert len(sandbox.requests) == 1
    assert sandbox.messages == []


def test_a_cancellation_during_a_request_is_not_marked_as_not_sent(sandbox: Sandbox) -> None:
    sandbox.fail_next(delay=3)
    ended = ended_while(sandbox.url, lambda: bool(sandbox.requests))
    assert type(ended) is asyncio.CancelledError
    assert not is_marked_as_not_sent(ended)
    assert len(sandbox.messages) == 1


def test_a_cancellation_during_the_second_tries_request_is_not_marked_as_not_sent(sandbox: Sandbox) -> None:
    sandbox.fail_next(http_status=503)
    sandbox.fail_next(delay=3)
    ended = ended_while(sandbox.url, lambda: len(sandbox.requests) == 2)
    assert type(ended) is asyncio.CancelledError
    assert not is_marked_as_not_sent(ended)

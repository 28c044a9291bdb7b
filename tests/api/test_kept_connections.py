"""Which connections are reused, and what is kept between requests."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_itnio.api import async_client, client
from airflow_provider_itnio.api.async_client import ItnioAsyncClient
from airflow_provider_itnio.api.client import ItnioClient
from airflow_provider_itnio.api.response import MAX_BODY_SIZE
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.signing import Credentials
from airflow_provider_itnio.sandbox import Sandbox
from tests.api.conftest import (
    API_KEY,
    SECRET,
    Make,
    failure,
)
from tests.api.servers import (
    ACCEPTED,
    Server,
    answer,
)


def test_a_connection_is_reused(sender: Make) -> None:
    with Server() as server:
        one = sender(server.url)
        for _ in range(3):
            one.send()
    assert [request.connection for request in server.requests] == [1, 1, 1]


def test_a_connection_that_was_idle_too_long_is_not_reused(
    sender: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "IDLE_LIMIT", 0.2)
    monkeypatch.setattr(async_client, "IDLE_LIMIT", 0.2)
    with Server() as server:
        one = sender(server.url)
        one.send()
        one.send()
        time.sleep(0.4)
        one.send()
    assert [request.connection for request in server.requests] == [1, 1, 2]


def test_idle_connections_are_kept_for_four_seconds_at_most() -> None:
    assert client.IDLE_LIMIT == async_client.IDLE_LIMIT == 4


def test_a_closed_client_opens_new_connections(sender: Make) -> None:
    with Server() as server:
        one = sender(server.url)
        one.close()
        one.send()
        one.close()
        one.send()
    assert [request.connection for request in server.requests] == [1, 2]


def test_a_refusal_and_a_long_answer_do_not_spoil_the_next_message(sender: Make, sandbox: Sandbox) -> None:
    one = sender(sandbox.url)
    for fault in (
        {"status": -68},
        {"http_status": 404, "body": "x" * 9999},
        {"body": "x" * (MAX_BODY_SIZE + 9)},
    ):
        sandbox.fail_next(**fault)
        failure(one.send)
        assert one.send().type == "text"


def test_cookies_are_not_kept(sender: Make) -> None:
    body = ACCEPTED | {"balance": "1"}
    with Server(lambda _: answer(body, Set_Cookie="session=1; Path=/")) as server:
        one = sender(server.url)
        one.send()
        one.send()
        one.get_balance()
    assert len(server.requests) == 3
    assert all("cookie" not in request.headers for request in server.requests)


def test_netrc_is_ignored(sender: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login ann password netrcpass\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    with Server() as server:
        sender(server.url).send()
    assert "authorization" not in server.requests[0].headers
    assert server.requests[0].headers["api-key"] == API_KEY


def test_a_client_is_a_context_manager(sandbox: Sandbox) -> None:
    with ItnioClient(Credentials(API_KEY, SECRET), ClientSettings(base_url=sandbox.url)) as one:
        assert one.get_balance().balance


def test_an_async_client_is_a_context_manager(sandbox: Sandbox) -> None:

    async def ask() -> Any:
        settings = ClientSettings(base_url=sandbox.url)
        async with ItnioAsyncClient(Credentials(API_KEY, SECRET), settings) as one:
            return await asyncio.gather(*(one.get_balance() for _ in range(20)))

    assert len(asyncio.run(ask())) == 20

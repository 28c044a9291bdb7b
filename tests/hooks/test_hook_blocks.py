"""Many messages through one client of a hook."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_itnio.api.errors import (
    ConfigurationError,
)
from airflow_provider_itnio.hooks.itnio import ItnioHook
from tests.hooks.conftest import NUMBER, sent_by


class BrokenLog:
    """A log that raises on every line."""

    def __getattr__(self, name):
        def fail(*args, **kwargs):
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")

        return fail


@pytest.mark.usefixtures("connection")
def test_a_log_line_that_cannot_be_written_does_not_lose_the_receipt(way, sandbox, monkeypatch):
    monkeypatch.setattr(ItnioHook, "log", BrokenLog())
    receipt = sent_by(way, ItnioHook(), NUMBER, text="x")
    assert receipt.message_id == sandbox.messages[0].id


def test_messages_in_a_hooks_async_with_block_share_one_client(forwarder, connect, sandbox, monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.sandbox.security.Security.refusal", lambda self, headers: b"")
    connect(host=f"http://127.0.0.1:{forwarder.port}")

    async def several():
        async with ItnioHook() as hook:
            for n in range(4):
                await hook.asend(f"+86 100-0000-000{n}", text=str(n))
        await hook.asend(NUMBER, text="after")

    asyncio.run(several())
    assert forwarder.connections == 2
    assert len(sandbox.messages) == 5


def test_the_async_with_block_of_a_misconfigured_hook_is_not_entered(connect, sandbox):
    connect(extra={"timeout": "soon"})

    async def several():
        async with ItnioHook() as hook:
            await hook.asend(NUMBER, text="x")

    with pytest.raises(ConfigurationError, match=r"extra\.timeout"):
        asyncio.run(several())
    assert sandbox.requests == []


@pytest.mark.usefixtures("connection")
def test_reprs_of_prepared_messages_and_accounts_show_no_phone_number():
    hook = ItnioHook(business_phone="91856321321")
    prepared = hook.prepare(NUMBER, text="x")
    shown = f"{prepared} {prepared!r} {hook.account()} {hook.account()!r}"
    assert "8614718004557" not in shown
    assert "91856321321" not in shown

"""Hundreds of triggers in one triggerer share connection look-ups, which run one after the other."""

from __future__ import annotations

import asyncio
import time

import pytest
from airflow.providers.common.compat import connection as of_airflow

from airflow_provider_itnio.api.async_client import AsyncClient
from airflow_provider_itnio.api.errors import ReceiverAccessError
from airflow_provider_itnio.hooks import _account
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.triggers import whatsapp
from airflow_provider_itnio.triggers.whatsapp import WhatsAppStatusTrigger


def look_ups_and_masks(monkeypatch, triggers):
    """Run triggers concurrently; return the numbers of connection look-ups and of masked secrets."""
    look_ups, masks, look_up = [], [], of_airflow.get_async_connection

    async def counted(conn_id, *more):
        look_ups.append(conn_id)
        await asyncio.sleep(0.05)
        return await look_up(conn_id, *more)

    monkeypatch.setattr(of_airflow, "get_async_connection", counted)
    monkeypatch.setattr(_account, "mask_secret", masks.append)

    async def run():
        ends = [anext(WhatsAppStatusTrigger([f"m-{n}"], "sent", time.time()).run()) for n in range(triggers)]
        return await asyncio.gather(*ends)

    assert {event.payload["problem"] for event in asyncio.run(run())} == {""}
    return len(look_ups), len(masks)


def test_concurrent_triggers_look_their_connection_up_once(connect, receiver, monkeypatch):
    connect(extra=receiver.extra)
    assert look_ups_and_masks(monkeypatch, 20) == (1, 3)


def test_a_connection_is_looked_up_again_after_a_while(connect, receiver, monkeypatch):
    connect(extra=receiver.extra)
    monkeypatch.setattr(whatsapp, "_HOOK_TTL", -1.0)
    assert look_ups_and_masks(monkeypatch, 5)[0] == 5


def test_a_late_refusal_of_an_old_token_does_not_drop_the_new_connection(connect, receiver, monkeypatch):
    async def refused(client, request):
        hook._account = new
        raise ReceiverAccessError("HTTP 401")

    async def run():
        await hook.amessage_status(["m"])

    connect(extra=receiver.extra)
    hook, new = ItnioHook(), ItnioHook().account()
    monkeypatch.setattr(AsyncClient, "perform", refused)
    with pytest.raises(ReceiverAccessError):
        asyncio.run(run())
    assert hook._account is new

"""How long a broadcast waits for its messages' statuses, with a running receiver."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from airflow_provider_itnio.api.async_client import AsyncClient
from airflow_provider_itnio.broadcast import status_watch
from airflow_provider_itnio.broadcast.status_watch import StatusWatch
from airflow_provider_itnio.hooks.itnio import ItnioHook
from tests.receiver.running import status_push


@pytest.mark.usefixtures("pushed_to_receiver")
def test_each_message_has_a_separate_wait(monkeypatch):
    """A fallback sent during the wait does not extend the wait for the other messages."""
    monkeypatch.setattr(status_watch, "POLL_INTERVAL", 0.05)
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(status_watch, "time", clock)
    settled = []

    async def watched():
        hook = ItnioHook()
        async with AsyncClient(*hook.receiver_client_args(hook.account())) as client:
            watch = StatusWatch(client, "delivered", 100)
            watch.on_final = lambda position, status, late: settled.append((position, clock.now, late))
            watch.add("text", 0)
            watch.add("text that fails", 1)
            watch.start_timeout()
            clock.now = 60.0
            watch.add("fallback", 2)
            watch.start_timeout()
            for clock.now in (99.0, 101.0, 159.0, 161.0):
                await watch.poll(asyncio.Event())
            assert not len(watch)

    asyncio.run(watched())
    late = "not delivered within 0:01:40: its last status is none"
    assert settled == [(0, 101.0, late), (1, 101.0, late), (2, 161.0, late)]


SAME_ID = "can't be waited for: Itniotech gave another message the same id"


def test_a_second_message_with_the_same_id_is_refused_also_after_the_first_is_delivered(
    pushed_to_receiver, receiver
):
    receiver.push(status_push("a", "delivered"))
    settled = []

    async def watched():
        hook = ItnioHook()
        async with AsyncClient(*hook.receiver_client_args(hook.account())) as client:
            watch = StatusWatch(client, "delivered", 100)
            watch.on_final = lambda position, status, late: settled.append((position, status.status))
            problems = [watch.add("a", 0), watch.add("a", 1)]
            watch.start_timeout()
            await watch.poll(asyncio.Event())
            return [*problems, watch.add("a", 2), watch.add("b", 3)]

    assert asyncio.run(watched()) == ["", SAME_ID, SAME_ID, ""]
    assert settled == [(0, "delivered")]

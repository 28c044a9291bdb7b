"""An alert is sent to its recipients, 16 at a time through one client, before a deadline."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from airflow_provider_itnio.api.errors import ItnioError
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from tests.api.servers import Received, Server, answer
from tests.api.test_deadlines import GOES_ON_FOR, SLOW, dripping
from tests.task_runs import numbers

AT_A_TIME = 16


@pytest.fixture(params=["notify", "async_notify"])
def alert(request):
    """Call a notifier in one of its two ways."""

    def call(notifier, context=None):
        called = getattr(notifier, request.param)(context or {})
        return asyncio.run(called) if request.param == "async_notify" else called

    return call


class CountingServer(Server):
    """A slow server that counts its concurrent requests."""

    def __init__(self) -> None:
        super().__init__(self._count)
        self.peak = self._waiting = 0
        self._counting = threading.Lock()

    def _count(self, received: Received) -> bytes:
        with self._counting:
            self._waiting += 1
            self.peak = max(self.peak, self._waiting)
        time.sleep(0.02)
        with self._counting:
            self._waiting -= 1
        return answer()


def test_an_alert_to_60_recipients_uses_at_most_16_connections(alert, connect):
    with CountingServer() as server:
        connect(host=server.url)
        alert(WhatsAppNotifier(recipients=numbers(60), text="x"))
    assert len(server.requests) == 60
    assert server.peak <= AT_A_TIME
    assert server.connections <= AT_A_TIME


def test_an_awaited_alert_uses_one_client_and_closes_it(connect, monkeypatch):
    from airflow_provider_itnio.api.async_client import ItnioAsyncClient

    made = []
    make = ItnioAsyncClient.__init__

    def counted(self, *args, **kwargs):
        made.append(self)
        make(self, *args, **kwargs)

    monkeypatch.setattr(ItnioAsyncClient, "__init__", counted)
    with CountingServer() as server:
        connect(host=server.url)
        asyncio.run(WhatsAppNotifier(recipients=numbers(40), text="x").async_notify({}))
        assert len(server.requests) == 40
    assert len(made) == 1
    assert made[0]._session is None


@pytest.mark.parametrize("name", ["nothing", "a byte of the body at a time", "100 Continue now and then"])
def test_an_alert_does_not_wait_for_a_slow_answer_beyond_its_timeout(alert, connect, name):
    with dripping(*SLOW[name])() as server:
        connect(host=server.url)
        before = time.monotonic()
        with pytest.raises(ItnioError, match="was not sent to 3 of 3"):
            alert(WhatsAppNotifier(recipients=numbers(3), text="x", timeout=0.4))
        assert time.monotonic() - before < GOES_ON_FOR * 0.75
        assert len(server.requests) == 3


def test_an_alert_is_sent_to_all_recipients_despite_a_failing_log(alert, connect, sandbox, monkeypatch):
    class BrokenLog:
        def __getattr__(self, name):
            raise OSError("no space left on device")

    connect()
    monkeypatch.setattr(WhatsAppNotifier, "log", BrokenLog())
    sandbox.fail_next(status=-70)
    with pytest.raises(ItnioError, match="was not sent to 1 of 20"):
        alert(WhatsAppNotifier(recipients=numbers(20), text="x"))
    assert len(sandbox.messages) == 19

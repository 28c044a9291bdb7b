"""A broadcast from a machine with a wrong clock: one correction, within the broadcast's rate."""

from __future__ import annotations

import asyncio
import threading
import time
from email.utils import formatdate

import pytest

from airflow_provider_itnio.broadcast.pace import Pace
from tests.api.servers import Received, Server, answer
from tests.task_runs import broadcast_run, counts_of, numbers

HOUR = 3600


class LateServer(Server):
    """A server whose clock is an hour ahead and that refuses timestamps some minutes off."""

    def __init__(self) -> None:
        super().__init__(self._judge)
        self.stale = 0
        self._counting = threading.Lock()

    def _judge(self, received: Received) -> bytes:
        now = time.time() + HOUR
        if abs(int(received.headers["timestamp"]) - now) < 300:
            return answer()
        with self._counting:
            self.stale += 1
        return answer({"status": "-4", "reason": "timestamp expires"}, Date=formatdate(now, usegmt=True))


@pytest.fixture
def turns(monkeypatch):
    """The turns taken from the broadcast's pace."""
    taken = []
    turn = Pace.wait_for_slot

    async def counted(self):
        await turn(self)
        taken.append(asyncio.get_running_loop().time())

    monkeypatch.setattr(Pace, "wait_for_slot", counted)
    return taken


def test_the_clock_is_corrected_once_and_each_repeated_request_takes_a_turn(connect, turns):
    with LateServer() as server:
        connect(host=server.url)
        run = broadcast_run(numbers(120), messages_per_second=80, max_in_flight=4)
        assert counts_of(run.once()) == {"accepted": 120}
    assert 1 <= server.stale <= 4  # the messages in flight before the first answer
    assert len(turns) == len(server.requests) == 120 + server.stale


def test_with_a_correct_clock_each_message_takes_one_turn(connect, turns):
    with Server() as server:
        connect(host=server.url)
        assert counts_of(broadcast_run(numbers(30), messages_per_second=500).once()) == {"accepted": 30}
    assert len(turns) == len(server.requests) == 30

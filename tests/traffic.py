"""Watches the sandbox's requests: which are in flight, and when each message arrived."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from airflow_provider_itnio.sandbox.vendor.endpoints import Endpoint


class Traffic:
    """The requests of a sandbox with their arrival and answer times."""

    def __init__(self) -> None:
        self._in_flight: Counter[str] = Counter()
        self.clear()

    def clear(self) -> None:
        self.order: list[str] = []
        self.times: list[float] = []
        self.peak = 0
        self.peak_of_a_number = 0
        self.on_arrival: Callable[[str], None] = lambda number: None

    def begins(self, number: str) -> None:
        self.order.append(number)
        self.times.append(time.monotonic())
        self._in_flight[number] += 1
        self.peak = max(self.peak, self._in_flight.total())
        self.peak_of_a_number = max(self.peak_of_a_number, self._in_flight[number])
        self.on_arrival(number)

    def ends(self, number: str) -> None:
        self._in_flight[number] -= 1


@contextmanager
def watched_traffic(monkeypatch: Any) -> Iterator[Traffic]:
    """Watch the requests to every sandbox of this process."""
    traffic = Traffic()
    answer = Endpoint.__call__

    async def watched(self: Any, scope: Any, receive: Any, send: Any) -> None:
        body, number = b"", ""

        async def hear() -> Any:
            nonlocal body, number
            part = await receive()
            body += part.get("body", b"")
            if part["type"] == "http.request" and not part.get("more_body") and not number:
                number = json.loads(body)["recipient"]
                traffic.begins(number)
            return part

        async def say(part: Any) -> None:
            nonlocal number
            if part["type"] == "http.response.start":
                traffic.ends(number)
                number = ""
            await send(part)

        try:
            await answer(self, scope, hear, say)
        finally:
            if number:
                traffic.ends(number)

    monkeypatch.setattr(Endpoint, "__call__", watched)
    yield traffic

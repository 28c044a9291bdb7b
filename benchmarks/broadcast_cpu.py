"""A broadcast with 128 messages in flight, against a bare ``aiohttp`` loop posting the same signed bodies.

python -m benchmarks.broadcast_cpu
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Coroutine
from typing import Any

from benchmarks.broadcasting import broadcast, by_hand, numbers, people
from benchmarks.local_server import LocalServer
from benchmarks.side_by_side import Figure, airflow_of_its_own, figure, main

BLOCKS = 12
MESSAGES = 3000
IN_FLIGHT = 128


def measure() -> list[Figure]:
    """Send the same number of messages in each way, in alternating blocks."""
    airflow_of_its_own()
    the_numbers, the_people = numbers(MESSAGES), people(MESSAGES)
    with LocalServer() as server:
        ways: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
            "by hand": lambda: by_hand(server.url, the_numbers, IN_FLIGHT),
            "same": lambda: broadcast(server.url, the_numbers, IN_FLIGHT),
            "personal": lambda: broadcast(server.url, the_people, IN_FLIGHT, personal=True),
        }
        costs: dict[str, list[float]] = {name: [] for name in ways}
        rates: list[float] = []
        for way in ways.values():
            _cost_of(way)
        for _ in range(BLOCKS):
            for name, way in ways.items():
                cost, rate = _cost_of(way)
                costs[name].append(cost)
                rates.append(rate)
    against = ("a bare aiohttp loop, signed by hand", costs["by hand"])
    return [
        figure(("broadcast, 128 in flight, CPU a message", costs["same"]), against, unit="µs", at_most=1.15),
        figure(("the same, a text of their own for each", costs["personal"]), against, unit="µs"),
        Figure("messages a second that the server took, at most", f"{max(rates):,.0f}/s"),
        Figure("messages a second in these runs, median", f"{statistics.median(rates):,.0f}/s"),
    ]


def _cost_of(way: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[float, float]:
    """Return the CPU time per message, in microseconds, and the messages per second."""
    wall, start = time.perf_counter(), time.process_time()
    asyncio.run(way())
    cost = (time.process_time() - start) / MESSAGES * 1e6
    return cost, MESSAGES / (time.perf_counter() - wall)


if __name__ == "__main__":
    main(measure)

"""The rate of a broadcast with answers after 100 ms, its steadiness, and its CPU at 1,000 messages a second.

python -m benchmarks.broadcast_rate
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.broadcasting import arrivals_at, broadcast, numbers
from benchmarks.local_server import LocalServer, trusted_certificate
from benchmarks.side_by_side import Figure, airflow_of_its_own, main

LATENCY = 0.1
SECONDS = 10


def measure() -> list[Figure]:
    """Broadcast without and with a rate limit, over plain HTTP and over TLS."""
    airflow_of_its_own()
    with LocalServer(latency=LATENCY) as server:
        reached = [_reached(server.url, 32, 0.95), _reached(server.url, 128, 0.93)]
        paced = [*_paced(server.url, 80), *_paced(server.url, 1000)]
    with (
        tempfile.TemporaryDirectory(prefix="itnio-benchmark-tls-") as folder,
        LocalServer(trusted_certificate(Path(folder)), latency=LATENCY) as server,
    ):
        return [*reached, *paced, _cores_over_tls(server.url)]


def _reached(url: str, in_flight: int, at_least: float) -> Figure:
    possible = in_flight / LATENCY
    count = int(possible * SECONDS)
    asyncio.run(broadcast(url, numbers(count), in_flight))
    moments = arrivals_at(url)
    rate = (len(moments) - 1) / (moments[-1] - moments[0])
    return Figure(
        f"broadcast at 100 ms answers, {in_flight} in flight",
        f"{rate:,.0f}/s",
        "in flight over latency",
        f"{possible:,.0f}/s",
        rate / possible,
        f"at least {at_least:.2f}",
        rate / possible >= at_least,
    )


def _paced(url: str, per_second: int) -> list[Figure]:
    asyncio.run(broadcast(url, numbers(per_second * SECONDS), 256, per_second=per_second))
    moments = arrivals_at(url)
    rate = (len(moments) - 1) / (moments[-1] - moments[0])
    most = most_in_a_second(moments)
    target_pace = ("the pace asked for", f"{per_second:,}/s")
    return [
        Figure(
            f"pace of {per_second:,}/s, reached",
            f"{rate:,.1f}/s",
            *target_pace,
            rate / per_second,
            "at least 0.98",
            rate / per_second >= 0.98,
        ),
        Figure(
            f"pace of {per_second:,}/s, most in any second",
            f"{most:,}",
            *target_pace,
            most / per_second,
            "at most 1.02",
            most / per_second <= 1.02,
        ),
    ]


def most_in_a_second(moments: Sequence[float]) -> int:
    """Return the largest number of moments within any one second.

    :param moments: sorted, in seconds.
    """
    most = first = 0
    for last, moment in enumerate(moments):
        while moment - moments[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def _cores_over_tls(url: str) -> Figure:
    wall, start = time.perf_counter(), time.process_time()
    asyncio.run(broadcast(url, numbers(1000 * SECONDS), 256, per_second=1000))
    cores = (time.process_time() - start) / (time.perf_counter() - wall)
    return Figure(
        "1,000 messages a second over TLS at 100 ms answers",
        f"{cores:.2f} of a core",
        target="less than 0.40",
        met=cores < 0.4,
    )


if __name__ == "__main__":
    main(measure)

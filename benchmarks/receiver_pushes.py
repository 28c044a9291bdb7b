"""The receiver on one core: pushes at the target rate, then as many as it can handle.

python -m benchmarks.receiver_pushes [URL of an empty PostgreSQL database]
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from benchmarks.local_server import ROOT
from benchmarks.sandbox_throughput import Running
from benchmarks.side_by_side import AS_JSON, Figure, main

SECONDS: Final = 10
CONNECTIONS: Final = 128
FLOOD: Final = 10_000
PUSH: Final = "push-0123456789abcdefghijkl"
READ: Final = "read-0123456789abcdefghijkl"


@contextmanager
def running_receiver(database: str) -> Iterator[Running]:
    """Run the receiver on one core until the end of the block.

    :param database: the database's URL.
    """
    tokens = {"ITNIO_RECEIVER_PUSH_TOKEN": PUSH, "ITNIO_RECEIVER_READ_TOKEN": READ}
    command = [sys.executable, "-m", "airflow_provider_itnio.receiver", "--port", "0", "--database", database]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | tokens, stderr=subprocess.PIPE, text=True
    ) as process:
        os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
        assert process.stderr is not None
        try:
            yield Running(process, int(process.stderr.readline().partition(" port ")[2].partition(",")[0]))
        finally:
            process.terminate()


async def push_all(port: int, ids: list[str], wait_for_turn: Callable[[int], Awaitable[None]]) -> int:
    """Push a status for each id over persistent connections, and return the number of answers with HTTP 200.

    :param port: the receiver's port.
    :param ids: the ids of the messages.
    :param wait_for_turn: waits until the push with a number may be sent.
    """
    numbered = iter(enumerate(ids))
    answered = 0

    async def push_some() -> None:
        nonlocal answered
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number, message_id in numbered:
            await wait_for_turn(number)
            writer.write(_request(message_id))
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0]))
            answered += head.startswith(b"HTTP/1.1 200")
        writer.close()

    await asyncio.gather(*(push_some() for _ in range(CONNECTIONS)))
    return answered


def _request(message_id: str) -> bytes:
    push = {
        "appId": "DGziZf5u",
        "channelType": 0,
        "messageId": message_id,
        "eventType": "message-status-event",
        "billable": "true",
        "form": "91856321321",
        "recipient": "8614718004557",
        "status": "delivered",
        "timestamp": 1_790_000_000,
    }
    body = json.dumps(push).encode()
    return (
        b"POST /push/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (PUSH.encode(), len(body)) + body
    )


def _kept(port: int, ids: list[str]) -> int:
    kept = 0
    for first in range(0, len(ids), 1000):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/messages",
            json.dumps({"ids": ids[first : first + 1000]}).encode(),
            {"Authorization": f"Bearer {READ}"},
        )
        with urllib.request.urlopen(request) as answer:
            kept += sum(one["status"] == "delivered" for one in json.load(answer)["messages"])
    return kept


async def _measure(receiver: Running, what: str, goal: int) -> list[Figure]:
    start, cpu = time.monotonic(), receiver.cpu()

    async def at_the_rate(number: int) -> None:
        await asyncio.sleep(max(0.0, start + number / goal - time.monotonic()))

    async def at_once(number: int) -> None:
        pass

    paced = [f"paced-{number}" for number in range(goal * SECONDS)]
    answered = await push_all(receiver.port, paced, at_the_rate)
    took = time.monotonic() - start
    rate, share = answered / took, (receiver.cpu() - cpu) / took
    flood = [f"flood-{number}" for number in range(FLOOD)]
    start = time.monotonic()
    answered += await push_all(receiver.port, flood, at_once)
    ceiling = FLOOD / (time.monotonic() - start)
    lost = answered - await asyncio.to_thread(_kept, receiver.port, paced + flood)
    return [
        Figure(
            f"{what} at {rate:,.0f} pushes/s, share of one core",
            f"{share:.0%}",
            target=f"{goal:,} pushes/s on one core",
            met=rate >= 0.99 * goal and share < 1,
        ),
        Figure(f"{what}: the most it takes on one core, {CONNECTIONS} at once, pushes/s", f"{ceiling:,.0f}"),
        Figure(
            f"{what}: answered pushes lost of {answered:,}",
            str(lost),
            target="none",
            met=lost == 0 and answered == len(paced) + FLOOD,
        ),
    ]


def measure() -> list[Figure]:
    """Push with SQLite, and with PostgreSQL if its URL is given."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_receiver(f"sqlite:///{folder}/receipts.db") as receiver,
    ):
        figures = asyncio.run(_measure(receiver, "receiver with SQLite", 500))
    for url in (argument for argument in sys.argv[1:] if argument != AS_JSON):
        with running_receiver(url) as receiver:
            figures += asyncio.run(_measure(receiver, "receiver with PostgreSQL", 1000))
    return figures


if __name__ == "__main__":
    main(measure)

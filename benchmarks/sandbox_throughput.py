"""The sandbox on one core: 500 messages per second with an inbox page open, then as many as it can handle.

python -m benchmarks.sandbox_throughput
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
from dataclasses import dataclass, field
from typing import Final

from benchmarks.by_hand import body_by_hand, headers_by_hand
from benchmarks.local_server import ROOT
from benchmarks.side_by_side import Figure, main

RATE: Final = 500
SECONDS: Final = 10
CONNECTIONS: Final = 16
AT_ONCE: Final = 32
FLOOD: Final = 10_000
LONGEST_WAIT: Final = 10.0


@dataclass
class Running:
    """A running sandbox.

    :param process: its process.
    :param port: its port.
    """

    process: subprocess.Popen[str]
    port: int

    def cpu(self) -> float:
        """Return the CPU time of its process, in seconds."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class Page:
    """The message ids that an open inbox page receives, in order."""

    ids: list[str] = field(default_factory=list)

    async def follow(self, port: int, opened: asyncio.Event) -> None:
        """Read the stream of events as a browser does.

        :param port: the sandbox's port.
        :param opened: set when the stream has begun.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=16 << 20)
        writer.write(f"GET /sandbox/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        while line := await reader.readline():
            opened.set()
            if line.startswith(b"data: ["):
                self.ids += [item["message"]["id"] for item in json.loads(line[6:]) if "message" in item]


@contextmanager
def running_sandbox(*options: str) -> Iterator[Running]:
    """Run the sandbox on one core until the end of the block.

    :param options: further options of its command.
    """
    command = [sys.executable, "-m", "airflow_provider_itnio.sandbox", "--port", "0", "--keep", "50000"]
    command += ["--app-id", "any", "--business-phone", "any", *options]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
        assert process.stdout is not None
        try:
            yield Running(process, int(process.stdout.readline().rpartition(":")[2]))
        finally:
            process.terminate()


async def send_all(
    port: int, total: int, connections: int, wait_for_turn: Callable[[int], Awaitable[None]]
) -> list[str]:
    """Send messages over persistent connections, and return the ids in the answers.

    :param port: the sandbox's port.
    :param total: the number of messages.
    :param connections: the number of connections.
    :param wait_for_turn: waits until the message with a number may be sent.
    """
    numbers = iter(range(total))
    ids: list[str] = []

    async def send_some() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            await wait_for_turn(number)
            writer.write(_request(port))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0])
            ids.append(json.loads(await reader.readexactly(length))["data"]["messageId"])
        writer.close()

    await asyncio.gather(*(send_some() for _ in range(connections)))
    return ids


def _request(port: int) -> bytes:
    body = body_by_hand()
    headers = headers_by_hand() | {"Host": f"127.0.0.1:{port}", "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /wa/custom/sendMsg HTTP/1.1\r\n{lines}\r\n".encode() + body


def _kept_ids(port: int) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/sandbox/messages") as answer:
        return [message["id"] for message in json.load(answer)]


async def _measure(sandbox: Running, what: str) -> list[Figure]:
    page, opened = Page(), asyncio.Event()
    following = asyncio.create_task(page.follow(sandbox.port, opened))
    await opened.wait()

    start, cpu = time.monotonic(), sandbox.cpu()

    async def at_the_rate(number: int) -> None:
        await asyncio.sleep(max(0.0, start + number / RATE - time.monotonic()))

    answered = await send_all(sandbox.port, RATE * SECONDS, CONNECTIONS, at_the_rate)
    duration = time.monotonic() - start
    share = (sandbox.cpu() - cpu) / duration
    await _wait_for_count(page, len(answered))
    kept = await asyncio.to_thread(_kept_ids, sandbox.port)
    lost = len(set(answered) - set(kept)) + len(set(answered) - set(page.ids))

    async def at_once(number: int) -> None:
        pass

    start, cpu = time.monotonic(), sandbox.cpu()
    flood = await send_all(sandbox.port, FLOOD, AT_ONCE, at_once)
    ceiling = FLOOD / (time.monotonic() - start)
    each = (sandbox.cpu() - cpu) / FLOOD * 1e6
    await _wait_for_count(page, len(answered) + len(flood))
    lost_in_flood = len(set(flood) - set(page.ids))
    following.cancel()

    rate = len(answered) / duration
    return [
        Figure(
            f"{what} at {rate:,.0f} messages/s with an inbox page open, share of one core",
            f"{share:.0%}",
            target=f"{RATE} messages/s on one core",
            met=rate >= 0.99 * RATE and share < 1,
        ),
        Figure(
            f"{what}: messages lost of {len(answered):,}, in the sandbox or on the page",
            str(lost),
            target="none",
            met=lost == 0 and len(answered) == RATE * SECONDS,
        ),
        Figure(f"{what}: the most it takes on one core, {AT_ONCE} at once, messages/s", f"{ceiling:,.0f}"),
        Figure(f"{what}: CPU for one of these", f"{each:,.0f} µs"),
        Figure(
            f"{what}: of these {len(flood):,} lost on the page",
            str(lost_in_flood),
            target="none",
            met=not lost_in_flood,
        ),
    ]


async def _wait_for_count(page: Page, count: int) -> None:
    deadline = time.monotonic() + LONGEST_WAIT
    while len(page.ids) < count and time.monotonic() < deadline:
        await asyncio.sleep(0.05)


def measure() -> list[Figure]:
    """Send at the target rate, then as fast as possible: in memory, then with a file."""
    with running_sandbox() as sandbox:
        figures = asyncio.run(_measure(sandbox, "sandbox"))
    with (
        tempfile.TemporaryDirectory() as folder,
        running_sandbox("--data", f"{folder}/sandbox.db") as sandbox,
    ):
        return figures + asyncio.run(_measure(sandbox, "sandbox --data"))


if __name__ == "__main__":
    main(measure)

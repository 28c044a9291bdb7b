"""How long a send waits while many inbox pages open on a sandbox with many messages.

python -m benchmarks.sandbox_stall
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.synchronize import Event
from typing import Final

from airflow_provider_itnio.sandbox.inbox.page import ASSETS
from benchmarks.sandbox_throughput import AT_ONCE, running_sandbox, send_all
from benchmarks.side_by_side import Figure, main

KEPT: Final = 6_000
ALONE: Final = 5.0
PAGES: Final = 50
LONGEST_WAIT: Final = 120.0


def open_pages(port: int, pages: int, ready: Event) -> None:
    """Open pages at the same time, like browsers without a cache, until each has all its data.

    :param port: the sandbox's port.
    :param pages: how many.
    :param ready: set just before, when the process has imported everything.
    """

    async def open_one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)

        async def ask(path: str) -> bytes:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r")[0])
            return await reader.readexactly(length)

        for path in ("/", *(f"/static/{name}" for name in ASSETS)):
            await ask(path)
        for _ in range(2):  # the page opens the only conversation by itself
            listed = json.loads(await ask("/sandbox/conversations?limit=100"))
        number, cursor = listed["conversations"][0]["number"], listed["cursor"]
        shown = json.loads(await ask(f"/sandbox/conversations/{number}/items?limit=100"))
        if len(shown["items"]) != 100:
            raise ValueError(f"{len(shown['items'])} items are shown, not 100")
        for path in ("/sandbox/faults", "/sandbox/random-failures"):
            await ask(path)
        writer.write(
            f"GET /sandbox/events?after={cursor} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
        )
        await reader.readuntil(b"retry: ")
        writer.close()

    async def open_all() -> None:
        await asyncio.gather(*(open_one() for _ in range(pages)))

    ready.set()
    asyncio.run(open_all())


async def _at_once(number: int) -> None:
    pass


def _send_while(port: int, condition: Callable[[], bool]) -> list[float]:
    """Send messages one after the other while a condition is true, and return their durations in seconds."""
    waits = []
    deadline = time.monotonic() + LONGEST_WAIT
    while condition() and time.monotonic() < deadline:
        start = time.perf_counter()
        asyncio.run(send_all(port, 1, 1, _at_once))
        waits.append(time.perf_counter() - start)
    return waits


def measure() -> list[Figure]:
    """Fill a sandbox, then send while no page opens, one opens, and many do."""
    spawn = multiprocessing.get_context("spawn")
    with running_sandbox() as sandbox:
        asyncio.run(send_all(sandbox.port, KEPT, AT_ONCE, _at_once))
        quiet = time.monotonic() + ALONE
        alone = max(_send_while(sandbox.port, lambda: time.monotonic() < quiet))
        figures = [Figure("longest wait of a send while no page opens", f"{alone * 1000:,.0f} ms")]
        for pages in (1, PAGES):
            ready = spawn.Event()
            opening = spawn.Process(target=open_pages, args=(sandbox.port, pages, ready))
            opening.start()
            ready.wait()
            start = time.monotonic()
            waits = _send_while(sandbox.port, opening.is_alive)
            opening.join()
            figures += [
                Figure(
                    f"longest wait of a send while {pages} pages open on {KEPT:,} messages",
                    f"{max(waits) * 1000:,.0f} ms",
                    target="50 ms" if pages == PAGES else "",
                    met=max(waits) <= 0.05 and opening.exitcode == 0 if pages == PAGES else None,
                ),
                Figure(
                    f"until {pages} pages show the latest of {KEPT:,}",
                    f"{time.monotonic() - start:.1f} s",
                ),
            ]
    return figures


if __name__ == "__main__":
    main(measure)

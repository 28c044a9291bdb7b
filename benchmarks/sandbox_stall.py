"""How long a send waits while many inbox pages open on a sandbox that keeps much.

python -m benchmarks.sandbox_stall
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable
from typing import Final

from benchmarks.sandbox_throughput import AT_ONCE, running_sandbox, send_all
from benchmarks.side_by_side import Figure, main

KEPT: Final = 6_000
ALONE: Final = 5.0
PAGES: Final = 50
LONGEST_WAIT: Final = 120.0


def open_pages(port: int, pages: int, last: str) -> None:
    """Open pages at once and read each until it has been told of the last message.

    :param port: the sandbox's port.
    :param pages: how many.
    :param last: the id of the last message.
    """

    async def read_one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /sandbox/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        end = b""
        while last.encode() not in end:
            part = await reader.read(1 << 20)
            if not part:
                raise ConnectionError("the sandbox ended the stream")
            end = end[-len(last) :] + part
        writer.close()

    async def read_all() -> None:
        await asyncio.gather(*(read_one() for _ in range(pages)))

    asyncio.run(read_all())


async def _at_once(number: int) -> None:
    pass


def _send_while(port: int, goes_on: Callable[[], bool]) -> list[float]:
    """Send one message after the other while something goes on, and give how long each took, in seconds."""
    waits = []
    deadline = time.monotonic() + LONGEST_WAIT
    while goes_on() and time.monotonic() < deadline:
        start = time.perf_counter()
        asyncio.run(send_all(port, 1, 1, _at_once))
        waits.append(time.perf_counter() - start)
    return waits


def measure() -> list[Figure]:
    """Fill a sandbox, then send while no page opens, one opens, and many do."""
    spawn = multiprocessing.get_context("spawn")
    with running_sandbox() as sandbox:
        last = asyncio.run(send_all(sandbox.port, KEPT, AT_ONCE, _at_once))[-1]
        quiet = time.monotonic() + ALONE
        alone = max(_send_while(sandbox.port, lambda: time.monotonic() < quiet))
        figures = [Figure("longest wait of a send while no page opens", f"{alone * 1000:,.0f} ms")]
        for pages in (1, PAGES):
            opening = spawn.Process(target=open_pages, args=(sandbox.port, pages, last))
            start = time.monotonic()
            opening.start()
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
                    f"until {pages} pages have all {KEPT:,}, their process's start included",
                    f"{time.monotonic() - start:.1f} s",
                ),
            ]
    return figures


if __name__ == "__main__":
    main(measure)

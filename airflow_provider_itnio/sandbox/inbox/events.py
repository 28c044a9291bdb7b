"""``GET /sandbox/events``: changes for open inbox pages, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from airflow_provider_itnio.sandbox.inbox.items import item_as_json, update_as_json
from airflow_provider_itnio.sandbox.store.exchange import Exchange
from airflow_provider_itnio.sandbox.store.store import Change, Store

PAUSE = 0.05
"""Seconds between two events. Changes in between are sent together, so a page draws 20 times a second."""

ITEMS_AN_EVENT = 100
MOST_MISSED = 1000
"""Most changes that a reconnecting reader may have missed; if it missed more, it reloads its lists."""

SIGN_OF_LIFE = 15.0
RECONNECT_MILLISECONDS = 1000


@dataclass(frozen=True)
class Events:
    """
    The stream of events, as an ASGI application.

    It sends ``items``, a list of items of the page; a later item may update a previous one. A reader sends
    the cursor of the lists that it loaded as ``?after=``, or its last event in the header ``Last-Event-ID``,
    and gets the changes since then. ``clear`` means that it must reload the lists: the inbox was cleared, the
    reader's cursor is of another sandbox or missing, or it missed too many changes.

    :param stopping: set when the server stops, so that no open page delays that
    :param turn: a lock around the writing of each event, so that requests are answered in between
    """

    store: Store
    stopping: asyncio.Event
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one ASGI request."""
        events = self._events(self._number_after(Request(scope)))
        headers = {"content-type": "text/event-stream; charset=utf-8"}
        await StreamingResponse(events, headers=headers)(scope, receive, send)

    async def _events(self, number: int | None) -> AsyncIterator[bytes]:
        """Yield all events from a number on, until the server stops or the reader disconnects."""
        loop = asyncio.get_running_loop()
        wake = asyncio.Event()

        def on_change() -> None:
            if not wake.is_set():
                with suppress(RuntimeError):  # the loop has ended already
                    loop.call_soon_threadsafe(wake.set)

        end = asyncio.ensure_future(self.stopping.wait())
        end.add_done_callback(lambda _: wake.set())
        yield b"retry: %d\n\n" % RECONNECT_MILLISECONDS
        try:
            with self.store.listen(on_change):
                while not end.done():
                    wake.clear()
                    changes, last = self.store.since(number)
                    parts = self._parts(changes, last)
                    while not end.done() and (part := await self._next(parts)):
                        yield part
                    number = last
                    try:
                        await asyncio.wait_for(wake.wait(), SIGN_OF_LIFE)
                    except TimeoutError:
                        yield b": still here\n\n"
                    await asyncio.sleep(PAUSE)
        finally:
            end.cancel()

    def _number_after(self, request: Request) -> int | None:
        """Return the position of a reader; None if it must reload everything."""
        given = request.headers.get("last-event-id") or request.query_params.get("after", "")
        name, _, number = given.partition(".")
        if name != self.store.name or not (number.isascii() and number.isdecimal()):
            return None
        stands = int(number[:18])
        return stands if self.store.number - stands <= MOST_MISSED else None

    async def _next(self, parts: Iterator[bytes]) -> bytes:
        """Return the next event when it is this reader's turn; empty if there is none."""
        async with self.turn:
            await asyncio.sleep(0)
            return next(parts, b"")

    def _parts(self, changes: list[tuple[int, Change]] | None, last: int) -> Iterator[bytes]:
        """Yield the changes in parts."""
        if changes is None:
            yield _event("clear", b"{}", self._id(last))
            return
        for start in range(0, len(changes), ITEMS_AN_EVENT):
            part = changes[start : start + ITEMS_AN_EVENT]
            items = [
                item_as_json(one) if isinstance(one, Exchange) else update_as_json(one) for _, one in part
            ]
            yield _event("items", b"[%s]" % b",".join(items), self._id(part[-1][0]))

    def _id(self, number: int) -> str:
        return f"{self.store.name}.{number}"


def _event(name: str, data: bytes, last_id: str) -> bytes:
    """Format an event. JSON without indentation has no line break, so it fits in one data line."""
    return f"event: {name}\nid: {last_id}\ndata: ".encode() + data + b"\n\n"

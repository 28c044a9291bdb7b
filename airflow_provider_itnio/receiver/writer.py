"""Commit pushed events in groups, and wake the requests that wait for them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy.exc import DataError, SQLAlchemyError

from airflow_provider_itnio.receiver.events import Event, StatusEvent, UnreadEvent
from airflow_provider_itnio.receiver.mailbox import Mailbox

log = logging.getLogger("airflow_provider_itnio.receiver")

MOST_WAITING: Final = 2_000
"""Most pushes that wait for the next commit. The vendor repeats a push that is rejected."""

_MOST_AT_ONCE: Final = 500
_FORGET_EVERY: Final = 3600.0

INCOMING: Final = ""
"""The key for incoming messages, instead of a message's id."""


class NotKeptError(Exception):
    """An event was not stored."""


class Waiting:
    """Requests that wait for events of certain keys. Use it only in the event loop's thread."""

    def __init__(self) -> None:
        self._wakers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def add(self, keys: Iterable[str], waker: asyncio.Event) -> None:
        """Set ``waker`` when an event with one of the keys is stored."""
        for key in keys:
            self._wakers[key].add(waker)

    def remove(self, keys: Iterable[str], waker: asyncio.Event) -> None:
        """Undo :meth:`add`."""
        for key in keys:
            if wakers := self._wakers.get(key):
                wakers.discard(waker)
                if not wakers:
                    del self._wakers[key]

    def wake(self, events: Iterable[Event]) -> None:
        """Wake all requests that wait for one of the events."""
        for event in events:
            if not isinstance(event, UnreadEvent):
                key = event.message_id if isinstance(event, StatusEvent) else INCOMING
                for waker in self._wakers.get(key, ()):
                    waker.set()


class Writer:
    """Stores events in order. Each commit has all events that arrived during the previous one.

    :param mailbox: stores the events.
    :param keep_seconds: seconds after which events are deleted.
    """

    def __init__(self, mailbox: Mailbox, keep_seconds: int) -> None:
        self.waiting = Waiting()
        self._mailbox = mailbox
        self._keep_seconds = keep_seconds
        self._queue: asyncio.Queue[tuple[Sequence[Event], asyncio.Future[None]]] = asyncio.Queue(MOST_WAITING)

    async def keep(self, events: Sequence[Event]) -> None:
        """Store the events of a push; return after the commit.

        :raises NotKeptError: if they were not stored: too many pushes wait, or the database failed.
        """
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((events, kept))
        except asyncio.QueueFull:
            raise NotKeptError("too many events wait for the database") from None
        await kept

    async def run(self) -> None:
        """Commit events and delete old ones until cancelled."""
        forgetting = asyncio.create_task(self._forget())
        try:
            while True:
                batch = [await self._queue.get()]
                while len(batch) < _MOST_AT_ONCE and not self._queue.empty():
                    batch.append(self._queue.get_nowait())
                await self._commit(batch)
        finally:
            forgetting.cancel()

    async def _commit(self, batch: list[tuple[Sequence[Event], asyncio.Future[None]]]) -> None:
        events = [event for of_push, _ in batch for event in of_push]
        error: Exception | None = None
        try:
            await asyncio.to_thread(self._mailbox.keep, events, int(time.time()))
        except DataError:
            if len(batch) > 1:  # one push is invalid: store each by itself
                for one in batch:
                    await self._commit([one])
                return
            error = NotKeptError("the database rejects this event")
        except SQLAlchemyError as failed:
            log.error("the database has failed; Itniotech will push the events again (%s)", _cause(failed))
            error = NotKeptError("the database has failed")
        else:
            self.waiting.wake(events)
        for _, kept in batch:
            if not kept.done():  # the client may have disconnected
                kept.set_exception(error) if error else kept.set_result(None)

    async def _forget(self) -> None:
        while True:
            try:
                while await asyncio.to_thread(self._mailbox.forget, int(time.time()) - self._keep_seconds):
                    pass
            except SQLAlchemyError as failed:
                log.warning("old events could not be deleted, trying again later (%s)", _cause(failed))
            await asyncio.sleep(_FORGET_EVERY)


def _cause(error: SQLAlchemyError) -> str:
    """Return the class name of a database error. Its text is not logged: it may contain pushed data."""
    return type(getattr(error, "orig", None) or error).__name__

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

MAX_WAITING: Final = 2_000
"""Most pushes that wait for the next commit. The vendor repeats a push that is rejected."""

_MAX_BATCH: Final = 500
_DELETE_INTERVAL: Final = 3600.0

INCOMING: Final = ""
"""The key for incoming messages, instead of a message's id."""


class NotStoredError(Exception):
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
        self._retention = keep_seconds
        self._queue: asyncio.Queue[tuple[Sequence[Event], asyncio.Future[None]]] = asyncio.Queue(MAX_WAITING)

    async def store(self, events: Sequence[Event]) -> None:
        """Store the events of a push; return after the commit.

        :raises NotStoredError: if they were not stored: too many pushes wait, or the database failed.
        """
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((events, stored))
        except asyncio.QueueFull:
            raise NotStoredError("too many events wait for the database") from None
        await stored

    async def run(self) -> None:
        """Commit events and delete old ones until cancelled."""
        deletion = asyncio.create_task(self._delete_old_events())
        try:
            while True:
                batch = [await self._queue.get()]
                while len(batch) < _MAX_BATCH and not self._queue.empty():
                    batch.append(self._queue.get_nowait())
                await self._commit(batch)
        finally:
            deletion.cancel()

    async def _commit(self, batch: list[tuple[Sequence[Event], asyncio.Future[None]]]) -> None:
        events = [event for push, _ in batch for event in push]
        error: Exception | None = None
        try:
            await asyncio.to_thread(self._mailbox.store, events, int(time.time()))
        except DataError:
            if len(batch) > 1:  # one push is invalid: store each by itself
                for item in batch:
                    await self._commit([item])
                return
            error = NotStoredError("the database rejects this event")
        except SQLAlchemyError as failure:
            log.error("the database has failed; Itniotech will push the events again (%s)", _cause(failure))
            error = NotStoredError("the database has failed")
        else:
            self.waiting.wake(events)
        for _, stored in batch:
            if not stored.done():  # the client may have disconnected
                stored.set_exception(error) if error else stored.set_result(None)

    async def _delete_old_events(self) -> None:
        while True:
            try:
                while await asyncio.to_thread(self._mailbox.delete_old, int(time.time()) - self._retention):
                    pass
            except SQLAlchemyError as failure:
                log.warning("old events could not be deleted, trying again later (%s)", _cause(failure))
            await asyncio.sleep(_DELETE_INTERVAL)


def _cause(error: SQLAlchemyError) -> str:
    """Return the class name of a database error. Its text is not logged: it may contain pushed data."""
    return type(getattr(error, "orig", None) or error).__name__

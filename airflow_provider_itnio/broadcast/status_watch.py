"""Ask the receiver for the statuses of a broadcast's accepted messages. No Airflow."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from airflow_provider_itnio.api.errors import ItnioError
from airflow_provider_itnio.api.message_ids import message_id_problem
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.receiver import MAX_IDS, MessageStatus, status_request
from airflow_provider_itnio.api.status_wait import RESPONSE_GRACE, RETRY_DELAY

if TYPE_CHECKING:
    from airflow_provider_itnio.api.async_client import AsyncClient

log = NeverRaisingLog(__name__)

POLL_INTERVAL: Final = 5.0
"""Seconds between two requests about the same message."""
_REQUEST_INTERVAL: Final = 0.1
"""Seconds between two requests about different messages."""


class StatusWatch:
    """Asks the receiver about messages until each has reached a status, has failed, or has timed out.

    To save memory, it stores only the id and one or two numbers of a message, and later only a hash.

    :param client: the client for the receiver; the caller closes it.
    :param until: ``sent``, ``delivered`` or ``read``.
    :param seconds: the timeout of each message, counted from the next :meth:`start_timeout`.
    """

    def __init__(self, client: AsyncClient, until: str, seconds: float) -> None:
        self.on_final: Callable[[int, MessageStatus, str], None] = lambda position, status, expired: None
        """Called once for each message when its wait ends, with its position, its status, and why it is late
        (empty if it is not)."""
        self.has_capacity: Callable[[], bool] = lambda: True
        """Returns whether more messages may be settled now."""
        self.problem = ""
        """The error of the last request to the receiver; empty if it succeeded."""
        self._client = client
        self._until = until
        self._seconds = seconds
        self._waiting: dict[str, int] = {}
        self._settled: set[int] = set()
        """Hashes of the ids of messages whose wait has ended."""
        self._deadlines: list[float] = []
        """For each :meth:`start_timeout`, the deadline of the messages that were added before it."""
        self._deadline_indexes: dict[str, int] = {}
        """The index in ``_deadlines`` of a message, if it is not 0."""
        self._next_deadline = math.inf
        """The next deadline after all messages are sent; limits the wait for an answer."""
        self._has_asked = self._has_statuses = False

    def __len__(self) -> int:
        """Return how many messages are still waited for."""
        return len(self._waiting)

    @property
    def has_no_status(self) -> bool:
        """Whether the receiver was asked and had no status of any message."""
        return self._has_asked and not self._has_statuses and not self.problem

    def add(self, message_id: str, position: int) -> str:
        """Add a message to wait for.

        :param message_id: the message's id.
        :param position: the recipient's position in the list.
        :return: why it can't be waited for; empty if it can.
        """
        other = -1 if hash(message_id) in self._settled else self._waiting.get(message_id)
        if problem := message_id_problem(message_id, position, other):
            return problem
        self._waiting[message_id] = position
        if self._deadlines:
            self._deadline_indexes[message_id] = len(self._deadlines)
        return ""

    def start_timeout(self) -> None:
        """Start the timeout of the messages that were added since the last call."""
        self._deadlines.append(time.monotonic() + self._seconds)

    async def watch(self) -> None:
        """Ask repeatedly, without end, while messages are sent."""
        while True:
            await asyncio.sleep(RETRY_DELAY if self.problem else POLL_INTERVAL)
            await self._request_all(delay=0.0)

    async def poll(self, stopping: asyncio.Event) -> None:
        """Ask about each message once, and wait until the next round. Messages that timed out are settled.

        :param stopping: ends this at once.
        """
        tasks = [asyncio.create_task(self._poll()), asyncio.create_task(stopping.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
                raise ended

    async def _poll(self) -> None:
        started = time.monotonic()
        deadline = self._next_deadline = self._earliest()
        expired = frozenset(id_ for id_ in self._waiting if self._deadline_of(id_) <= started)
        await self._request_all(delay=max(0.0, min(POLL_INTERVAL, deadline - started)), expired=expired)
        if self._waiting:
            now = time.monotonic()
            pause = started + (RETRY_DELAY if self.problem else POLL_INTERVAL) - now
            await asyncio.sleep(max(0.0, min(pause, self._earliest() - now)))

    def _deadline_of(self, message_id: str) -> float:
        return self._deadlines[self._deadline_indexes.get(message_id, 0)]

    def _earliest(self) -> float:
        return min(map(self._deadline_of, self._waiting), default=math.inf)

    async def _request_all(self, *, delay: float, expired: Collection[str] = ()) -> None:
        """Ask about each message once, while :attr:`has_capacity`.

        :param delay: seconds that the receiver may delay the last answer.
        :param expired: messages that timed out: they are settled, whatever the answer is.
        """
        ids = list(self._waiting)
        for start in range(0, len(ids), MAX_IDS):
            if not self.has_capacity():
                return
            if start:
                await asyncio.sleep(_REQUEST_INTERVAL)
            chunk = ids[start : start + MAX_IDS]
            is_last = start + MAX_IDS >= len(ids)
            was_unreachable = bool(self.problem)
            statuses = await self._request_statuses(chunk, delay if is_last else 0.0)
            if statuses is None and expired and not was_unreachable:
                await asyncio.sleep(RETRY_DELAY)  # try once more before messages count as late
                statuses = await self._request_statuses(chunk, 0.0)
            if statuses is None:
                self._apply(
                    [MessageStatus(one, "none", None) for one in ids[start:] if one in expired], expired
                )
                return
            self._apply(statuses, expired)

    async def _request_statuses(self, ids: Sequence[str], delay: float) -> Sequence[MessageStatus] | None:
        """Return the statuses of messages; ``None`` if the receiver did not answer."""
        remaining = max(0.0, self._next_deadline - time.monotonic())
        try:
            async with asyncio.timeout(remaining + RESPONSE_GRACE):
                statuses = await self._client.perform(status_request(ids, self._until, delay))
        except (ItnioError, TimeoutError) as error:
            problem = str(error) or f"The receiver did not answer within {remaining + RESPONSE_GRACE:.0f} s"
            if not self.problem:
                log.warning("%s. Still waiting", problem)
            self.problem = problem
            return None
        self.problem, self._has_asked = "", True
        self._has_statuses |= any(one.status != "none" for one in statuses)
        return statuses

    def _apply(self, statuses: Sequence[MessageStatus], expired: Collection[str]) -> None:
        for item in statuses:
            is_final = item.status == "failed" or item.has_reached(self._until)
            if is_final or item.message_id in expired:
                self.on_final(self._waiting[item.message_id], item, "" if is_final else self._expiry(item))
                del self._waiting[item.message_id]
                self._settled.add(hash(item.message_id))
                self._deadline_indexes.pop(item.message_id, None)

    def _expiry(self, message: MessageStatus) -> str:
        known = self.problem or f"its last status is {message.status}"
        return f"not {self._until} within {timedelta(seconds=self._seconds)}: {known}"

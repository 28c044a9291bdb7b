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
from airflow_provider_itnio.api.receiver import MOST_IDS, MessageStatus, status_request
from airflow_provider_itnio.api.status_wait import AFTER_ERROR, LAST_ANSWER

if TYPE_CHECKING:
    from airflow_provider_itnio.api.async_client import AsyncClient

log = NeverRaisingLog(__name__)

EVERY: Final = 5.0
"""Seconds between two requests about the same message."""
_BETWEEN: Final = 0.1
"""Seconds between two requests about different messages."""


class StatusWatch:
    """Asks the receiver about messages until each has reached a status, has failed, or has timed out.

    To save memory, it stores only the id and one or two numbers of a message, and later only a hash.

    :param client: the client for the receiver; the caller closes it.
    :param until: ``sent``, ``delivered`` or ``read``.
    :param seconds: the timeout of each message, counted from the next :meth:`begin`.
    """

    def __init__(self, client: AsyncClient, until: str, seconds: float) -> None:
        self.settle: Callable[[int, MessageStatus, str], None] = lambda position, status, late: None
        """Called once for each message when its wait ends, with its position, its status, and why it is late
        (empty if it is not)."""
        self.has_room: Callable[[], bool] = lambda: True
        """Returns whether more messages may be settled now."""
        self.problem = ""
        """The error of the last request to the receiver; empty if it succeeded."""
        self._client = client
        self._until = until
        self._seconds = seconds
        self._waiting: dict[str, int] = {}
        self._settled: set[int] = set()
        """Hashes of the ids of messages whose wait has ended."""
        self._ends_at: list[float] = []
        """For each :meth:`begin`, the deadline of the messages that were added before it."""
        self._begins: dict[str, int] = {}
        """The index in ``_ends_at`` of a message, if it is not 0."""
        self._first_end = math.inf
        """The next deadline after all messages are sent; limits the wait for an answer."""
        self._was_asked = self._knows_something = False

    def __len__(self) -> int:
        """Return how many messages are still waited for."""
        return len(self._waiting)

    @property
    def knows_nothing(self) -> bool:
        """Whether the receiver was asked and had no status of any message."""
        return self._was_asked and not self._knows_something and not self.problem

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
        if self._ends_at:
            self._begins[message_id] = len(self._ends_at)
        return ""

    def begin(self) -> None:
        """Start the timeout of the messages that were added since the last call."""
        self._ends_at.append(time.monotonic() + self._seconds)

    async def watch(self) -> None:
        """Ask repeatedly, without end, while messages are sent."""
        while True:
            await asyncio.sleep(AFTER_ERROR if self.problem else EVERY)
            await self._ask_about_all(hold=0.0)

    async def look(self, stopping: asyncio.Event) -> None:
        """Ask about each message once, and wait until the next round. Messages that timed out are settled.

        :param stopping: ends this at once.
        """
        tasks = [asyncio.create_task(self._look()), asyncio.create_task(stopping.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
                raise ended

    async def _look(self) -> None:
        begun = time.monotonic()
        ends_at = self._first_end = self._next_end()
        late = frozenset(one for one in self._waiting if self._end_of(one) <= begun)
        await self._ask_about_all(hold=max(0.0, min(EVERY, ends_at - begun)), late=late)
        if self._waiting:
            now = time.monotonic()
            pause = begun + (AFTER_ERROR if self.problem else EVERY) - now
            await asyncio.sleep(max(0.0, min(pause, self._next_end() - now)))

    def _end_of(self, message_id: str) -> float:
        return self._ends_at[self._begins.get(message_id, 0)]

    def _next_end(self) -> float:
        return min(map(self._end_of, self._waiting), default=math.inf)

    async def _ask_about_all(self, *, hold: float, late: Collection[str] = ()) -> None:
        """Ask about each message once, while :attr:`has_room`.

        :param hold: seconds that the receiver may delay the last answer.
        :param late: messages that timed out: they are settled, whatever the answer is.
        """
        ids = list(self._waiting)
        for start in range(0, len(ids), MOST_IDS):
            if not self.has_room():
                return
            if start:
                await asyncio.sleep(_BETWEEN)
            part = ids[start : start + MOST_IDS]
            is_end = start + MOST_IDS >= len(ids)
            was_away = bool(self.problem)
            statuses = await self._answer(part, hold if is_end else 0.0)
            if statuses is None and late and not was_away:
                await asyncio.sleep(AFTER_ERROR)  # try once more before messages count as late
                statuses = await self._answer(part, 0.0)
            if statuses is None:
                self._take([MessageStatus(one, "none", None) for one in ids[start:] if one in late], late)
                return
            self._take(statuses, late)

    async def _answer(self, ids: Sequence[str], hold: float) -> Sequence[MessageStatus] | None:
        """Return the statuses of messages; ``None`` if the receiver did not answer."""
        left = max(0.0, self._first_end - time.monotonic())
        try:
            async with asyncio.timeout(left + LAST_ANSWER):
                statuses = await self._client.perform(status_request(ids, self._until, hold))
        except (ItnioError, TimeoutError) as error:
            problem = str(error) or f"The receiver did not answer within {left + LAST_ANSWER:.0f} s"
            if not self.problem:
                log.warning("%s. Still waiting", problem)
            self.problem = problem
            return None
        self.problem, self._was_asked = "", True
        self._knows_something |= any(one.status != "none" for one in statuses)
        return statuses

    def _take(self, statuses: Sequence[MessageStatus], late: Collection[str]) -> None:
        for one in statuses:
            is_over = one.status == "failed" or one.has_reached(self._until)
            if is_over or one.message_id in late:
                self.settle(self._waiting[one.message_id], one, "" if is_over else self._late(one))
                del self._waiting[one.message_id]
                self._settled.add(hash(one.message_id))
                self._begins.pop(one.message_id, None)

    def _late(self, message: MessageStatus) -> str:
        known = self.problem or f"its last status is {message.status}"
        return f"not {self._until} within {timedelta(seconds=self._seconds)}: {known}"

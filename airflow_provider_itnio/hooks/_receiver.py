"""What a hook asks the receiver of its connection."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeVar

from airflow_provider_itnio.api.checks import REACHABLE, check_choice, check_number
from airflow_provider_itnio.api.errors import InvalidParameterError, ReceiverAccessError, ReceiverError

if TYPE_CHECKING:
    from airflow_provider_itnio.api.protocol import Request
    from airflow_provider_itnio.api.receiver import Incoming, MessageStatus, ReceiverProtocol, Window
    from airflow_provider_itnio.api.settings import ClientSettings
    from airflow_provider_itnio.hooks._account import Account

Result = TypeVar("Result")

_ANSWERED_WITHIN: Final = 10.0
"""Seconds that a receiver is given beside those in which it may hold its answer back: who is about to send a
message waits for it."""


class ReceiverQuestions:
    """What ``itnio-receiver`` is asked: what became of messages, what people wrote, and whom a text reaches.

    All of it raises ``ConfigurationError`` if the connection names no receiver or the receiver does not
    accept its token, and ``ReceiverError`` if it can't be asked.
    """

    itnio_conn_id: str
    business_phone: str | int | None
    known_open: set[str]
    """Canonical numbers of people whom an ordinary message reaches, as far as the receiver was asked."""

    _account: Account | None
    account: Callable[[], Account]
    aaccount: Callable[[], Awaitable[Account]]

    def check_receiver(self, *, within: float | None = None) -> None:
        """Ask the receiver about no message, which proves its address and the token.

        :param within: as of :meth:`message_status`.
        :raises ConfigurationError: as all of these do.
        :raises ReceiverError: as all of these do.
        """
        from airflow_provider_itnio.api.receiver import status_request

        self._ask([status_request([], "sent", 0)], within=within)

    def message_status(
        self,
        ids: str | Iterable[str],
        *,
        until: str = "delivered",
        wait: float = 0.0,
        within: float | None = None,
    ) -> dict[str, MessageStatus]:
        """Ask what became of messages.

        :param ids: ids of messages, as receipts have them.
        :param until: ``sent``, ``delivered`` or ``read``: what ``wait`` waits for.
        :param wait: seconds, up to 25, in which the answer may be held back until all messages have come that
            far or have failed.
        :param within: seconds in which the answer must have come, if those are less than ten more than
            ``wait``.
        :return: each message's status by its id; ``none`` where nothing was pushed yet.
        :raises InvalidParameterError: if a parameter is out of its range.
        :raises ConfigurationError: as all of these do.
        :raises ReceiverError: as all of these do.
        """
        parts = self._ask(_status_requests(ids, until, wait), wait, within)
        return {one.message_id: one for part in parts for one in part}

    async def amessage_status(
        self,
        ids: str | Iterable[str],
        *,
        until: str = "delivered",
        wait: float = 0.0,
        within: float | None = None,
    ) -> dict[str, MessageStatus]:
        """Ask what became of messages without blocking the event loop, else as :meth:`message_status`."""
        parts = await self._aask(_status_requests(ids, until, wait), wait, within)
        return {one.message_id: one for part in parts for one in part}

    def incoming(
        self, after: str | None = None, *, limit: int = 100, wait: float = 0.0, within: float | None = None
    ) -> Incoming:
        """Ask what people wrote.

        :param after: the ``cursor`` of an earlier answer, ``latest`` for the end, ``None`` for the oldest
            message that the receiver keeps.
        :param limit: how many messages at most, 1 to 1,000.
        :param wait: seconds, up to 25, in which the answer may be held back until there is one.
        :param within: as of :meth:`message_status`.
        :return: the messages in order, and the next cursor.
        :raises InvalidParameterError: if a parameter is out of its range.
        """
        (answer,) = self._ask([_incoming_request(after, limit, wait)], wait, within)
        return answer

    async def aincoming(
        self, after: str | None = None, *, limit: int = 100, wait: float = 0.0, within: float | None = None
    ) -> Incoming:
        """Ask what people wrote without blocking the event loop, else as :meth:`incoming`."""
        (answer,) = await self._aask([_incoming_request(after, limit, wait)], wait, within)
        return answer

    def window(self, phone: str | int) -> Window:
        """Ask until when an ordinary message from the hook's business phone reaches a person.

        :param phone: the number, as people write it; other spellings of the same number count too.
        :return: the 24-hour window, which counts as open while at least a minute of it is left.
        :raises InvalidMessageError: if it is no phone number.
        """
        from airflow_provider_itnio.api.receiver import latest_window, window_requests
        from airflow_provider_itnio.hooks._account import business_phone_of

        business_phone = business_phone_of(self.account(), self.business_phone)
        return self._noted(phone, latest_window(self._ask(window_requests(phone, business_phone))))

    def windows(self, phones: Iterable[str]) -> dict[str, Window]:
        """Ask about several people at once. All of it takes ten seconds at most, however many they are.

        :param phones: their numbers.
        :return: each one's 24-hour window, by the number as it was given.
        :raises InvalidMessageError: if one of them is no phone number.
        """
        from airflow_provider_itnio.api.async_client import AsyncClient
        from airflow_provider_itnio.api.receiver import windows_of
        from airflow_provider_itnio.api.time_limit import within
        from airflow_provider_itnio.hooks._account import business_phone_of

        async def ask() -> dict[str, Window]:
            async with AsyncClient(*way) as client:
                return await windows_of(client.perform, phones, business_phone)

        way = self.way_to_receiver(self.account())
        business_phone = business_phone_of(self.account(), self.business_phone)
        try:
            # In another thread: an event loop may run in this one already.
            windows = within(_ANSWERED_WITHIN, lambda: asyncio.run(ask()))
        except TimeoutError:
            raise ReceiverError(
                f"The receiver did not say within {_ANSWERED_WITHIN:.0f} s whether 24-hour windows are open"
            ) from None
        except ReceiverAccessError:
            self._account = None
            raise
        for phone, window in windows.items():
            self._noted(phone, window)
        return windows

    async def awindow(self, phone: str | int) -> Window:
        """Ask until when an ordinary message reaches a person without blocking the event loop."""
        from airflow_provider_itnio.api.receiver import latest_window, window_requests
        from airflow_provider_itnio.hooks._account import business_phone_of

        business_phone = business_phone_of(await self.aaccount(), self.business_phone)
        return self._noted(phone, latest_window(await self._aask(window_requests(phone, business_phone))))

    def note_windows(self, is_open: Mapping[str, bool]) -> None:
        """Take what the receiver says, so that no line warns of messages that arrive.

        :param is_open: whether an ordinary message reaches a person now, by their number, digits only.
        """
        from airflow_provider_itnio.api.phone_numbers import canonical_number

        self.known_open.difference_update(map(canonical_number, is_open))
        self.known_open.update(canonical_number(number) for number, opened in is_open.items() if opened)

    def _noted(self, phone: str | int, window: Window) -> Window:
        from airflow_provider_itnio.api.phone_numbers import normalize_phone

        self.note_windows({normalize_phone(phone, "phone"): window.is_open})
        return window

    def open_question(
        self, question_id: str, phones: Iterable[str], open_until: float, task: str = ""
    ) -> str:
        """Tell the receiver that people have a question to answer.

        :param question_id: the question's id: up to 64 letters and digits.
        :param phones: the people's numbers, digits only.
        :param open_until: Unix time in seconds, at most 31 days from now.
        :param task: what asks it, any text: a question of the same task that is open is closed. Empty if it
            stands beside all others.
        :return: the cursor to read answers from with :meth:`incoming`; the same if it is told again.
        """
        (cursor,) = self._ask([_open_request(question_id, phones, open_until, task)])
        return cursor

    async def aopen_question(
        self, question_id: str, phones: Iterable[str], open_until: float, task: str = ""
    ) -> str:
        """Tell the receiver of a question without blocking the event loop, else as :meth:`open_question`."""
        (cursor,) = await self._aask([_open_request(question_id, phones, open_until, task)])
        return cursor

    def close_question(self, question_id: str = "", answered_by: str = "", *, task: str = "") -> None:
        """Tell the receiver that a question has its answer, or gets none any more.

        For 15 minutes words that others type are still taken to be perhaps meant for it.

        :param question_id: the question's id.
        :param answered_by: the number of who has answered, digits only; empty if nobody has.
        :param task: what asks it, in place of the question's id, as :meth:`open_question` took it.
        """
        self._ask([_close_request(question_id or _id_of(task), answered_by)])

    async def aclose_question(self, question_id: str, answered_by: str = "") -> None:
        """Tell the receiver that a question is closed without blocking the event loop."""
        await self._aask([_close_request(question_id, answered_by)])

    def _ask(
        self, requests: Iterable[Request[Result]], wait: float = 0.0, within: float | None = None
    ) -> list[Result]:
        from airflow_provider_itnio.api.client import BlockingClient

        requests = list(requests)
        try:
            with BlockingClient(*self.way_to_receiver(self.account(), wait, within)) as client:
                return [client.perform(request) for request in requests]
        except ReceiverAccessError:
            self._account = None  # the connection may have another token the next time
            raise

    async def _aask(
        self, requests: Iterable[Request[Result]], wait: float = 0.0, within: float | None = None
    ) -> list[Result]:
        from airflow_provider_itnio.api.async_client import AsyncClient

        requests = list(requests)
        try:
            async with AsyncClient(*self.way_to_receiver(await self.aaccount(), wait, within)) as client:
                return await asyncio.gather(*map(client.perform, requests))
        except ReceiverAccessError:
            self._account = None
            raise

    def way_to_receiver(
        self, account: Account, wait: float = 0.0, within: float | None = None
    ) -> tuple[ReceiverProtocol, ClientSettings]:
        """Return what a client needs to ask the receiver.

        :param account: what the connection says.
        :param wait: seconds in which the receiver may hold its answer back.
        :param within: seconds in which the answer must have come, if those are less.
        :raises ConfigurationError: if it names no receiver.
        """
        from airflow_provider_itnio.api.receiver import ReceiverProtocol
        from airflow_provider_itnio.hooks._account import receiver_of

        url, token = receiver_of(account, self.itnio_conn_id)
        most = math.inf if within is None else within
        timeout = min(wait + min(account.settings.timeout, _ANSWERED_WITHIN), most)
        connect_timeout = min(account.settings.connect_timeout, most)
        settings = replace(
            account.settings, base_url=url, timeout=timeout, connect_timeout=connect_timeout, proxy=None
        )
        return ReceiverProtocol(token), settings


def _status_requests(
    ids: str | Iterable[str], until: str, wait: float
) -> Iterator[Request[list[MessageStatus]]]:
    from airflow_provider_itnio.api.receiver import LONGEST_WAIT, MOST_IDS, status_request

    check_choice("until", until, REACHABLE)
    check_number("wait", wait, 0, LONGEST_WAIT, float)
    wanted = [ids] if isinstance(ids, str) else list(ids)
    for one in wanted:
        if not isinstance(one, str) or not one:
            raise InvalidParameterError("ids: each must be the message_id of a receipt, a text")
    wanted = list(dict.fromkeys(wanted))
    for start in range(0, len(wanted), MOST_IDS):
        yield status_request(wanted[start : start + MOST_IDS], until, wait)


def _open_request(question_id: str, phones: Iterable[str], open_until: float, task: str) -> Request[str]:
    from airflow_provider_itnio.api.phone_numbers import spellings
    from airflow_provider_itnio.api.receiver import open_question_request

    written = [one for phone in phones for one in spellings(phone)]
    return open_question_request(question_id, written, math.ceil(open_until), _id_of(task) if task else "")


def _id_of(task: str) -> str:
    return sha256(task.encode()).hexdigest()[:32]


def _close_request(question_id: str, answered_by: str) -> Request[str]:
    from airflow_provider_itnio.api.phone_numbers import spellings
    from airflow_provider_itnio.api.receiver import close_question_request

    return close_question_request(question_id, spellings(answered_by) if answered_by else [])


def _incoming_request(after: str | None, limit: int, wait: float) -> Request[Incoming]:
    from airflow_provider_itnio.api.receiver import LONGEST_WAIT, incoming_request

    check_number("limit", limit, 1, 1000, int)
    check_number("wait", wait, 0, LONGEST_WAIT, float)
    if after is not None and not isinstance(after, str):
        raise InvalidParameterError("after: must be a cursor that an answer gave, or latest")
    return incoming_request(after, limit, wait)

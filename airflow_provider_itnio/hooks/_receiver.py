"""Requests of a hook to the receiver of its connection."""

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

_RESPONSE_TIMEOUT: Final = 10.0
"""Seconds to wait for the receiver's answer, in addition to ``wait``. Sending a message may depend on it."""


class ReceiverMethods:
    """The hook's methods that ask ``itnio-receiver``: for statuses, incoming messages and 24-hour windows.

    All of them raise ``ConfigurationError`` if the connection has no receiver or the receiver does not accept
    its token, and ``ReceiverError`` if the receiver is unreachable or its answer is not usable.
    """

    itnio_conn_id: str
    business_phone: str | int | None
    known_open: set[str]
    """Canonical numbers of the people whose 24-hour window was open when the receiver was last asked."""

    _account: Account | None
    account: Callable[[], Account]
    aaccount: Callable[[], Awaitable[Account]]

    def check_receiver(self, *, within: float | None = None) -> None:
        """Check the receiver's address and token with a request about no message.

        :param within: as for :meth:`message_status`.
        :raises ConfigurationError: if the connection has no receiver, or the token is not accepted.
        :raises ReceiverError: if the receiver is unreachable or its answer is not usable.
        """
        from airflow_provider_itnio.api.receiver import status_request

        self._request([status_request([], "sent", 0)], within=within)

    def message_status(
        self,
        ids: str | Iterable[str],
        *,
        until: str = "delivered",
        wait: float = 0.0,
        within: float | None = None,
    ) -> dict[str, MessageStatus]:
        """Return the status of messages.

        :param ids: ids of messages, as in their receipts.
        :param until: ``sent``, ``delivered`` or ``read``: the status that ``wait`` waits for.
        :param wait: seconds, 0 to 25, that the receiver may delay its answer until all messages have reached
            ``until`` or have failed.
        :param within: timeout in seconds for the answer, if it is shorter than the default, ``wait`` plus 10.
        :return: each message's status by its id; ``none`` if nothing was pushed yet.
        :raises InvalidParameterError: if a parameter is out of range.
        :raises ConfigurationError: if the connection has no receiver, or the token is not accepted.
        :raises ReceiverError: if the receiver is unreachable or its answer is not usable.
        """
        responses = self._request(_status_requests(ids, until, wait), wait, within)
        return {status.message_id: status for statuses in responses for status in statuses}

    async def amessage_status(
        self,
        ids: str | Iterable[str],
        *,
        until: str = "delivered",
        wait: float = 0.0,
        within: float | None = None,
    ) -> dict[str, MessageStatus]:
        """Return the status of messages like :meth:`message_status`, without blocking the event loop."""
        responses = await self._arequest(_status_requests(ids, until, wait), wait, within)
        return {status.message_id: status for statuses in responses for status in statuses}

    def incoming(
        self, after: str | None = None, *, limit: int = 100, wait: float = 0.0, within: float | None = None
    ) -> Incoming:
        """Return incoming messages.

        :param after: the ``cursor`` of a previous answer, ``latest`` for new messages only, ``None`` to begin
            with the oldest message that the receiver stores.
        :param limit: the most messages to return, 1 to 1,000.
        :param wait: seconds, 0 to 25, that the receiver may delay its answer until there is a message.
        :param within: as for :meth:`message_status`.
        :return: the messages in order, and the next cursor.
        :raises InvalidParameterError: if a parameter is out of range.
        """
        (response,) = self._request([_incoming_request(after, limit, wait)], wait, within)
        return response

    async def aincoming(
        self, after: str | None = None, *, limit: int = 100, wait: float = 0.0, within: float | None = None
    ) -> Incoming:
        """Return incoming messages like :meth:`incoming`, without blocking the event loop."""
        (response,) = await self._arequest([_incoming_request(after, limit, wait)], wait, within)
        return response

    def window(self, phone: str | int) -> Window:
        """Return the 24-hour window of a person with the hook's business phone.

        :param phone: the person's number, as people write it; other spellings of the number count too.
        :return: the 24-hour window, which counts as open while at least a minute of it is left.
        :raises InvalidMessageError: if ``phone`` is not a phone number.
        """
        from airflow_provider_itnio.api.receiver import latest_window, window_requests
        from airflow_provider_itnio.hooks._account import business_phone_of

        business_phone = business_phone_of(self.account(), self.business_phone)
        return self._store_window(phone, latest_window(self._request(window_requests(phone, business_phone))))

    def windows(self, phones: Iterable[str]) -> dict[str, Window]:
        """Return the 24-hour windows of several people. It takes at most ten seconds in total.

        :param phones: the people's numbers.
        :return: the 24-hour window by number, as it was given.
        :raises InvalidMessageError: if one of ``phones`` is not a phone number.
        """
        from airflow_provider_itnio.api.async_client import AsyncClient
        from airflow_provider_itnio.api.receiver import request_windows
        from airflow_provider_itnio.api.time_limit import run_with_timeout
        from airflow_provider_itnio.hooks._account import business_phone_of

        async def ask() -> dict[str, Window]:
            async with AsyncClient(*arguments) as client:
                return await request_windows(client.perform, phones, business_phone)

        arguments = self.receiver_client_args(self.account())
        business_phone = business_phone_of(self.account(), self.business_phone)
        try:
            # In another thread: this one may already run an event loop.
            windows = run_with_timeout(_RESPONSE_TIMEOUT, lambda: asyncio.run(ask()))
        except TimeoutError:
            raise ReceiverError(
                f"The receiver did not return 24-hour windows within {_RESPONSE_TIMEOUT:.0f} s"
            ) from None
        except ReceiverAccessError:
            self._account = None
            raise
        for phone, window in windows.items():
            self._store_window(phone, window)
        return windows

    async def awindow(self, phone: str | int) -> Window:
        """Return a 24-hour window like :meth:`window`, without blocking the event loop."""
        from airflow_provider_itnio.api.receiver import latest_window, window_requests
        from airflow_provider_itnio.hooks._account import business_phone_of

        business_phone = business_phone_of(await self.aaccount(), self.business_phone)
        responses = await self._arequest(window_requests(phone, business_phone))
        return self._store_window(phone, latest_window(responses))

    def store_windows(self, is_open: Mapping[str, bool]) -> None:
        """Store the receiver's answer, so that :meth:`log_accepted` does not warn about open windows.

        :param is_open: whether the 24-hour window is open, by the person's number, digits only.
        """
        from airflow_provider_itnio.api.phone_numbers import canonical_number

        self.known_open.difference_update(map(canonical_number, is_open))
        self.known_open.update(canonical_number(number) for number, opened in is_open.items() if opened)

    def _store_window(self, phone: str | int, window: Window) -> Window:
        from airflow_provider_itnio.api.phone_numbers import normalize_phone

        self.store_windows({normalize_phone(phone, "phone"): window.is_open})
        return window

    def open_question(
        self, question_id: str, phones: Iterable[str], open_until: float, task: str = ""
    ) -> str:
        """Report a new question to the receiver.

        :param question_id: the question's id: up to 64 letters and digits.
        :param phones: the recipients' numbers, digits only.
        :param open_until: Unix time in seconds, at most 31 days from now.
        :param task: the task that asks, any text: its previous question is closed. Empty closes none.
        :return: the ``after`` with which :meth:`incoming` reads answers; the same if it is reported again.
        """
        (cursor,) = self._request([_open_request(question_id, phones, open_until, task)])
        return cursor

    async def aopen_question(
        self, question_id: str, phones: Iterable[str], open_until: float, task: str = ""
    ) -> str:
        """Report a new question like :meth:`open_question`, without blocking the event loop."""
        (cursor,) = await self._arequest([_open_request(question_id, phones, open_until, task)])
        return cursor

    def close_question(self, question_id: str = "", answered_by: str = "", *, task: str = "") -> None:
        """Report to the receiver that a question is closed: it is answered, or its time is over.

        For 15 minutes after that, words typed by its other recipients may still be meant for it.

        :param question_id: the question's id.
        :param answered_by: the number of the person who answered, digits only; empty if there is no answer.
        :param task: the task that asks, instead of the question's id, as given to :meth:`open_question`.
        """
        self._request([_close_request(question_id or _question_id(task), answered_by)])

    async def aclose_question(self, question_id: str, answered_by: str = "") -> None:
        """Report a closed question like :meth:`close_question`, without blocking the event loop."""
        await self._arequest([_close_request(question_id, answered_by)])

    def _request(
        self, requests: Iterable[Request[Result]], wait: float = 0.0, within: float | None = None
    ) -> list[Result]:
        from airflow_provider_itnio.api.client import BlockingClient

        requests = list(requests)
        try:
            with BlockingClient(*self.receiver_client_args(self.account(), wait, within)) as client:
                return [client.perform(request) for request in requests]
        except ReceiverAccessError:
            self._account = None  # read the connection again next time: it may have a new token
            raise

    async def _arequest(
        self, requests: Iterable[Request[Result]], wait: float = 0.0, within: float | None = None
    ) -> list[Result]:
        from airflow_provider_itnio.api.async_client import AsyncClient

        requests, account = list(requests), await self.aaccount()
        try:
            async with AsyncClient(*self.receiver_client_args(account, wait, within)) as client:
                return await asyncio.gather(*map(client.perform, requests))
        except ReceiverAccessError:
            if self._account is account:  # triggers share a hook: another one may have read the new token
                self._account = None
            raise

    def receiver_client_args(
        self, account: Account, wait: float = 0.0, within: float | None = None
    ) -> tuple[ReceiverProtocol, ClientSettings]:
        """Return the arguments of a client for the receiver.

        :param account: the connection's fields.
        :param wait: seconds that the receiver may delay its answer.
        :param within: timeout in seconds for the answer, if it is shorter than the default.
        :raises ConfigurationError: if the connection has no receiver.
        """
        from airflow_provider_itnio.api.receiver import ReceiverProtocol
        from airflow_provider_itnio.hooks._account import receiver_of

        url, token = receiver_of(account, self.itnio_conn_id)
        max_timeout = math.inf if within is None else within
        timeout = min(wait + min(account.settings.timeout, _RESPONSE_TIMEOUT), max_timeout)
        connect_timeout = min(account.settings.connect_timeout, max_timeout)
        settings = replace(
            account.settings, base_url=url, timeout=timeout, connect_timeout=connect_timeout, proxy=None
        )
        return ReceiverProtocol(token), settings


def _status_requests(
    ids: str | Iterable[str], until: str, wait: float
) -> Iterator[Request[list[MessageStatus]]]:
    from airflow_provider_itnio.api.receiver import MAX_IDS, MAX_WAIT, status_request

    check_choice("until", until, REACHABLE)
    check_number("wait", wait, 0, MAX_WAIT, float)
    message_ids = [ids] if isinstance(ids, str) else list(ids)
    for message_id in message_ids:
        if not isinstance(message_id, str) or not message_id:
            raise InvalidParameterError("ids: each must be the message_id of a receipt, as text")
    message_ids = list(dict.fromkeys(message_ids))
    for start in range(0, len(message_ids), MAX_IDS):
        yield status_request(message_ids[start : start + MAX_IDS], until, wait)


def _open_request(question_id: str, phones: Iterable[str], open_until: float, task: str) -> Request[str]:
    from airflow_provider_itnio.api.phone_numbers import spellings
    from airflow_provider_itnio.api.receiver import open_question_request

    numbers = [number for phone in phones for number in spellings(phone)]
    task_id = _question_id(task) if task else ""
    return open_question_request(question_id, numbers, math.ceil(open_until), task_id)


def _question_id(task: str) -> str:
    return sha256(task.encode()).hexdigest()[:32]


def _close_request(question_id: str, answered_by: str) -> Request[str]:
    from airflow_provider_itnio.api.phone_numbers import spellings
    from airflow_provider_itnio.api.receiver import close_question_request

    return close_question_request(question_id, spellings(answered_by) if answered_by else [])


def _incoming_request(after: str | None, limit: int, wait: float) -> Request[Incoming]:
    from airflow_provider_itnio.api.receiver import MAX_WAIT, incoming_request

    check_number("limit", limit, 1, 1000, int)
    check_number("wait", wait, 0, MAX_WAIT, float)
    if after is not None and not isinstance(after, str):
        raise InvalidParameterError("after: must be the cursor of a previous answer, or latest")
    return incoming_request(after, limit, wait)

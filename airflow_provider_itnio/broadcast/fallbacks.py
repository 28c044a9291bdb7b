"""Send a fallback to recipients whose 24-hour window is closed. No Airflow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

from airflow_provider_itnio.api.errors import ItnioError
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.api.receiver import latest_window, window_requests
from airflow_provider_itnio.api.status_wait import RETRY_DELAY
from airflow_provider_itnio.broadcast.queued_message import QueuedMessage
from airflow_provider_itnio.broadcast.recipients import Recipient

if TYPE_CHECKING:
    from airflow_provider_itnio.api.async_client import AsyncClient
    from airflow_provider_itnio.api.models import Message

log = NeverRaisingLog(__name__)

_TIMEOUT: Final = 3.0
"""Seconds that a message waits for the receiver's answer."""


class Fallbacks:
    """Chooses between a message and its fallback, by the recipient's 24-hour window at the receiver.

    If the receiver does not answer, the messages are sent, and it is asked again after some seconds.

    :param client: the client for the receiver; the caller closes it.
    :param business_phone: the number that messages come from, digits only.
    :param fallback_for: creates the fallback for one recipient, or raises ``InvalidMessageError``.
    """

    MAX_CONCURRENT: ClassVar[int] = 32
    """Most concurrent requests to the receiver."""

    def __init__(
        self, client: AsyncClient, business_phone: str, fallback_for: Callable[[Recipient], Message]
    ) -> None:
        self._client = client
        self._business_phone = business_phone
        self._fallback_for = fallback_for
        self._slots = asyncio.Semaphore(self.MAX_CONCURRENT)
        self._is_unreachable = False
        self._next_request_at = 0.0

    def create(self, recipient: Recipient) -> QueuedMessage:
        """Create the fallback for a recipient.

        :raises InvalidMessageError: if the fallback is invalid.
        """
        return QueuedMessage(recipient, self._fallback_for(recipient), is_fallback=True)

    async def choose(self, queued: QueuedMessage) -> QueuedMessage:
        """Return the message, or its fallback if the recipient's 24-hour window is closed.

        :raises InvalidMessageError: if the fallback is invalid.
        """
        is_template = queued.is_fallback or queued.message.type == "template"
        if is_template or not await self._is_closed(queued.recipient.number):
            return queued
        return self.create(queued.recipient)

    async def _is_closed(self, number: str) -> bool:
        loop = asyncio.get_running_loop()
        async with self._slots:
            if loop.time() < self._next_request_at:
                return False
            if self._is_unreachable:
                self._next_request_at = loop.time() + RETRY_DELAY  # only one message checks the receiver
            try:
                requests = window_requests(number, self._business_phone)
                async with asyncio.timeout(_TIMEOUT):
                    answers = await asyncio.gather(*map(self._client.perform, requests))
            except (ItnioError, TimeoutError) as error:
                if not self._is_unreachable:
                    self._is_unreachable = True
                    error_text = str(error) or f"The receiver did not answer within {_TIMEOUT:.0f} s"
                    log.warning("%s. The messages themselves are sent, not the fallback", error_text)
                self._next_request_at = loop.time() + RETRY_DELAY
                return False
            self._is_unreachable, self._next_request_at = False, 0.0
        return not latest_window(answers).is_open

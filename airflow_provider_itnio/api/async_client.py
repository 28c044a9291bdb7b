"""The exchange over aiohttp: many messages at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
from tenacity import AsyncRetrying
from yarl import URL

from airflow_provider_itnio.api.balance import Balance
from airflow_provider_itnio.api.checks import Delivery
from airflow_provider_itnio.api.client import IDLE_LIMIT
from airflow_provider_itnio.api.errors import NotSentError, UnknownOutcomeError
from airflow_provider_itnio.api.models import Message
from airflow_provider_itnio.api.network import proxy_for, tls_context
from airflow_provider_itnio.api.protocol import ANSWER_LIMIT, HEADERS, Protocol, Request, Response
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.api.retries import retry_options
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.signing import Credentials

__all__ = ["CancelledBetweenTriesError", "ItnioAsyncClient"]

Result = TypeVar("Result")


class CancelledBetweenTriesError(asyncio.CancelledError):
    """Cancelled while no request was on its way: it is certain that the message was not sent."""


class ItnioAsyncClient:
    """Talks to Itniotech over aiohttp. It belongs to the event loop it is first used in.

    :param credentials: what signs the requests.
    :param settings: where to send and how long to wait.
    :param now: gives this machine's Unix time in seconds.
    """

    def __init__(
        self,
        credentials: Credentials,
        settings: ClientSettings | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.between_tries: Callable[[float], Awaitable[None]] = _sleep
        """Waits so many seconds between two tries of a message."""
        self._settings = settings or ClientSettings()
        self._protocol = Protocol(credentials, now)
        self._tries = retry_options(self._settings)
        self._proxy = self._settings.proxy or proxy_for(self._settings.base_url)
        self._addresses: dict[str, URL] = {}
        self._open: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Give the client, which is closed at the end of the block."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        await self.close()

    async def send(
        self,
        message: Message,
        *,
        recipient: str,
        app_id: str,
        business_phone: str,
        delivery: Delivery = "at_least_once",
    ) -> Receipt:
        """Send a message.

        :param message: the message.
        :param recipient: whom it goes to, digits only.
        :param app_id: the application it goes through.
        :param business_phone: the number it comes from, digits only.
        :param delivery: with ``at_most_once`` an answer that does not prove that nothing was sent is unknown.
        :return: the receipt: Itniotech has accepted the message.
        :raises NotSentError: if it is certain that the message did not leave.
        :raises RefusedError: if Itniotech refused it.
        :raises UnknownOutcomeError: if nobody can say what became of it.
        """
        request = self._protocol.message_request(
            message, recipient=recipient, app_id=app_id, business_phone=business_phone
        )
        return await self._perform(request, delivery)

    async def get_balance(self) -> Balance:
        """Ask for the account's balance, which costs nothing and messages no one.

        :raises ItnioError: as :meth:`send` does.
        """
        return await self._perform(self._protocol.balance_request(), "at_least_once")

    async def close(self) -> None:
        """Close the connections; the next message opens new ones."""
        if self._open is not None:
            await self._open.close()
            self._open = None

    async def _perform(self, request: Request[Result], delivery: Delivery) -> Result:
        try:
            return await self._try(request, delivery)
        except NotSentError as error:
            first: NotSentError | None = error

        async def again() -> Result:
            # The try that was made counts as the first of its tries: what is accepted at once, which nearly
            # every message is, does not pay for their bookkeeping.
            nonlocal first
            if first is not None:
                error, first = first, None
                raise error
            return await self._try(request, delivery)

        return await AsyncRetrying(**self._tries, sleep=self.between_tries)(again)

    async def _try(self, request: Request[Result], delivery: Delivery) -> Result:
        answer = await self._ask(request)
        if self._protocol.sets_clock(request, answer):
            answer = await self._ask(request)
        return self._protocol.result(request, answer, delivery)

    async def _ask(self, request: Request[Any]) -> Response:
        failure: NotSentError | UnknownOutcomeError
        try:
            async with self._session().request(
                request.method,
                self._address_of(request.path),
                data=request.body,
                headers=self._protocol.signed_headers(),
                proxy=self._proxy,
                allow_redirects=False,
            ) as response:
                body = await _body(response)
        except Exception as error:  # whatever it is, the request may have left
            failure = _failure(error, request, self._protocol)
        else:
            return Response(response.status, response.headers, body)  # which are found in any case
        raise failure  # out here, where the library's error, which holds the signed request, is no context

    def _address_of(self, path: str) -> URL:
        if path not in self._addresses:
            self._addresses[path] = URL(f"{self._settings.base_url}/{path}")
        return self._addresses[path]

    def _session(self) -> aiohttp.ClientSession:
        if self._open is None:
            self._open = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=tls_context(), limit=0, keepalive_timeout=IDLE_LIMIT),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=HEADERS,
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=self._settings.connect_timeout, sock_read=self._settings.timeout
                ),
                trust_env=False,
            )
        return self._open


async def _body(response: aiohttp.ClientResponse) -> bytes:
    length = response.content_length
    if length is not None and length <= ANSWER_LIMIT and "Content-Encoding" not in response.headers:
        return await response.read()
    body = b""
    async for part in response.content.iter_any():
        body += part
        if len(body) > ANSWER_LIMIT:
            break
    return body


async def _sleep(seconds: float) -> None:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError as cancelled:
        raise CancelledBetweenTriesError(*cancelled.args) from None


def _failure(
    error: Exception, request: Request[Any], protocol: Protocol
) -> NotSentError | UnknownOutcomeError:
    """Tell "never left" from "lost on the way"."""
    words = f"{type(error).__name__}: {protocol.clean(' '.join(str(error).split()), 200)}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", None) or error.certificate_error
        return NotSentError(
            f"The {request.subject} was not sent, the server's certificate does not verify: {reason}",
            try_again=False,
        )
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return NotSentError(f"The {request.subject} was not sent, the proxy answered HTTP {error.status}")
    if isinstance(error, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
        return NotSentError(f"The {request.subject} was not sent, no connection: {words}")
    return UnknownOutcomeError(f"Nobody can say what became of the {request.subject}: {words}")

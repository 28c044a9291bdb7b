"""The client on aiohttp: many messages at a time."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from tenacity import AsyncRetrying
from yarl import URL

from airflow_provider_itnio.api.balance import Balance
from airflow_provider_itnio.api.checks import Delivery
from airflow_provider_itnio.api.errors import ItnioError, NotSentError, RefusedError, mark_as_not_sent
from airflow_provider_itnio.api.models import Message
from airflow_provider_itnio.api.network import IDLE_LIMIT, Route
from airflow_provider_itnio.api.protocol import HEADERS, ClientProtocol, Protocol, Request
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.api.response import MAX_BODY_SIZE, Response
from airflow_provider_itnio.api.retries import retry_options
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.signing import Credentials
from airflow_provider_itnio.api.sockets import look_up

Result = TypeVar("Result")

_MAX_RAW_SIZE: Final = 16 * MAX_BODY_SIZE
"""Bytes of an answer on the wire. With chunks of one byte each they are six times its body."""


class _Exchange:
    """One request and its answer."""

    __slots__ = ("_cancelled_before", "connection", "is_expired", "task")

    def __init__(self) -> None:
        self.task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]
        self._cancelled_before = self.task.cancelling()
        self.connection: Any = None
        """The connection it uses. While it is ``None``, nothing has been sent."""
        self.is_expired = False

    def abort(self) -> None:
        """Abort it at its deadline."""
        self.is_expired = True
        if self.connection.transport is not None:
            self.connection.transport.abort()
        self.task.cancel()

    def error_for(self, error: BaseException) -> BaseException:
        """Return why it ended: ``TimeoutError`` at its deadline, unless its task was cancelled as well."""
        if not self.is_expired:
            return error
        was_not_cancelled = self.task.uncancel() <= self._cancelled_before
        if isinstance(error, Exception) or (was_not_cancelled and isinstance(error, asyncio.CancelledError)):
            return TimeoutError("timed out")
        return error


_EXCHANGE: ContextVar[_Exchange] = ContextVar("itnio_exchange")


class _Deadlines:
    """Aborts exchanges that take too long once they have a connection. All of them share one timer."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends_by_exchange: dict[_Exchange, float] = {}  # in their order
        self._timer: asyncio.TimerHandle | None = None

    def start(self, exchange: _Exchange) -> None:
        """Start the deadline of an exchange."""
        loop = asyncio.get_running_loop()
        self._ends_by_exchange[exchange] = ends_at = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(ends_at, self._abort_expired)

    def stop(self, exchange: _Exchange) -> None:
        """Drop the deadline of an exchange."""
        self._ends_by_exchange.pop(exchange, None)

    def _abort_expired(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._ends_by_exchange:
            exchange, ends_at = next(iter(self._ends_by_exchange.items()))
            if ends_at > loop.time():
                self._timer = loop.call_at(ends_at, self._abort_expired)
                break
            del self._ends_by_exchange[exchange]
            exchange.abort()


class _Handler(ResponseHandler):
    """Drops the connection to a server that sends far more than an answer may have.

    aiohttp before 3.13.4 does not limit the total size of headers and trailers.
    """

    received = 0
    """Bytes of the answer, including its headers and chunk sizes."""

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if self.received <= _MAX_RAW_SIZE:
            super().data_received(data)
        elif self.transport is not None:
            self.transport.abort()


class _Connector(aiohttp.TCPConnector):
    """Starts the deadline of an exchange as soon as it has a connection."""

    def __init__(self, deadlines: _Deadlines, **options: Any) -> None:
        super().__init__(**options)
        self._factory: Any = partial(_Handler, loop=asyncio.get_running_loop())
        self._deadlines = deadlines

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> Any:
        connection: Any = await super().connect(req, traces, timeout)
        while connection.protocol.should_close:
            # Data came while it was idle, and would be read as the next answer.
            connection.close()
            connection = await super().connect(req, traces, timeout)
        connection.protocol.received = 0
        exchange = _EXCHANGE.get()
        exchange.connection = connection
        self._deadlines.start(exchange)
        return connection


class _Resolver(AbstractResolver):
    """Resolves names in separate threads: a lookup that hangs in the loop's executor blocks its shutdown."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            ResolveResult(hostname=host, host=address[0], port=port, family=kind, proto=protocol, flags=flags)
            for kind, _, protocol, _, address in await asyncio.wrap_future(look_up(host, port))
        ]

    async def close(self) -> None:
        """Do nothing: lookups that still run are left behind."""


class AsyncClient:
    """Client of a server, for many requests at a time. It belongs to the event loop it is first used in.

    :param protocol: signs the requests and reads the answers.
    :param settings: where to send and how long to wait.
    :raises ConfigurationError: if the address, the proxy or the certificates of settings or environment are
        invalid. They are checked here, before any request.
    """

    def __init__(self, protocol: ClientProtocol, settings: ClientSettings) -> None:
        self.wait_before_retry: Callable[[float], Awaitable[None]] = _sleep
        """Waits the given seconds between two requests for one message; 0 after an answer that corrected the
        clock, because the second request follows at once."""
        self._settings = settings
        self._protocol = protocol
        self._retry_options = retry_options(self._settings)
        self._route = Route.of(self._settings)
        self._proxy = None if self._route.proxy is None else URL(self._route.proxy.geturl())
        self._deadlines = _Deadlines(self._settings.timeout)
        self._urls: dict[str, URL] = {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Return the client, which is closed at the end of the block."""
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        await self.close()

    async def close(self) -> None:
        """Close the connections; the next message opens new ones."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            self._deadlines = _Deadlines(self._settings.timeout)  # the next may be of another event loop

    async def perform(self, request: Request[Result], delivery: Delivery = "at_least_once") -> Result:
        """Send a request and return the parsed answer.

        :param request: the request.
        :param delivery: as in :meth:`ItnioAsyncClient.send`.
        :raises ItnioError: the error that the protocol maps the answer to.
        """
        try:
            return await self._attempt(request, delivery)
        except (NotSentError, RefusedError) as error:
            if isinstance(error, RefusedError) and not self._settings.retry_refused:
                raise
            first: ItnioError | None = error

        async def retry() -> Result:
            # The attempt above counts as the first. Nearly every message is accepted at once, and skips
            # tenacity's overhead this way.
            nonlocal first
            if first is not None:
                error, first = first, None
                raise error
            return await self._attempt(request, delivery)

        return await AsyncRetrying(**self._retry_options, sleep=self.wait_before_retry)(retry)

    async def _attempt(self, request: Request[Result], delivery: Delivery) -> Result:
        response = await self._send_request(request)
        if self._protocol.sets_clock(request, response):
            offset = self._protocol.clock.offset
            await self.wait_before_retry(0)
            response = await self._send_request(request)
            self._protocol.confirm_clock(request, response, offset)
        return self._protocol.result(request, response, delivery)

    async def _send_request(self, request: Request[Any]) -> Response:
        exchange = _Exchange()
        _EXCHANGE.set(exchange)
        try:
            return await self._exchange(request)
        except BaseException as error:
            has_started = exchange.connection is not None
            failure = self._protocol.failure(exchange.error_for(error), request, has_started=has_started)
        finally:
            self._deadlines.stop(exchange)
        raise failure  # outside of the handler, so that the library's error with the request is no context

    async def _exchange(self, request: Request[Any]) -> Response:
        async with self._get_session().request(
            request.method,
            self._url(request.path),
            data=request.body,
            headers=self._protocol.signed_headers(),
            allow_redirects=False,
            **self._proxy_options(),
        ) as response:
            return Response(response.status, response.headers, await _body(response))

    def _proxy_options(self) -> dict[str, Any]:
        return {} if self._proxy is None else {"proxy": self._proxy, "proxy_headers": self._proxy_headers()}

    def _proxy_headers(self) -> dict[str, str]:
        authorization = self._route.proxy_authorization
        return {"Proxy-Authorization": authorization.reveal()} if authorization else {}

    def _url(self, path: str) -> URL:
        if path not in self._urls:
            self._urls[path] = URL(f"{self._route.base_url.geturl()}/{path}", encoded=True)
        return self._urls[path]

    def _get_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            is_plain = self._route.base_url.scheme == "http"
            self._session = aiohttp.ClientSession(
                connector=_Connector(
                    self._deadlines,
                    ssl=self._route.tls or True,
                    resolver=_Resolver(),
                    limit=0,
                    keepalive_timeout=IDLE_LIMIT,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={**HEADERS, **(self._proxy_headers() if is_plain else {})},
                # Once there is a connection, the deadline of the exchange applies.
                timeout=aiohttp.ClientTimeout(total=None, connect=self._settings.connect_timeout),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


class ItnioAsyncClient(AsyncClient):
    """Client of the Itniotech API.

    :param credentials: the account, which signs the requests.
    :param settings: where to send and how long to wait.
    :param now: returns this machine's Unix time in seconds.
    :raises ConfigurationError: as :class:`AsyncClient` does.
    """

    _protocol: Protocol

    def __init__(
        self,
        credentials: Credentials,
        settings: ClientSettings | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(Protocol(credentials, now), settings or ClientSettings())

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
        :param recipient: the phone number, digits only.
        :param app_id: the application it goes through.
        :param business_phone: the number it comes from, digits only.
        :param delivery: with ``at_most_once``, the outcome is unknown unless the answer proves that nothing
            was sent.
        :return: the receipt: Itniotech has accepted the message.
        :raises NotSentError: if the message was not sent, or was rejected unread.
        :raises RefusedError: if Itniotech refused it.
        :raises UnknownOutcomeError: if it is unknown whether it was accepted.
        """
        request = self._protocol.message_request(
            message, recipient=recipient, app_id=app_id, business_phone=business_phone
        )
        return await self.perform(request, delivery)

    async def get_balance(self) -> Balance:
        """Return the account's balance. The request is free and sends no message.

        :raises ItnioError: as :meth:`send` does.
        """
        return await self.perform(self._protocol.balance_request())


async def _body(response: aiohttp.ClientResponse) -> bytes:
    length = response.content_length
    if length is not None and length <= MAX_BODY_SIZE:
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_SIZE:
            break
    return bytes(body)


async def _sleep(seconds: float) -> None:
    """Wait between two attempts; mark a cancellation in here as one before the message was sent."""
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError as error:
        mark_as_not_sent(error)
        raise

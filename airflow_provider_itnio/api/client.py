"""The client on urllib3: one request at a time."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from tenacity import Retrying
from urllib3.exceptions import HTTPError

from airflow_provider_itnio.api.balance import Balance
from airflow_provider_itnio.api.checks import Delivery
from airflow_provider_itnio.api.connection import TimedSession
from airflow_provider_itnio.api.errors import NotSentError, mark_as_not_sent
from airflow_provider_itnio.api.models import Message
from airflow_provider_itnio.api.network import IDLE_LIMIT, Route
from airflow_provider_itnio.api.protocol import ClientProtocol, Protocol, Request
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.api.response import Response
from airflow_provider_itnio.api.retries import retry_options
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.signing import Credentials

_MAX_SHARED_CLIENTS: Final = 32

Result = TypeVar("Result")


class BlockingClient:
    """Client of a server, for one request at a time.

    Threads may share it, and it survives a fork: each thread of each process has a separate session.

    :param protocol: signs the requests and reads the answers.
    :param settings: where to send and how long to wait.
    :raises ConfigurationError: if the address, the proxy or the certificates of settings or environment are
        invalid. They are checked here, before any request.
    """

    def __init__(self, protocol: ClientProtocol, settings: ClientSettings) -> None:
        self._settings = settings
        self._protocol = protocol
        self._route = Route.of(settings)
        self._retrying = Retrying(**retry_options(settings), sleep=_wait)
        self._local = threading.local()

    def __enter__(self) -> Self:
        """Return the client, which is closed at the end of the block."""
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close this thread's connections; the next message opens new ones."""
        session: TimedSession | None = getattr(self._local, "session", None)
        if session is not None:
            session.close()

    def perform(self, request: Request[Result], delivery: Delivery = "at_least_once") -> Result:
        """Send a request and return the parsed answer.

        :param request: the request.
        :param delivery: as in :meth:`ItnioClient.send`.
        :raises ItnioError: the error that the protocol maps the answer to.
        """
        session: TimedSession | None = None
        try:
            session = self._session()
            session.has_started = False
            result: Result = self._retrying(self._attempt, request, delivery)
        except BaseException as error:  # a signal handler may raise anywhere, also while a retry is logged
            if session is None or not session.has_started:
                mark_as_not_sent(error)
            raise
        return result

    def _attempt(self, request: Request[Result], delivery: Delivery) -> Result:
        _wait_state.is_waiting = False  # a signal may have ended the last wait before its finally clause
        session = self._session()
        response = self._send_request(request)
        if self._protocol.sets_clock(request, response):
            session.has_started = False
            offset = self._protocol.clock.offset
            response = self._send_request(request)
            self._protocol.confirm_clock(request, response, offset)
        try:
            return self._protocol.result(request, response, delivery)
        except NotSentError:
            session.has_started = False
            raise

    def _send_request(self, request: Request[Any]) -> Response:
        session = self._session()
        try:
            return session.exchange(request, self._protocol.signed_headers)
        except BaseException as error:
            failure = self._protocol.failure(_reason(error), request, has_started=session.has_started)
            session.close()
        raise failure  # outside of the handler, so that the library's error with the request is no context

    def _session(self) -> TimedSession:
        """Return this thread's session, which belongs to this process."""
        session: TimedSession | None = getattr(self._local, "session", None)
        if session is None or session.pid != os.getpid():
            session = self._local.session = TimedSession(self._route, self._settings)
        elif time.monotonic() - session.used_at > IDLE_LIMIT:
            session.close()
        return session


class ItnioClient(BlockingClient):
    """Client of the Itniotech API.

    :param credentials: the account, which signs the requests.
    :param settings: where to send and how long to wait.
    :param now: returns this machine's Unix time in seconds.
    :raises ConfigurationError: as :class:`BlockingClient` does.
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

    def send(
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
        return self.perform(request, delivery)

    def get_balance(self) -> Balance:
        """Return the account's balance. The request is free and sends no message.

        :raises ItnioError: as :meth:`send` does.
        """
        return self.perform(self._protocol.balance_request())


def _reason(error: BaseException) -> BaseException:
    """Return the error of the socket that urllib3 has wrapped."""
    while isinstance(error, HTTPError):
        inner = getattr(error, "reason", None) or getattr(error, "original_error", None)
        inner = inner or next(iter(error.args), None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    return error


_wait_state = threading.local()


def _wait(seconds: float) -> None:
    _wait_state.is_waiting = True
    try:
        time.sleep(seconds)
    finally:
        _wait_state.is_waiting = False


def cancel_wait() -> None:
    """End this thread's wait between two attempts, if it waits. For signal handlers.

    :raises NotSentError: if it waits, since no part of the message has been sent.
    """
    if getattr(_wait_state, "is_waiting", False):
        raise NotSentError("The message was not sent: the task was ended from outside between two attempts")


_shared_clients: dict[tuple[int, Credentials, ClientSettings], ItnioClient] = {}


def shared_client(credentials: Credentials, settings: ClientSettings) -> ItnioClient:
    """Return the process's client for an account. Creating one costs many times what a message costs.

    :param credentials: the account.
    :param settings: where to send and how long to wait.
    :raises ConfigurationError: as :class:`ItnioClient` does.
    """
    key = (os.getpid(), credentials, settings)
    client = _shared_clients.get(key)
    if client is None:
        # No lock, since a fork could copy it locked. Of two threads, the first to store its client wins.
        client = _shared_clients.setdefault(key, ItnioClient(credentials, settings))
        for old in list(_shared_clients)[:-_MAX_SHARED_CLIENTS]:
            _shared_clients.pop(old, None)
    return client

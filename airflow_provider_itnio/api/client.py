"""The exchange over urllib3: one request at a time."""

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
from airflow_provider_itnio.api.protocol import AnyProtocol, Protocol, Request
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.api.response import Response
from airflow_provider_itnio.api.retries import retry_options
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.signing import Credentials

_KEPT_AT_MOST: Final = 32

Result = TypeVar("Result")


class BlockingClient:
    """Talks to a server, one request at a time.

    It may be shared by threads and survives a fork: each thread of each process has a session of its own.

    :param protocol: what is said to the server, and what its answers mean.
    :param settings: where to send and how long to wait.
    :raises ConfigurationError: if the address, the proxy or the certificates of settings and environment are
        unusable, so that nothing of it can fail once a request is on its way.
    """

    def __init__(self, protocol: AnyProtocol, settings: ClientSettings) -> None:
        self._settings = settings
        self._protocol = protocol
        self._route = Route.of(settings)
        self._retrying = Retrying(**retry_options(settings), sleep=_wait)
        self._local = threading.local()

    def __enter__(self) -> Self:
        """Return the client, which is closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close this thread's connections; the next message opens new ones."""
        session: TimedSession | None = getattr(self._local, "session", None)
        if session is not None:
            session.close()

    def perform(self, request: Request[Result], delivery: Delivery = "at_least_once") -> Result:
        """Send a request and read what it asks for out of the answer.

        :param request: the request.
        :param delivery: as in :meth:`ItnioClient.send`.
        :raises ItnioError: what the protocol makes of the answer.
        """
        session: TimedSession | None = None
        try:
            session = self._session()
            session.has_left = False
            result: Result = self._retrying(self._try, request, delivery)
        except BaseException as ended:  # may be raised anywhere, as in the line that tells of the next try
            if session is None or not session.has_left:
                mark_as_not_sent(ended)
            raise
        return result

    def _try(self, request: Request[Result], delivery: Delivery) -> Result:
        _waiting.is_on = False  # also where what ended the last wait struck before it could say so
        session = self._session()
        answer = self._ask(request)
        if self._protocol.sets_clock(request, answer):
            session.has_left = False
            offset = self._protocol.clock.offset
            answer = self._ask(request)
            self._protocol.judge_clock(request, answer, offset)
        try:
            return self._protocol.result(request, answer, delivery)
        except NotSentError:
            session.has_left = False
            raise

    def _ask(self, request: Request[Any]) -> Response:
        session = self._session()
        try:
            return session.exchange(request, self._protocol.signed_headers)
        except BaseException as error:
            ended = self._protocol.failure(_reason(error), request, has_left=session.has_left)
            session.close()
        raise ended  # out here, where the library's error, which may repeat the request, is no context

    def _session(self) -> TimedSession:
        """Return this thread's session, which belongs to this process."""
        session: TimedSession | None = getattr(self._local, "session", None)
        if session is None or session.pid != os.getpid():
            session = self._local.session = TimedSession(self._route, self._settings)
        elif time.monotonic() - session.used_at > IDLE_LIMIT:
            session.close()
        return session


class ItnioClient(BlockingClient):
    """Talks to Itniotech.

    :param credentials: what signs the requests.
    :param settings: where to send and how long to wait.
    :param now: gives this machine's Unix time in seconds.
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
        :param delivery: with ``at_most_once`` an answer that does not prove that nothing was sent is unknown.
        :return: the receipt: Itniotech has accepted the message.
        :raises NotSentError: if the message did not leave, or was turned away.
        :raises RefusedError: if Itniotech refused it.
        :raises UnknownOutcomeError: if it is unknown whether it was accepted.
        """
        request = self._protocol.message_request(
            message, recipient=recipient, app_id=app_id, business_phone=business_phone
        )
        return self.perform(request, delivery)

    def get_balance(self) -> Balance:
        """Ask for the account's balance, which costs nothing and messages no one.

        :raises ItnioError: as :meth:`send` does.
        """
        return self.perform(self._protocol.balance_request())


def _reason(error: BaseException) -> BaseException:
    """Return what a library's error is about: urllib3 wraps what the socket raised."""
    while isinstance(error, HTTPError):
        inner = getattr(error, "reason", None) or getattr(error, "original_error", None)
        inner = inner or next(iter(error.args), None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    return error


_waiting = threading.local()


def _wait(seconds: float) -> None:
    _waiting.is_on = True
    try:
        time.sleep(seconds)
    finally:
        _waiting.is_on = False


def end_wait() -> None:
    """End this thread's wait between two tries of a message, if there is one; for the handler of a signal.

    :raises NotSentError: if there is: nothing of the message is on its way.
    """
    if getattr(_waiting, "is_on", False):
        raise NotSentError("The message was not sent: the task was ended from outside between two attempts")


_kept: dict[tuple[int, Credentials, ClientSettings], ItnioClient] = {}


def shared_client(credentials: Credentials, settings: ClientSettings) -> ItnioClient:
    """Return the process's client for an account: a new one costs many times what a message costs.

    :param credentials: the account.
    :param settings: where to send and how long to wait.
    :raises ConfigurationError: as :class:`ItnioClient` does.
    """
    key = (os.getpid(), credentials, settings)
    client = _kept.get(key)
    if client is None:
        # No lock, since a fork may find one held: of two threads the first to store its client wins.
        client = _kept.setdefault(key, ItnioClient(credentials, settings))
        for old in list(_kept)[:-_KEPT_AT_MOST]:
            _kept.pop(old, None)
    return client

"""The exchange over sockets that block: one message at a time."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from tenacity import Retrying

from airflow_provider_itnio.api.balance import Balance
from airflow_provider_itnio.api.checks import Delivery
from airflow_provider_itnio.api.connection import Connection
from airflow_provider_itnio.api.errors import mark_as_not_sent
from airflow_provider_itnio.api.models import Message
from airflow_provider_itnio.api.network import Route
from airflow_provider_itnio.api.protocol import HEADERS, Protocol, Request, Response
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.api.retries import retry_options
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.signing import Credentials

__all__ = ["IDLE_LIMIT", "ItnioClient", "shared_client"]

IDLE_LIMIT: Final = 4.0
"""Seconds after which an idle socket is not used again: the server may have closed it, and a message that
leaves through such a socket can't be told from one that was lost on its way."""

_KEPT_AT_MOST: Final = 32

Result = TypeVar("Result")


class ItnioClient:
    """Talks to Itniotech, one message at a time.

    It may be shared by threads and survives a fork: each thread of each process has a connection of its own.

    :param credentials: what signs the requests.
    :param settings: where to send and how long to wait.
    :param now: gives this machine's Unix time in seconds.
    :raises ConfigurationError: if the address, the proxy or the certificates of settings and environment are
        unusable, so that nothing of it can fail once a message is on its way.
    """

    def __init__(
        self,
        credentials: Credentials,
        settings: ClientSettings | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings or ClientSettings()
        self._protocol = Protocol(credentials, now)
        self._route = Route.of(self._settings)
        self._retrying = Retrying(**retry_options(self._settings), sleep=_sleep)
        self._local = threading.local()

    def __enter__(self) -> Self:
        """Give the client, which is closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        self.close()

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
        :param recipient: whom it goes to, digits only.
        :param app_id: the application it goes through.
        :param business_phone: the number it comes from, digits only.
        :param delivery: with ``at_most_once`` an answer that does not prove that nothing was sent is unknown.
        :return: the receipt: Itniotech has accepted the message.
        :raises NotSentError: if the message did not leave, or was turned away.
        :raises RefusedError: if Itniotech refused it.
        :raises UnknownOutcomeError: if nobody can say what became of it.
        """
        request = self._protocol.message_request(
            message, recipient=recipient, app_id=app_id, business_phone=business_phone
        )
        return self._perform(request, delivery)

    def get_balance(self) -> Balance:
        """Ask for the account's balance, which costs nothing and messages no one.

        :raises ItnioError: as :meth:`send` does.
        """
        return self._perform(self._protocol.balance_request(), "at_least_once")

    def close(self) -> None:
        """Close this thread's connection; the next message opens a new one."""
        connection: Connection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()

    def _perform(self, request: Request[Result], delivery: Delivery) -> Result:
        result: Result = self._retrying(self._try, request, delivery)
        return result

    def _try(self, request: Request[Result], delivery: Delivery) -> Result:
        answer = self._ask(request)
        if self._protocol.sets_clock(request, answer):
            offset = self._protocol.clock.offset
            answer = self._ask(request)
            self._protocol.judge_clock(request, answer, offset)
        return self._protocol.result(request, answer, delivery)

    def _ask(self, request: Request[Any]) -> Response:
        try:
            return self._exchange(request)
        except BaseException as error:
            ended = self._protocol.failure(error, request, has_left=self._has_left())
            self.close()
        raise ended  # out here, where the library's error, which may repeat the request, is no context

    def _has_left(self) -> bool:
        connection: Connection | None = getattr(self._local, "connection", None)
        return connection is not None and connection.has_sent

    def _exchange(self, request: Request[Any]) -> Response:
        connection = self._connection()
        return connection.exchange(
            request.method,
            request.path,
            request.body,
            {**HEADERS, **self._protocol.signed_headers()},
            self._settings.timeout,
        )

    def _connection(self) -> Connection:
        """Give this thread's connection, which is open."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.has_sent = False
            if time.monotonic() - connection.used_at <= IDLE_LIMIT and connection.can_be_used_again():
                return connection
            connection.close()
        self._local.connection = connection = Connection(self._route)
        connection.open(self._settings.connect_timeout)
        return connection


def _sleep(seconds: float) -> None:
    """Wait between two tries of a message. What ends this knows that the message was not sent."""
    try:
        time.sleep(seconds)
    except BaseException as ended:
        mark_as_not_sent(ended)
        raise


_kept: dict[tuple[int, Credentials, ClientSettings], ItnioClient] = {}


def shared_client(credentials: Credentials, settings: ClientSettings) -> ItnioClient:
    """Give the process's client for an account: a new one costs many times what a message costs.

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

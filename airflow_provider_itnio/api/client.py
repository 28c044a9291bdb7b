"""The exchange over requests: one message at a time."""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, TypeVar

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from tenacity import Retrying
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from airflow_provider_itnio.api.balance import Balance
from airflow_provider_itnio.api.checks import Delivery
from airflow_provider_itnio.api.errors import NotSentError, UnknownOutcomeError, mark_as_not_sent
from airflow_provider_itnio.api.models import Message
from airflow_provider_itnio.api.network import proxy_for, tls_context
from airflow_provider_itnio.api.protocol import ANSWER_LIMIT, HEADERS, Protocol, Request, Response
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


class SignedAuth(AuthBase):
    """Signs each request at the moment it leaves.

    :param protocol: whose credentials sign.
    """

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the three signing headers into a request."""
        request.headers.update(self._protocol.signed_headers())
        return request


class _TlsConnection(HTTPSConnection):
    """Says of a handshake that fails that there was no connection: nothing has left, as with aiohttp."""

    def connect(self) -> None:
        try:
            super().connect()
        except ssl.SSLCertVerificationError:
            raise
        except (ssl.SSLError, TimeoutError) as error:
            raise urllib3.exceptions.NewConnectionError(self, f"TLS handshake failed: {error}") from error


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _SharedTlsAdapter(HTTPAdapter):
    """Verifies with the process's TLS context; requests would load the certificates for each connection."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        _tell_handshakes_apart(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(
            proxy, **kwargs, ssl_context=self._context, proxy_ssl_context=self._context
        )
        _tell_handshakes_apart(manager)
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        conn.cert_reqs = "CERT_REQUIRED"


def _tell_handshakes_apart(manager: urllib3.PoolManager) -> None:
    manager.pool_classes_by_scheme = {**manager.pool_classes_by_scheme, "https": _TlsPool}


class _Session(requests.Session):
    """Takes a redirect as an answer; requests would read its body even if told not to follow it."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _ThreadSession(NamedTuple):
    pid: int
    session: requests.Session


class ItnioClient:
    """Talks to Itniotech over requests.

    It may be shared by threads and survives a fork: each thread of each process has a session of its own.

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
        self._settings = settings or ClientSettings()
        self._protocol = Protocol(credentials, now)
        self._retrying = Retrying(**retry_options(self._settings), sleep=_sleep)
        self._sign = SignedAuth(self._protocol)
        self._unsigned: dict[str, requests.PreparedRequest] = {}
        self._proxy = self._settings.proxy or proxy_for(self._settings.base_url)
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
        :raises NotSentError: if it is certain that the message did not leave.
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
        """Close this thread's connections; the next message opens new ones."""
        kept: _ThreadSession | None = getattr(self._local, "kept", None)
        if kept is not None:
            kept.session.close()

    def _perform(self, request: Request[Result], delivery: Delivery) -> Result:
        result: Result = self._retrying(self._try, request, delivery)
        return result

    def _try(self, request: Request[Result], delivery: Delivery) -> Result:
        answer = self._ask(request)
        if self._protocol.sets_clock(request, answer):
            answer = self._ask(request)
        return self._protocol.result(request, answer, delivery)

    def _ask(self, request: Request[Any]) -> Response:
        session = self._session()
        signed = self._signed(session, request)
        failure: NotSentError | UnknownOutcomeError
        try:
            with session.send(
                signed,
                timeout=(self._settings.connect_timeout, self._settings.timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = response.raw.read(ANSWER_LIMIT + 1, decode_content=True)
        except Exception as error:  # whatever it is, the request may have left
            failure = _failure(error, request, self._protocol)
        else:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Response(response.status_code, headers, body)
        finally:
            self._local.used = time.monotonic()
        raise failure  # out here, where the library's error, which holds the signed request, is no context

    def _signed(self, session: requests.Session, request: Request[Any]) -> requests.PreparedRequest:
        """Prepare what all requests to an endpoint share once; requests would work it out anew for each."""
        shared = self._unsigned.get(request.path)
        if shared is None:
            url = f"{self._settings.base_url}/{request.path}"
            shared = session.prepare_request(requests.Request(request.method, url))
            self._unsigned[request.path] = shared
        prepared = shared.copy()
        if request.body is not None:
            prepared.prepare_body(request.body, None)
        return self._sign(prepared)

    def _session(self) -> requests.Session:
        kept: _ThreadSession | None = getattr(self._local, "kept", None)
        if kept is not None and kept.pid == os.getpid():
            if time.monotonic() - self._local.used > IDLE_LIMIT:
                kept.session.close()
            return kept.session
        session = _Session()
        # Else the environment would be read for each request, and .netrc would add a header of its own.
        session.trust_env = False
        session.headers.update(HEADERS)
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        if self._proxy:
            session.proxies = {"http": self._proxy, "https": self._proxy}
        adapter = _SharedTlsAdapter(tls_context())
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        self._local.kept = _ThreadSession(os.getpid(), session)
        return session


def _failure(
    error: Exception, request: Request[Any], protocol: Protocol
) -> NotSentError | UnknownOutcomeError:
    """Tell "never left" from "lost on the way", which requests puts into one class."""
    reason: object = error
    if error.args and isinstance(error.args[0], Exception):
        reason = getattr(error.args[0], "reason", error.args[0])
    if isinstance(reason, urllib3.exceptions.ProxyError):
        # Said of a connection lost behind a proxy too, when the request had left: what counts is inside.
        reason = reason.original_error
    words = f"{type(reason).__name__}: {protocol.clean(' '.join(str(reason).split()), 200)}"
    if isinstance(reason, urllib3.exceptions.SSLError):
        inner = reason.args[0] if reason.args else None
        if isinstance(inner, ssl.SSLCertVerificationError):
            return NotSentError(
                f"The {request.subject} was not sent, the server's certificate does not verify: "
                f"{inner.verify_message}",
                try_again=False,
            )
    never_left = isinstance(
        reason, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    )
    if never_left or str(reason).startswith("Tunnel connection failed"):
        return NotSentError(f"The {request.subject} was not sent, no connection: {words}")
    return UnknownOutcomeError(f"Nobody can say what became of the {request.subject}: {words}")


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
    """
    key = (os.getpid(), credentials, settings)
    client = _kept.get(key)
    if client is None:
        # No lock, since a fork may find one held: of two threads the first to store its client wins.
        client = _kept.setdefault(key, ItnioClient(credentials, settings))
        for old in list(_kept)[:-_KEPT_AT_MOST]:
            _kept.pop(old, None)
    return client

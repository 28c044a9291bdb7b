"""Connections to Itniotech on which each request has one deadline."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from http.client import HTTPResponse
from typing import Any, Final

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_itnio.api.network import Route
from airflow_provider_itnio.api.protocol import HEADERS, Request
from airflow_provider_itnio.api.response import MAX_BODY_SIZE, Response
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.sockets import TimedSocket, connect

_CHUNK_SIZE: Final = 65536


class TimedSession:
    """Ends each request after ``connect_timeout`` and ``timeout``, and knows whether any of it was sent.

    It belongs to one thread of one process.

    :param route: the way to Itniotech.
    :param settings: where to send and how long to wait.
    """

    def __init__(self, route: Route, settings: ClientSettings) -> None:
        self.settings = settings
        self.pid = os.getpid()
        self.used_at = time.monotonic()
        """When it was last used, in seconds of ``time.monotonic``."""
        self.has_started = False
        """Whether something was sent, and no answer has proved that it was not accepted."""
        self._pool_manager = _pool_manager(route, self)

    def exchange(self, request: Request[Any], signed_headers: Callable[[], Mapping[str, str]]) -> Response:
        """Send a request and read its answer in parts, without decompressing it.

        This bounds the memory: neither a compressed answer nor many small chunks can fill it.

        :param request: the request.
        :param signed_headers: returns the headers that sign it.
        """
        try:
            response = self._pool_manager.urlopen(
                request.method,
                f"{self.settings.base_url}/{request.path}",
                body=request.body,
                headers={**HEADERS, **signed_headers()},
                redirect=False,
                retries=False,
                timeout=self.settings.timeout,
                preload_content=False,
            )
        finally:
            self.used_at = time.monotonic()
        try:
            body = bytearray()
            while len(body) <= MAX_BODY_SIZE and (chunk := response.read(_CHUNK_SIZE, decode_content=False)):
                body += chunk
            return Response(response.status, response.headers, bytes(body))
        finally:
            response.close()

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        self._pool_manager.clear()


class _Response(HTTPResponse):
    """Skips interim answers (1xx); http.client itself skips only ``100 Continue``."""

    def begin(self) -> None:
        super().begin()
        while 102 <= self.status < 200:
            self.headers = None  # type: ignore[assignment]
            super().begin()
        # urllib3 would log malformed header lines, in which a server may repeat the request's headers.
        self.headers.defects = []
        self.headers.set_payload("")


class _TimedConnection(HTTPConnection):
    """Connects within ``connect_timeout``, then sends and reads within ``timeout``."""

    session: TimedSession
    response_class = _Response

    def connect(self) -> None:
        try:
            super().connect()
        except BaseException:
            self.close()
            raise

    def _new_conn(self) -> TimedSocket:
        deadline = time.monotonic() + self.session.settings.connect_timeout
        connected = connect(self._dns_host, self.port, deadline)
        connected.apply_deadline()  # sets the timeout that the TLS handshake starts with
        return connected

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is None:
            self.connect()
        # For TLS to a proxy, urllib3 wraps the socket.
        timed: Any = getattr(self.sock, "socket", self.sock)
        timed.deadline = time.monotonic() + self.session.settings.timeout
        self.session.has_started = True
        super().putrequest(*args, **kwargs)


class _TimedTlsConnection(_TimedConnection, HTTPSConnection):
    pass


def _pool_manager(route: Route, session: TimedSession) -> urllib3.PoolManager:
    """Return a pool manager that keeps one connection open, verified with the route's TLS context."""
    options: dict[str, Any] = {
        "num_pools": 1,
        "maxsize": 1,
        "ssl_context": route.tls,
        "cert_reqs": "CERT_REQUIRED",
    }
    if route.proxy is None:
        pools = urllib3.PoolManager(**options)
    else:
        authorization = route.proxy_authorization
        pools = urllib3.ProxyManager(
            route.proxy.geturl(),
            proxy_headers={"Proxy-Authorization": authorization.reveal()} if authorization else {},
            proxy_ssl_context=route.tls,
            **options,
        )
    pools.pool_classes_by_scheme = {
        "http": _pool_class(HTTPConnectionPool, _TimedConnection, session),
        "https": _pool_class(HTTPSConnectionPool, _TimedTlsConnection, session),
    }
    return pools


def _pool_class(pool: type, connection: type, session: TimedSession) -> Any:
    connection_class = type(connection.__name__, (connection,), {"session": session})
    return type(pool.__name__, (pool,), {"ConnectionCls": connection_class})

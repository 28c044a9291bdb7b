"""Connections to Itniotech that end each request at one deadline."""

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
from airflow_provider_itnio.api.response import ANSWER_LIMIT, Response
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.sockets import TimedSocket, connect

_PART: Final = 65536


class TimedSession:
    """Ends each request after ``connect_timeout`` and ``timeout``, and knows whether anything of it has left.

    It belongs to one thread of one process.

    :param route: the way to Itniotech.
    :param settings: where to send and how long to wait.
    """

    def __init__(self, route: Route, settings: ClientSettings) -> None:
        self.settings = settings
        self.pid = os.getpid()
        self.used_at = time.monotonic()
        """When it was last used, in seconds of ``time.monotonic``."""
        self.has_left = False
        """Whether something has left that has not been answered by what proves it was not accepted."""
        self._pools = _pools(route, self)

    def exchange(self, request: Request[Any], signed_headers: Callable[[], Mapping[str, str]]) -> Response:
        """Send a request and read its answer, as it comes and part by part.

        Neither a packed answer nor many small chunks may fill the memory.

        :param request: the request.
        :param signed_headers: returns the headers that sign it.
        """
        try:
            answer = self._pools.urlopen(
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
            while len(body) <= ANSWER_LIMIT and (part := answer.read(_PART, decode_content=False)):
                body += part
            return Response(answer.status, answer.headers, bytes(body))
        finally:
            answer.close()

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        self._pools.clear()


class _Answer(HTTPResponse):
    """Skips what may precede an answer, of which http.client knows ``100 Continue`` alone."""

    def begin(self) -> None:
        super().begin()
        while 102 <= self.status < 200:
            self.headers = None  # type: ignore[assignment]
            super().begin()
        # urllib3 would log lines that can't be read, in which a server may repeat what it was sent.
        self.headers.defects = []
        self.headers.set_payload("")


class _Timed(HTTPConnection):
    """Connects within ``connect_timeout``, and then sends and reads within ``timeout``."""

    session: TimedSession
    response_class = _Answer

    def connect(self) -> None:
        try:
            super().connect()
        except BaseException:
            self.close()
            raise

    def _new_conn(self) -> TimedSocket:
        ends_at = time.monotonic() + self.session.settings.connect_timeout
        connected = connect(self._dns_host, self.port, ends_at)
        connected.wait_no_longer()  # TLS begins with the timeout that this sets
        return connected

    def putrequest(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is None:
            self.connect()
        # In TLS to a proxy the socket is one below.
        timed: Any = getattr(self.sock, "socket", self.sock)
        timed.ends_at = time.monotonic() + self.session.settings.timeout
        self.session.has_left = True
        super().putrequest(*args, **kwargs)


class _TimedTls(_Timed, HTTPSConnection):
    pass


def _pools(route: Route, session: TimedSession) -> urllib3.PoolManager:
    """Return what keeps one connection open, verified with the process's TLS context."""
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
        "http": _pool_of(HTTPConnectionPool, _Timed, session),
        "https": _pool_of(HTTPSConnectionPool, _TimedTls, session),
    }
    return pools


def _pool_of(pool: type, connection: type, session: TimedSession) -> Any:
    own = type(connection.__name__, (connection,), {"session": session})
    return type(pool.__name__, (pool,), {"ConnectionCls": own})

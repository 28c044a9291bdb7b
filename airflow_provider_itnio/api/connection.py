"""A requests session to Itniotech whose connections end each request at one deadline."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_provider_itnio.api.network import Route
from airflow_provider_itnio.api.protocol import HEADERS
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.sockets import TimedSocket, connect


class TimedSession(requests.Session):
    """Ends each request after ``connect_timeout`` and ``timeout``, and knows whether anything of it has left.

    It belongs to one thread of one process.

    :param route: the way to Itniotech.
    :param settings: how long to wait.
    """

    def __init__(self, route: Route, settings: ClientSettings) -> None:
        super().__init__()
        self.settings = settings
        self.pid = os.getpid()
        self.used_at = time.monotonic()
        """When it was last used, in seconds of ``time.monotonic``."""
        self.has_left = False
        """Whether something has left that has not been answered by what proves it was not accepted."""
        # Else the environment would be read for each request, and .netrc would add a header of its own.
        self.trust_env = False
        self.headers.update(HEADERS)
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        if route.proxy:
            self.proxies = dict.fromkeys(("http", "https"), route.proxy.geturl())
        adapter = _Adapter(route, self)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request."""
        try:
            return super().send(request, **kwargs)
        finally:
            self.used_at = time.monotonic()

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Take a redirect as an answer; requests would read its body even if told not to follow it."""
        return


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


class _Adapter(HTTPAdapter):
    """Verifies with the process's TLS context; requests would load the certificates for each connection."""

    def __init__(self, route: Route, session: TimedSession) -> None:
        self._route = route
        self._pools = {
            scheme: type(
                f"{scheme}_pool", (pool,), {"ConnectionCls": type("Own", (kind,), {"session": session})}
            )
            for scheme, pool, kind in (
                ("http", HTTPConnectionPool, _Timed),
                ("https", HTTPSConnectionPool, _TimedTls),
            )
        }
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._route.tls)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> urllib3.ProxyManager:
        tls = self._route.tls
        manager: urllib3.ProxyManager = super().proxy_manager_for(
            proxy, **kwargs, ssl_context=tls, proxy_ssl_context=tls
        )
        manager.pool_classes_by_scheme = self._pools
        return manager

    def proxy_headers(self, proxy: str) -> Mapping[str, str]:  # type: ignore[override]
        authorization = self._route.proxy_authorization
        return {"Proxy-Authorization": authorization.reveal()} if authorization else {}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        conn.cert_reqs = "CERT_REQUIRED"

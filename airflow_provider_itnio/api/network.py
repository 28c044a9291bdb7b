"""The route to Itniotech: direct or through a proxy, and the certificates to trust."""

from __future__ import annotations

import os
import ssl
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final, Self
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import certifi

from airflow_provider_itnio.api.describe import describe_value
from airflow_provider_itnio.api.errors import ConfigurationError
from airflow_provider_itnio.api.settings import ClientSettings, check_base_url, check_proxy, is_loopback
from airflow_provider_itnio.api.signing import Secret
from airflow_provider_itnio.api.sockets import TimedTlsSocket

IDLE_LIMIT: Final = 4.0
"""Seconds after which an idle socket is not reused: the server may have closed it, and then it is unknown
whether a message sent through it has arrived."""

_REQUESTS_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_OPENSSL_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True)
class Route:
    """The route to Itniotech. It is checked when it is created, before anything is sent.

    :param base_url: the API's address.
    :param proxy: the proxy's address, without user name and password; ``None`` for a direct connection.
    :param proxy_authorization: the proxy's ``Proxy-Authorization`` header, ``None`` if it has no user name.
    :param tls: the context that verifies certificates, ``None`` if TLS is not used.
    """

    base_url: SplitResult
    proxy: SplitResult | None
    proxy_authorization: Secret | None
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, settings: ClientSettings) -> Self:
        """Create the route. Proxy and certificates of the environment are read only here.

        :param settings: where a client sends to.
        :raises ConfigurationError: if the address, the proxy or a certificate bundle is invalid.
        """
        try:
            base_url = urlsplit(check_base_url(settings.base_url, allow_http=True))
        except ConfigurationError as error:
            raise ConfigurationError(f"base_url: {error}") from None
        url = Secret(settings.proxy) if settings.proxy else _environment_proxy(base_url.geturl())
        proxy, authorization = (None, None) if url is None else _split_credentials(url)
        speaks_tls = base_url.scheme == "https" or (proxy is not None and proxy.scheme == "https")
        return cls(base_url, proxy, authorization, tls_context() if speaks_tls else None)


def _split_credentials(url: Secret) -> tuple[SplitResult, Secret | None]:
    check_proxy(url, "proxy:")
    parts = urlsplit(url.reveal())
    host = parts.netloc.rpartition("@")[2]
    if parts.username is None:
        return parts._replace(netloc=host), None
    user_and_password = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return parts._replace(netloc=host), Secret(
        f"Basic {b64encode(user_and_password.encode('latin-1')).decode()}"
    )


def _environment_proxy(url: str) -> Secret | None:
    """Return the environment's proxy for an address.

    ``NO_PROXY`` is obeyed, and a loopback address needs no proxy. Errors do not show the proxy's URL: it may
    contain a password.
    """
    parts = urlsplit(url)
    proxies = {name: Secret(proxy) for name, proxy in getproxies().items()}
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(parts.netloc) or _is_in_network(host, proxies.get("no")):
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    if "://" not in proxy.reveal():
        proxy = Secret(f"http://{proxy.reveal()}")
    check_proxy(proxy, "the environment's proxy (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY)")
    return proxy


def _is_in_network(host: str, networks: Secret | None) -> bool:
    """Return whether an address is in one of the networks of ``NO_PROXY``, such as ``10.0.0.0/8``."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    for network in (networks.reveal() if networks else "").replace(" ", "").split(","):
        try:
            if "/" in network and address in ip_network(network, strict=False):
                return True
        except ValueError:
            continue
    return False


def tls_context(*, timed: bool = True) -> ssl.SSLContext:
    """Return the process's TLS context, which always verifies certificate and host name.

    Creating one costs many times what a message costs, so it is cached for each setting of the environment.
    It trusts the bundle of ``REQUESTS_CA_BUNDLE`` or ``CURL_CA_BUNDLE``; else those of ``SSL_CERT_FILE`` and
    ``SSL_CERT_DIR``; else those of the system and of certifi.

    :param timed: whether its sockets have a deadline, which ``BlockingClient`` sets.
    :raises ConfigurationError: if the environment names a bundle that can't be read.
    """
    bundle = next(((name, os.environ[name]) for name in _REQUESTS_VARIABLES if os.environ.get(name)), None)
    return _context(bundle, tuple(os.environ.get(name) for name in _OPENSSL_VARIABLES), timed)


@lru_cache(maxsize=8)
def _context(
    bundle: tuple[str, str] | None, openssl_paths: tuple[str | None, ...], timed: bool
) -> ssl.SSLContext:
    file, folders = openssl_paths
    if bundle is None and (file or folders):
        bundle = ("SSL_CERT_FILE", file) if file else ("SSL_CERT_DIR", folders or "")
    name, path = bundle or ("certifi", certifi.where())
    try:
        if name == "SSL_CERT_DIR":
            if not any(map(os.path.isdir, path.split(os.pathsep))):
                raise NotADirectoryError("no such directory")
            context = ssl.create_default_context()
        elif name in _REQUESTS_VARIABLES:
            is_folder = os.path.isdir(path)
            context = ssl.create_default_context(
                cafile=None if is_folder else path, capath=path if is_folder else None
            )
        else:
            context = ssl.create_default_context()
            context.load_verify_locations(cafile=path)  # OpenSSL itself ignores a file that it can't read
    except (OSError, ssl.SSLError, ValueError) as error:
        raise ConfigurationError(
            f"certificate bundle {describe_value(path)} of the environment variable {name} can't be read: "
            f"{error}"
        ) from None
    if timed:
        context.sslsocket_class = TimedTlsSocket
    return context

"""The environment's proxy and certificate settings, read alike for both clients."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from urllib.parse import urlsplit

import certifi
from requests.utils import get_environ_proxies, select_proxy

from airflow_provider_itnio.api.errors import ConfigurationError
from airflow_provider_itnio.api.settings import is_http_address, is_loopback

__all__ = ["proxy_for", "tls_context"]

_OF_REQUESTS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_OF_OPENSSL = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def proxy_for(url: str) -> str | None:
    """Find the proxy that the environment names for an address.

    :param url: the address; ``NO_PROXY`` is obeyed, and a loopback address needs no proxy.
    :return: the proxy's URL, ``None`` for a direct connection.
    :raises ConfigurationError: if it is no HTTP proxy. The error does not show it: it may hold a password.
    """
    if is_loopback(urlsplit(url).hostname or ""):
        return None
    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if not is_http_address(proxy):
        raise ConfigurationError(
            "the environment's proxy (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY) must be an address such as "
            f"http://proxy.example:3128, one that begins with {proxy.partition('://')[0]}:// given"
        )
    return proxy


def tls_context() -> ssl.SSLContext:
    """Give the process's TLS context, which always verifies certificate and host name.

    Building one costs many times what a message costs, so there is one for each setting of the environment:
    the bundle of ``REQUESTS_CA_BUNDLE`` or ``CURL_CA_BUNDLE``; else that of ``SSL_CERT_FILE`` and
    ``SSL_CERT_DIR``; else the system's and certifi's together.

    :raises ConfigurationError: if the environment names a bundle that can't be read.
    """
    named = next((os.environ[name] for name in _OF_REQUESTS if os.environ.get(name)), None)
    return _context(named, tuple(os.environ.get(name) for name in _OF_OPENSSL))


@lru_cache(maxsize=8)
def _context(bundle: str | None, of_openssl: tuple[str | None, ...]) -> ssl.SSLContext:
    try:
        if bundle:
            folder = os.path.isdir(bundle)
            return ssl.create_default_context(
                cafile=None if folder else bundle, capath=bundle if folder else None
            )
        context = ssl.create_default_context()
        if not any(of_openssl):
            context.load_verify_locations(cafile=certifi.where())
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"certificate bundle {bundle!r} of the environment: {error}") from error
    return context

"""How a client reaches Itniotech and how long it is patient."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from airflow_provider_itnio.api.errors import ConfigurationError

__all__ = ["DEFAULT_BASE_URL", "ClientSettings", "checked_base_url", "is_http_address", "is_loopback"]

DEFAULT_BASE_URL: Final = "https://api.itniotech.com"


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Where a client sends to and how long it waits. Two equal ones can share a client.

    :param base_url: the API's address without the path of an endpoint.
    :param connect_timeout: seconds to wait for a connection.
    :param timeout: seconds to wait for an answer, and between two parts of it.
    :param max_tries: how often a message that was not sent is tried, the first time included.
    :param max_retry_after: the longest ``Retry-After``, in seconds, that is waited for.
    :param first_wait: seconds before the second try; they double with each further try.
    :param longest_wait: the most seconds between two tries of which the server asked for none.
    :param jitter: up to how many seconds are added at random to each such wait.
    :param proxy: the proxy's URL; ``None`` takes the environment's.
    """

    base_url: str = DEFAULT_BASE_URL
    connect_timeout: float = 5.0
    timeout: float = 30.0
    max_tries: int = 4
    max_retry_after: float = 60.0
    first_wait: float = 0.5
    longest_wait: float = 8.0
    jitter: float = 0.5
    proxy: str | None = field(default=None, repr=False)


def checked_base_url(url: str, *, allow_http: bool = False) -> str:
    """Check an API's address.

    :param url: ``https://`` and a host, with a path if the API stands behind one. Plain ``http://`` is taken
        for a loopback address only.
    :param allow_http: take plain ``http://`` for any host. The Api-Key then travels readable, and with each
        request a signature that is good for any other until it expires.
    :return: the address without a slash at its end.
    :raises ConfigurationError: if it is something else.
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        # Its own words would show what stands in the port's place, which may be a secret.
        raise ConfigurationError(
            f"must be an address such as {DEFAULT_BASE_URL}, with nothing but a number for a port"
        ) from None
    if parts.scheme not in ("http", "https") or not host or not _is_host(host):
        raise ConfigurationError(f"must be an address such as {DEFAULT_BASE_URL}, {_shown(url)!r} given")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError("must hold no user name, query or fragment")
    if parts.scheme == "http" and not (allow_http or is_loopback(host)):
        raise ConfigurationError(
            f"must be https://, {_shown(url)!r} given: plain http would send the Api-Key readable; "
            'the extra {"allow_http": true} allows it'
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _is_host(host: str) -> bool:
    if ":" in host:  # the address of an IPv6 host, which urlsplit has checked
        return True
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return not re.search(r"[\s*]", host)


def _shown(url: str) -> str:
    return url.rpartition("@")[2][:60]


def is_http_address(url: str) -> bool:
    """Say whether a text is an ``http://`` or ``https://`` address with a host.

    :param url: any text.
    """
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Say whether what is sent to a host stays on this machine.

    :param host: a name or an address.
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

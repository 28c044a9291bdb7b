"""How a client reaches Itniotech and how long it waits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from airflow_provider_itnio.api.describe import link_without_query, truncate
from airflow_provider_itnio.api.errors import ConfigurationError
from airflow_provider_itnio.api.signing import Secret

DEFAULT_BASE_URL: Final = "https://api.itniotech.com"
_ENDPOINT: Final = re.compile(r"/(sendMsg|getBalance)/*$", re.IGNORECASE)
_SAFE_IN_PATH: Final = "/%:@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Where a client sends to and how long it waits. Hooks with equal settings can share a client.

    :param base_url: the API's address without the path of an endpoint.
    :param connect_timeout: seconds to connect, including name resolution, a proxy and TLS.
    :param timeout: seconds after that for the request and the whole answer.
    :param max_attempts: how many times to try to send a message, including the first.
    :param max_retry_after: the longest ``Retry-After`` to wait for, in seconds.
    :param retry_refused: also retry a message that was refused for a transient reason.
    :param first_wait: the shortest wait before the second attempt in seconds; it doubles for each later one.
    :param longest_wait: the longest wait between two attempts in seconds, unless ``Retry-After`` is longer.
    :param jitter: up to this many random seconds are added to each wait.
    :param proxy: the proxy's URL; ``None`` for the environment's proxy.
    """

    base_url: str = DEFAULT_BASE_URL
    connect_timeout: float = 5.0
    timeout: float = 30.0
    max_attempts: int = 4
    max_retry_after: float = 60.0
    retry_refused: bool = False
    first_wait: float = 0.5
    longest_wait: float = 8.0
    jitter: float = 0.5
    proxy: str | Secret | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Hide the proxy's password."""
        object.__setattr__(self, "proxy", Secret(self.proxy) if self.proxy else None)


def check_base_url(url: str | Secret, *, allow_http: bool = False, example: str = DEFAULT_BASE_URL) -> str:
    """Check the address of an API.

    :param url: ``https://`` and a host, with a path if the API has one. Plain ``http://`` is accepted for a
        loopback address only.
    :param allow_http: accept plain ``http://`` for any host. The Api-Key is then sent unencrypted, with a
        signature that is valid for any other request until it expires.
    :param example: a valid address, for the error.
    :return: the address in ASCII, without a trailing slash.
    :raises ConfigurationError: if it is invalid. The traceback does not show the address, which may contain a
        password.
    """
    url = Secret(url)  # under the same name, so that no traceback shows the argument
    checked, problem = _base_url(url, allow_http, example)
    if problem:
        raise ConfigurationError(problem)
    return checked


def _base_url(secret: Secret, allow_http: bool, example: str) -> tuple[str, str]:
    """Return the checked address and an empty text, or an empty text and what is wrong with it."""
    url = secret.reveal().strip()
    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        # The ValueError would show the text in place of the port, which may be a secret.
        return "", f"must be an address such as {example}, with a number as its port, if any"
    host, shown = _ascii_host(parts.hostname), truncate(link_without_query(url), 60)
    has_two_schemes = host in ("http", "https")  # https://https://… and https:/…
    if parts.scheme not in ("http", "https") or host is None or has_two_schemes or not _is_visible(url):
        return "", f"must be an address such as {example}, {shown!r} given"
    if parts.username is not None or parts.query or parts.fragment:
        return "", "must not contain a user name, query or fragment"
    if _ENDPOINT.search(parts.path):
        return "", f"must be the API's address, without an endpoint's path, {shown!r} given"
    if parts.scheme == "http" and not (allow_http or is_loopback(parts.hostname or "")):
        return "", (
            f"must be https://, {shown!r} given: plain http would send the Api-Key unencrypted; "
            'the extra {"allow_http": true} allows it'
        )
    return f"{parts.scheme}://{host}{port}{quote(parts.path.rstrip('/'), safe=_SAFE_IN_PATH)}", ""


def check_proxy(url: Secret, name: str) -> None:
    """Check a proxy's address.

    :param url: ``http://`` or ``https://`` and a host, with user name and password if the proxy needs them.
    :param name: the first words of an error.
    :raises ConfigurationError: if it is invalid. The error does not show the address, which may contain a
        password.
    """
    problem = _proxy_problem(url)
    if problem:
        raise ConfigurationError(
            f"{name} must be an address such as http://proxy.example:3128, an address {problem} given"
        )


def _proxy_problem(url: Secret) -> str:
    if not _is_visible(url.reveal()):
        return "with a line break, a blank or an invisible character"
    try:
        parts = urlsplit(url.reveal())
        port = parts.port
    except ValueError:
        return "whose host and port can't be read"
    if parts.scheme not in ("http", "https"):
        return f"that begins with {parts.scheme}://" if parts.scheme else "without http:// before its host"
    if _ascii_host(parts.hostname) is None or port == 0:
        return "with an invalid host or port"
    try:
        unquote(f"{parts.username}{parts.password}", errors="strict").encode("latin-1")
    except UnicodeError:
        return "with characters outside Latin-1 in user name or password"
    return ""


def _ascii_host(host: str | None) -> str | None:
    """Return a host in the form that both clients read alike, ``None`` if it is invalid."""
    if not host or not _is_visible(host):
        return None
    if ":" in host:  # an IPv6 address, which urlsplit has checked
        return f"[{host}]"
    try:
        name = host.encode("idna").decode("ascii")
        # A host that ends in a number must be a full IPv4 address: libraries differ on 127.1 and 2130706433.
        if re.fullmatch(r"0x[0-9a-f]*|[0-9]+", name.rstrip(".").rpartition(".")[2]):
            ip_address(name)
    except ValueError:
        return None
    return name if re.fullmatch(r"[\w.-]+", name, re.ASCII) else None


def _is_visible(text: str) -> bool:
    return text.isprintable() and not re.search(r"\s", text)


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

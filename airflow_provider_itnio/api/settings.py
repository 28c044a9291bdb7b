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
    """Where a client sends to and how long it waits. Two equal ones can share a client.

    :param base_url: the API's address without the path of an endpoint.
    :param connect_timeout: seconds in which a connection must be made: the look-up of the name, a proxy and
        TLS included.
    :param timeout: seconds from then on in which the whole answer must have come, however slowly it comes.
    :param max_attempts: how often a message that was not sent is tried, the first time included.
    :param max_retry_after: the longest ``Retry-After``, in seconds, that is waited for.
    :param retry_refused: try again also what was refused for a reason that may pass.
    :param first_wait: the least seconds before the second try; they double with each further try.
    :param longest_wait: the most seconds between two tries, unless the server asked for more.
    :param jitter: up to how many seconds are added at random to each wait.
    :param proxy: the proxy's URL; ``None`` takes the environment's.
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


def checked_base_url(url: str | Secret, *, allow_http: bool = False) -> str:
    """Check an API's address.

    :param url: ``https://`` and a host, with a path if the API stands behind one. Plain ``http://`` is taken
        for a loopback address only.
    :param allow_http: take plain ``http://`` for any host. The Api-Key then travels readable, and with each
        request a signature that is good for any other until it expires.
    :return: the address in ASCII, without a slash at its end.
    :raises ConfigurationError: if it is something else. The traceback does not show it: a password may have
        been put into it.
    """
    url = Secret(url)  # under the same name, so that no frame below shows what was given
    checked, problem = _base_url(url, allow_http)
    if problem:
        raise ConfigurationError(problem)
    return checked


def _base_url(secret: Secret, allow_http: bool) -> tuple[str, str]:
    """Return the checked address and an empty text, or an empty text and what is wrong with it."""
    url = secret.reveal().strip()
    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        # Its own words would show what stands in the port's place, which may be a secret.
        return "", f"must be an address such as {DEFAULT_BASE_URL}, with nothing but a number for a port"
    host, shown = _ascii_host(parts.hostname), truncate(link_without_query(url), 60)
    if parts.scheme not in ("http", "https") or host is None or not _is_visible(url):
        return "", f"must be an address such as {DEFAULT_BASE_URL}, {shown!r} given"
    if parts.username is not None or parts.query or parts.fragment:
        return "", "must hold no user name, query or fragment"
    if _ENDPOINT.search(parts.path):
        return "", f"must be the API's address, without an endpoint's path, {shown!r} given"
    if parts.scheme == "http" and not (allow_http or is_loopback(parts.hostname or "")):
        return "", (
            f"must be https://, {shown!r} given: plain http would send the Api-Key readable; "
            'the extra {"allow_http": true} allows it'
        )
    return f"{parts.scheme}://{host}{port}{quote(parts.path.rstrip('/'), safe=_SAFE_IN_PATH)}", ""


def check_proxy(url: Secret, name: str) -> None:
    """Check a proxy's address.

    :param url: ``http://`` or ``https://`` and a host, with user name and password if the proxy wants them.
    :param name: how an error begins.
    :raises ConfigurationError: if it is something else. The error does not show it: it may hold a password.
    """
    problem = _problem_of_proxy(url)
    if problem:
        raise ConfigurationError(
            f"{name} must be an address such as http://proxy.example:3128, one {problem} given"
        )


def _problem_of_proxy(url: Secret) -> str:
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
        return "with a host or port that is none"
    try:
        unquote(f"{parts.username}{parts.password}", errors="strict").encode("latin-1")
    except UnicodeError:
        return "with characters outside Latin-1 in user name or password"
    return ""


def _ascii_host(host: str | None) -> str | None:
    """Return a host as both clients understand it, ``None`` if it is none."""
    if not host or not _is_visible(host):
        return None
    if ":" in host:  # the address of an IPv6 host, which urlsplit has checked
        return f"[{host}]"
    try:
        name = host.encode("idna").decode("ascii")
        # What ends in a number is an IPv4 address; libraries differ in what 127.1 and 2130706433 are.
        if re.fullmatch(r"0x[0-9a-f]*|[0-9]+", name.rstrip(".").rpartition(".")[2]):
            ip_address(name)
    except ValueError:
        return None
    return name if re.fullmatch(r"[\w.-]+", name, re.ASCII) else None


def _is_visible(text: str) -> bool:
    return text.isprintable() and not re.search(r"\s", text)


def is_loopback(host: str) -> bool:
    """Return whether what is sent to a host stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

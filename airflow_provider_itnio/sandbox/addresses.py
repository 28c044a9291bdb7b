"""The sandbox's addresses and allowed Host headers."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from unicodedata import normalize
from urllib.parse import urlsplit

LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  a key, nothing is bound here
DEFAULT_PORTS = {"http": 80, "https": 443}
PRIVATE_SUFFIXES = (
    *(".localhost", ".local", ".internal", ".lan", ".home.arpa", ".intranet", ".private"),
    *(".corp", ".home", ".test", ".invalid"),
)
"""What no public name server knows: RFC 6761, RFC 6762 appendix G, RFC 8375."""
HOST_HEADER = r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"


def listen_on(host: str, port: int) -> socket.socket:
    """
    Open a listening socket; port 0 takes any free one.

    :raises OSError: if the host is not an address of this machine, or the port is in use
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # With an explicit protocol, asyncio disables Nagle's algorithm, which would cost 40 ms per request.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(1024)
    except OSError:
        listening.close()
        raise
    return listening


def base_url(scheme: str, host: str, port: int) -> str:
    """Return the address at which clients on this machine reach a server that is bound to a host."""
    return f"{scheme}://{_bracket_ipv6(ANY_ADDRESS.get(host, host))}:{port}"


class AllowedHosts:
    """
    The Host headers that are accepted; ``allowed`` are additional names, with a port or for any port.

    If the server is bound to all addresses, every IP address is accepted: pages of other sites can only reach
    the server by a host name of their own site, not by an address.
    """

    def __init__(self, scheme: str, host: str, port: int, allowed: Iterable[str] = ()) -> None:
        self._ports = {f":{port}", "" if port == DEFAULT_PORTS[scheme] else f":{port}"}
        self._names = {_bracket_ipv6(name.lower()) for name in (*LOOPBACK, host)}
        self._allowed = {one.lower() for one in allowed}
        self._any_address = host in ANY_ADDRESS

    def __contains__(self, header: str) -> bool:
        name, port = _name_and_port(header.lower())
        # Browsers omit the default ports of http and https.
        candidates = (
            {name, name + port} if port else {name, *(f"{name}:{one}" for one in DEFAULT_PORTS.values())}
        )
        if candidates & self._allowed:
            return True
        return port in self._ports and (
            name in self._names or (self._any_address and _address_in(name.strip("[]")) is not None)
        )


def private_host_of(link: str) -> str:
    """Return the host of a link if it is only reachable within a private network, else ""."""
    try:
        host = normalize("NFKC", urlsplit(link).hostname or "").rstrip(".")
    except ValueError:
        return ""
    if address := _address_in(host):
        return "" if address.is_global else host
    return "" if "." in host and not host.endswith(PRIVATE_SUFFIXES) else host


def is_web_link(link: str) -> bool:
    """Return whether a link has the form of an http or https address."""
    try:
        parts = urlsplit(link)
        reachable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return reachable and parts.scheme in ("http", "https") and not re.search(r"\s", link)


def _name_and_port(header: str) -> tuple[str, str]:
    match = re.fullmatch(HOST_HEADER, header)
    return (match[1], match[2] or "") if match else ("", "")


def _address_in(host: str) -> IPv4Address | IPv6Address | None:
    """Read an address in any form that browsers accept: 127.1 and 0x7f000001 are 127.0.0.1."""
    try:
        address = ip_address(host)
    except ValueError:
        try:
            return IPv4Address(socket.inet_aton(host)) if re.fullmatch(r"[0-9a-fx.]+", host) else None
        except OSError:
            return None
    return getattr(address, "ipv4_mapped", None) or address


def _bracket_ipv6(host: str) -> str:
    return f"[{host}]" if ":" in host else host

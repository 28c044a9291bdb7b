"""Links as WhatsApp sees them: it fetches each file over the internet."""

from __future__ import annotations

import re
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import unquote, urlsplit

TYPES_WITH_FILES: Final = frozenset(("image", "audio", "video", "document", "sticker", "template"))
"""The types of messages that may have a file."""
_PRIVATE_SUFFIXES: Final = (
    *(".localhost", ".local", ".internal", ".lan", ".home.arpa", ".intranet", ".private"),
    *(".localdomain", ".corp", ".home", ".test", ".invalid"),
)
"""Endings of names that no public name server resolves: RFC 6761, RFC 6762 appendix G, RFC 8375."""
_NAT64: Final = IPv6Network("64:ff9b::/96")
_SIGNED: Final = ("x-amz-signature", "x-amz-security-token", "x-goog-signature", "signature", "sig")
"""Query parameters that grant access to a file, of S3, Google and Azure."""


def private_host(link: str) -> str:
    """Return the host of a link if it is only reachable within a private network, else an empty text.

    :param link: an http or https link.
    """
    try:
        host = (urlsplit(link).hostname or "").rstrip(".")
    except ValueError:
        return ""
    address = _address(host)
    if address is not None:
        return "" if _effective_address(address).is_global else host
    return host if "." not in host or host.endswith(_PRIVATE_SUFFIXES) else ""


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host)
    except ValueError:
        try:  # 127.1 and 0x7f000001 are addresses too
            return IPv4Address(socket.inet_aton(host)) if re.fullmatch(r"[0-9a-fx.]+", host) else None
        except OSError:
            return None
    return address


def _effective_address(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address leads to, if any: mapped, 6to4 or NAT64 (RFC 6052)."""
    if isinstance(address, IPv4Address):
        return address
    behind_nat = IPv4Address(int(address) & 0xFFFF_FFFF) if address in _NAT64 else None
    return address.ipv4_mapped or address.sixtofour or behind_nat or address


def is_signed(link: str) -> bool:
    """Return whether a link has query parameters other than those for the media type of the answer.

    :param link: a link that a filesystem returned as signed.
    """
    names = {parameter.partition("=")[0].lower() for parameter in urlsplit(link).query.split("&")}
    return bool(names - {"", "response-content-type", "rsct"})


def signatures_in(link: str) -> set[str]:
    """Return the secrets in a link, percent-encoded as they are written there and decoded.

    :param link: a signed link.
    """
    signatures: set[str] = set()
    for parameter in urlsplit(link).query.split("&"):
        name, _, value = parameter.partition("=")
        if value and name.lower() in _SIGNED:
            signatures |= {value, unquote(value)}
    return signatures

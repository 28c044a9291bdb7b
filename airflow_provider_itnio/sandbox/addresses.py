"""Addresses that the sandbox listens on or is reached by."""

from __future__ import annotations

import socket

LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  a key, nothing is bound here
DEFAULT_PORTS = {"http": 80, "https": 443}


def listen_on(host: str, port: int) -> socket.socket:
    """
    Open a listening socket.

    :param host: a name or address of this machine
    :param port: the port, 0 for any free one
    :raises OSError: if the host is not of this machine or the port is taken
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # With the protocol named, asyncio switches off Nagle's algorithm, which costs 40 ms a request.
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
    """
    Give the address that clients on this machine use.

    :param scheme: ``http`` or ``https``
    :param host: what the server is bound to
    :param port: its port
    """
    return f"{scheme}://{_in_brackets(ANY_ADDRESS.get(host, host))}:{port}"


def own_hosts(scheme: str, host: str, port: int) -> frozenset[str]:
    """
    List the Host headers that mean the server.

    :param scheme: ``http`` or ``https``
    :param host: what the server is bound to
    :param port: its port
    """
    names = [_in_brackets(name.lower()) for name in (*LOOPBACK, host)]
    bare = names if port == DEFAULT_PORTS[scheme] else []
    return frozenset([*(f"{name}:{port}" for name in names), *bare])


def _in_brackets(host: str) -> str:
    return f"[{host}]" if ":" in host else host

"""Sockets with one deadline for all of their calls."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    _Base = socket.socket
else:
    _Base = object

Addresses: TypeAlias = Sequence[tuple[int, int, int, str, tuple[Any, ...]]]
"""The result of ``socket.getaddrinfo``."""


class _Timed(_Base):
    """Ends each call at a deadline. The timeout of a plain socket restarts with each byte it receives."""

    deadline: float = 0.0
    """The deadline, in seconds of ``time.monotonic``."""

    def apply_deadline(self) -> None:
        """Set the timeout of the next call to the seconds until the deadline.

        :raises TimeoutError: if the deadline has passed.
        """
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("timed out")
        self.settimeout(remaining)

    def recv(self, *args: Any) -> Any:
        self.apply_deadline()
        return super().recv(*args)

    def recv_into(self, *args: Any) -> Any:
        self.apply_deadline()
        return super().recv_into(*args)

    def send(self, *args: Any) -> Any:
        self.apply_deadline()
        return super().send(*args)

    def sendall(self, *args: Any) -> Any:
        self.apply_deadline()
        return super().sendall(*args)


class TimedSocket(_Timed, socket.socket):
    """A socket with a deadline."""


class TimedTlsSocket(_Timed, ssl.SSLSocket):
    """A socket with a deadline that speaks TLS."""

    @classmethod
    def _create(cls, sock: Any, *args: Any, **kwargs: Any) -> Any:
        """Copy the deadline of the wrapped socket, which a proxy's CONNECT needs."""
        wrapped = super()._create(sock, *args, **kwargs)  # type: ignore[misc]
        wrapped.deadline = sock.deadline
        return wrapped

    def do_handshake(self, block: bool = False) -> None:
        """Close the socket if the handshake fails or is interrupted: no other code can close it yet."""
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def look_up(host: str, port: int) -> Future[Addresses]:
    """Resolve a host name in a separate thread: a lookup that hangs can't be stopped, only abandoned.

    :param host: a name or an address.
    :param port: the port for the addresses.
    """
    future: Future[Addresses] = Future()
    future.set_running_or_notify_cancel()

    def resolve() -> None:
        try:
            future.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=resolve, name="itnio-look-up", daemon=True).start()
    return future


def connect(host: str, port: int, deadline: float) -> TimedSocket:
    """Connect to the first address of a host that is reachable.

    :param host: a name or an address.
    :param port: the port.
    :param deadline: the deadline, in seconds of ``time.monotonic``. The time is divided among the addresses:
        one that never answers leaves time for the others.
    :raises OSError: if none is reachable; the error names the host.
    """
    try:
        addresses = look_up(host, port).result(max(0.0, deadline - time.monotonic()))
    except OSError as error:  # including the TimeoutError of result(), which has no text
        raise type(error)(f"{host}: {error or 'name resolution timed out'}") from None
    failure = OSError("the host name has no address")
    for position, (family, kind, protocol, _, address) in enumerate(addresses):
        connecting = TimedSocket(family, kind, protocol)
        try:
            remaining = deadline - time.monotonic()
            connecting.settimeout(max(0.001, remaining / (len(addresses) - position)))
            connecting.connect(address)
            connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            connecting.close()
            failure = error
        except BaseException:
            connecting.close()
            raise
        else:
            connecting.deadline = deadline
            return connecting
    raise type(failure)(f"{host}:{port}: {failure}")

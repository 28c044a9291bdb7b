"""Sockets each of whose calls ends at one deadline, however slowly the other end goes on."""

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
"""What ``socket.getaddrinfo`` gives."""


class _Timed(_Base):
    """Ends each call at a deadline. A socket's own timeout would begin anew with each byte that comes."""

    ends_at: float = 0.0
    """When, in seconds of ``time.monotonic``."""

    def wait_no_longer(self) -> None:
        """Set the timeout of the next call to what is left.

        :raises TimeoutError: if nothing is.
        """
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time is over")
        self.settimeout(left)

    def recv(self, *args: Any) -> Any:
        self.wait_no_longer()
        return super().recv(*args)

    def recv_into(self, *args: Any) -> Any:
        self.wait_no_longer()
        return super().recv_into(*args)

    def send(self, *args: Any) -> Any:
        self.wait_no_longer()
        return super().send(*args)

    def sendall(self, *args: Any) -> Any:
        self.wait_no_longer()
        return super().sendall(*args)


class TimedSocket(_Timed, socket.socket):
    """A socket with a deadline."""


class TimedTlsSocket(_Timed, ssl.SSLSocket):
    """A socket with a deadline that speaks TLS."""

    @classmethod
    def _create(cls, sock: Any, *args: Any, **kwargs: Any) -> Any:
        """Keep the deadline of the socket that is wrapped: a proxy may be asked before there is another."""
        made = super()._create(sock, *args, **kwargs)  # type: ignore[misc]
        made.ends_at = sock.ends_at
        return made

    def do_handshake(self, block: bool = False) -> None:
        """Close the socket if this is ended, also by what is no ``Exception``: nobody else has it yet."""
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def look_up(host: str, port: int) -> Future[Addresses]:
    """Look a name up in a thread of its own: a look-up that hangs can't be ended, only left behind.

    :param host: a name or an address.
    :param port: the port that the addresses are to have.
    """
    found: Future[Addresses] = Future()
    found.set_running_or_notify_cancel()

    def find() -> None:
        try:
            found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except BaseException as error:
            found.set_exception(error)

    threading.Thread(target=find, name="itnio-look-up", daemon=True).start()
    return found


def connect(host: str, port: int, ends_at: float) -> TimedSocket:
    """Connect to the first address of a host that can be reached.

    :param host: a name or an address.
    :param port: the port.
    :param ends_at: when at the latest, in seconds of ``time.monotonic``. Each address gets its share of the
        time, so that one that never answers leaves some for the others.
    :raises OSError: if there is none; it names the host.
    """
    try:
        addresses = look_up(host, port).result(max(0.0, ends_at - time.monotonic()))
    except OSError as error:  # a TimeoutError too, which says nothing else
        raise type(error)(f"{host}: {error or 'the look-up of the name takes too long'}") from None
    failure = OSError("the name has no address")
    for position, (family, kind, protocol, _, address) in enumerate(addresses):
        connecting = TimedSocket(family, kind, protocol)
        try:
            left = ends_at - time.monotonic()
            connecting.settimeout(max(0.001, left / (len(addresses) - position)))
            connecting.connect(address)
            connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            connecting.close()
            failure = error
        except BaseException:
            connecting.close()
            raise
        else:
            connecting.ends_at = ends_at
            return connecting
    raise type(failure)(f"{host}:{port}: {failure}")

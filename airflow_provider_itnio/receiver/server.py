"""Run the receiver as a server in this process."""

from __future__ import annotations

import logging
import signal
import socket
from types import FrameType
from typing import Final

import uvicorn

from airflow_provider_itnio.receiver.app import Receiver
from airflow_provider_itnio.receiver.database import open_database
from airflow_provider_itnio.receiver.mailbox import Mailbox
from airflow_provider_itnio.receiver.tokens import Tokens
from airflow_provider_itnio.receiver.writer import Writer
from airflow_provider_itnio.timed_http_protocol import TimedProtocol

log = logging.getLogger("airflow_provider_itnio.receiver")

_DAY: Final = 24 * 3600
_MAX_CONNECTIONS: Final = 2_000


class _Server(uvicorn.Server):
    """A uvicorn server that answers waiting requests when it stops."""

    def __init__(self, config: uvicorn.Config, receiver: Receiver) -> None:
        super().__init__(config)
        self._receiver = receiver

    def capture_exit(self) -> None:
        """Handle signals from now on, before uvicorn does; at its end, uvicorn raises them again."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle_exit)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop: waiting requests are answered with what is stored now."""
        self._receiver.stopping = True
        super().handle_exit(sig, frame)


def serve(server_socket: socket.socket, database: str, *, push: Tokens, read: Tokens, keep_days: int) -> None:
    """Serve until SIGINT or SIGTERM.

    :param server_socket: the listening socket.
    :param database: the SQLAlchemy URL.
    :param push: the push tokens.
    :param read: the read tokens.
    :param keep_days: days after which events are deleted.
    :raises DatabaseError: if the database can't be used.
    """
    engine, name = open_database(database)
    mailbox = Mailbox(engine, name)
    receiver = Receiver(mailbox, Writer(mailbox, keep_days * _DAY), push, read)
    config = uvicorn.Config(
        receiver.app(),
        http=TimedProtocol,
        loop="asyncio",
        ws="none",
        lifespan="on",
        log_config=None,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=5,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    host, port = server_socket.getsockname()[:2]
    log.info("listens on %s port %d, stores events for %d days in %r", host, port, keep_days, engine.url)
    try:
        server = _Server(config, receiver)
        server.capture_exit()
        server.run(sockets=[server_socket])
    finally:
        engine.dispose()

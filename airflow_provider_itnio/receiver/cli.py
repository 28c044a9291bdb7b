"""The command ``itnio-receiver``."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any, Final

from airflow_provider_itnio.receiver.tokens import TokenError, Tokens, new_token

DEFAULT_PORT: Final = 8026
PREFIX: Final = "ITNIO_RECEIVER_"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the receiver until Ctrl-C or SIGTERM, or print a token.

    :param arguments: the arguments after the command; ``None`` for those of the process.
    :return: the exit code: 0 after it was stopped, 2 if it could not start.
    """
    options = command_line().parse_args(arguments)
    if options.command == "token":
        sys.stdout.write(new_token() + "\n")
        return 0
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        from airflow_provider_itnio.receiver.database import DatabaseError
        from airflow_provider_itnio.receiver.server import serve
    except ModuleNotFoundError as error:
        return _print_error(f"{error}. pip install 'airflow-provider-itnio[receiver]'")
    try:
        push, read = (Tokens.read(name, os.environ.get(name, "")) for name in _token_variables())
        if push.overlap(read):
            raise TokenError("a push token is also a read token, but whoever pushes must not be able to read")
        server_socket = socket.create_server((options.host, options.port), family=_family(options.host))
    except TokenError as error:
        return _print_error(str(error))
    except OSError as error:
        other = "; choose another port with --port" if error.errno == errno.EADDRINUSE else ""
        where = f"{options.host} port {options.port}"
        return _print_error(f"can't listen on {where}: {error.strerror or error}{other}")
    with server_socket:
        try:
            serve(server_socket, options.database, push=push, read=read, keep_days=options.keep_days)
        except DatabaseError as error:
            return _print_error(str(error))
    return 0


def command_line() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="itnio-receiver",
        description="Store the statuses and replies that Itniotech pushes, so that Airflow can read them.",
        epilog="Each option can also be set in the environment: {0}DATABASE, {0}HOST, {0}PORT and "
        "{0}KEEP_DAYS. Tokens are read from the environment only, since process lists show options: "
        "{1} and {2}, each one token or two, separated by a comma.".format(PREFIX, *_token_variables()),
    )
    commands = parser.add_subparsers(dest="command", metavar="token")
    commands.add_parser("token", help="print a new random token and exit")

    def add(option: str, default: str, **options: Any) -> None:
        variable = PREFIX + option.removeprefix("--").replace("-", "_").upper()
        # argparse also applies the type to a default that is text.
        parser.add_argument(option, default=os.environ.get(variable) or default, **options)

    add(
        "--database",
        "",
        metavar="URL",
        help="SQLAlchemy URL of a SQLite file or a PostgreSQL database, such as sqlite:///receipts.db",
    )
    add("--host", "127.0.0.1", help="address to bind (%(default)s)")
    add("--port", str(DEFAULT_PORT), type=_port, help="port to bind, 0 for any free one (%(default)s)")
    add(
        "--keep-days",
        "30",
        type=_days,
        metavar="DAYS",
        help="days after which events are deleted, 2 to 3650 (%(default)s)",
    )
    return parser


def _token_variables() -> tuple[str, str]:
    return f"{PREFIX}PUSH_TOKEN", f"{PREFIX}READ_TOKEN"


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _print_error(text: str) -> int:
    sys.stderr.write(f"itnio-receiver: error: {text}\n")
    return 2


def _port(text: str) -> int:
    return _integer(text, 0, 65535)


def _days(text: str) -> int:
    return _integer(text, 2, 3650)


def _integer(text: str, lowest: int, highest: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and lowest <= int(text) <= highest):
        raise argparse.ArgumentTypeError(f"must be a whole number from {lowest} to {highest}, {text!r} given")
    return int(text)

"""The command ``itnio-sandbox``."""

from __future__ import annotations

import argparse
import errno
import gc
import logging
import re
import shlex
import signal
import sys
import threading
from collections.abc import Sequence

from airflow_provider_itnio import sandbox as package
from airflow_provider_itnio.sandbox.faults.test_numbers import TABLE
from airflow_provider_itnio.sandbox.vendor.account import (
    SAMPLE_API_KEY,
    SAMPLE_APP_ID,
    SAMPLE_BUSINESS_PHONE,
    SAMPLE_SECRET,
)

DEFAULT_PORT = 8025
ANY = "any"
FULL_COLLECTION_THRESHOLD = 100_000
JSON_API = (
    "GET /sandbox/messages[?recipient=NUMBER], GET /sandbox/refused, GET /sandbox/requests",
    "each lists up to 10000, with ?limit=N up to N; a Link header leads to the next ones",
    "DELETE /sandbox/messages deletes all of these, and replies",
    "GET /sandbox/replies, POST adds a recipient's reply",
    "POST /sandbox/webhook sets where statuses and replies are pushed, POST /sandbox/pushes pushes a status",
    "POST /sandbox/windows opens the 24-hour window of a recipient",
    "GET /sandbox/faults, POST adds faults, DELETE deletes them",
    "GET /sandbox/openapi.json describes all of them",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the sandbox until Ctrl-C or SIGTERM.

    :param arguments: the arguments after the command; None for those of the process
    :return: the exit code: 0 after it was stopped, 2 if it could not start
    """
    options = vars(command_line().parse_args(arguments))
    for name, sample in (("app_id", SAMPLE_APP_ID), ("business_phone", SAMPLE_BUSINESS_PHONE)):
        options[name] = None if ANY in (options[name] or ()) else options[name] or sample
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    # A full garbage collection visits all stored data: with 100,000 messages it would block for a second.
    gc.set_threshold(*gc.get_threshold()[:2], FULL_COLLECTION_THRESHOLD)
    end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end.set())
    try:
        sandbox = package.Sandbox(**options)
        sandbox.start()
    except (ModuleNotFoundError, ValueError, RuntimeError) as error:
        return _print_error(str(error))
    except OSError as error:
        where = f"{options['host']} port {options['port']}"
        other = "; choose another port with --port" if error.errno == errno.EADDRINUSE else ""
        return _print_error(f"cannot listen on {where}: {error.strerror or error}{other}")
    try:
        sys.stdout.write(
            f"itnio-sandbox answers at {sandbox.url}\n"
            f"Messages are shown at    {sandbox.url}/\n"
            "For Airflow, copy:\n"
            f"export AIRFLOW_CONN_ITNIO_DEFAULT={shlex.quote(sandbox.connection_json())}\n"
        )
        sys.stdout.flush()
        end.wait()
    finally:
        sandbox.stop()
    return 0


def command_line() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="itnio-sandbox",
        description="A local server that answers like Itniotech's WhatsApp API and shows what it received.",
        epilog="\n".join(
            [
                "test numbers:",
                *(f"  {number}  {meaning}" for number, meaning in TABLE.items()),
                "",
                "JSON API, to read messages and to set faults (docs/sandbox.md describes both):",
                *(f"  {line}" for line in JSON_API),
            ]
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to bind (%(default)s)")
    add("--port", type=int, default=DEFAULT_PORT, help="port to bind, 0 for any free one (%(default)s)")
    add(
        "--allowed-host",
        action="append",
        dest="allowed_hosts",
        default=[],
        metavar="NAME",
        help="host name that other machines or containers use for it; may be repeated. With --host 0.0.0.0 "
        "the addresses of this machine are allowed anyway",
    )
    add("--api-key", default=SAMPLE_API_KEY, help="Api-Key that requests must carry (%(default)s)")
    add("--secret", default=SAMPLE_SECRET, help="secret that requests must be signed with (%(default)s)")
    add(
        "--app-id",
        action="append",
        help=f"application of the account; may be repeated, 'any' accepts all ({SAMPLE_APP_ID})",
    )
    add(
        "--business-phone",
        action="append",
        help=f"WhatsApp number of the account; may be repeated, 'any' accepts all ({SAMPLE_BUSINESS_PHONE})",
    )
    add("--balance", help="balance of the account (never runs out)")
    add("--price", default="0.05", help="price of one message (%(default)s)")
    add(
        "--clock-tolerance",
        type=float,
        default=300,
        help="largest accepted difference of a timestamp, in seconds (%(default)s)",
    )
    add("--keep", type=int, default=1000, help="how many messages to store (%(default)s)")
    add("--data", metavar="FILE", help="file that stores all data, to resume after a restart (none)")
    add(
        "--fail",
        action="append",
        default=[],
        metavar="SHARE[:HOW]",
        help="share of valid messages that fail, such as 5%%; HOW is a code (default -12), an HTTP code "
        "(5%%:503) or drop (5%%:drop); may be repeated",
    )
    add(
        "--latency",
        type=_latency,
        default=0.0,
        metavar="TIME",
        help="delay of each answer, such as 200ms or 1.5s",
    )
    add("--seed", type=int, help="let the same messages fail in each run (random)")
    add("--webhook", metavar="URL", help="http or https URL to push statuses and replies to")
    add("--push-twice", action="store_true", help="push each event twice")
    add("--push-disorder", action="store_true", help="push the statuses of a message in the reverse order")
    add(
        "--push-scale",
        type=float,
        default=1,
        help="factor for the pauses between pushes, which are 1 s between statuses, and 1, 3 and 5 minutes "
        "before a failed push is repeated (%(default)s)",
    )
    add(
        "--open-windows",
        action="store_true",
        help="open the 24-hour windows of all recipients. Otherwise ordinary messages reach only recipients "
        "who have replied; WhatsApp templates reach all recipients",
    )
    add(
        "--fetch-files",
        action="store_true",
        help="fetch the file that a message links to, as WhatsApp would, and note the result on the message",
    )
    return parser


def _print_error(text: str) -> int:
    sys.stderr.write(f"itnio-sandbox: error: {text}\n")
    return 2


def _latency(text: str) -> float:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 200ms or 1.5s")
    return float(match[1]) / (1000 if match[2] == "ms" else 1)

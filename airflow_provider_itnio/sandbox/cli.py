"""The command ``itnio-sandbox``."""

from __future__ import annotations

import argparse
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
SELDOM = 100_000
JSON_API = (
    "GET /sandbox/messages[?recipient=NUMBER], GET /sandbox/refused, GET /sandbox/requests",
    "each lists up to 10000, with ?limit=N up to N; a Link header leads to the next ones",
    "DELETE /sandbox/messages forgets all of these, and replies",
    "GET /sandbox/replies, POST adds a recipient's answer",
    "POST /sandbox/webhook says where statuses and replies are pushed, POST /sandbox/pushes pushes a status",
    "POST /sandbox/windows opens the 24-hour window of a recipient",
    "GET /sandbox/faults, POST adds what shall go wrong, DELETE forgets it",
    "GET /sandbox/openapi.json describes all of them",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the sandbox until Ctrl-C or SIGTERM.

    :param arguments: the command line without the command; None takes that of the process
    :return: the exit code: 0 when it was ended, 2 when it could not start
    """
    options = vars(command_line().parse_args(arguments))
    for name, sample in (("app_id", SAMPLE_APP_ID), ("business_phone", SAMPLE_BUSINESS_PHONE)):
        options[name] = None if ANY in (options[name] or ()) else options[name] or sample
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    # A full collection looks at all that is kept: with 100,000 messages, requests would wait for a second.
    gc.set_threshold(*gc.get_threshold()[:2], SELDOM)
    end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end.set())
    try:
        sandbox = package.Sandbox(**options)
        sandbox.start()
    except (ModuleNotFoundError, ValueError, RuntimeError) as error:
        return _give_up(str(error))
    except OSError as error:
        where = f"{options['host']} port {options['port']}"
        return _give_up(f"cannot listen on {where}: {error.strerror or error}")
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
    """Describe the options."""
    parser = argparse.ArgumentParser(
        prog="itnio-sandbox",
        description="A local server that answers as Itniotech's WhatsApp API does and shows what it got.",
        epilog="\n".join(
            [
                "test numbers:",
                *(f"  {number}  {meaning}" for number, meaning in TABLE.items()),
                "",
                "JSON API, to read what came and to ask for faults (docs/sandbox.md describes both):",
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
        help="name that other machines or containers reach it by; may be repeated. With --host 0.0.0.0 the "
        "addresses of this machine are known without",
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
    add("--balance", help="what messages are paid from (never runs out)")
    add("--price", default="0.05", help="what one message costs (%(default)s)")
    add(
        "--clock-tolerance",
        type=float,
        default=300,
        help="how far a timestamp may be off, in seconds (%(default)s)",
    )
    add("--keep", type=int, default=1000, help="how many messages are kept (%(default)s)")
    add("--data", metavar="FILE", help="file that keeps everything, so that a restart goes on with it (none)")
    add(
        "--fail",
        action="append",
        default=[],
        metavar="SHARE[:HOW]",
        help="share of the good messages that fail, such as 5%%; HOW is a code (-12 if not given), an HTTP "
        "code (5%%:503) or drop (5%%:drop); may be repeated",
    )
    add(
        "--latency",
        type=_latency,
        default=0.0,
        metavar="TIME",
        help="how late answers come, such as 200ms or 1.5s",
    )
    add("--seed", type=int, help="make the same messages fail each time (drawn anew)")
    add("--webhook", metavar="URL", help="http or https address that statuses and replies are pushed to")
    add("--push-twice", action="store_true", help="push everything twice")
    add("--push-disorder", action="store_true", help="push the statuses of a message in the reverse order")
    add(
        "--push-scale",
        type=float,
        default=1,
        help="how long the pauses between pushes are, as a share of the usual ones: 1 s between statuses, "
        "and 1, 3 and 5 minutes until a push that failed is repeated (%(default)s)",
    )
    add(
        "--open-windows",
        action="store_true",
        help="count every recipient as having written in the last 24 hours. Else ordinary messages reach "
        "only those who reply; WhatsApp templates reach everyone",
    )
    add(
        "--fetch-files",
        action="store_true",
        help="fetch the file that a message links to as WhatsApp would, and note what came of it",
    )
    return parser


def _give_up(text: str) -> int:
    sys.stderr.write(f"itnio-sandbox: error: {text}\n")
    return 2


def _latency(text: str) -> float:
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 200ms or 1.5s")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)

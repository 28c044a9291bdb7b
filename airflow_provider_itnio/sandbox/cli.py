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
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from airflow_provider_itnio import sandbox as package
from airflow_provider_itnio.sandbox.addresses import read_allowed_host
from airflow_provider_itnio.sandbox.faults.fault import LONGEST_DELAY
from airflow_provider_itnio.sandbox.faults.random_failures import share_from
from airflow_provider_itnio.sandbox.faults.test_numbers import TABLE
from airflow_provider_itnio.sandbox.vendor.account import (
    SAMPLE_API_KEY,
    SAMPLE_APP_ID,
    SAMPLE_BUSINESS_PHONE,
    SAMPLE_SECRET,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    options = command_line().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    # A full collection looks at all that is kept: with 100,000 messages, requests would wait for a second.
    gc.set_threshold(*gc.get_threshold()[:2], SELDOM)
    end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end.set())
    try:
        sandbox = package.Sandbox(
            api_key=options.api_key,
            secret=options.secret,
            app_id=_unless_any(options.app_id or [SAMPLE_APP_ID]),
            business_phone=_unless_any(options.business_phone or [SAMPLE_BUSINESS_PHONE]),
            host=options.host,
            port=options.port,
            allowed_hosts=options.allowed_host,
            clock_tolerance=float(options.clock_tolerance),
            balance=options.balance,
            price=options.price,
            keep=options.keep,
            fail=options.fail,
            latency=options.latency,
            seed=options.seed,
            webhook=options.webhook,
            push_twice=options.push_twice,
            push_disorder=options.push_disorder,
            push_scale=float(options.push_scale),
            open_windows=options.open_windows,
            data=options.data,
        )
        sandbox.start()
    except ModuleNotFoundError as missing:
        return _give_up(str(missing))
    except (ValueError, RuntimeError) as error:
        return _give_up(str(error))
    except OSError as error:
        return _give_up(f"cannot listen on {options.host} port {options.port}: {error.strerror or error}")
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
                *(f"  {row.number}  {row.meaning}" for row in TABLE),
                "",
                "JSON API, to read what came and to ask for faults (docs/testing.md tells more of both):",
                *(f"  {line}" for line in JSON_API),
            ]
        ),
        formatter_class=_Formatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to bind (%(default)s)")
    add("--port", type=_port, default=DEFAULT_PORT, help="port to bind, 0 for any free one (%(default)s)")
    add(
        "--allowed-host",
        type=_host,
        action="append",
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
    add("--balance", type=_amount, help="what messages are paid from (never runs out)")
    add("--price", type=_amount, default=Decimal("0.05"), help="what one message costs (%(default)s)")
    add(
        "--clock-tolerance",
        type=_amount,
        default=Decimal(300),
        help="how far a timestamp may be off, in seconds (%(default)s)",
    )
    add("--keep", type=_positive, default=1000, help="how many messages are kept (%(default)s)")
    add("--data", metavar="FILE", help="file that keeps everything, so that a restart goes on with it (none)")
    add(
        "--fail",
        type=_share,
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
        type=_amount,
        default=Decimal(1),
        help="how long the pauses between pushes are, as a share of the usual ones: 1 s between statuses, "
        "and 1, 3 and 5 minutes until a push that failed is repeated (%(default)s)",
    )
    add(
        "--open-windows",
        action="store_true",
        help="count every recipient as having written in the last 24 hours. Else ordinary messages reach "
        "only those who reply; WhatsApp templates reach everyone",
    )
    return parser


class _Formatter(argparse.HelpFormatter):
    """Keeps the lines of the table at the end."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


def _unless_any(values: list[str]) -> list[str] | None:
    return None if ANY in values else values


def _give_up(text: str) -> int:
    sys.stderr.write(f"itnio-sandbox: error: {text}\n")
    return 2


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 0 to 65535")
    return int(text)


def _host(text: str) -> str:
    try:
        return read_allowed_host(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong).removeprefix("allowed_hosts: ")) from None


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount from 0")
    return amount


def _share(text: str) -> str:
    try:
        share_from(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong).removeprefix("fail: ")) from None
    return text


def _latency(text: str) -> float:
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s)", text)
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else -1
    if not 0 <= seconds <= LONGEST_DELAY:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time such as 200ms or 1.5s, up to {LONGEST_DELAY:g}s"
        )
    return seconds

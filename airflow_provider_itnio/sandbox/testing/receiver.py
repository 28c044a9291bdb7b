"""Run ``itnio-receiver`` in a separate process, for tests of questions and of message statuses."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class RunningReceiver(NamedTuple):
    """
    A running receiver.

    :param push_url: the URL that the sandbox pushes to
    :param extra: the extras of a connection that uses it
    """

    push_url: str
    extra: dict[str, str]


@contextmanager
def running_receiver(folder: Path) -> Iterator[RunningReceiver]:
    """
    Run a receiver with an empty database.

    :param folder: the folder for its database and its log
    :raises RuntimeError: if it does not start; the error has its output
    """
    push_token, read_token = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    settings = {
        "ITNIO_RECEIVER_DATABASE": f"sqlite:///{folder}/receipts.db",
        "ITNIO_RECEIVER_HOST": "127.0.0.1",
        "ITNIO_RECEIVER_PORT": "0",
        "ITNIO_RECEIVER_PUSH_TOKEN": push_token,
        "ITNIO_RECEIVER_READ_TOKEN": read_token,
    }
    log, command = folder / "receiver.log", [sys.executable, "-m", "airflow_provider_itnio.receiver"]
    with (
        log.open("w") as out,
        subprocess.Popen(command, env=os.environ | settings, stdout=out, stderr=out) as process,  # noqa: S603
    ):
        try:
            while not (found := re.search(r"listens on \S+ port (\d+)", log.read_text())):
                if process.poll() is not None:
                    raise RuntimeError(f"itnio-receiver did not start: {log.read_text()}")
                time.sleep(0.02)
            url = f"http://127.0.0.1:{found[1]}"
            extra = {"receiver_url": url, "receiver_token": read_token}
            yield RunningReceiver(f"{url}/push/{push_token}", extra)
        finally:
            process.terminate()

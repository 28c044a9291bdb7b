"""Run a receiver in a separate process, with a fresh SQLite file."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import Request, urlopen

from airflow_provider_itnio.receiver.tokens import new_token
from airflow_provider_itnio.sandbox import Sandbox
from scripts.ports import free_port
from scripts.processes import start, stop


def with_receiver(sandbox: Sandbox, receiver: RunningReceiver) -> str:
    """Return a connection to a sandbox and a receiver, as JSON.

    :param sandbox: the sandbox.
    :param receiver: the receiver.
    """
    connection = json.loads(sandbox.connection_json())
    return json.dumps(connection | {"extra": connection["extra"] | receiver.extra})


class RunningReceiver:
    """Runs ``itnio-receiver`` until the end of the block.

    :param home: the folder of its database and its log.
    """

    def __init__(self, home: Path) -> None:
        self._push_token, self._read_token = new_token(), new_token()
        self._port = free_port()
        self._home = home
        self._log = home / "receiver.log"
        self.url = f"http://127.0.0.1:{self._port}"
        self.push_url = f"{self.url}/push/{self._push_token}"
        """The URL for pushes of Itniotech or the sandbox."""
        self.extra = {"receiver_url": self.url, "receiver_token": self._read_token}
        """The extras of a connection that uses it."""

    def __enter__(self) -> Self:
        """Start it, and return when it answers."""
        environment = {
            **os.environ,
            "ITNIO_RECEIVER_PUSH_TOKEN": self._push_token,
            "ITNIO_RECEIVER_READ_TOKEN": self._read_token,
            "ITNIO_RECEIVER_DATABASE": f"sqlite:///{self._home}/receipts.db",
            "ITNIO_RECEIVER_PORT": str(self._port),
        }
        command = [sys.executable, "-m", "airflow_provider_itnio.receiver"]
        self._process = start(command, environment, self._log)
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                stop(self._process)
                raise RuntimeError(f"The receiver does not answer. Its log:\n{self._log.read_text()}")
            time.sleep(0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        stop(self._process)

    def statuses(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the statuses of up to 1,000 messages, when all are read or after 25 s.

        :param ids: the messages' ids.
        """
        body = json.dumps({"ids": list(ids), "until": "read", "wait": 25}).encode()
        headers = {"Authorization": f"Bearer {self._read_token}"}
        with urlopen(Request(f"{self.url}/v1/messages", body, headers), timeout=60) as answer:
            return list(json.load(answer)["messages"])

    def _answers(self) -> bool:
        with suppress(OSError):
            return bool(urlopen(f"{self.url}/healthz", timeout=5).status == 200)
        return False

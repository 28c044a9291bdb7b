"""Start Airflow processes as forks of one process that has already imported Airflow."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.processes import start

BY_TASKS = (
    "airflow.providers.standard.operators.python",
    "airflow_provider_itnio.api.async_client",
    "airflow_provider_itnio.api.client",
    "airflow_provider_itnio.decorators.whatsapp",
    "airflow_provider_itnio.notifications.guard",
    "airflow_provider_itnio.operators.whatsapp_ask",
    "airflow_provider_itnio.operators.whatsapp_broadcast",
    "airflow_provider_itnio.transfers.sql_to_whatsapp",
)
"""Modules that tasks import."""


class AirflowForks:
    """Forks of one process that has imported Airflow. :func:`scripts.processes.stop` ends ``process``.

    :param modules: modules to import in addition to ``airflow.__main__``.
    :param environment: the whole environment of the process.
    :param folder: a folder with a short path, for the socket.
    :param log: the file for the output of the commands.
    """

    def __init__(
        self, modules: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
    ) -> None:
        self._path = str(folder / "forks")
        command = [sys.executable, "-m", "scripts.airflow_forks", self._path, "airflow.__main__", *modules]
        self.process = start(command, environment, log)

    def begin(self, *arguments: str) -> int:
        """Start a command of Airflow in the background, and return its process id."""
        with self._request(None, ("airflow", *arguments), (), {}) as sock, sock.makefile() as answer:
            return int(answer.readline())

    def run(
        self, *arguments: str, program: str | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of Airflow, or a Python program, and wait for its end.

        :param arguments: the arguments of the command or program.
        :param program: the source code of the program.
        :param env: changes of the environment.
        """
        with tempfile.TemporaryDirectory() as folder:
            output = [Path(folder, name) for name in ("stdout", "stderr")]
            argv = ("-c" if program else "airflow", *arguments)
            with self._request(program, argv, output, env or {}) as sock, sock.makefile() as answer:
                _, *codes = answer.read().splitlines()
            code = json.loads(codes[0]) if codes else 1
            texts = [file.read_text() for file in output]
        return subprocess.CompletedProcess(argv, code, *texts)

    def _request(
        self, program: str | None, arguments: Sequence[str], output: Sequence[Path], env: Mapping[str, str]
    ) -> socket.socket:
        deadline = time.monotonic() + 300
        while True:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(self._path)
                break
            except OSError:
                sock.close()
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
            time.sleep(0.1)
        request = {"program": program, "arguments": arguments, "output": [*map(str, output)], "env": {**env}}
        sock.sendall(json.dumps(request).encode() + b"\n")
        return sock

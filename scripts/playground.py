"""Run Airflow with the example DAGs, the sandbox and a receiver until Ctrl-C.

    python -m scripts.playground

Airflow gets a fresh home on SQLite, which is deleted at the end, and free ports; nothing leaves this machine.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NoReturn

from airflow_provider_itnio.sandbox import Sandbox
from scripts.running_airflow import PAGE, PARTS, RunningAirflow, airflow_environment
from scripts.running_receiver import RunningReceiver, with_receiver
from scripts.running_storage import RunningStorage

ROOT = Path(__file__).parent.parent
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> int:
    """Start everything, print the URLs, and stop on Ctrl-C or SIGTERM, also while Airflow starts."""
    for number in SIGNALS:
        signal.signal(number, _stop)
    try:
        return play()
    except KeyboardInterrupt:
        return 0


def play() -> int:
    """Run until interrupted; return the exit code if Airflow ends by itself."""
    with (
        tempfile.TemporaryDirectory(prefix="itnio-playground-") as home,
        RunningReceiver(Path(home)) as receiver,
        RunningStorage(Path(home)) as storage,
        Sandbox(webhook=receiver.push_url) as sandbox,
    ):
        log = Path(home) / "airflow.log"
        connections = {"AIRFLOW_CONN_ITNIO_DEFAULT": with_receiver(sandbox, receiver), **storage.connections}
        environment = airflow_environment(Path(home), ROOT / "example_dags", connections)
        print("Airflow starts, which takes most of a minute ...", flush=True)
        with RunningAirflow(environment, log, parts=PARTS + PAGE) as airflow:
            print(
                f"\nAirflow:  {airflow.url}\n"
                f"Inbox:    {sandbox.url}/\n"
                f"Receiver: {receiver.url}  (stores the sandbox's pushes)\n"
                f"Log:      {log}\n\n"
                "Trigger an example DAG in Airflow and see what it sends in the inbox. Ordinary messages\n"
                "reach only people who have written in the last 24 hours: type an answer in the inbox, then\n"
                "trigger the DAG again. WhatsApp templates always arrive. example_whatsapp_ask continues\n"
                "when you press a button of its question. Ctrl-C stops everything.",
                flush=True,
            )
            while airflow.is_running:
                time.sleep(1)
            print(f"Airflow has ended by itself. The end of its log:\n{_log_tail(log)}", file=sys.stderr)
    return 1


def _stop(*_: Any) -> NoReturn:
    # Ignore a second Ctrl-C, which would interrupt the stopping of the processes.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    print("\nStopping ...", flush=True)
    raise KeyboardInterrupt


def _log_tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


if __name__ == "__main__":
    sys.exit(main())

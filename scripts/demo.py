"""Run the example DAGs through real Airflow against the sandbox and show what arrived.

    python -m scripts.demo

Airflow gets a fresh home on SQLite, the sandbox a free port; nothing leaves this machine. What Airflow logs
goes to ``demo/<dag>.log``, the inbox as it is at the end to ``demo/inbox.html``. The exit code is 0 only if
every DAG succeeded and each message that its tasks are to send is in the inbox.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.request import urlopen

from airflow_provider_itnio.sandbox import ReceivedMessage, Sandbox

ROOT = Path(__file__).parent.parent
OUTPUT = ROOT / "demo"

SENT_BY = {
    "example_whatsapp_messages": Counter(
        text=2,
        image=1,
        audio=1,
        video=1,
        document=1,
        sticker=1,
        location=1,
        interactive=3,
        contacts=1,
        template=1,
    ),
    "example_whatsapp_report": Counter(text=4, template=1),
}
"""By DAG, how many messages of each type its tasks send."""


def main() -> int:
    """Run the demo and give its exit code."""
    OUTPUT.mkdir(exist_ok=True)
    faults: list[str] = []
    with Sandbox() as sandbox, tempfile.TemporaryDirectory(prefix="itnio-demo-") as home:
        print(f"The sandbox answers at {sandbox.url}")
        environment = airflow_environment(Path(home), sandbox)
        print("Airflow makes a fresh database ...", flush=True)
        faults += airflow(["db", "migrate"], environment, OUTPUT / "db-migrate.log")
        for dag_id, expected in SENT_BY.items():
            print(f"Airflow runs {dag_id} ...", flush=True)
            before = len(sandbox.messages)
            faults += airflow(["dags", "test", dag_id], environment, OUTPUT / f"{dag_id}.log")
            arrived = Counter(message.type for message in sandbox.messages[before:])
            faults += [
                f"{dag_id}: {expected[kind]} {kind} expected, {arrived[kind]} arrived"
                for kind in sorted(expected | arrived)
                if arrived[kind] != expected[kind]
            ]
        print_table(sandbox.messages)
        faults += [f"refused: {refused.status}, {refused.why}" for refused in sandbox.refused]
        write_inbox(sandbox.url)
    for fault in faults:
        print(f"FAILED  {fault}", file=sys.stderr)
    print(f"\n{sum(sum(sent.values()) for sent in SENT_BY.values())} messages expected, ", end="")
    print(f"{len(sandbox.messages)} arrived. The inbox: {(OUTPUT / 'inbox.html').relative_to(ROOT)}")
    return 1 if faults else 0


def airflow_environment(home: Path, sandbox: Sandbox) -> dict[str, str]:
    """Give the environment of an Airflow that knows the example DAGs, and the sandbox as its connection."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    return kept | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_ITNIO_DEFAULT": sandbox.connection_json(),
        # A demo's messages go to this machine, past any proxy.
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def airflow(arguments: Sequence[str], environment: dict[str, str], log: Path) -> list[str]:
    """Run one of Airflow's commands and say what went wrong."""
    with log.open("w") as output:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode == 0:
        return []
    return [f"airflow {' '.join(arguments)} ended with {done.returncode}; see {log.relative_to(ROOT)}"]


def print_table(messages: Sequence[ReceivedMessage]) -> None:
    """Print what arrived: type, recipient, message id, first words."""
    print(f"\n{'type':<12} {'recipient':<15} {'message id':<33} first words")
    for message in messages:
        words = " ".join(message.text.split())
        shown = words if len(words) <= 60 else f"{words[:59]}…"
        print(f"{message.type:<12} {message.recipient:<15} {message.id:<33} {shown}")


def write_inbox(url: str) -> None:
    """Keep the inbox page as one file that shows the same without the sandbox."""
    with urlopen(f"{url}/") as page, urlopen(f"{url}/static/inbox.css") as style:
        html, css = page.read().decode(), style.read().decode()
    link = '<link rel="stylesheet" href="/static/inbox.css">'
    if link not in html:
        raise SystemExit("the inbox page does not name its style sheet as expected")
    (OUTPUT / "inbox.html").write_text(html.replace(link, f"<style>{css}</style>"))


if __name__ == "__main__":
    sys.exit(main())

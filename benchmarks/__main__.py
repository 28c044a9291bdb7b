"""Run all benchmarks, or those named, and print one table.

    python -m benchmarks
    python -m benchmarks one_send imports

Each runs in a separate process. The exit code is always 0: the figures are for reading, not a test.
"""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.local_server import ROOT
from benchmarks.side_by_side import AS_JSON, Figure, machine, table

ALL = (
    "first_message",
    "one_send",
    "send_operator",
    "second_message_tls",
    "imports",
    "start_up",
    "one_text",
    "broadcast_cpu",
    "broadcast_rate",
    "broadcast_memory",
    "broadcast_record",
    "sql_memory",
    "receiver_pushes",
    "sandbox_throughput",
    "sandbox_stall",
)


def run(name: str) -> list[Figure]:
    """Run one benchmark; if it fails, return a line with the reason."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", AS_JSON],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return [Figure(name, "did not run", (done.stderr.splitlines() or ["no reason given"])[-1], met=False)]
    return [Figure(**line) for line in json.loads(done.stdout.splitlines()[-1])]


def main() -> None:
    """Run the benchmarks of the command line, by default all."""
    print(f"{machine()}\n", flush=True)
    print(table([figure for name in sys.argv[1:] or ALL for figure in run(name)]))


if __name__ == "__main__":
    main()

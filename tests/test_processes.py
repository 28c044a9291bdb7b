"""Nothing that a test, the demo or the playground has started outlives it."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from contextlib import suppress

import pytest

from scripts.processes import start, stop

IGNORES = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
INTERRUPTED = "import signal; signal.signal(signal.SIGTERM, signal.default_int_handler)"
# Holds the lock of a file for as long as it lives.
HOLD = """
import fcntl, sys, time
held = open(sys.argv[1], "w")
fcntl.flock(held, fcntl.LOCK_EX)
{handler}
print("holds", flush=True)
time.sleep(600)
"""
# Has that done by a process of its own, which it ends before it ends itself, if it is let.
PARENT = """
import subprocess, sys
{handler}
try:
    child = subprocess.Popen([sys.executable, *sys.argv[1:]])
    print("waits", flush=True)
    child.wait()
finally:
    child.terminate()
    child.wait()
    print("has waited for its child", flush=True)
"""


def is_let_go(path):
    """Say whether nobody holds a file's lock, after a moment: who is killed is not gone at once."""
    deadline = time.monotonic() + 30
    with path.open() as file:
        while time.monotonic() < deadline:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("handler", "of_child"),
    [(INTERRUPTED, ""), (INTERRUPTED, IGNORES), (IGNORES, ""), ("", ""), ("", IGNORES)],
    ids=["in order", "its child hangs", "it hangs", "it leaves its child", "it leaves a child that hangs"],
)
def test_what_a_process_has_started_ends_with_it(handler, of_child, tmp_path):
    log, held = tmp_path / "log", tmp_path / "held"
    programs = PARENT.format(handler=handler), "-c", HOLD.format(handler=of_child)
    process = start([sys.executable, "-c", *programs, held], os.environ, log)
    while not {"holds", "waits"} <= {*log.read_text().split()}:
        assert process.poll() is None, log.read_text()
    in_order = (handler, of_child) == (INTERRUPTED, "")
    stop(process, grace=60 if in_order else 0.5)
    assert is_let_go(held)
    assert ("has waited for its child" in log.read_text()) == in_order


def test_each_of_several_processes_that_hang_ends(tmp_path):
    logs = [tmp_path / "one", tmp_path / "other"]
    program = f"{IGNORES}; import time; print('hangs', flush=True); time.sleep(600)"
    processes = [start([sys.executable, "-c", program], os.environ, log) for log in logs]
    while not all(log.read_text() for log in logs):
        assert [process.poll() for process in processes] == [None, None]
    stop(*processes, grace=0.5)
    assert [process.returncode for process in processes] == [-signal.SIGKILL] * 2

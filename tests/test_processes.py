"""No process that a test, the demo or the playground has started outlives it."""

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
# Holds a file's lock while it runs.
HOLD = """
import fcntl, sys, time
held = open(sys.argv[1], "w")
fcntl.flock(held, fcntl.LOCK_EX)
{handler}
print("holds", flush=True)
time.sleep(600)
"""
# Starts the program above, and ends it before ending itself, unless it is killed.
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


def becomes_free(path):
    """Return whether a file's lock gets free; a killed process does not end at once."""
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
def test_a_processs_child_ends_with_it(handler, of_child, tmp_path):
    log, held = tmp_path / "log", tmp_path / "held"
    programs = PARENT.format(handler=handler), "-c", HOLD.format(handler=of_child)
    process = start([sys.executable, "-c", *programs, held], os.environ, log)
    while not {"holds", "waits"} <= {*log.read_text().split()}:
        assert process.poll() is None, log.read_text()
    in_order = (handler, of_child) == (INTERRUPTED, "")
    stop(process, grace=60 if in_order else 0.5)
    assert becomes_free(held)
    assert ("has waited for its child" in log.read_text()) == in_order


def test_each_of_several_hanging_processes_is_killed(tmp_path):
    logs = [tmp_path / "one", tmp_path / "other"]
    program = f"{IGNORES}; import time; print('hangs', flush=True); time.sleep(600)"
    processes = [start([sys.executable, "-c", program], os.environ, log) for log in logs]
    while not all(log.read_text() for log in logs):
        assert [process.poll() for process in processes] == [None, None]
    stop(*processes, grace=0.5)
    assert [process.returncode for process in processes] == [-signal.SIGKILL] * 2

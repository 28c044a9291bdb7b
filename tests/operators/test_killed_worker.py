"""Processes that are killed in the middle of a broadcast, and what their retry does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.operators.broadcast_to_be_killed import StoreInFile
from tests.task_runs import broadcast_run, counts_of, fails_at_once, numbers, times_sent

pytestmark = pytest.mark.usefixtures("connection")

PEOPLE = 400


@pytest.fixture
def killed(sandbox, tmp_path):
    """Run a broadcast in a process of its own, and kill it once so many messages have been accepted."""

    def run(after, **options):
        path = tmp_path / "store.json"
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.operators.broadcast_to_be_killed",
                path,
                json.dumps({"people": PEOPLE, **options}),
            ],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while len(sandbox.messages) < after:
                assert process.poll() is None, "it ended before it was killed"
                time.sleep(0.001)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        return StoreInFile(path)

    return run


@pytest.mark.parametrize(
    ("after", "most", "options"),
    # On a busy machine answers are late, and all that may be in flight is.
    [(137, 150, {}), (288, 350, {"max_in_flight": 250, "checkpoint_every": 10_000})],
    ids=["in the middle", "with many in flight"],
)
def test_at_100_a_second_a_killed_worker_leaves_few_unknown_and_messages_nobody_twice(
    after, most, options, killed, sandbox, record_property
):
    options = {"messages_per_second": 100, "delivery": "at_most_once"} | options
    store = killed(after, **options)
    time.sleep(0.3)  # what was on its way has arrived by then
    before = times_sent(sandbox)
    run = broadcast_run(numbers(PEOPLE), store=store, delivery="at_most_once")
    run.try_number = 1
    fails_at_once(run)
    counts = counts_of(run.summary)
    lost = set(numbers(PEOPLE)) - set(times_sent(sandbox))
    record_property("unknown", counts["unknown"])
    record_property("of whom had no message", len(lost))
    assert max(times_sent(sandbox).values()) == 1
    assert counts["unknown"] <= most
    assert counts["unknown"] + counts["accepted"] + counts.get("accepted_earlier", 0) == PEOPLE
    assert lost <= {numbers(PEOPLE)[failure["position"]] for failure in run.summary["failures"]}
    assert len(before) >= after


def test_at_least_once_everyone_has_a_message_and_no_more_than_a_batch_two(killed, sandbox):
    store = killed(200, messages_per_second=400, delivery="at_least_once", checkpoint_every=100)
    time.sleep(0.3)
    run = broadcast_run(numbers(PEOPLE), store=store)
    run.try_number = 1
    counts_of(run.once())
    assert set(times_sent(sandbox)) == set(numbers(PEOPLE))
    assert sum(times_sent(sandbox).values()) - PEOPLE <= 100

"""Processes that are killed during a broadcast, and what the retry does."""

from __future__ import annotations

import json
import multiprocessing
import os
import time

import pytest

from tests.task_runs import TaskStateStore, broadcast_run, counts_of, fails_at_once, numbers, times_sent

pytestmark = pytest.mark.usefixtures("connection")

PEOPLE = 300


class StoreInFile(TaskStateStore):
    """A task state store that outlives its process; a write takes as long as in Airflow.

    :param path: the file; writes are atomic.
    """

    def __init__(self, path):
        super().__init__(json.loads(path.read_text()) if path.exists() else None)
        self.path = path

    def set(self, key, value, *, retention=None):
        time.sleep(0.014)
        super().set(key, value, retention=retention)
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self.kept))
        os.replace(new, self.path)


@pytest.fixture
def killed(sandbox, tmp_path):
    """Run a broadcast in a separate process, and kill it after this many messages were accepted."""

    def run(after, **options):
        store = StoreInFile(tmp_path / "store.json")
        broadcast = broadcast_run(numbers(PEOPLE), store=store, **options)
        process = multiprocessing.get_context("fork").Process(target=broadcast.once)
        process.start()
        try:
            sandbox.wait_for(after, timeout=60)
            assert process.is_alive(), "it ended before it was killed"
        finally:
            process.kill()
            process.join()
        return StoreInFile(store.path)

    return run


@pytest.mark.parametrize(
    ("after", "most", "options"),
    # On a busy machine answers are late, so max_in_flight messages are in flight.
    [(137, 150, {}), (188, 200, {"max_in_flight": 100, "checkpoint_every": 10_000})],
    ids=["in the middle", "with many in flight"],
)
def test_at_most_once_a_killed_worker_leaves_few_unknown_and_repeats_no_message(
    after, most, options, killed, sandbox, record_property
):
    options = {"messages_per_second": 100, "delivery": "at_most_once"} | options
    store = killed(after, **options)
    time.sleep(0.3)  # messages in flight have arrived by then
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
    assert counts["unknown"] + counts.get("accepted", 0) + counts.get("accepted_earlier", 0) == PEOPLE
    assert lost <= {numbers(PEOPLE)[failure["position"]] for failure in run.summary["failures"]}
    assert len(before) >= after


def test_at_least_once_all_get_a_message_and_at_most_a_batch_is_repeated(killed, sandbox):
    store = killed(200, messages_per_second=400, delivery="at_least_once", checkpoint_every=100)
    time.sleep(0.3)
    run = broadcast_run(numbers(PEOPLE), store=store)
    run.try_number = 1
    counts_of(run.once())
    assert set(times_sent(sandbox)) == set(numbers(PEOPLE))
    assert sum(times_sent(sandbox).values()) - PEOPLE <= 100

"""Random broadcasts with fixed seeds, whose answers, store and worker fail."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_itnio.api.errors import ItnioError
from tests.tables import for_each
from tests.task_runs import DeadlockImminentError, TaskStateStore, broadcast_run, counts_of, numbers

pytestmark = pytest.mark.usefixtures("hasty", "quick_writes")

FAULTS = [
    {"drop": "before_accepting"},
    {"drop": "after_accepting"},
    {"http_status": 429},
    {"http_status": 503},
    {"status": -18},
    {"status": -114},
    {"status": -68},
]


class Store(TaskStateStore):
    """A store that fails at random, and keeps its content when a worker is killed."""

    def __init__(self, chance, share):
        super().__init__()
        self.chance, self.share = chance, share
        self.is_cut_off = False

    def set(self, key, value, *, retention=None):
        if self.is_cut_off:
            raise OSError("this process is killed")
        if self.chance.random() < self.share:
            error = self.chance.choice([OSError("Broken pipe"), DeadlockImminentError("waits for itself")])
            if self.chance.random() < 0.5:
                super().set(key, value)
            raise error
        super().set(key, value)


def entries_of(chance):
    """Return recipients, some with several messages."""
    entries = []
    for number in numbers(chance.randint(1, 30)):
        for n in range(chance.choice([1, 1, 1, 1, 2, 4])):
            entries.append({"phone": number, "n": n})
    if chance.random() < 0.3:
        chance.shuffle(entries)
    return entries


def one_try(run, traffic, chance, length):
    """Run a try, which may be killed at a request, and return how it ended."""
    if chance.random() < 0.4:
        at = len(traffic.order) + chance.randint(1, max(1, length))

        def cut_off(number):
            if len(traffic.order) >= at:
                run.store.is_cut_off = True

        traffic.on_arrival = cut_off
    try:
        run.once()
    except AirflowFailException:
        end = "failed for good"
    except ItnioError:
        end = "left its retries"
    else:
        end = "succeeded"
    traffic.on_arrival = lambda number: None
    if run.store.is_cut_off:
        run.store.is_cut_off = False
        return "killed"
    return end


@for_each("seed", range(12))
def test_random_failures_lose_no_message_and_repeat_at_most_a_batch_per_failure(seed, sandbox, traffic):
    chance = random.Random(f"broadcast {seed}")
    delivery = chance.choice(["at_least_once", "at_most_once"])
    entries = entries_of(chance)
    every = chance.choice([1, 3, 8, 50])
    doubtful = set()
    for number in {entry["phone"] for entry in entries}:
        if chance.random() < 0.25:
            fault = chance.choice(FAULTS)
            sandbox.fail_next(recipient=number, **fault)
            doubtful.add(number)
    run = broadcast_run(
        entries,
        text="{{ recipient.phone }} {{ recipient.n }}",
        delivery=delivery,
        checkpoint_every=every,
        max_in_flight=chance.choice([1, 2, 8]),
        store=Store(chance, chance.choice([0, 0, 0.05, 0.3])),
    )
    kills = 0
    for _ in range(8):
        end = one_try(run, traffic, chance, len(entries))
        kills += end == "killed"
        if end in ("succeeded", "failed for good"):
            break
    sent = Counter(message.text for message in sandbox.messages)
    twice = {text: count for text, count in sent.items() if count > 1}
    if delivery == "at_most_once":
        assert not twice
    else:
        # Each kill, and each failure with unrecorded messages, repeats at most a batch.
        repeated = sum(count - 1 for text, count in twice.items() if text.split()[0] not in doubtful)
        assert repeated <= kills * every
    if end == "succeeded":
        assert len(sent) == len(entries)
    elif end != "killed" and "return_value" in run.ti.pushed:
        counts = counts_of(run.summary)
        missing = len(entries) - len(sent)
        told = sum(counts.get(name, 0) for name in ("refused", "not_sent", "unknown", "not_attempted"))
        assert missing <= told

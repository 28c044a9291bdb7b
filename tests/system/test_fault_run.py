"""Two thousand messages with many faults: in connections, in answers and in the worker."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from .conftest import AIRFLOW_2
from .running import scenario, until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(AIRFLOW_2, reason="Airflow before 3.3 keeps no task state"),
]

PEOPLE = 1_000
BATCH = 100
IN_FLIGHT = 32
KILLED_AT = (300, 600)
"""Requests after which the worker's process is killed."""

FAULTS = {
    "dropped before": (0.01, {"drop": "before_accepting"}),
    "dropped after": (0.01, {"drop": "after_accepting"}),
    "503": (0.01, {"http_status": 503}),
    "429": (0.005, {"http_status": 429, "headers": {"Retry-After": "0"}}),
    "429 for a second": (0.005, {"http_status": 429, "headers": {"Retry-After": "1"}}),
    "passing": (0.01, {"status": -18}),
    "slow": (0.005, {"delay": 0.5}),
    "very slow": (0.005, {"delay": 2.0}),
    "refused": (0.01, {"status": -70, "count": 99}),
}
"""The fault of the first request to a number, and its share of the numbers."""


def faults_of(numbers, seed):
    """Choose the fault of each number, with a fixed seed."""
    chosen = random.Random(seed)
    kinds, shares = list(FAULTS), [share for share, _ in FAULTS.values()]
    return {
        number: kind
        for number in numbers
        for kind in chosen.choices([*kinds, None], [*shares, 1 - sum(shares)])
        if kind
    }


class FaultRun:
    """A broadcast whose process is killed twice, and the results in Airflow and at Itniotech."""

    def __init__(self, running, delivery, start):
        self.numbers = [f"{start}{n:08d}" for n in range(PEOPLE)]
        self.faults = faults_of(self.numbers, seed=4)
        for number, kind in self.faults.items():
            running.faulty.fail_next(recipient=number, **FAULTS[kind][1])
        dag_id = f"record_of_faults_{delivery}"
        running.airflow.trigger(dag_id, "run")
        for requests in KILLED_AT:
            until(lambda at=requests: len(asked_for(running, start)) >= at)
            running.kill(delivery)
            time.sleep(1)
        self.state = running.airflow.wait_for(dag_id, "run")
        self.summary = running.airflow.returned(dag_id, "run", delivery)
        self.accepted = Counter(
            one.recipient for one in running.faulty.messages if one.recipient.startswith(start)
        )
        self.refused = {number for number, kind in self.faults.items() if kind == "refused"}
        self.missing = set(self.numbers) - set(self.accepted) - self.refused

    def faults_of_kind(self, *kinds):
        return sum(kind in kinds for kind in self.faults.values())

    def check(self):
        """Check what is true for both values of delivery."""
        assert self.state == "failed"  # some were refused
        assert not self.refused & set(self.accepted)
        assert len(self.faults) > PEOPLE / 20
        assert self.summary["recipients"] == PEOPLE
        counted = self.summary["accepted"] + self.summary["accepted_earlier"]
        assert counted + self.summary["refused"] + self.summary["unknown"] == PEOPLE


def asked_for(running, start):
    return [one for one in running.faulty.requests if one.body["recipient"].startswith(start)]


@scenario()
def at_least_once(running):
    return FaultRun(running, "at_least_once", "863")


@scenario()
def at_most_once(running):
    return FaultRun(running, "at_most_once", "864")


def test_at_least_once_no_recipient_is_lost(at_least_once):
    at_least_once.check()
    assert not at_least_once.missing
    summary = at_least_once.summary
    assert (summary["refused"], summary["unknown"]) == (len(at_least_once.refused), 0)
    # Messages whose answer was lost, and at most a batch for each kill of the worker.
    repeated = at_least_once.accepted.total() - len(at_least_once.accepted)
    assert repeated <= at_least_once.faults_of_kind("dropped after") + BATCH * len(KILLED_AT)


def test_at_most_once_no_recipient_is_messaged_twice(at_most_once):
    at_most_once.check()
    assert set(at_most_once.accepted.values()) == {1}
    summary = at_most_once.summary
    assert summary["failures_not_listed"] == 0
    listed = {at_most_once.numbers[one["position"]]: one["outcome"] for one in summary["failures"]}
    unknown = {number for number, outcome in listed.items() if outcome == "unknown"}
    # Numbers without a message are listed; refused ones may be unknown because of the kills.
    assert at_most_once.missing <= unknown
    assert at_most_once.refused <= set(listed)
    assert set(listed) - unknown <= at_most_once.refused
    lost_answers = at_most_once.faults_of_kind("dropped after", "dropped before", "503", "passing")
    # A batch's intents are written together, while the previous batch may still wait for answers.
    assert summary["unknown"] <= lost_answers + (BATCH + IN_FLIGHT) * len(KILLED_AT)

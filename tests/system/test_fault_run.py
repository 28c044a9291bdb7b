"""Ten thousand messages while nearly everything goes wrong: connections, answers, and the worker itself."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter

import pytest

from .conftest import AIRFLOW_2
from .test_delivery_record import kill, to_numbers_with, until

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(AIRFLOW_2, reason="Airflow before 3.3 keeps no task state"),
]

PEOPLE = 5_000
BATCH = 200
IN_FLIGHT = 64
KILLED_AT = (1_500, 3_000)
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
"""What happens to the first request to a number, and to which share of the numbers."""


def faults_of(numbers, seed):
    """Say, the same in each run, what goes wrong with which number."""
    chosen = random.Random(seed)
    kinds, shares = list(FAULTS), [share for share, _ in FAULTS.values()]
    return {
        number: kind
        for number in numbers
        for kind in chosen.choices([*kinds, None], [*shares, 1 - sum(shares)])
        if kind
    }


@pytest.fixture(scope="module", params=["at_least_once", "at_most_once"])
def fault_run(request, running):
    """Run the broadcast, kill its process twice, and give what Airflow and Itniotech know in the end."""
    start = {"at_least_once": "863", "at_most_once": "864"}[request.param]
    numbers = [f"{start}{n:08d}" for n in range(PEOPLE)]
    faults = faults_of(numbers, seed=4)
    for number, kind in faults.items():
        running.tasks.fail_next(recipient=number, **FAULTS[kind][1])
    before = len(running.tasks.requests)
    dag_id = f"record_of_faults_{request.param}"
    running.airflow.trigger(dag_id, "run")
    for requests in KILLED_AT:
        until(lambda at=before + requests: len(running.tasks.requests) >= at)
        kill(running, request.param)
        time.sleep(1)
    assert running.airflow.wait_for(dag_id, "run") == "failed"  # some were refused
    running.tasks.clear_faults()
    summary = running.airflow.returned(dag_id, "run", request.param)
    return request.param, numbers, faults, to_numbers_with(running, start), summary


def test_nobody_is_lost_and_nobody_is_messaged_twice_unless_asked_for(fault_run, capsys):
    delivery, numbers, faults, accepted, summary = fault_run
    refused = {number for number, kind in faults.items() if kind == "refused"}
    missing = set(numbers) - set(accepted) - refused
    twice = Counter(count for count in accepted.values() if count > 1)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{delivery}: {len(accepted):,} of {PEOPLE:,} accepted, {twice[2]} of them twice; "
            f"{len(missing)} not, {len(refused)} refused; {summary['unknown']} unknown to the task\n"
        )
    assert not refused & set(accepted)
    assert sum(faults_seen := Counter(faults.values()).values()) > PEOPLE / 20, faults_seen
    counted = summary["accepted"] + summary["accepted_earlier"]
    assert summary["recipients"] == PEOPLE
    assert counted + summary["refused"] + summary["unknown"] == PEOPLE
    if delivery == "at_least_once":
        assert not missing
        assert (summary["refused"], summary["unknown"]) == (len(refused), 0)
        dropped_after = sum(kind == "dropped after" for kind in faults.values())
        # Those whose answer was lost, and at most a batch for each time the worker was killed.
        assert sum(accepted.values()) - len(accepted) <= dropped_after + BATCH * len(KILLED_AT)
    else:
        assert not twice
        assert summary["failures_not_listed"] == 0
        listed = {numbers[failure["position"]]: failure["outcome"] for failure in summary["failures"]}
        # Who has no message is named, and who was refused may be unknown, where the worker was killed.
        assert missing <= {number for number, outcome in listed.items() if outcome == "unknown"}
        assert refused <= set(listed)
        assert set(listed) - {number for number, outcome in listed.items() if outcome == "unknown"} <= refused
        lost_answers = sum(
            kind in ("dropped after", "dropped before", "503", "passing") for kind in faults.values()
        )
        # A batch is announced as a whole, while the last ones of the batch before may still wait for answers.
        assert summary["unknown"] <= lost_answers + (BATCH + IN_FLIGHT) * len(KILLED_AT)

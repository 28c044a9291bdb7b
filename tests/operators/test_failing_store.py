"""A task state store that fails at each of its calls in turn, and tries of the task behind that.

What is promised is the table of design and docs: with ``at_most_once`` nobody is messaged twice by the
task's retries, with ``at_least_once`` everyone is messaged unless the task has failed for good and says so.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_itnio.api.errors import ItnioError
from tests.operators.ways import DELIVERIES, DIGITS, WAYS
from tests.tables import pairs
from tests.task_runs import (
    RETURNED,
    DeadlockImminentError,
    TaskRun,
    TaskStateStore,
    broadcast_run,
    numbers,
)

pytestmark = pytest.mark.usefixtures("hasty", "quick_writes")

FAILURES = {
    "no answer in time, though it is stored": (TimeoutError("no answer"), True),
    "a deadlock": (DeadlockImminentError("would wait for itself"), False),
}


class FailingStore(TaskStateStore):
    """A store whose call of a certain number fails, as do so many behind it.

    :param first: the number, from 0.
    :param times: how many fail.
    :param error: what they raise.
    :param does_it: whether a write is there anyway.
    """

    def __init__(self, first, times, error, does_it):
        super().__init__()
        self.calls, self.failed = 0, 0
        self._failing, self._error, self._does_it = range(first, first + times), error, does_it

    def works_again(self):
        self._failing = range(0)

    def _fails(self):
        self.calls += 1
        if self.calls - 1 in self._failing:
            self.failed += 1
            return True
        return False

    def get(self, key, default=None):
        if self._fails():
            raise self._error
        return super().get(key, default)

    def set(self, key, value, *, retention=None):
        if self._fails():
            if self._does_it:
                self.kept[key] = json.dumps(value)
            raise self._error
        super().set(key, value, retention=retention)


def tries_of(run, count=4, ends="as on 3.3"):
    """Run a task try after try, as Airflow does, and say how the last one ended and whether it said why."""
    for _ in range(count):
        try:
            run.once(ends=ends)
        except AirflowFailException as error:
            return "failed for good", str(error)
        except ItnioError as error:
            last = "left its retries", str(error)
        else:
            return "succeeded", ""
    return last


@pairs(
    way=WAYS,
    delivery=DELIVERIES,
    fault={"accepted": None, "unknown": {"drop": "after_accepting"}},
    failure=FAILURES,
    times=[1, 99],
)
def test_one_message_whatever_call_fails(delivery, fault, failure, times, way, sandbox):
    may_be_twice = fault is not None and delivery == "at_least_once"
    first, has_failed = 0, True
    while has_failed:
        sandbox.clear()
        sandbox.clear_faults()
        if fault:
            sandbox.fail_next(**fault)
        store = FailingStore(first, times, *failure)
        run = TaskRun(lambda: way(delivery=delivery), store=store)
        end, why = tries_of(run)
        where = f"call {first}: {end}: {why}"
        accepted = len(sandbox.messages)
        assert accepted <= 1 + may_be_twice, where
        if not accepted:
            assert end != "succeeded", where
            assert why, where
        assert DIGITS not in why
        has_failed = bool(store.failed)
        if not has_failed:
            assert accepted, where
        first += 1
    assert first > 2


@pairs(delivery=DELIVERIES, failure=FAILURES, times=[1, 3])
def test_a_broadcast_whatever_call_fails(delivery, failure, times, sandbox):
    people = numbers(5)
    refused = people[2]
    first, has_failed = 0, True
    while has_failed:
        sandbox.clear()
        sandbox.clear_faults()
        for number in people[::4]:
            sandbox.fail_next(recipient=number, http_status=429)
        sandbox.fail_next(recipient=refused, status=-114)
        store = FailingStore(first, times, *failure)
        run = broadcast_run(people, delivery=delivery, max_in_flight=2, checkpoint_every=2, store=store)
        end, why = tries_of(run)
        sent = Counter(message.recipient for message in sandbox.messages)
        where = f"call {first}: {end}: {why}"
        assert max(sent.values(), default=0) <= 1, where
        assert end != "succeeded", where  # one of them was refused
        if lacking := set(people) - set(sent) - {refused}:
            # Without a summary its record could not be opened, and nothing was sent in that try.
            summary = run.ti.pushed.get(RETURNED, {"failures": [], "not_attempted": len(people)})
            failed = {people[failure["position"]] for failure in summary["failures"]}
            assert summary["not_attempted"] >= len(lacking - failed), where
        has_failed = bool(store.failed)
        if not has_failed:
            assert not lacking, where
        first += 1
    assert first > 5


@pairs(way=WAYS, delivery=DELIVERIES, failure=FAILURES)
def test_cleared_by_a_person_a_task_whose_store_had_failed_sends_what_is_lacking(
    delivery, failure, way, sandbox
):
    first, has_failed = 0, True
    while has_failed:
        sandbox.clear()
        store = FailingStore(first, 99, *failure)
        run = TaskRun(lambda: way(delivery=delivery), store=store)
        end, _ = tries_of(run, 2)
        has_failed = bool(store.failed)
        store.works_again()
        if end != "succeeded":
            run.clear()
            run.once()
        assert sandbox.messages, f"call {first}"
        first += 1

"""A task state store that fails at each of its calls in turn, and the tries of the task after that.

The expected outcomes are those in the docs: with ``at_most_once`` a task's retries message no recipient
twice, with ``at_least_once`` all recipients are messaged, or the task fails without retries and says so.
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
    """A store whose n-th call fails, and some calls after it.

    :param first: the number of the first failing call, from 0.
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
    """Run a task's tries as Airflow does; return how the last one ended, and its error texts."""
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
def test_a_single_message_is_not_lost_or_repeated_whichever_call_fails(
    delivery, fault, failure, times, way, sandbox
):
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
def test_a_broadcasts_messages_are_not_lost_or_repeated_whichever_call_fails(
    delivery, failure, times, sandbox
):
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
        assert end != "succeeded", where  # one message was refused
        if lacking := set(people) - set(sent) - {refused}:
            # Without a summary the record could not be opened, and the try sent nothing.
            summary = run.ti.pushed.get(RETURNED, {"failures": [], "not_attempted": len(people)})
            failed = {people[failure["position"]] for failure in summary["failures"]}
            assert summary["not_attempted"] >= len(lacking - failed), where
        has_failed = bool(store.failed)
        if not has_failed:
            assert not lacking, where
        first += 1
    assert first > 5


@pairs(way=WAYS, delivery=DELIVERIES, failure=FAILURES)
def test_a_cleared_task_whose_store_had_failed_sends_the_missing_message(delivery, failure, way, sandbox):
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

"""After an acceptance: the record is written first, and no later error fails the task."""

from __future__ import annotations

import json
import logging

import pytest

from airflow_provider_itnio.api.errors import RecordError
from airflow_provider_itnio.hooks.itnio import ItnioHook
from tests.logs import lines_go_to
from tests.operators.ways import DIGITS, OF_ONE, WAYS
from tests.tables import for_each, pairs
from tests.task_runs import TaskRun, TaskStateStore, broadcast_run, counts_of, numbers

pytestmark = pytest.mark.usefixtures("hasty")


@for_each("kept", [True, False])
@pytest.mark.usefixtures("failing_log")
def test_a_failing_log_line_does_not_lose_an_acceptance(kept, way, sandbox):
    store = TaskStateStore() if kept else None
    run = TaskRun(way, store=store)
    run.once(ends="failing")
    if kept:
        run.once()
    assert len(sandbox.messages) == 1


@for_each("delivery", ["at_least_once", "at_most_once"])
@pytest.mark.usefixtures("failing_log")
def test_a_failing_log_line_does_not_stop_a_broadcast(delivery, store, sandbox, monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.broadcast.engine._PROGRESS_INTERVAL", 0.01)
    people = numbers(40)
    for number in people[::4]:
        sandbox.fail_next(recipient=number, status=-114)
    run = broadcast_run([*people, "12"], delivery=delivery, store=store, if_some_fail="warn")
    assert counts_of(run.once()) == {"accepted": 30, "refused": 10, "invalid": 1}


@pytest.mark.usefixtures("failing_log", "quick_writes")
def test_a_record_that_can_neither_be_written_nor_logged_does_not_fail_the_task(store, sandbox):
    for way in OF_ONE.values():
        store.fail(OSError("Broken pipe"))
        TaskRun(way, store=store).once()
    assert len(sandbox.messages) == 2


def test_the_record_is_written_before_the_first_log_line_after_an_acceptance(
    way, store, sandbox, monkeypatch
):
    seen = []
    log_accepted = ItnioHook.log_accepted

    def looks(hook, receipt):
        seen.append("accepted" in store.text)
        log_accepted(hook, receipt)

    class Looks(logging.Handler):
        def emit(self, record):
            if record.getMessage().startswith(("Ended", "Accepted is not delivered")):
                seen.append("accepted" in store.text)

    monkeypatch.setattr(ItnioHook, "log_accepted", looks)
    with lines_go_to(Looks()):
        TaskRun(way, store=store).once()
    assert seen
    assert all(seen)


def test_a_summary_that_cannot_be_pushed_does_not_replace_the_failure(store, sandbox, monkeypatch):
    people = numbers(4)
    sandbox.fail_next(recipient=people[0], http_status=429)
    run = broadcast_run(people, store=store)
    context = run.begin()

    def push(key, value):
        raise OSError("no room left")

    monkeypatch.setattr(run.ti, "xcom_push", push)
    with pytest.raises(Exception, match="3 accepted, 1 not sent"):
        run.operator.execute(context)
    assert counts_of(run.once()) == {"accepted": 1, "accepted_earlier": 3}


def test_a_failing_task_pushes_its_summary_once(store, sandbox):
    sandbox.fail_next(status=-114)
    run = broadcast_run(numbers(2), store=store)
    pushed = []
    context = run.begin()
    run.ti.xcom_push = lambda key, value: pushed.append(key)
    with pytest.raises(Exception, match="1 refused"):
        run.operator.execute(context)
    assert pushed == ["return_value"]


# --- an intent that was stored although its write failed ------------------------------------------------


@pytest.mark.usefixtures("quick_writes")
def test_an_intent_that_was_stored_although_its_write_failed_is_withdrawn(way, store, sandbox):
    failed = []

    def stores_and_fails(key, value):
        is_intent = value.get("outcome") == "unknown" or "intended" in value
        if is_intent and not failed:
            failed.append(key)
            store.kept[key] = json.dumps(value)
            raise TimeoutError("no answer in time")

    store.before_write = stores_and_fails
    run = TaskRun(lambda: way(delivery="at_most_once"), store=store)
    with pytest.raises(RecordError):
        run.once()
    assert failed
    assert sandbox.requests == []
    run.once()
    assert len(sandbox.messages) == 1


@pytest.mark.usefixtures("quick_writes")
def test_an_intent_that_cannot_be_withdrawn_is_unknown_and_logged(store, sandbox, logged):
    def stores_and_fails(key, value):
        if value.get("outcome") == "unknown":
            store.kept[key] = json.dumps(value)
        raise TimeoutError("no answer in time")

    store.before_write = stores_and_fails
    run = TaskRun(lambda: OF_ONE["operator"](delivery="at_most_once"), store=store)
    with pytest.raises(RecordError):
        run.once()
    assert "The message was not sent; a retry of this task won't know that" in logged()
    store.before_write = lambda key, value: None
    with pytest.raises(Exception, match="may have sent the message"):
        run.once()
    assert sandbox.requests == []
    run.clear()
    run.once()
    assert [message.recipient for message in sandbox.messages] == [DIGITS]


# --- unreadable records ---------------------------------------------------------------------------------


def break_all(store, change):
    for key, text in list(store.kept.items()):
        changed = change(json.loads(text))
        if changed is None:
            store.delete(key)
        else:
            store.set(key, changed)


CHANGES = {
    "JSON in a text": json.dumps,
    "a list": lambda value: [value],
    "a newer version": lambda value: value | {"version": 2},
    "no version": lambda value: {name: part for name, part in value.items() if name != "version"},
    "nothing but the version": lambda value: {"version": 1},
}


@pairs(delivery=["at_least_once", "at_most_once"], change=CHANGES, way=WAYS)
def test_with_an_unreadable_record_nothing_is_sent_and_nothing_written(change, delivery, way, store, sandbox):
    run = TaskRun(lambda: way(delivery=delivery), store=store)
    run.once(ends="failing")
    break_all(store, change)
    before = dict(store.kept)
    for clear in (False, True):
        if clear:
            run.clear()
        with pytest.raises(RecordError, match=r"Nothing was sent: .* Task State Store"):
            run.once()
    assert store.kept == before
    assert len(sandbox.messages) == 1
    store.clear()
    run.once()
    assert len(sandbox.messages) == 2

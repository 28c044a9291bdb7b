"""A question is closed when its task ends, so that a typed text can answer the next one."""

from __future__ import annotations

import asyncio

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_itnio.hooks.itnio import ItnioHook
from tests.operators.questions import ANA, BEN, asking, deferred, ended, heard, resumed, tap, triggered, write
from tests.tables import for_each
from tests.task_runs import TaskStateStore, fails_at_once

pytestmark = pytest.mark.usefixtures("people")


@pytest.fixture
def counts(sandbox):
    """Ask Ana another question, and expect that a typed word answers it."""

    def check():
        left = deferred(run := asking(task_id="another", deferrable=True))
        write(sandbox, "again")
        assert ended(run, left)["answer"] == "again"

    return check


def test_a_deferred_task_that_is_killed_closes_its_question(store, sandbox):
    gone = deferred(asking(store, task_id="gone", deferrable=True, answer_within=3600))
    left = deferred(run := asking(deferrable=True))
    asyncio.run(gone.trigger.on_kill())
    write(sandbox, "again")
    assert ended(run, left)["answer"] == "again"


def test_a_task_that_times_out_while_it_waits_in_the_worker_closes_its_question(sandbox, monkeypatch):
    def ends(*_):
        raise AirflowTaskTimeout("time")

    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_itnio.operators._asking.wait_for_answer", ends)
        gone = asking(task_id="gone", deferrable=False, answer_within=3600)
        fails_at_once(gone, AirflowTaskTimeout)
    left = deferred(run := asking(deferrable=True))
    gone.operator.on_kill()  # as Airflow does
    write(sandbox, "again")
    assert ended(run, left)["answer"] == "again"


@for_each("ended_by", [AirflowTaskTimeout("time"), ValueError("a bug")])
def test_a_task_that_ends_while_it_sends_the_question_closes_it(ended_by, maybe_store, monkeypatch, counts):
    send = ItnioHook.send_prepared

    def ends_at_ben(hook, prepared, *more):
        if prepared.recipient == BEN:
            raise ended_by
        return send(hook, prepared, *more)

    with monkeypatch.context() as patch:
        patch.setattr(ItnioHook, "send_prepared", ends_at_ben)
        gone = asking(maybe_store, task_id="gone", recipients=[ANA, BEN], answer_within=3600)
        with pytest.raises(BaseException, match=str(ended_by)) as raised:
            gone.once()
    if isinstance(raised.value, AirflowTaskTimeout):
        gone.operator.on_kill()  # as Airflow does
    counts()


def test_an_old_trigger_that_is_killed_late_does_not_close_the_next_trys_question(store, sandbox, receiver):
    first = deferred(run := asking(store, deferrable=True))
    run.clear()
    left = deferred(run)
    asyncio.run(first.trigger.on_kill())
    heard(receiver, lambda: write(sandbox, "again"))
    assert ended(run, left)["answer"] == "again"


def test_a_task_whose_trigger_failed_closes_its_question(maybe_store, counts):
    left = deferred(gone := asking(maybe_store, task_id="gone", deferrable=True, answer_within=3600))
    left.method_name = "__fail__"
    with pytest.raises(Exception, match="Trigger failure"):
        resumed(gone, left, error="Trigger failure")
    counts()


def test_a_retry_does_not_reopen_a_question_that_was_answered_before_the_resume(store, sandbox):
    left = deferred(run := asking(store, deferrable=True))
    tap(sandbox, sandbox.messages[0])
    triggered(left.trigger)  # no worker takes the event
    other = deferred(another := asking(TaskStateStore(), task_id="another", deferrable=True))
    write(sandbox, "leave")
    assert run.once()["answer"] == "again"
    assert ended(another, other)["answer"] == "leave"

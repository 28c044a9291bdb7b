"""Concurrent and nested runs of tasks without a database take turns."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from importlib import import_module

import pytest
from airflow.providers.common.compat.sdk import (
    BaseOperator,
)

from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from airflow_provider_itnio.sandbox.testing import turns
from tests.sandbox.testing.in_dag import Looking, in_dag, on_airflow_3
from tests.sandbox.testing.task_dags import NUMBER

pytestmark = on_airflow_3


TASK_RUNNER = "airflow.sdk.execution_time.task_runner"


def supervisor_comms():
    return vars(import_module(TASK_RUNNER)).get("SUPERVISOR_COMMS")


def test_a_task_that_starts_an_event_loop_runs_in_an_async_test(itnio_sandbox):
    broadcast = WhatsAppBroadcastOperator(task_id="report", recipients=[NUMBER], text="{{ var.value.word }}")

    async def test():
        return itnio_sandbox.execute(broadcast, variables={"word": "hello"})

    assert asyncio.run(test())["accepted"] == 1
    assert [message.text for message in itnio_sandbox.messages] == ["hello"]


def test_a_nested_run_does_not_wait_for_the_outer_run(itnio_sandbox):
    def tell(context):
        async def inside():
            itnio_sandbox.execute(in_dag("{{ var.value.word }}"), variables={"word": "inner"})

        asyncio.run(inside())

    itnio_sandbox.alert(tell, variables={"word": "outer"})
    assert [message.text for message in itnio_sandbox.messages] == ["inner"]


def test_concurrent_nested_runs_take_turns(itnio_sandbox):
    before, comms = dict(os.environ), supervisor_comms()
    task = in_dag("{{ var.value.word }}")

    def tell(context):
        async def inside():
            runs = [
                asyncio.to_thread(itnio_sandbox.execute, task, variables={"word": f"w{n}"}) for n in range(8)
            ]
            await asyncio.gather(*runs)

        asyncio.run(inside())

    itnio_sandbox.alert(tell)
    assert sorted(message.text for message in itnio_sandbox.messages) == [f"w{n}" for n in range(8)]
    assert dict(os.environ) == before
    assert supervisor_comms() is comms


def test_a_run_in_a_thread_left_behind_takes_its_turn_later(itnio_sandbox):
    may_go, left = threading.Event(), []
    task = in_dag("{{ var.value.word }}")

    def late():
        may_go.wait(10)
        itnio_sandbox.execute(task, variables={"word": "late"})

    def tell(context):
        left.append(threading.Thread(target=copy_context().run, args=[late]))
        left[0].start()

    def slow(context):
        may_go.set()
        time.sleep(0.3)
        assert itnio_sandbox.messages == []

    itnio_sandbox.alert(tell)
    itnio_sandbox.alert(slow)
    left[0].join()
    assert [message.text for message in itnio_sandbox.messages] == ["late"]
    assert "AIRFLOW_VAR_WORD" not in os.environ


def test_a_run_that_waits_for_itself_gives_up(itnio_sandbox, monkeypatch):
    monkeypatch.setattr(turns, "MAX_RUN_TIME", 0.2)

    def tell(context):
        with ThreadPoolExecutor(1) as thread:
            thread.submit(itnio_sandbox.execute, in_dag("hello")).result()

    with pytest.raises(RuntimeError, match=r"start the thread with contextvars\.copy_context\(\)\.run"):
        itnio_sandbox.alert(tell)
    itnio_sandbox.execute(in_dag("hello"))
    assert len(itnio_sandbox.messages) == 1


def test_a_run_whose_thread_does_not_end_gives_its_turn_back(itnio_sandbox, monkeypatch):
    monkeypatch.setattr(turns, "MAX_RUN_TIME", 0.2)
    # A run that ends after its outer run restores the supervisor of the outer run; monkeypatch removes it.
    monkeypatch.setattr(f"{TASK_RUNNER}.SUPERVISOR_COMMS", None, raising=False)
    ended, runs, threads = threading.Event(), threading.Event(), []

    def hang():
        runs.set()
        ended.wait(10)

    def tell(context):
        hanging = Looking(task_id="look", at=hang)
        threads.append(threading.Thread(target=copy_context().run, args=[itnio_sandbox.execute, hanging]))
        threads[0].start()
        runs.wait(10)

    with pytest.raises(RuntimeError, match="another run has been active"):
        itnio_sandbox.alert(tell)
    itnio_sandbox.execute(in_dag("hello"))
    ended.set()
    threads[0].join()  # which restores the environment
    assert len(itnio_sandbox.messages) == 1


def test_a_run_that_waits_for_several_others_does_not_give_up(itnio_sandbox, monkeypatch):
    monkeypatch.setattr(turns, "MAX_RUN_TIME", 0.5)
    slow = Looking(task_id="look", at=partial(time.sleep, 0.3))
    with ThreadPoolExecutor(4) as threads:
        assert len(list(threads.map(itnio_sandbox.execute, [slow] * 4))) == 4


def test_several_threads_take_turns_and_leave_nothing_behind(itnio_sandbox):
    before, comms = dict(os.environ), supervisor_comms()

    def run(number):
        task = in_dag("{{ var.value.word }} {{ ti.xcom_pull('load') }}")
        itnio_sandbox.execute(task, variables={"word": f"w{number}"}, xcoms={"load": number})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(run, range(40)))
    assert sorted(message.text for message in itnio_sandbox.messages) == sorted(
        f"w{n} {n}" for n in range(40)
    )
    assert dict(os.environ) == before
    assert supervisor_comms() is comms


def test_environment_changes_of_a_task_are_kept_and_all_others_restored(itnio_sandbox, monkeypatch):
    class Setting(BaseOperator):
        def execute(self, context):
            os.environ["SET_BY_A_TASK"] = os.environ["AIRFLOW_VAR_WORD"]

    monkeypatch.setenv("SET_BY_A_TASK", "before")
    monkeypatch.setenv("AIRFLOW_VAR_WORD", "own")
    itnio_sandbox.execute(Setting(task_id="sets"), variables={"word": "given"})
    assert (os.environ["SET_BY_A_TASK"], os.environ["AIRFLOW_VAR_WORD"]) == ("given", "own")

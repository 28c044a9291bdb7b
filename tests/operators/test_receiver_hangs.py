"""A receiver that answers long after the wait has ended: no task waits for it."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout, TaskDeferred

from airflow_provider_itnio.api.answer_wait import AnswerWait
from airflow_provider_itnio.api.errors import NotDeliveredError
from airflow_provider_itnio.api.question import Question
from airflow_provider_itnio.api.signing import Secret
from airflow_provider_itnio.api.status_wait import StatusWait
from airflow_provider_itnio.sensors.whatsapp import WhatsAppDeliveredSensor
from airflow_provider_itnio.triggers.whatsapp import WhatsAppStatusTrigger
from tests.api.servers import Server, answer
from tests.operators.ways import WAYS
from tests.receiver.running import READ_TOKEN
from tests.tables import for_each
from tests.task_runs import TaskRun

LATE = 20
"""Seconds after which it answers that all messages were delivered: a task that waits so long succeeds."""


@pytest.fixture(autouse=True)
def late_receiver(connect, monkeypatch):
    is_over = threading.Event()

    def late(request):
        is_over.wait(LATE)
        ids = json.loads(request.body)["ids"]
        told = {"status": "delivered", "at": "2026-11-26T10:00:00+00:00"}
        return answer({"messages": [told | {"message_id": one} for one in ids]})

    for module in ("api.status_wait", "broadcast.status_watch", "api.answer_wait"):
        monkeypatch.setattr(f"airflow_provider_itnio.{module}.RESPONSE_GRACE", 0.3)
    monkeypatch.setattr("airflow_provider_itnio.hooks._receiver._RESPONSE_TIMEOUT", 2.0 * LATE)
    with Server(late) as server:
        connect(extra={"receiver_url": server.url, "receiver_token": READ_TOKEN})
        yield
        is_over.set()


@for_each("way", ["operator", "broadcast"])
def test_a_task_with_wait_for_ends_in_time(way, store, sandbox):
    with pytest.raises(NotDeliveredError, match=r"did not answer within|could not be asked"):
        TaskRun(lambda: WAYS[way](wait_for="delivered", wait_timeout=1), store=store).once()
    assert len(sandbox.messages) == 1


def sensor(**fields):
    return TaskRun(lambda: WhatsAppDeliveredSensor(task_id="s", messages="m1", poke_interval=0.1, **fields))


def test_a_sensor_ends_in_time():
    with pytest.raises(AirflowSensorTimeout, match="could not be asked"):
        sensor(timeout=0.5).once()


def test_a_deferrable_sensor_ends_in_time():
    """None of its requests (sensor, trigger, resume) is longer than the wait."""
    with pytest.raises(TaskDeferred) as raised:
        (run := sensor(timeout=0.5, deferrable=True)).once()
    _, kwargs = raised.value.trigger.serialize()

    async def event():
        return (await anext(WhatsAppStatusTrigger(**kwargs).run())).payload

    run.try_number -= 1
    context = run.begin()
    with pytest.raises(AirflowSensorTimeout, match="could not be asked"):
        run.operator.execute_complete(context, asyncio.run(event()))


@for_each("left", [-5.0, 0.0, 2.0, 3600.0])
def test_each_request_of_a_wait_ends_soon_after_the_wait(left):
    now = time.time()
    status = StatusWait(["m1"], "sent", now + left, lambda: now).query()
    question = Question("q", "t", {"yes": "Yes"}, "49", now + left, begun_at=now + left)
    wait = AnswerWait(question, Secret("x"), lambda: now)
    for asked in (status, wait.incoming_query(), wait.status_query()):
        assert asked["within"] == pytest.approx(max(0.0, left) + 0.3, abs=0.01)

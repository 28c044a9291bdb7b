"""A server that is not a receiver: its answers make no task succeed."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowSensorTimeout

from airflow_provider_itnio.api.errors import NotDeliveredError
from airflow_provider_itnio.sensors.whatsapp import WhatsAppDeliveredSensor
from tests.api.servers import Server, answer
from tests.operators.ways import WAYS
from tests.receiver.running import READ_TOKEN
from tests.tables import for_each
from tests.task_runs import TaskRun

pytestmark = pytest.mark.usefixtures("asked_often")

ANSWERS = [
    {"messages": [{"status": "delivered", "at": None}]},
    {"messages": [{"status": "delivered", "at": "2026-11-26T10:00:00+00:00"}]},
    {"messages": []},
    {"status": "0"},
]


@pytest.fixture
def answering(connect):
    """Use a server with the same answer to every request as the connection's receiver."""
    with Server(lambda _: answer(given[-1])) as server:
        given = [{}]
        connect(extra={"receiver_url": server.url, "receiver_token": READ_TOKEN})
        yield given.append


@for_each(("way", "given"), [("operator", ANSWERS[0]), ("broadcast", ANSWERS[0]), ("operator", ANSWERS[1])])
def test_a_task_with_wait_for_does_not_succeed(way, given, answering, store, sandbox):
    answering(given)
    with pytest.raises(NotDeliveredError):
        TaskRun(lambda: WAYS[way](wait_for="delivered", wait_timeout=1), store=store).once()
    assert len(sandbox.messages) == 1


@for_each("given", ANSWERS)
def test_a_sensor_times_out(given, answering):
    answering(given)
    with pytest.raises(AirflowSensorTimeout):
        TaskRun(
            lambda: WhatsAppDeliveredSensor(task_id="s", messages="m1", timeout=0.2, poke_interval=0.1)
        ).once()

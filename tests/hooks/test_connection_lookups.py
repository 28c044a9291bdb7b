"""A connection look-up that fails because the secrets backend or API server did not answer."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_itnio.api.errors import ConnectionLookupError, FileUnavailableError, ItnioError
from airflow_provider_itnio.notifications import whatsapp
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from airflow_provider_itnio.sensors.whatsapp import WhatsAppDeliveredSensor
from airflow_provider_itnio.transfers.sql_to_whatsapp import SqlToWhatsAppOperator
from airflow_provider_itnio.triggers.whatsapp import WhatsAppStatusTrigger
from tests.tables import for_each
from tests.task_runs import TaskRun, broadcast_run, counts_of, may_be_tried_again

NUMBER = "8614718004557"
VARIABLE = "AIRFLOW_CONN_ITNIO_DEFAULT"

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture
def away():
    """Remove the connection; a call restores it, at once or after some seconds."""
    held = os.environ.pop(VARIABLE)

    def back(after=0.0):
        timer = threading.Timer(after, os.environ.__setitem__, (VARIABLE, held))
        timer.start()
        if not after:
            timer.join()

    yield back
    os.environ[VARIABLE] = held


@for_each(
    "make",
    [
        lambda: WhatsAppSendOperator(task_id="tell", recipient=NUMBER, text="It ran"),
        lambda: WhatsAppBroadcastOperator(task_id="tell", recipients=[NUMBER], text="It ran"),
    ],
)
def test_a_failed_connection_lookup_leaves_the_retries_and_a_retry_sends(sandbox, monkeypatch, make):
    held = os.environ[VARIABLE]
    monkeypatch.delenv(VARIABLE)
    run = TaskRun(make)
    with pytest.raises(ConnectionLookupError, match="secrets backend did not answer"):
        run.once()
    monkeypatch.setenv(VARIABLE, held)
    run.once()
    assert len(sandbox.messages) == 1


@for_each(
    "make",
    [
        lambda: WhatsAppDeliveredSensor(task_id="arrived", messages=["1"], itnio_conn_id="nowhere"),
        lambda: SqlToWhatsAppOperator(
            task_id="report", sql="SELECT 1", sql_conn_id="nowhere", recipient=NUMBER, text="It ran"
        ),
        lambda: WhatsAppSendOperator(
            task_id="tell", recipient=NUMBER, document={"object": "s3://nowhere@bucket/a.pdf"}
        ),
    ],
)
def test_failed_connection_lookups_of_other_tasks_leave_the_retries(make):
    with pytest.raises((ConnectionLookupError, FileUnavailableError), match="secrets backend did not answer"):
        TaskRun(make).once()


def test_a_missing_connection_to_the_database_says_where_to_add_it():
    make = lambda: SqlToWhatsAppOperator(  # noqa: E731
        task_id="report", sql="SELECT 1", sql_conn_id="nowhere", recipient=NUMBER, text="It ran"
    )
    with pytest.raises(ConnectionLookupError, match=r"'nowhere'\. Add it, under Admin, Connections"):
        TaskRun(make).once()


def test_an_invalid_connection_fails_the_task_at_once(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", "itnio://key:a/b@example.com")
    make = lambda: WhatsAppSendOperator(  # noqa: E731
        task_id="tell", recipient=NUMBER, text="It ran", itnio_conn_id="broken"
    )
    with pytest.raises(AirflowFailException, match=r"can't be read: .* percent-encoded \(/ as %2F\)"):
        TaskRun(make).once()


def test_a_trigger_keeps_waiting_after_a_failed_connection_lookup(away, monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.api.status_wait.RETRY_DELAY", 0.1)
    trigger = WhatsAppStatusTrigger(["1"], "read", time.time() + 60)

    async def event():
        return (await anext(trigger.run())).payload

    away(after=0.5)
    assert (
        "receiver_url: is missing" in asyncio.run(event())["problem"]
    )  # so it looked the connection up again


def test_a_trigger_reports_a_missing_connection_at_the_end_of_the_wait(away):
    trigger = WhatsAppStatusTrigger(["1"], "read", time.time() + 0.5)

    async def event():
        return (await anext(trigger.run())).payload

    assert "Connection 'itnio_default' is not defined" in asyncio.run(event())["problem"]
    away()


@for_each("awaited", [False, True])
def test_an_alert_is_sent_as_soon_as_the_connection_is_found(sandbox, monkeypatch, awaited):
    monkeypatch.setattr(whatsapp, "_LOOKUP_DELAYS", [0.2] * 100)
    held = os.environ[VARIABLE]
    monkeypatch.delenv(VARIABLE)
    threading.Timer(0.3, os.environ.__setitem__, (VARIABLE, held)).start()
    alert = WhatsAppNotifier(recipients=NUMBER, text="It failed")
    asyncio.run(alert.async_notify({})) if awaited else alert.notify({})
    assert [message.text for message in sandbox.messages] == ["It failed"]


def test_an_alert_whose_connection_is_never_found_fails(monkeypatch):
    monkeypatch.setattr(whatsapp, "_LOOKUP_DELAYS", (0.01, 0.01))
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(ConnectionLookupError, match="'itnio_default' is not defined"):
        WhatsAppNotifier(recipients=NUMBER).notify({})


def test_a_failed_storage_connection_lookup_of_one_recipient_leaves_the_retries(sandbox):
    people = [{"phone": NUMBER, "n": 1}]
    run = broadcast_run(people, text=None, document={"object": "s3://nowhere@b/{{ recipient.n }}.pdf"})
    assert "there is no Airflow connection" in str(may_be_tried_again(run, ItnioError))
    assert counts_of(run.summary) == {"not_sent": 1}
    assert sandbox.requests == []

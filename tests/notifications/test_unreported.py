"""Held alerts are put back if their message was not sent; if that fails, they are logged."""

from __future__ import annotations

import pytest

from airflow_provider_itnio.api.errors import ItnioError
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.notifications import alert_state
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from airflow_provider_itnio.operators.whatsapp_held_alerts import WhatsAppHeldAlertsOperator

from .guard_cases import NUMBER, ON_CALL, failed

pytestmark = pytest.mark.usefixtures("connection")
UNTOLD = (
    "No WhatsApp message will report to 86…57: 2 alerts were held back since 2026-11-25 12:00 UTC: sales (2)"
)


@pytest.fixture
def held(variables, option, sandbox, clock):
    """Hold back two alerts, and let their window pass."""
    option(alert_limit=1)
    for dag_id in ("first", "sales", "sales"):
        ON_CALL.notify(failed(dag_id))
    sandbox.clear()
    clock.now += 600


@pytest.fixture
def refused(sandbox, monkeypatch):
    """Refuse the next message, and call a function while it is sent."""

    def while_it_is_sent(happens):
        sandbox.fail_next(status=-70)
        send = ItnioHook.send

        def send_while_it_happens(hook, number, **fields):
            happens()
            return send(hook, number, **fields)

        monkeypatch.setattr(ItnioHook, "send", send_while_it_happens)

    return while_it_is_sent


def tell():
    return WhatsAppHeldAlertsOperator(task_id="tell", recipients=NUMBER).execute({})


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("tells", [tell, lambda: ON_CALL.notify(failed())], ids=["task", "alert"])
def test_held_alerts_that_cannot_be_put_back_are_logged(tells, refused, variables, logged):
    refused(lambda: setattr(variables, "unwritable", True))
    with pytest.raises(ItnioError):
        tells()
    assert UNTOLD in logged()


@pytest.mark.usefixtures("held")
def test_a_task_puts_held_alerts_back_although_alerts_gave_the_variable_up(refused, sandbox, logged):
    refused(alert_state.pause_variable_use)
    with pytest.raises(ItnioError):
        tell()
    assert tell() == 2
    assert "2 alerts were held back since 2026-11-25 12:00 UTC: sales (2)" in sandbox.messages[-1].text
    assert "No WhatsApp message" not in logged()


def test_a_refused_alert_without_held_alerts_logs_nothing_unreported(refused, variables, logged):
    refused(lambda: setattr(variables, "unwritable", True))
    with pytest.raises(ItnioError):
        WhatsAppNotifier(recipients=NUMBER).notify(failed())
    assert "No WhatsApp message" not in logged()

"""An alert is sent although logging fails."""

from __future__ import annotations

from contextlib import suppress

import pytest

from airflow_provider_itnio.api.errors import ItnioError
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from tests.tables import for_each

from .events import of_task

NUMBER = "+86 147-1800-4557"
pytestmark = pytest.mark.usefixtures("connection", "failing_log", "quick_tries")


@for_each(
    ("fields", "fault"),
    [
        ({"text": "{{ undefined }}"}, None),
        ({"text": "x", "business_phone": "{{ 'none' }}"}, None),
        ({"text": "x", "recipients": [NUMBER, "{{ undefined }}"]}, None),
        ({"text": "x", "recipients": [NUMBER, "{{ '' }}"]}, None),
        ({"text": "x"}, {"http_status": 429}),
        ({"text": "x"}, {"status": -135}),
        ({"alert_template": "alert"}, {"status": -135}),
    ],
)
def test_an_alert_is_sent_although_no_log_line_can_be_written(fields, fault, tell, sandbox):
    if fault:
        sandbox.fail_next(**fault)
    with suppress(ItnioError):  # the error about the invalid recipient
        tell(WhatsAppNotifier(**{"recipients": [NUMBER]} | fields), of_task())
    assert len(sandbox.messages) == 1


def test_an_alert_is_sent_although_the_dags_jinja_environment_raises(tell, sandbox, monkeypatch):
    context = of_task()
    monkeypatch.setattr(type(context["dag"]), "get_template_env", lambda *_, **__: 1 / 0)
    tell(WhatsAppNotifier(recipients=NUMBER, text="x"), context)
    assert len(sandbox.messages) == 1

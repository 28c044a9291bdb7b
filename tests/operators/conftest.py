from __future__ import annotations

import pytest

from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator

NUMBER = "+86 147-1800-4557"


@pytest.fixture
def send():
    """Run a send operator as it stands, its fields being rendered already."""

    def run(*, recipient=NUMBER, **fields):
        return WhatsAppSendOperator(task_id="tell", recipient=recipient, **fields).execute({})

    return run

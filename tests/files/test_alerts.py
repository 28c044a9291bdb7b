"""A file in an alert: errors in the DAG file, and the default alert if the file can't be sent."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_itnio.notifications import whatsapp
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from tests.tables import for_each

NUMBER = "+86 147-1800-4557"
pytestmark = pytest.mark.usefixtures("connection", "storage")


@for_each("in_loop", [False, True])
@for_each(
    ("address", "reason"),
    [
        (
            "s3://storage@reports/absent.pdf",
            "document.object: 's3://storage@reports/absent.pdf' does not exist",
        ),
        ("s3://nope@reports/report.pdf", "there is no Airflow connection"),
        ("file:///tmp/report.pdf", "can't be signed"),
        ("s3://away@reports/report.pdf", "could not be read"),
        (
            "s3://hanging_{in_loop}@reports/report.pdf",
            "document: its file could not be read within 0.5 seconds",
        ),
    ],
)
def test_an_alert_whose_file_cannot_be_sent_is_sent_as_the_default_text(
    address, reason, in_loop, storage, sandbox, monkeypatch, closed_port
):
    address = address.format(in_loop=str(in_loop).lower())
    monkeypatch.setattr(whatsapp, "_FILE_TIMEOUT", 0.5 if "hanging" in address else 60)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        for name, port in (("AWAY", closed_port), (f"HANGING_{in_loop}".upper(), hanging.getsockname()[1])):
            extra = {"endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1"}
            monkeypatch.setenv(f"AIRFLOW_CONN_{name}", storage.connection(extra=extra))
        alert = WhatsAppNotifier(recipients=NUMBER, document={"object": address, "filename": "a.pdf"})
        asyncio.run(alert.async_notify({})) if in_loop else alert.notify({})
    (message,) = sandbox.messages
    assert message.type == "text"
    assert reason in message.text


def test_an_alert_to_many_waits_for_a_hanging_storage_once(storage, sandbox, monkeypatch):
    monkeypatch.setattr(whatsapp, "_FILE_TIMEOUT", 0.5)
    people = [f"8613900000{n:03d}" for n in range(20)]
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        extra = {"endpoint_url": f"http://127.0.0.1:{hanging.getsockname()[1]}", "region_name": "us-east-1"}
        monkeypatch.setenv("AIRFLOW_CONN_HANGING_FOR_MANY", storage.connection(extra=extra))
        document = {"object": "s3://hanging_for_many@reports/report.pdf"}
        asyncio.run(WhatsAppNotifier(recipients=people, document=document).async_notify({}))
        asked, _ = hanging.accept()
        hanging.setblocking(False)
        with asked, pytest.raises(BlockingIOError):  # only one connection was made
            hanging.accept()
    assert len(sandbox.messages) == 20


def test_an_alert_applies_link_expires_in_and_check_link(storage, sandbox, closed_port):
    address = storage.put("report.pdf")
    WhatsAppNotifier(recipients=NUMBER, document={"object": address}, link_expires_in=120).notify({})
    link = sandbox.messages[-1].body["document"]["link"]
    assert parse_qs(urlsplit(link).query)["X-Amz-Expires"] == ["120"]
    absent = f"http://127.0.0.1:{closed_port}/a.png"
    WhatsAppNotifier(recipients=NUMBER, image=absent, check_link=True).notify({})
    assert "could not be fetched" in sandbox.messages[-1].text
    with pytest.raises(ValueError, match="link_expires_in: must be a number from 60 to 604800"):
        WhatsAppNotifier(recipients=NUMBER, link_expires_in=59)

"""An alert uses the WhatsApp template for recipients whose 24-hour window the receiver reports as closed."""

from __future__ import annotations

import threading
import time

import pytest

from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.messages import template_message
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from tests.api.servers import Server
from tests.notifications.events import of_task
from tests.receiver.running import READ_TOKEN, new_number, text_push
from tests.tables import for_each


@pytest.fixture
def with_receiver(connect, receiver):
    connect(extra=receiver.extra)


@pytest.fixture
def closed():
    return new_number()


@pytest.fixture
def opened(receiver):
    number = new_number()
    assert receiver.push(text_push(f"from-{number}", "hi", phone=number, at=int(time.time()))) == 200
    return number


def types_sent(sandbox):
    return {message.recipient: message.type for message in sandbox.messages}


@pytest.mark.parametrize("own", [{}, {"text": "own"}, {"message": {"text": "own"}}])
def test_the_text_goes_to_open_windows_and_the_template_to_closed_ones(
    own, tell, with_receiver, opened, closed, sandbox
):
    tell(WhatsAppNotifier(recipients=[opened, closed], alert_template="alert", **own), of_task())
    assert types_sent(sandbox) == {opened: "text", closed: "template"}
    (text,) = (message.text for message in sandbox.messages if message.type == "text")
    assert (text == "own") == bool(own)


def test_the_connections_alert_template_is_used_for_closed_windows_too(
    tell, connect, receiver, opened, closed, sandbox
):
    extra = receiver.extra | {"alert_template": "alert"}
    connect(extra=extra)
    tell(WhatsAppNotifier(recipients=[opened, closed]), of_task())
    assert types_sent(sandbox) == {opened: "text", closed: "template"}


@for_each(
    ("connections", "own", "ago", "kind"),
    [
        (None, None, 0, "text"),
        ("447700900123", "+91 856-321-321", 0, "text"),
        ("447700900123", None, 0, "template"),
        (None, "447700900123", 0, "template"),
        (None, None, 24 * 3600 - 30, "template"),
    ],
)
def test_a_message_to_another_business_phone_or_a_day_ago_opens_no_window(
    connections, own, ago, kind, tell, connect, receiver, monkeypatch
):
    chosen = []
    monkeypatch.setattr(ItnioHook, "send", lambda hook, number, **fields: chosen.extend(fields))
    monkeypatch.setattr(ItnioHook, "asend", _chosen_async(chosen))
    connect(extra=receiver.extra | ({"business_phone": connections} if connections else {}))
    number, at = new_number(), int(time.time()) - ago
    assert receiver.push(text_push(f"from-{number}", "hi", phone=number, at=at)) == 200
    tell(WhatsAppNotifier(recipients=[number], alert_template="alert", business_phone=own), of_task())
    assert kind in chosen


def _chosen_async(chosen):
    async def asend(hook, number, **fields):
        chosen.extend(fields)

    return asend


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"alert_template": "alert"}, "template"),
        ({"alert_template": "alert", "text": "own"}, "text"),
        ({"text": "own"}, "text"),
    ],
)
def test_without_a_receiver_all_recipients_get_the_same_type(
    fields, kind, tell, connection, opened, closed, sandbox
):
    tell(WhatsAppNotifier(recipients=[opened, closed], **fields), of_task())
    assert types_sent(sandbox) == {opened: kind, closed: kind}


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "own"},  # no template to choose
        {"template": template_message("own", "en"), "alert_template": "alert"},
        {"message": {"template": template_message("own", "en")}, "alert_template": "alert"},
    ],
)
def test_the_receiver_is_not_called_if_there_is_no_choice(fields, tell, connect, closed, sandbox):
    with Server(lambda received: b"") as server:
        connect(extra={"receiver_url": server.url, "receiver_token": READ_TOKEN})
        tell(WhatsAppNotifier(recipients=[closed], **fields), of_task())
        assert not server.requests
    (message,) = sandbox.messages
    assert "own" in message.text


def test_a_text_that_is_refused_for_its_content_is_followed_by_the_template(
    tell, with_receiver, opened, sandbox
):
    sandbox.fail_next(2, status=-114)
    tell(WhatsAppNotifier(recipients=[opened], text="own", alert_template="alert"), of_task())
    assert types_sent(sandbox) == {opened: "template"}


@pytest.mark.parametrize(
    "extra",
    [
        {"receiver_token": "another-token-0123456789"},
        {"receiver_token": None},
        {"receiver_url": "nonsense"},
        {"receiver_url": "http://127.0.0.1:{closed_port}"},
    ],
)
@pytest.mark.parametrize("own", [{}, {"text": "own"}])
def test_with_an_unusable_receiver_the_template_is_sent(
    own, extra, tell, connect, receiver, closed_port, opened, closed, sandbox, logged
):
    given = receiver.extra | extra
    given["receiver_url"] = given["receiver_url"].format(closed_port=closed_port)
    connect(extra=given)
    tell(WhatsAppNotifier(recipients=[opened, closed], alert_template="alert", **own), of_task())
    assert types_sent(sandbox) == {opened: "template", closed: "template"}
    shown = logged()
    assert shown.count("The receiver did not report the 24-hour windows") >= 1
    assert READ_TOKEN not in shown


def test_a_receiver_that_never_answers_does_not_delay_the_alert(tell, connect, sandbox, monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.notifications.windows._TIMEOUT", 0.5)
    people = [new_number() for _ in range(40)]
    is_over = threading.Event()
    with Server(lambda received: b"" if is_over.wait() else None) as server:
        connect(extra={"receiver_url": server.url, "receiver_token": READ_TOKEN})
        tell(WhatsAppNotifier(recipients=people, alert_template="alert"), of_task())
        assert len(server.requests) > 1  # the requests are concurrent
        is_over.set()
    assert types_sent(sandbox) == dict.fromkeys(people, "template")

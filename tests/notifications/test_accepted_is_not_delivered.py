"""A text without a WhatsApp template logs once that acceptance is not delivery."""

from __future__ import annotations

import asyncio
import time

import pytest

from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from tests.operators.ways import OF_MANY, OF_ONE
from tests.receiver.running import new_number, text_push
from tests.task_runs import TaskRun

from .events import of_task

NUMBERS = [f"+86 1391 000 00{number}" for number in range(10, 30)]
SENTENCE = "Accepted is not delivered: no WhatsApp template was sent"


def notify(notifier):
    notifier.notify(of_task())


def async_notify(notifier):
    asyncio.run(notifier.async_notify(of_task()))


@pytest.fixture
def warned(logged):
    """Count the warnings; one in the log may be printed too, so each counts once or twice."""

    def count():
        lines = [line for line in logged().splitlines() if SENTENCE in line]
        assert all("warning" in line.lower() for line in lines)
        return len(lines)

    return count


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("way", [notify, async_notify])
@pytest.mark.parametrize("fields", [{}, {"text": "{{ alert.kind }}"}], ids=["default text", "own text"])
def test_an_alert_as_a_text_warns_once(way, fields, warned, sandbox):
    way(WhatsAppNotifier(recipients=NUMBERS, **fields))
    assert len(sandbox.messages) == len(NUMBERS)
    assert 1 <= warned() <= 2


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize("way", [notify, async_notify])
def test_an_alert_with_a_whatsapp_template_does_not_warn(way, warned, sandbox):
    way(WhatsAppNotifier(recipients=NUMBERS[:2], alert_template="pipeline_alert"))
    assert len(sandbox.messages) == 2
    assert warned() == 0


@pytest.mark.usefixtures("connection")
def test_a_hook_warns_once_about_texts_and_not_about_templates(warned, sandbox):
    hook = ItnioHook()
    hook.send(NUMBERS[0], template={"name": "daily_report", "language": {"code": "en"}})
    assert warned() == 0
    for number in NUMBERS[:3]:
        hook.send(number, text="x")
    assert 1 <= warned() <= 2


@pytest.mark.usefixtures("pushed_to_receiver")
@pytest.mark.parametrize("way", [notify, async_notify])
def test_an_alert_as_a_text_in_an_open_window_does_not_warn(way, warned, sandbox, receiver):
    number = wrote_to(receiver)
    way(WhatsAppNotifier(recipients=[number], alert_template="pipeline_alert"))
    assert [one.type for one in sandbox.messages] == ["text"]
    assert warned() == 0


@pytest.mark.usefixtures("pushed_to_receiver")
@pytest.mark.parametrize("make", [*OF_ONE.values(), *OF_MANY.values()], ids=[*OF_ONE, *OF_MANY])
def test_a_tasks_text_in_an_open_window_does_not_warn(make, warned, sandbox, receiver):
    number = wrote_to(receiver)

    def made():
        task = make(fallback={"template": {"name": "x", "language": {"code": "en"}}})
        setattr(task, "recipient" if hasattr(task, "recipient") else "recipients", number)
        return task

    TaskRun(made).once()
    assert [one.type for one in sandbox.messages] == ["text"]
    assert warned() == 0


def wrote_to(receiver):
    number = new_number()
    assert receiver.push(text_push(f"from-{number}", "hi", phone=number, at=int(time.time()))) == 200
    return number

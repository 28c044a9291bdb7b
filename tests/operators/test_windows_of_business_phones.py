"""The 24-hour window belongs to a business phone: each way of sending checks the sender's."""

from __future__ import annotations

import time

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_itnio.messages import template_message
from tests.operators.questions import asking, opened
from tests.operators.ways import OF_MANY, WAYS
from tests.receiver.running import new_number, text_push
from tests.tables import for_each
from tests.task_runs import TaskRun

OWN, OTHER = "91856321321", "447700900123"
FALLBACK = {"template": template_message("report_ready", "en")}
MINUTE = 60
DAY = 24 * 3600

CASES = [
    # the connection's business phone, the task's, the one written to, seconds ago, the type sent
    (OWN, None, OTHER, 0, "template"),
    (OWN, None, "+91 856-321-321", 0, "text"),
    (OWN, None, "", 0, "text"),
    (OTHER, OWN, OTHER, 0, "template"),
    (OTHER, "+91 856-321-321", OWN, 0, "text"),
    (None, OWN, OTHER, 0, "template"),
    (OWN, None, OWN, DAY - MINUTE // 2, "template"),
    (OWN, None, OWN, DAY - 10 * MINUTE, "text"),
]


@pytest.fixture
def wrote(receiver):
    """Push a message to a business phone, sent some seconds ago, and return the sender's number."""

    def write(to, ago):
        number = new_number()
        at = int(time.time()) - ago
        assert receiver.push(text_push(f"to-{number}", "hi", phone=number, at=at, businessPhone=to)) == 200
        return number

    return write


@pytest.fixture
def of_connection(connect, receiver):
    """Set another business phone in the connection."""
    return lambda phone: connect(extra=receiver.extra | {"business_phone": phone})


@for_each(("connections", "own", "to", "ago", "reaches"), CASES)
@for_each("way", WAYS)
def test_a_message_or_its_fallback_is_sent_by_the_senders_window(
    way, connections, own, to, ago, reaches, wrote, of_connection, sandbox
):
    of_connection(connections)
    number = wrote(to, ago)

    def make():
        task = WAYS[way](fallback=FALLBACK, business_phone=own)
        if way in OF_MANY:
            task.recipients = [number]
        else:
            task.recipient = number
        return task

    TaskRun(make).once()
    assert [message.type for message in sandbox.messages] == [reaches]


@for_each(("connections", "own", "to", "ago", "reaches"), CASES)
def test_a_question_or_its_template_is_sent_by_the_senders_window(
    connections, own, to, ago, reaches, wrote, of_connection, sandbox
):
    of_connection(connections)
    given = {"template": template_message("what_now", "en"), "business_phone": own, "answer_within": 60}
    run = asking(recipients=[wrote(to, ago)], deferrable=True, **given)
    with pytest.raises(TaskDeferred) as raised:
        run.once()
    opened.append(raised.value.trigger.question["id"])
    assert [message.type for message in sandbox.messages] == [reaches.replace("text", "interactive")]

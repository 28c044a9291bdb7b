"""Real Airflow waits until messages are delivered."""

from __future__ import annotations

import pytest

from .conftest import AIRFLOW_2
from .running import scenario, until

pytestmark = pytest.mark.system

LATER, FAILS, MISJUDGED, OPEN, CLOSED = (
    *("99970000003", "99960000026", "861000000091"),
    *("861000000092", "861000000093"),
)

SENDS = {"is_pushed_later": "is_pushed_later", "is_read": "sends"}
"""Which task sends the message a task waits for."""


@scenario(after=("arrived",))  # the triggerer sends some of its alerts
def waiting(running):
    """Run the DAG, restart the triggerer, then push what two tasks wait for. Return the tasks' states."""
    for number in (MISJUDGED, OPEN):
        running.waiting.reply(recipient=number, text="hi")
    running.waiting.window_open(MISJUDGED, is_open=False)  # unknown to the receiver
    running.airflow.trigger("waiting", "run")
    if AIRFLOW_2:  # there they wait in the worker
        for task in SENDS:
            push_to(running, task, "running")
    else:
        until(lambda: {running.airflow.tasks("waiting", "run")[task][0] for task in SENDS} == {"deferred"})
        running.airflow.restart_triggerer()
        for task in SENDS:
            push_to(running, task, "deferred")
    assert running.airflow.wait_for("waiting", "run") == "failed"
    return running.airflow.tasks("waiting", "run")


def push_to(running, task, state):
    """Push the status "read" of a message once the task that waits for it has a state."""

    def message():
        sent = [one for one in running.waiting.sent_to(LATER) if f"{SENDS[task]} run" in str(one.body)]
        return sent if running.airflow.tasks("waiting", "run")[task][0] == state else []

    (found,) = until(message)
    running.waiting.push(found, "delivered")
    running.waiting.push(found, "read")


def test_tasks_succeed_once_their_messages_are_delivered(waiting, running):
    """On Airflow 3 the triggerer was restarted during the wait."""
    assert waiting["is_pushed_later"][0] == waiting["is_read"][0] == "success"
    assert running.airflow.returned("waiting", "run", "is_pushed_later")["status"] in {"delivered", "read"}
    assert running.airflow.returned("waiting", "run", "is_read")["read"] == 1
    assert waiting["in_the_worker"] == ("success", 1)


def test_a_message_that_whatsapp_cannot_deliver_fails_its_task_at_once(waiting, running):
    state, tries = waiting["fails"]
    assert state == "failed"
    last = running.airflow.log_of("waiting", "run", "fails", tries)
    assert "131026, the message can't be delivered" in last
    # On a busy machine Airflow may take a very short deferral for a killed task, and retry it.
    assert tries < 6  # retries were left


def test_a_fallback_is_sent_once(waiting, running):
    assert waiting["falls_back"][0] == "success"
    receipt = running.airflow.returned("waiting", "run", "falls_back")
    assert (receipt["type"], receipt["recipient"]) == ("template", MISJUDGED)
    texts = [one for one in running.waiting.sent_to(MISJUDGED) if "falls_back" in str(one.body)]
    assert [one.id for one in texts] == [receipt["message_id"]]


def test_broadcasts_wait_and_send_fallbacks(waiting, running):
    assert waiting["broadcast[0]"] == ("success", 1)
    summary = running.airflow.returned("waiting", "run", "broadcast", 0)
    assert summary["delivered"] + summary["read"] == summary["accepted"] == 2
    assert summary["fallbacks"] == 1
    assert waiting["broadcast[1]"][0] == "failed"
    summary = running.airflow.returned("waiting", "run", "broadcast", 1)
    assert (summary["not_delivered"], summary["fallbacks"]) == (1, 2)
    assert summary["failures"][0]["code"] == 131026


def test_no_message_is_sent_twice(waiting, running):
    types = {}
    for message in running.waiting.messages:
        types.setdefault(message.recipient, []).append(message.type)
    assert types[LATER] == ["template"] * 2
    assert types[FAILS] == ["template"] * 2  # one of a task, one of a broadcast
    assert sorted(types[MISJUDGED]) == ["template", "template", "text", "text"]
    assert (types[OPEN], types[CLOSED]) == (["text"], ["template"])

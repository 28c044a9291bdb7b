"""Questions and their answers for tests, over the sandbox and a running receiver."""

from __future__ import annotations

import asyncio
import time

import pytest
from airflow.providers.common.compat.sdk import DAG, TaskDeferred

from airflow_provider_itnio.operators.whatsapp_ask import WhatsAppAskOperator
from airflow_provider_itnio.triggers.whatsapp import WhatsAppAnswerTrigger
from tests.task_runs import TaskRun

ANA, BEN, STRANGER = "8615200000001", "8615200000002", "8615200000009"
NEVER_WROTE = "8615200000003"
UNDELIVERABLE = "99960000026"
opened: list[str] = []
"""Ids of questions that may still be open; they are closed since other tests ask the same numbers."""
OPTIONS = {"again": "Load again", "leave": "Leave it"}


def asking(store=None, task_id="ask", **fields):
    """Return the task of a question to Ana."""
    given = {"recipients": [ANA], "question": "And now?", "options": OPTIONS, "answer_within": 60} | fields

    def make():
        with DAG("report", schedule=None):
            return WhatsAppAskOperator(task_id=task_id, **given)

    return TaskRun(make, store=store)


def deferred(run):
    """Run a try that sends the question and defers."""
    with pytest.raises(TaskDeferred) as raised:
        run.once()
    opened.append(raised.value.trigger.question["id"])
    return raised.value


def time_is_up(left):
    """End the time for a deferred question's answer; messages that have arrived were in time."""
    left.trigger.question["ends_at"] = time.time()


def unanswered(run, receiver):
    """Run a try that sends the question and defers, and end it after its message reached the receiver."""
    message_has_arrived(receiver, left := deferred(run))
    time_is_up(left)
    return ended(run, left)


def message_has_arrived(receiver, left):
    """Wait until the receiver knows of the first message of a deferred question."""
    message_id = next(one["message_id"] for one in left.trigger.question["asked"] if one["message_id"])
    assert receiver.get(f"/v1/messages/{message_id}?wait=25&until=sent")["status"] != "none"


def triggered(trigger):
    """Run a trigger to its event, deserialized as in a triggerer."""
    path, kwargs = trigger.serialize()
    assert path == "airflow_provider_itnio.triggers.whatsapp.WhatsAppAnswerTrigger"

    async def event():
        return (await anext(WhatsAppAnswerTrigger(**kwargs).run())).payload

    return asyncio.run(event())


def resumed(run, left, event=None, **kwargs):
    """Resume a deferred task in a new process, in the same try."""
    run.try_number -= 1
    context = run.begin()
    result = run.operator.resume_execution(left.method_name, {"event": event, **kwargs}, context)
    run.operator.post_execute(context)
    return result


def ended(run, left):
    """Run a deferred question to its end."""
    return resumed(run, left, triggered(left.trigger))


def ids_in(message):
    """Return the option ids in a question's message."""
    action = message.body["interactive"]["action"]
    rows = [row for section in action.get("sections", ()) for row in section["rows"]]
    return [button["reply"]["id"] for button in action.get("buttons", ())] or [row["id"] for row in rows]


def tap(sandbox, message, place=0):
    """Tap an option of a question."""
    option = ids_in(message)[place]
    is_list = message.body["interactive"]["type"] == "list"
    sandbox.reply(message_id=message.id, **{"row" if is_list else "button": option})


def write(sandbox, text, sender=ANA, **fields):
    sandbox.reply(recipient=sender, text=text, **fields)


def heard(receiver, happens):
    """Call a function that writes or chooses something, and wait until the receiver knows of it."""
    cursor = receiver.get("/v1/incoming?after=latest")["cursor"]
    happens()
    assert receiver.get(f"/v1/incoming?after={cursor}&wait=25")["messages"]


def open_to(number, sandbox, receiver):
    """Let a person write, and return the questions that were open to them at that time."""
    cursor = receiver.get("/v1/incoming?after=latest")["cursor"]
    write(sandbox, "hello", number)
    return receiver.get(f"/v1/incoming?after={cursor}&wait=25")["messages"][0]["questions"]


def push_choice(receiver, message, sender=ANA, **more):
    receiver.push(
        {
            "eventType": "up-message-event",
            "messageId": f"m-{time.monotonic_ns()}",
            "timestamp": int(time.time()),
            "from": {"phone": sender, "name": "Ana"},
            "message": message,
            **more,
        }
    )


def as_of_jsonb(value):
    """Return JSON as PostgreSQL's jsonb does: with an object's keys ordered by length."""
    if isinstance(value, dict):
        return {key: as_of_jsonb(value[key]) for key in sorted(value, key=lambda key: (len(key), key))}
    return [as_of_jsonb(one) for one in value] if isinstance(value, list) else value


def chosen(option_id, title="Load again"):
    held = {"type": "button_reply", "button_reply": {"id": option_id, "title": title}}
    return {"type": "interactive", "interactive": held}

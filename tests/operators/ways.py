"""The ways to send one message to one number; all obey the same rules."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, task

from airflow_provider_itnio.api.errors import ItnioError
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.task_runs import TaskRun

NUMBER = "+86 147-1800-4557"
DIGITS = "8614718004557"
DELIVERIES = ("at_least_once", "at_most_once")


def words():
    return "42 rows"


def sending(**fields):
    return WhatsAppSendOperator(task_id="tell", recipient=NUMBER, text="42 rows", **fields)


def deciding(**fields):
    with DAG("report", schedule=None):
        return task.whatsapp(task_id="tell", recipient=NUMBER, **fields)(words)().operator


def broadcasting(**fields):
    return WhatsAppBroadcastOperator(task_id="tell", recipients=[NUMBER], text="42 rows", **fields)


def deciding_for_many(**fields):
    with DAG("report", schedule=None):
        return task.whatsapp(task_id="tell", recipients=[NUMBER], **fields)(words)().operator


WAYS = {
    "operator": sending,
    "decorator": deciding,
    "broadcast": broadcasting,
    "decorator to many": deciding_for_many,
}
OF_ONE = {name: WAYS[name] for name in ("operator", "decorator")}
OF_MANY = {name: WAYS[name] for name in ("broadcast", "decorator to many")}

FAULTS = {
    "accepted": None,
    "unknown": {"drop": "after_accepting"},
    "not sent": {"http_status": 429},
    "passing": {"status": -18},
    "refused": {"status": -114},
}


def first_try(way, store, sandbox, outcome, delivery):
    """Run a try with this outcome, which fails."""
    run = TaskRun(lambda: way(delivery=delivery), store=store)
    if outcome == "accepted":
        run.once(ends="failing")
    else:
        sandbox.fail_next(**FAULTS[outcome])
        with pytest.raises((AirflowFailException, ItnioError)):
            run.once()
    assert len(sandbox.requests) == 1
    return run


def same_as_first(receipt, sandbox):
    """Return whether a result is that of the only accepted message."""
    (message,) = sandbox.messages
    if "accepted_earlier" in receipt:
        return receipt["accepted_earlier"] == 1 and receipt["accepted"] == 0
    return receipt["message_id"] == message.id

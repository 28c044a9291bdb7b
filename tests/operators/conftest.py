from __future__ import annotations

import pytest

from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from tests.operators.questions import ANA, BEN, STRANGER, opened
from tests.operators.ways import DELIVERIES, OF_ONE, WAYS
from tests.task_runs import TaskRun, TaskStateStore
from tests.traffic import watched_traffic

NUMBER = "+86 147-1800-4557"


@pytest.fixture
def people(pushed_to_receiver, sandbox, receiver, monkeypatch):
    """The recipients of questions have written in the last 24 hours and have no other open question.

    Late pushes are not waited for and the receiver is read often, to keep the tests short.
    """
    waits = {"_PUSH_GRACE": 0, "_FIRST_WAIT": 0.1, "_BATCH_PAUSE": 0.05, "RETRY_DELAY": 0.1}
    for name, seconds in waits.items():
        monkeypatch.setattr(f"airflow_provider_itnio.api.answer_wait.{name}", seconds)
    monkeypatch.setattr("airflow_provider_itnio.triggers.whatsapp.RETRY_DELAY", 0.1)
    monkeypatch.setattr("airflow_provider_itnio.api.receiver.UNCLEAR_FOR", 0)
    for number in (ANA, BEN, STRANGER):
        sandbox.window_open(number)
    yield
    while opened:
        receiver.get(f"/v1/questions/{opened.pop()}/close", {})


@pytest.fixture(params=["with record", "without record"])
def maybe_store(request):
    """The task state store of Airflow 3.3, or none as in earlier versions."""
    return TaskStateStore() if request.param == "with record" else None


@pytest.fixture
def hasty_with_receiver(pushed_to_receiver, connect, receiver):
    """The connection's client tries once, so that each request is a try of the task."""
    connect(extra=receiver.extra | {"max_attempts": 1})


@pytest.fixture
def send():
    """Run a send operator without rendering its fields."""

    def run(*, recipient=NUMBER, **fields):
        return WhatsAppSendOperator(task_id="tell", recipient=recipient, **fields).execute({})

    return run


@pytest.fixture
def hasty(connect):
    """The connection's client tries once, so that each request is a try of the task."""
    connect(extra={"max_attempts": 1})


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request):
    """Each way to send a message to one number."""
    return request.param


@pytest.fixture(params=DELIVERIES)
def delivery(request):
    """Each value of the parameter ``delivery``."""
    return request.param


@pytest.fixture
def store(monkeypatch):
    """The task state store of Airflow 3.3; a broadcast writes full batches to it, even if it is slow."""
    monkeypatch.setattr("airflow_provider_itnio.broadcast.engine._FLUSH_INTERVAL", 3600.0)
    return TaskStateStore()


@pytest.fixture(params=OF_ONE.values(), ids=OF_ONE)
def run(request, delivery, store):
    """A task that sends one message, in each way and with each delivery."""
    return TaskRun(lambda: request.param(delivery=delivery), store=store)


@pytest.fixture
def asked_often(monkeypatch):
    """A broadcast asks for statuses more often than by default, to keep the test short."""
    for name in ("POLL_INTERVAL", "RETRY_DELAY"):
        monkeypatch.setattr(f"airflow_provider_itnio.broadcast.status_watch.{name}", 0.2)


@pytest.fixture
def quick_writes(monkeypatch):
    """Failed writes of the record are tried again without a pause."""
    monkeypatch.setattr("airflow_provider_itnio.delivery.state_store._WRITE_RETRY_DELAY", 0)


@pytest.fixture
def traffic(monkeypatch):
    """The sandbox's requests with their arrival and answer times."""
    with watched_traffic(monkeypatch) as traffic:
        yield traffic

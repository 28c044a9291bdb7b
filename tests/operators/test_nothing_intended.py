"""An error before a socket is open is a configuration error or "not sent", and records no intent."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_itnio.api.errors import ConfigurationError, ItnioError
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from tests.tables import for_each
from tests.task_runs import TaskRun, TaskStateStore, broadcast_run, counts_of, fails_at_once, numbers

KINDS = ["send", "broadcast"]
ENVIRONMENT = {
    "a bundle that is not there": {"REQUESTS_CA_BUNDLE": "/nowhere"},
    "a bundle that is none": {"REQUESTS_CA_BUNDLE": __file__},
    "a proxy with a line break": {"https_proxy": "http://pro\nxy.example:1"},
    "a proxy with a password outside Latin-1": {"https_proxy": "http://me:пароль@proxy.example:1"},
    "a proxy of another kind": {"https_proxy": "socks5://proxy.example:1"},
}


@pytest.fixture(params=KINDS)
def task(request: pytest.FixtureRequest, store: TaskStateStore) -> TaskRun:
    """A task that sends at most once, with a record."""
    if request.param == "broadcast":
        return broadcast_run(numbers(100), store=store, delivery="at_most_once")

    def make() -> WhatsAppSendOperator:
        with DAG("alone", schedule=None):
            return WhatsAppSendOperator(
                task_id="tell", recipient=numbers(1)[0], text="x", delivery="at_most_once"
            )

    return TaskRun(make, store=store)


@for_each("name", ENVIRONMENT)
def test_an_unusable_environment_variable_records_no_intent(task, name, connect, store, monkeypatch):
    connect(host="https://api.example", extra={"max_attempts": 1})
    for variable, value in ENVIRONMENT[name].items():
        monkeypatch.setenv(variable, value)
    fails_at_once(task, ConfigurationError)
    assert "intended" not in store.text
    assert "unknown" not in store.text
    assert not any(number in store.text for number in numbers(100))


@for_each("host", ["https://2130706433", "https://a\u200b.invalid", "https://a b.invalid"])
def test_an_unusable_host_records_no_intent(task, host, connect, store):
    connect(host=host, extra={"max_attempts": 1})
    fails_at_once(task, ConfigurationError)
    assert not any(number in store.text for number in numbers(100))


@for_each("host", ["https://no-such-host.invalid", "https://☃.invalid"])
def test_an_unknown_host_leaves_all_messages_not_sent(host, connect, store):
    connect(host=host, extra={"max_attempts": 1})
    run = broadcast_run(numbers(20), store=store, delivery="at_most_once")
    with pytest.raises(ItnioError, match="20 not sent"):
        run.once()
    assert "unknown" not in counts_of(run.summary)

"""No log or error of a broadcast contains a secret, Api-Key, signature or whole phone number."""

from __future__ import annotations

import json

import pytest

from tests.operators.test_secrets import API_KEY, SECRET, all_of, secrets_of
from tests.tables import for_each
from tests.task_runs import TaskStateStore, broadcast_run, numbers

LI = "+86 147-1800-4557"
PEOPLE = numbers(6)


@pytest.fixture(autouse=True)
def account(connect, sandbox, monkeypatch):
    """A sandbox account with a unique key and secret."""
    monkeypatch.setattr(sandbox._vendor.account, "api_key", API_KEY)
    monkeypatch.setattr(sandbox._vendor.account, "secret", SECRET)
    connect(login=API_KEY, password=SECRET, extra={"max_attempts": 1})


def hidden(sandbox):
    return [*secrets_of(sandbox), *PEOPLE]


def test_a_broadcast_with_accepted_messages_shows_no_secret(sandbox, logged):
    store = TaskStateStore()
    summary = broadcast_run([*PEOPLE, LI], text="Hi {{ recipient.phone }}", store=store).once()
    text = logged()
    assert "7 recipients: 7 accepted" in text
    assert not [secret for secret in hidden(sandbox) if secret in text]
    assert not [secret for secret in hidden(sandbox) if secret in json.dumps(summary)]
    assert not [secret for secret in secrets_of(sandbox)[:-2] if secret in store.text]


FAULTS = {
    "refused": {"status": -69},
    "refused for all": {"status": -1},
    "busy": {"http_status": 503},
    "lost": {"drop": "before_accepting"},
    "not JSON": {"body": f"<html>{API_KEY} {SECRET} {PEOPLE[0]}</html>", "http_status": 502},
}


@for_each("delivery", ["at_least_once", "at_most_once"])
@for_each("fault", FAULTS.values())
def test_a_broadcast_with_failed_messages_shows_no_secret(fault, delivery, sandbox, logged):
    fault = dict(fault)
    if fault.get("status"):
        fault["reason"] = f"{API_KEY} {SECRET} {PEOPLE[0]} {LI} are wrong"
    sandbox.fail_next(20, **fault)
    run = broadcast_run([*PEOPLE, "861471800455799999"], delivery=delivery, store=TaskStateStore())
    with pytest.raises(Exception) as caught:  # noqa: PT011  whatever it is
        run.once()
    assert sandbox.requests
    shown = all_of(caught.value) + logged() + json.dumps(run.summary)
    assert not [secret for secret in [*hidden(sandbox), "861471800455799999"] if secret in shown]


def test_a_broadcast_with_an_unreachable_server_shows_no_secret(connect, closed_port, sandbox, logged):
    connect(login=API_KEY, password=SECRET, host=f"http://127.0.0.1:{closed_port}", extra={"max_attempts": 2})
    run = broadcast_run(PEOPLE[:2], store=TaskStateStore())
    with pytest.raises(Exception) as caught:  # noqa: PT011  whatever it is
        run.once()
    shown = all_of(caught.value) + logged() + json.dumps(run.summary)
    assert "Attempt 1 of 2" in shown
    assert not [secret for secret in hidden(sandbox) if secret in shown]


def test_a_broadcast_whose_record_fails_shows_no_secret(sandbox, logged, monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.delivery.state_store._WRITE_RETRY_DELAY", 0)
    store = TaskStateStore()
    store.fail(OSError("Broken pipe"), after=1)
    run = broadcast_run(PEOPLE, store=store)
    with pytest.raises(Exception, match="not recorded") as caught:
        run.once()
    assert not [secret for secret in hidden(sandbox) if secret in all_of(caught.value) + logged()]


def test_a_rendering_error_shows_no_secret_and_no_whole_number(sandbox, logged):
    people = [{"phone": number, "other": LI} for number in PEOPLE]
    run = broadcast_run(people, text="{{ recipient[recipient.phone] }} {{ recipient.other }}")
    with pytest.raises(Exception) as caught:  # noqa: PT011  whatever it is
        run.once()
    assert run.summary["invalid"] == 6
    shown = all_of(caught.value) + logged() + json.dumps(run.summary)
    assert not [secret for secret in [*hidden(sandbox), LI] if secret in shown]


def test_the_signature_in_a_recipients_link_is_not_shown(sandbox, logged):
    link = "ftp://files.example.com/a.pdf?Signature=abcdefgh1234"
    run = broadcast_run([{"phone": LI, "link": link}], text=None, document="{{ recipient.link }}")
    with pytest.raises(Exception) as caught:  # noqa: PT011  whatever it is
        run.once()
    assert "document" in run.summary["failures"][0]["reason"]
    assert "abcdefgh1234" not in all_of(caught.value) + logged() + json.dumps(run.summary)

"""No log, error or result of a task contains a secret, Api-Key, signature or whole phone number."""

from __future__ import annotations

import hashlib
import traceback

import pytest

from airflow_provider_itnio.api.errors import InvalidMessageError
from tests.tables import for_each

API_KEY = "keyOfTheAccount7"
SECRET = "secretOfTheAccount7"


pytestmark = pytest.mark.usefixtures("account")


@pytest.fixture
def account(connect, sandbox, monkeypatch):
    """A sandbox account with a unique key and secret."""
    monkeypatch.setattr(sandbox._vendor.account, "api_key", API_KEY)
    monkeypatch.setattr(sandbox._vendor.account, "secret", SECRET)
    connect(login=API_KEY, password=SECRET, extra={"max_attempts": 1})


def secrets_of(sandbox):
    signs = [
        hashlib.md5(f"{API_KEY}{SECRET}{request.timestamp}".encode()).hexdigest()
        for request in sandbox.requests
    ]
    return [API_KEY, SECRET, *signs, "8614718004557", "147-1800-4557"]


def all_of(error):
    """Return an error with its causes and contexts as text, repr and traceback."""
    parts = [*traceback.format_exception(error)]
    while error is not None:
        parts += [str(error), repr(error), repr(error.args), repr(vars(error))]
        error = error.__cause__ or error.__context__
    return "".join(parts)


def test_an_accepted_message_shows_no_secret(send, sandbox, logged):
    receipt = send(text="x")
    text = logged()
    assert "accepted the text message" in text
    assert not [secret for secret in secrets_of(sandbox) if secret in text]
    assert not [secret for secret in secrets_of(sandbox)[:-2] if secret in repr(receipt)]


FAULTS = {
    "refused": {"status": -69},
    "refused by an answer that repeats what it got": {"status": -1},
    "busy": {"http_status": 503},
    "lost": {"drop": "before_accepting"},
    "not JSON": {"body": f"<html>{API_KEY} {SECRET} 8614718004557</html>", "http_status": 502},
}


@for_each("delivery", ["at_least_once", "at_most_once"])
@for_each("fault", FAULTS.values())
def test_a_failed_message_shows_no_secret(fault, delivery, send, sandbox, logged):
    fault = dict(fault)
    if fault.get("status"):
        sign = hashlib.md5(f"{API_KEY}{SECRET}1630468800".encode()).hexdigest()
        fault["reason"] = f"{API_KEY} {SECRET} {sign} 8614718004557 are wrong"
    sandbox.fail_next(**fault)
    with pytest.raises(Exception) as caught:  # noqa: PT011  whatever it is
        send(text="x", delivery=delivery)
    assert len(sandbox.requests) == 1
    shown = all_of(caught.value) + logged()
    assert not [secret for secret in secrets_of(sandbox) if secret in shown]
    if fault.get("status"):
        assert sign not in shown


def test_an_unreachable_server_shows_no_secret(send, connect, closed_port, sandbox, logged):
    connect(login=API_KEY, password=SECRET, host=f"http://127.0.0.1:{closed_port}", extra={"max_attempts": 2})
    with pytest.raises(Exception) as caught:  # noqa: PT011  whatever it is
        send(text="x")
    shown = all_of(caught.value) + logged()
    assert "Attempt 1 of 2" in shown
    assert not [secret for secret in secrets_of(sandbox) if secret in shown]


def test_an_invalid_number_is_masked(send, logged):
    number = "".join(["+86 147-1800", "-4557-99999"])
    with pytest.raises(InvalidMessageError) as caught:
        send(text="x", business_phone=number)
    assert "1800-4557" not in all_of(caught.value) + logged()

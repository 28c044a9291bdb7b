"""The outcome of one message and what Airflow does then: the whole table, over a real socket."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_itnio.api.errors import (
    AccountError,
    AuthenticationError,
    ConfigurationError,
    ContentError,
    InvalidMessageError,
    InvalidParameterError,
    NotSentError,
    PlatformError,
    RecipientError,
    RefusedError,
    SenderError,
    UnknownOutcomeError,
)
from tests.tables import for_each

DELIVERIES = ["at_least_once", "at_most_once"]
ACCEPTED = {"messageId": "10415ecbd0c848ebb7d5a3fe53269df6", "timestamp": 1693813991}


@pytest.fixture
def hasty(connect):
    """The connection's client tries once, so that each request is a try of the task."""
    connect(extra={"max_attempts": 1})


def fails_at_once(send, family, **fields):
    """Run a task that fails without retries, and return the cause."""
    with pytest.raises(AirflowFailException) as caught:
        send(**fields)
    error = caught.value.__cause__
    assert type(error) is family
    assert str(caught.value) == f"{family.__name__}: {error}"
    return error


def may_be_tried_again(send, family, **fields):
    """Run a task that fails and leaves the retries, and return the error."""
    with pytest.raises(family) as caught:
        send(**fields)
    assert type(caught.value) is family
    return caught.value


# --- accepted -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("hasty")
def test_an_accepted_message_returns_its_receipt_as_plain_json(send, delivery, sandbox):
    receipt = send(text="42 rows", delivery=delivery)
    (message,) = sandbox.messages
    assert receipt == {
        "message_id": message.id,
        "recipient": "8614718004557",
        "type": "text",
        "timestamp": message.at.replace(microsecond=0).isoformat(),
    }
    assert json.loads(json.dumps(receipt)) == receipt
    assert {type(value) for value in receipt.values()} == {str}


@for_each("http_status", [200, 400, 404, 500, 503])
@for_each("status", ["0", 0])
@pytest.mark.usefixtures("hasty")
def test_status_0_with_an_id_is_accepted_with_any_http_status(status, http_status, send, delivery, sandbox):
    sandbox.fail_next(
        answer={"status": status, "reason": "success", "data": ACCEPTED}, http_status=http_status
    )
    receipt = send(text="x", delivery=delivery)
    assert receipt["message_id"] == ACCEPTED["messageId"]
    assert receipt["timestamp"] == "2023-09-04T07:53:11+00:00"
    assert len(sandbox.requests) == 1


@pytest.mark.usefixtures("hasty")
def test_a_receipt_without_a_time_is_plain_json_too(send, sandbox):
    sandbox.fail_next(answer={"status": "0", "data": {"messageId": "a"}})
    assert send(text="x") == {
        "message_id": "a",
        "recipient": "8614718004557",
        "type": "text",
        "timestamp": None,
    }


# --- invalid --------------------------------------------------------------------------------------------


@for_each(
    ("rendered", "sentence"),
    [
        ({"recipient": "12"}, "recipient: 7 to 14 digits, 2 given"),
        ({"recipient": None}, "recipient: a phone number is required"),
        (
            {"recipient": ["+86 147-1800-4557"]},
            "for several numbers use recipients of a broadcast, or .expand",
        ),
        ({"text": "x" * 4097}, "text.body: at most 4096 characters, 4097 given"),
        ({"text": ""}, "text.body: must not be empty"),
        ({"text": ["a", "b"]}, "text.body: must be text, a list of 2 given; join it"),
        ({"text": None}, "exactly one of"),
        ({"image": "https://example.com/a.png"}, "exactly one of"),
        ({"text": None, "interactive": "{'type': 'button'}"}, "render_template_as_native_obj=True"),
        ({"recipient": "number.j2"}, "recipient: must be a phone number"),
        ({"business_phone": "12"}, "business_phone: 7 to 14 digits"),
    ],
)
@pytest.mark.usefixtures("hasty")
def test_a_field_that_is_invalid_after_rendering_fails_at_once_and_sends_nothing(rendered, sentence, sandbox):
    from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator

    operator = WhatsAppSendOperator(task_id="tell", recipient="{{ number }}", text="{{ words }}")
    for name, value in ({"recipient": "+86 147-1800-4557", "text": "x"} | rendered).items():
        setattr(operator, name, value)
    error = fails_at_once(lambda: operator.execute({}), InvalidMessageError)
    assert sentence in str(error)
    assert sandbox.requests == []


@for_each(
    ("fields", "sentence"),
    [
        ({"delivery": "twice"}, "delivery: must be one of"),
        ({"if_too_long": "chop"}, "if_too_long: must be one of"),
    ],
)
@pytest.mark.usefixtures("hasty")
def test_a_parameter_of_a_mapped_task_is_checked_when_it_runs(fields, sentence, sandbox):
    from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator

    operator = WhatsAppSendOperator(task_id="tell", recipient="+86 147-1800-4557", text="x")
    for name, value in fields.items():
        setattr(operator, name, value)
    error = fails_at_once(lambda: operator.execute({}), InvalidParameterError)
    assert str(error).startswith(sentence)
    assert sandbox.requests == []


@for_each(
    ("changes", "names"),
    [
        ({"login": None}, "login"),
        ({"password": None}, "password"),
        ({"extra": {"app_id": None}}, "extra.app_id"),
        ({"extra": {"business_phone": None}}, "extra.business_phone"),
        ({"host": "http://gateway.example.com"}, "host"),
        ({"extra": {"max_attempts": 0}}, "extra.max_attempts"),
    ],
)
def test_a_missing_or_invalid_connection_field_fails_at_once_and_sends_nothing(
    changes, names, send, connect, sandbox
):
    connect("itnio_of_finance", **changes)
    error = fails_at_once(send, ConfigurationError, text="x", itnio_conn_id="itnio_of_finance")
    assert str(error).startswith(f"Connection 'itnio_of_finance', {names}")
    assert sandbox.requests == []


# --- not sent -------------------------------------------------------------------------------------------


def test_no_connection_leaves_the_tasks_retries(send, delivery, connect, closed_port):
    connect(host=f"http://127.0.0.1:{closed_port}", extra={"max_attempts": 1})
    error = may_be_tried_again(send, NotSentError, text="x", delivery=delivery)
    assert "text message to +8…57" not in str(error)
    assert "text message to 86…57 was not sent, no connection" in str(error)


@pytest.mark.usefixtures("hasty")
def test_http_429_leaves_the_tasks_retries(send, delivery, sandbox):
    sandbox.fail_next(http_status=429)
    may_be_tried_again(send, NotSentError, text="x", delivery=delivery)
    assert len(sandbox.requests) == 1


@pytest.mark.usefixtures("hasty")
def test_http_503_leaves_the_tasks_retries(send, sandbox):
    sandbox.fail_next(http_status=503)
    may_be_tried_again(send, NotSentError, text="x")
    assert len(sandbox.requests) == 1


@pytest.mark.usefixtures("hasty")
def test_http_503_is_an_unknown_outcome_at_most_once(send, sandbox):
    sandbox.fail_next(http_status=503)
    fails_at_once(send, UnknownOutcomeError, text="x", delivery="at_most_once")
    assert len(sandbox.requests) == 1


@pytest.mark.usefixtures("quick_tries")
def test_one_try_of_the_task_is_up_to_max_attempts_of_the_client(send, delivery, connect, sandbox):
    connect(extra={"max_attempts": 3})
    sandbox.fail_next(2, http_status=429, headers={"Retry-After": "0"})
    assert send(text="x", delivery=delivery)["message_id"] == sandbox.messages[0].id
    assert [request.http_status for request in sandbox.requests] == [429, 429, 200]


# --- clock ----------------------------------------------------------------------------------------------


@for_each("code", [-4, -16])
@pytest.mark.usefixtures("hasty")
def test_a_clock_that_cannot_be_corrected_fails_at_once_after_one_more_request(code, send, delivery, sandbox):
    sandbox.fail_next(9, status=code)
    error = fails_at_once(send, AuthenticationError, text="x", delivery=delivery)
    assert "set the clock of the machine that sends" in str(error)
    assert len(sandbox.requests) == 2


@for_each("code", [-4, -16])
@pytest.mark.usefixtures("hasty")
def test_a_corrected_clock_costs_one_more_request(code, send, delivery, sandbox):
    sandbox.fail_next(status=code)
    assert send(text="x", delivery=delivery)["message_id"] == sandbox.messages[0].id
    assert len(sandbox.requests) == 2


# --- refused --------------------------------------------------------------------------------------------


@for_each(
    ("code", "family"),
    [
        (-1, AuthenticationError),
        (-68, AccountError),
        (-69, AccountError),
        (-96, SenderError),
        (-70, RecipientError),
        (-114, ContentError),
        (-999, RefusedError),
    ],
)
@pytest.mark.usefixtures("hasty")
def test_a_refusal_is_one_request_and_fails_at_once(code, family, send, delivery, sandbox):
    sandbox.fail_next(9, status=code, reason="MACHINE_WORD")
    error = fails_at_once(send, family, text="x", delivery=delivery)
    assert f"status {code}, {error.meaning}" in str(error)
    assert "its reason: 'MACHINE_WORD'" in str(error)
    assert (error.code, error.reason, error.http_status) == (code, "MACHINE_WORD", 200)
    assert len(sandbox.requests) == 1


@for_each(
    ("http_status", "family"),
    [(400, RefusedError), (401, AuthenticationError), (403, AuthenticationError), (404, RefusedError)],
)
@pytest.mark.usefixtures("hasty")
def test_a_4xx_without_a_status_is_refused(http_status, family, send, delivery, sandbox):
    sandbox.fail_next(http_status=http_status, body="no")
    fails_at_once(send, family, text="x", delivery=delivery)
    assert len(sandbox.requests) == 1


@for_each("code", [-5, -12, -18])
@pytest.mark.usefixtures("hasty")
def test_a_transient_refusal_leaves_the_tasks_retries(code, send, sandbox):
    sandbox.fail_next(status=code)
    error = may_be_tried_again(send, PlatformError, text="x")
    assert error.transient
    assert len(sandbox.requests) == 1


@for_each("code", [-5, -12, -18])
@pytest.mark.usefixtures("hasty")
def test_a_transient_refusal_is_an_unknown_outcome_at_most_once(code, send, sandbox):
    sandbox.fail_next(status=code)
    fails_at_once(send, UnknownOutcomeError, text="x", delivery="at_most_once")
    assert len(sandbox.requests) == 1


# --- unknown --------------------------------------------------------------------------------------------

UNKNOWN = {
    "connection lost before accepting": {"drop": "before_accepting"},
    "connection lost after accepting": {"drop": "after_accepting"},
    "HTTP 407": {"http_status": 407, "body": "proxy"},
    "HTTP 408": {"http_status": 408, "body": "late"},
    "HTTP 425": {"http_status": 425, "body": "early"},
    "HTTP 500": {"http_status": 500, "body": "broken"},
    "HTTP 502": {"http_status": 502, "body": "<html>bad gateway</html>"},
    "redirect": {"http_status": 302, "body": "", "headers": {"Location": "/elsewhere"}},
    "not JSON": {"body": "<html>hello</html>"},
    "JSON, but no object": {"answer": [1]},
    "no status": {"answer": {"reason": "success"}},
    "status 0 without an id": {"answer": {"status": "0", "data": {}}},
    "status 0 with an empty id": {"answer": {"status": "0", "data": {"messageId": " "}}},
    "positive status": {"answer": {"status": 1}},
    "longer than 1 MiB": {"body": " " * (1024 * 1024) + '{"status": "0"}'},
}


@for_each("fault", UNKNOWN.values())
@pytest.mark.usefixtures("hasty")
def test_an_unknown_outcome_leaves_the_tasks_retries_at_least_once(fault, send, sandbox):
    sandbox.fail_next(**fault)
    may_be_tried_again(send, UnknownOutcomeError, text="x")
    assert len(sandbox.requests) == 1


@for_each("fault", UNKNOWN.values())
@pytest.mark.usefixtures("hasty")
def test_an_unknown_outcome_fails_at_once_at_most_once(fault, send, sandbox):
    sandbox.fail_next(**fault)
    fails_at_once(send, UnknownOutcomeError, text="x", delivery="at_most_once")
    assert len(sandbox.requests) == 1


def test_a_read_timeout_is_an_unknown_outcome(send, delivery, connect, sandbox):
    connect(extra={"timeout": 0.1})
    sandbox.fail_next(delay=0.5)
    check = may_be_tried_again if delivery == "at_least_once" else fails_at_once
    check(send, UnknownOutcomeError, text="x", delivery=delivery)
    assert len(sandbox.wait_for(1)) == len(sandbox.requests) == 1


@pytest.mark.usefixtures("hasty")
def test_an_error_of_an_unknown_class_fails_at_once(send, monkeypatch):
    from airflow_provider_itnio.api.errors import ItnioError
    from airflow_provider_itnio.hooks.itnio import ItnioHook

    def fail(*args, **kwargs):
        raise ItnioError("new kind")

    monkeypatch.setattr(ItnioHook, "send_prepared", fail)
    fails_at_once(send, ItnioError, text="x")


# --- log lines ------------------------------------------------------------------------------------------

DAY_RULE = "in the last 24 hours"


@pytest.mark.usefixtures("hasty")
def test_an_accepted_text_warns_once_that_accepted_is_not_delivered(send, logged):
    send(text="x")
    lines = [line for line in logged().splitlines() if DAY_RULE in line]
    assert len({line[line.index("Accepted is not") :] for line in lines}) == 1
    assert "no WhatsApp template was sent" in lines[0]
    assert "warning" in lines[0].lower()


@pytest.mark.usefixtures("hasty")
def test_an_accepted_whatsapp_template_does_not_warn(send, logged):
    send(template={"name": "daily_report", "language": {"code": "en"}})
    assert "Itniotech accepted the template message" in logged()
    assert DAY_RULE not in logged()


@pytest.mark.usefixtures("hasty")
def test_a_refused_message_does_not_warn(send, sandbox, logged):
    sandbox.fail_next(status=-69)
    fails_at_once(send, AccountError, text="x")
    assert DAY_RULE not in logged()

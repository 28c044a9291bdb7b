"""An error that affects all recipients stops a broadcast."""

from __future__ import annotations

import pytest
import trustme
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_itnio.api.errors import (
    AccountError,
    AuthenticationError,
    ItnioError,
    NotSentError,
    RefusedError,
    SenderError,
)
from airflow_provider_itnio.sandbox import Sandbox
from tests.tables import for_each, pairs
from tests.task_runs import (
    broadcast_run,
    counts_of,
    fails_at_once,
    may_be_tried_again,
    numbers,
)

pytestmark = pytest.mark.usefixtures("hasty")

# --- errors for all recipients --------------------------------------------------------------------------

EVERYONE = {
    "-1": ({"status": -1}, AuthenticationError),
    "-6": ({"status": -6}, AuthenticationError),
    "-10": ({"status": -10}, AccountError),
    "-13": ({"status": -13}, AccountError),
    "-14": ({"status": -14}, AccountError),
    "-30": ({"status": -30}, AuthenticationError),
    "-68": ({"status": -68}, AccountError),
    "-96": ({"status": -96}, SenderError),
    "-97": ({"status": -97}, SenderError),
    "HTTP 401": ({"http_status": 401, "body": "no"}, AuthenticationError),
    "HTTP 403": ({"http_status": 403, "body": "no"}, AuthenticationError),
    "HTTP 404": ({"http_status": 404, "body": "no"}, RefusedError),
}


@pairs(case=EVERYONE, delivery=["at_least_once", "at_most_once"])
def test_an_error_for_all_recipients_stops_a_broadcast_and_a_retry_continues(case, delivery, store, sandbox):
    fault, family = case
    people = numbers(9)
    sandbox.fail_next(recipient=people[5], **fault)
    run = broadcast_run(people, max_in_flight=1, delivery=delivery, store=store)
    error = may_be_tried_again(run, family)
    assert len(sandbox.requests) == 6
    assert counts_of(run.summary) == {"accepted": 5, "refused": 1, "not_attempted": 3}
    assert "5 accepted, 1 refused, 3 not attempted" in str(error)
    assert "not attempted" not in error.args[0]  # the refusal's text is unchanged
    assert counts_of(run.once()) == {"accepted": 4, "accepted_earlier": 5}
    assert [message.recipient for message in sandbox.messages] == people


def test_a_clock_that_cannot_be_corrected_stops_a_broadcast(store, sandbox):
    sandbox.fail_next(2, status=-4)
    run = broadcast_run(numbers(30), max_in_flight=1, store=store)
    may_be_tried_again(run, AuthenticationError)
    assert counts_of(run.summary) == {"refused": 1, "not_attempted": 29}
    assert counts_of(run.once()) == {"accepted": 30}


def test_a_corrected_clock_costs_one_more_request(sandbox):
    sandbox.fail_next(status=-4)
    assert counts_of(broadcast_run(numbers(10), max_in_flight=1).once()) == {"accepted": 10}
    assert len(sandbox.requests) == 11


def test_messages_in_flight_when_a_broadcast_stops_are_still_sent(store, sandbox):
    people = numbers(30)
    sandbox.fail_next(recipient=people[0], status=-68)
    for number in people[1:8]:
        sandbox.fail_next(recipient=number, delay=0.2)
    run = broadcast_run(people, max_in_flight=8, store=store)
    may_be_tried_again(run, AccountError)
    counts = counts_of(run.summary)
    assert counts["refused"] == 1
    assert counts["accepted"] == len(sandbox.messages)
    run.once()
    assert sorted(message.recipient for message in sandbox.messages) == people


def test_without_a_record_a_stop_after_acceptances_leaves_no_retries(sandbox):
    people = numbers(10)
    sandbox.fail_next(recipient=people[5], status=-1)
    run = broadcast_run(people, max_in_flight=1)
    error = fails_at_once(run, AuthenticationError)
    assert "without a delivery record, a retry would message people again" in str(error)


def test_without_a_record_a_stop_before_any_acceptance_leaves_the_retries(sandbox):
    sandbox.fail_next(status=-1)
    run = broadcast_run(numbers(10), max_in_flight=1)
    may_be_tried_again(run, AuthenticationError)
    assert counts_of(run.once()) == {"accepted": 10}


def test_a_certificate_that_does_not_verify_stops_a_broadcast(store, connect, tmp_path, sandbox):
    pem = tmp_path / "unknown.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    with Sandbox(certfile=pem) as other:
        connect(host=other.url)
        run = broadcast_run(numbers(20), max_in_flight=1, store=store)
        error = may_be_tried_again(run, NotSentError)
        assert "certificate does not verify" in str(error)
        assert counts_of(run.summary) == {"not_sent": 1, "not_attempted": 19}
        assert other.requests == []
    connect()
    assert counts_of(run.once()) == {"accepted": 20}


@for_each("status", [-69, -70, -114, -133, -999, -18, -8])
def test_an_error_for_one_recipient_does_not_stop_a_broadcast(status, store, sandbox):
    people = numbers(10)
    sandbox.fail_next(recipient=people[2], status=status)
    run = broadcast_run(people, max_in_flight=1, store=store)
    with pytest.raises((AirflowFailException, ItnioError)):
        run.once()
    assert counts_of(run.summary) == {"accepted": 9, "refused": 1}


@pytest.fixture
def twenty_in_a_row(monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.broadcast.engine._MAX_UNANSWERED", 20)


@pytest.mark.usefixtures("twenty_in_a_row")
def test_many_not_sent_messages_in_a_row_stop_a_broadcast(store, connect, closed_port, sandbox):
    connect(host=f"http://127.0.0.1:{closed_port}", extra={"max_attempts": 1})
    run = broadcast_run(numbers(30), max_in_flight=1, store=store)
    may_be_tried_again(run, NotSentError)
    assert counts_of(run.summary) == {"not_sent": 20, "not_attempted": 10}
    connect()
    assert counts_of(run.once()) == {"accepted": 30}


@pytest.mark.usefixtures("twenty_in_a_row")
def test_many_not_sent_messages_with_an_accepted_one_between_do_not_stop_it(store, sandbox):
    people = numbers(39)
    sandbox.fail_next(19, http_status=429)
    sandbox.fail_next(recipient=people[19], delay=0.001)
    for number in people[20:]:
        sandbox.fail_next(recipient=number, http_status=429)
    run = broadcast_run(people, max_in_flight=1, store=store)
    may_be_tried_again(run, ItnioError)
    assert counts_of(run.summary) == {"accepted": 1, "not_sent": 38}


# --- what the log says ----------------------------------------------------------------------------------

DAY_RULE = "in the last 24 hours"


def test_a_broadcast_of_texts_warns_once_that_accepted_is_not_delivered(sandbox, logged):
    broadcast_run(numbers(5)).once()
    lines = [line for line in logged().splitlines() if DAY_RULE in line]
    assert 1 <= len(lines) <= 2  # a log line may be printed too
    assert "no WhatsApp template was sent" in lines[0]
    assert "warning" in lines[0].lower()


def test_no_such_warning_for_a_whatsapp_template_or_without_acceptances(sandbox, logged):
    template = {"name": "daily_report", "language": {"code": "en"}}
    broadcast_run(numbers(2), text=None, template=template).once()
    sandbox.fail_next(status=-114)
    fails_at_once(broadcast_run(numbers(1)))
    assert DAY_RULE not in logged()


def test_the_first_failures_are_logged_separately(sandbox, logged):
    sandbox.fail_next(status=-114)
    people = numbers(2)
    fails_at_once(broadcast_run(people, max_in_flight=1))
    assert f"recipients[0] (…{people[0][-4:]}): refused: text is empty" in logged()
    assert "Ended: 2 recipients: 1 accepted, 1 refused" in logged()

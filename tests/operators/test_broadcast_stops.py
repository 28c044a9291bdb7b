"""What affects every message stops a broadcast."""

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

# --- what affects every message -----------------------------------------------------------------------------

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
def test_what_would_meet_everyone_stops_at_once_and_a_retry_goes_on(case, delivery, store, sandbox):
    fault, family = case
    people = numbers(9)
    sandbox.fail_next(recipient=people[5], **fault)
    run = broadcast_run(people, max_in_flight=1, delivery=delivery, store=store)
    error = may_be_tried_again(run, family)
    assert len(sandbox.requests) == 6
    assert counts_of(run.summary) == {"accepted": 5, "refused": 1, "not_attempted": 3}
    assert "5 accepted, 1 refused, 3 not attempted" in str(error)
    assert "not attempted" not in error.args[0]  # the refusal's own words stay as they were
    assert counts_of(run.once()) == {"accepted": 4, "accepted_earlier": 5}
    assert [message.recipient for message in sandbox.messages] == people


def test_a_clock_that_does_not_heal_stops_at_once(store, sandbox):
    sandbox.fail_next(2, status=-4)
    run = broadcast_run(numbers(30), max_in_flight=1, store=store)
    may_be_tried_again(run, AuthenticationError)
    assert counts_of(run.summary) == {"refused": 1, "not_attempted": 29}
    assert counts_of(run.once()) == {"accepted": 30}


def test_a_clock_that_heals_costs_one_request_in_all(sandbox):
    sandbox.fail_next(status=-4)
    assert counts_of(broadcast_run(numbers(10), max_in_flight=1).once()) == {"accepted": 10}
    assert len(sandbox.requests) == 11


def test_those_in_flight_when_it_stops_still_get_theirs(store, sandbox):
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


def test_without_a_record_it_fails_for_good_once_anyone_was_messaged(sandbox):
    people = numbers(10)
    sandbox.fail_next(recipient=people[5], status=-1)
    run = broadcast_run(people, max_in_flight=1)
    error = fails_at_once(run, AuthenticationError)
    assert "without a delivery record, a retry would message people again" in str(error)


def test_without_a_record_its_retries_are_left_while_nobody_was_messaged(sandbox):
    sandbox.fail_next(status=-1)
    run = broadcast_run(numbers(10), max_in_flight=1)
    may_be_tried_again(run, AuthenticationError)
    assert counts_of(run.once()) == {"accepted": 10}


def test_a_certificate_that_does_not_verify_stops_at_once(store, connect, tmp_path, sandbox):
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
def test_what_meets_one_alone_stops_nothing(status, store, sandbox):
    people = numbers(10)
    sandbox.fail_next(recipient=people[2], status=status)
    run = broadcast_run(people, max_in_flight=1, store=store)
    with pytest.raises((AirflowFailException, ItnioError)):
        run.once()
    assert counts_of(run.summary) == {"accepted": 9, "refused": 1}


@pytest.fixture
def twenty_in_a_row(monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.broadcast.engine._UNANSWERED_IN_A_ROW", 20)


@pytest.mark.usefixtures("twenty_in_a_row")
def test_many_in_a_row_that_did_not_leave_stop_it(store, connect, closed_port, sandbox):
    connect(host=f"http://127.0.0.1:{closed_port}", extra={"max_attempts": 1})
    run = broadcast_run(numbers(30), max_in_flight=1, store=store)
    may_be_tried_again(run, NotSentError)
    assert counts_of(run.summary) == {"not_sent": 20, "not_attempted": 10}
    connect()
    assert counts_of(run.once()) == {"accepted": 30}


@pytest.mark.usefixtures("twenty_in_a_row")
def test_many_that_did_not_leave_with_one_that_did_among_them_stop_nothing(store, sandbox):
    people = numbers(39)
    sandbox.fail_next(19, http_status=429)
    sandbox.fail_next(recipient=people[19], delay=0.001)
    for number in people[20:]:
        sandbox.fail_next(recipient=number, http_status=429)
    run = broadcast_run(people, max_in_flight=1, store=store)
    may_be_tried_again(run, ItnioError)
    assert counts_of(run.summary) == {"accepted": 1, "not_sent": 38}


# --- what the log says ------------------------------------------------------------------------------------

DAY_RULE = "in the last 24 hours"


def test_that_accepted_is_not_delivered_is_said_once(sandbox, logged):
    broadcast_run(numbers(5)).once()
    lines = [line for line in logged().splitlines() if DAY_RULE in line]
    assert 1 <= len(lines) <= 2  # what goes through logging is printed too
    assert "no WhatsApp template was sent" in lines[0]
    assert "warning" in lines[0].lower()


def test_of_a_whatsapp_template_and_of_nothing_accepted_it_is_not_said(sandbox, logged):
    template = {"name": "daily_report", "language": {"code": "en"}}
    broadcast_run(numbers(2), text=None, template=template).once()
    sandbox.fail_next(status=-114)
    fails_at_once(broadcast_run(numbers(1)))
    assert DAY_RULE not in logged()


def test_the_first_failures_are_logged_one_by_one(sandbox, logged):
    sandbox.fail_next(status=-114)
    people = numbers(2)
    fails_at_once(broadcast_run(people, max_in_flight=1))
    assert f"recipients[0] (…{people[0][-4:]}): refused: text is empty" in logged()
    assert "Ended: 2 recipients: 1 accepted, 1 refused" in logged()

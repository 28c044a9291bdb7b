"""What a broadcast says of itself when it ends, and how the task then ends."""

from __future__ import annotations

import json
import random

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
from tests.task_runs import (
    RETURNED,
    TaskStateStore,
    broadcast_run,
    counts_of,
    fails_at_once,
    may_be_tried_again,
    numbers,
)

LI, ANA = "+86 147-1800-4557", "+55 11 91234-5678"

pytestmark = pytest.mark.usefixtures("hasty")

FAULTS = {
    "refused": {"status": -114},
    "no price": {"status": -69},
    "of a recipient": {"status": -70},
    "not listed": {"status": -999},
    "passing": {"status": -18},
    "busy": {"http_status": 429, "headers": {"Retry-After": "0"}},
    "down": {"http_status": 503, "headers": {"Retry-After": "0"}},
    "lost": {"drop": "before_accepting"},
    "lost behind": {"drop": "after_accepting"},
    "broken": {"http_status": 500, "body": "<html>"},
    "slow": {"delay": 0.01},
}


# --- counts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
@pytest.mark.parametrize("seed", range(12))
def test_the_counts_add_up_and_nobody_is_lost_or_messaged_twice(seed, delivery, sandbox):
    chance = random.Random(f"{seed} {delivery}")
    people = numbers(50)
    entries = [{"phone": number, "n": 0} for number in people]
    entries += [{"phone": chance.choice(people), "n": chance.randrange(2)} for _ in range(15)]
    entries += chance.choices(["12", "nobody", None, {"name": "x"}, {"phone": people[0]}], k=6)
    chance.shuffle(entries)
    exclude = chance.sample(people, 3)
    store = TaskStateStore()
    run = broadcast_run(
        entries,
        text="{{ recipient.n }}",
        exclude=exclude,
        delivery=delivery,
        max_in_flight=chance.choice([1, 3, 16]),
        checkpoint_every=chance.choice([1, 5, 20, 500]),
        store=store,
    )
    wanted = {
        (entry["phone"], str(entry["n"]))
        for entry in entries
        if isinstance(entry, dict) and "n" in entry and entry["phone"] not in exclude
    }
    for attempt in range(4):
        sandbox.clear_faults()
        for number in chance.sample(people, 12 if attempt < 3 else 0):
            sandbox.fail_next(recipient=number, **chance.choice(list(FAULTS.values())))
        if attempt == 1:
            sandbox.fail_next(recipient=chance.choice(people), status=chance.choice([-1, -68, -96]))
        with pytest.raises((AirflowFailException, ItnioError)):  # some entries are no numbers
            run.once()
        counts = counts_of(run.summary)
        if "not_attempted" not in counts:
            assert counts["excluded"] == sum(number_in(entry) in exclude for entry in entries)
        got = [(message.recipient, message.text) for message in sandbox.messages]
        assert set(got) <= wanted
        if delivery == "at_most_once":
            assert len(got) == len(set(got))
    # In the last try nothing went wrong any more.
    assert not {"not_attempted", "not_sent"} & set(counts)
    accepted = counts["accepted_earlier"] + counts.get("accepted", 0)
    assert accepted + counts.get("refused", 0) + counts.get("unknown", 0) == len(wanted)
    if delivery == "at_least_once":
        assert "unknown" not in counts
        assert len(wanted - set(got)) <= counts.get("refused", 0)


def number_in(entry):
    return entry.get("phone") if isinstance(entry, dict) else entry


def test_each_outcome_is_counted_by_its_name(sandbox):
    people = numbers(8)
    for number, fault in zip(people, ("refused", "passing", "busy", "lost", "broken"), strict=False):
        sandbox.fail_next(recipient=number, **FAULTS[fault])
    run = broadcast_run([*people, people[7], "12", LI], exclude=LI, store=TaskStateStore())
    may_be_tried_again(run, ItnioError)
    assert counts_of(run.summary) == {
        "accepted": 3,
        "refused": 2,
        "not_sent": 1,
        "unknown": 2,
        "invalid": 1,
        "duplicates": 1,
        "excluded": 1,
    }
    failures = {failure["position"]: failure for failure in run.summary["failures"]}
    assert {position: one["outcome"] for position, one in failures.items()} == {
        0: "refused",
        1: "refused",
        2: "not_sent",
        3: "unknown",
        4: "unknown",
        9: "invalid",
    }
    assert {position: one["code"] for position, one in failures.items() if one["code"]} == {0: -114, 1: -18}
    assert [failures[n]["last_digits"] for n in range(5)] == [number[-4:] for number in people[:5]]
    assert failures[0]["reason"].startswith("text is empty")


def test_a_failure_tells_the_servers_own_reason_shortened(sandbox):
    sandbox.fail_next(status=-114, reason="TEXT_EMPTY")
    sandbox.fail_next(status=-114, reason="y" * 500)
    run = broadcast_run(numbers(2), max_in_flight=1)
    fails_at_once(run)
    first, second = [failure["reason"] for failure in run.summary["failures"]]
    assert first == "text is empty; its reason: 'TEXT_EMPTY'"
    assert len(second) <= 160


def test_a_reason_is_cut_at_160_characters(sandbox):
    key = "k" * 150
    run = broadcast_run([{"phone": LI}], text=f"{{{{ recipient.{key} }}}}")
    fails_at_once(run)
    (failure,) = run.summary["failures"]
    assert len(failure["reason"]) == 160
    assert failure["reason"].endswith("…")


def test_only_the_first_1000_failures_are_listed(sandbox, logged):
    run = broadcast_run([*["12"] * 1003, LI])
    fails_at_once(run)
    summary = run.summary
    assert counts_of(summary) == {"accepted": 1, "invalid": 1003}
    assert len(summary["failures"]) == 1000
    assert summary["failures_not_listed"] == 3
    assert [failure["position"] for failure in summary["failures"]] == list(range(1000))
    assert logged().count("7 to 14 digits, 2 given") <= 40  # of which each may stand there twice


def test_the_summary_is_plain_json(sandbox):
    sandbox.fail_next(status=-114)
    run = broadcast_run(numbers(3), keep_receipts=True, if_some_fail="warn")
    summary = run.once()
    assert json.loads(json.dumps(summary)) == summary


# --- where it stands --------------------------------------------------------------------------------------


def test_the_summary_is_returned_by_a_task_that_succeeds(sandbox):
    run = broadcast_run(numbers(2))
    assert counts_of(run.once()) == {"accepted": 2}
    assert run.ti.pushed == {}  # Airflow pushes what is returned


@pytest.mark.parametrize("kept", [True, False])
def test_the_summary_is_pushed_before_a_task_fails(kept, sandbox):
    sandbox.fail_next(status=-114)
    run = broadcast_run(numbers(2), store=TaskStateStore() if kept else None)
    fails_at_once(run)
    assert list(run.ti.pushed) == [RETURNED]
    assert counts_of(run.summary) == {"accepted": 1, "refused": 1}


def test_a_task_that_pushes_no_xcom_pushes_no_summary(sandbox):
    sandbox.fail_next(status=-114)
    run = broadcast_run(numbers(2), do_xcom_push=False)
    fails_at_once(run)
    assert run.ti.pushed == {}


def test_a_task_executed_by_hand_needs_no_task_instance(sandbox):
    sandbox.fail_next(status=-114)
    run = broadcast_run(numbers(1))
    run.begin()
    with pytest.raises(AirflowFailException):
        run.operator.execute({})


# --- receipts ---------------------------------------------------------------------------------------------


def test_receipts_are_given_where_asked_for(sandbox):
    people = numbers(3)
    sandbox.fail_next(recipient=people[1], status=-114)
    run = broadcast_run([*people, "12"], keep_receipts=True)
    fails_at_once(run)
    by_number = {receipt["recipient"]: receipt for receipt in run.summary["receipts"]}
    assert by_number == {
        message.recipient: {
            "message_id": message.id,
            "recipient": message.recipient,
            "type": "text",
            "timestamp": message.at.replace(microsecond=0).isoformat(),
        }
        for message in sandbox.messages
    }
    assert sorted(by_number) == [people[0], people[2]]


def test_no_receipts_are_given_where_not(sandbox):
    assert "receipts" not in broadcast_run(numbers(2)).once()


def test_receipts_of_earlier_tries_are_given_too(store, sandbox):
    people = numbers(4)
    sandbox.fail_next(recipient=people[2], http_status=429)
    run = broadcast_run(people, keep_receipts=True, store=store)
    may_be_tried_again(run, ItnioError)
    summary = run.once()
    assert counts_of(summary) == {"accepted": 1, "accepted_earlier": 3}
    assert {receipt["message_id"] for receipt in summary["receipts"]} == {
        message.id for message in sandbox.messages
    }
    stamps = {message.id: message.at.replace(microsecond=0).isoformat() for message in sandbox.messages}
    assert {one["message_id"]: one["timestamp"] for one in summary["receipts"]} == stamps
    assert {one["type"] for one in summary["receipts"]} == {"text"}


# --- if_some_fail -----------------------------------------------------------------------------------------

SOME = ["refused", "busy", "lost", "passing"]


@pytest.mark.parametrize("fault", SOME)
@pytest.mark.parametrize("kept", [True, False])
def test_with_warn_the_task_succeeds_although_some_failed(fault, kept, sandbox, logged):
    sandbox.fail_next(**FAULTS[fault])
    run = broadcast_run(numbers(3), if_some_fail="warn", store=TaskStateStore() if kept else None)
    assert counts_of(run.once())["accepted"] == 2
    assert (
        "Some failed. If you clear this task, it sends to everyone again: 3 recipients: 2 accepted, 1 "
        in logged()
    )


def test_with_warn_too_it_fails_if_nobodys_message_was_accepted(sandbox):
    sandbox.fail_next(3, status=-114)
    run = broadcast_run(numbers(3), if_some_fail="warn")
    fails_at_once(run)


def test_with_warn_too_it_fails_if_not_everyone_was_reached(sandbox):
    people = numbers(9)
    sandbox.fail_next(recipient=people[4], status=-68)
    run = broadcast_run(people, if_some_fail="warn", max_in_flight=1)
    fails_at_once(run, AccountError)
    assert counts_of(run.summary) == {"accepted": 4, "refused": 1, "not_attempted": 4}


def test_with_warn_those_accepted_in_earlier_tries_count(store, sandbox):
    people = numbers(3)
    sandbox.fail_next(recipient=people[1], status=-114)
    sandbox.fail_next(recipient=people[2], status=-1)
    run = broadcast_run(people, if_some_fail="warn", max_in_flight=1, store=store)
    may_be_tried_again(run, AuthenticationError)
    sandbox.fail_next(status=-114)
    assert counts_of(run.once()) == {"accepted_earlier": 1, "refused": 2}


@pytest.mark.parametrize("fault", ["refused", "no price", "of a recipient", "not listed"])
def test_with_fail_it_fails_for_good_if_a_retry_could_send_nothing(fault, store, sandbox):
    sandbox.fail_next(**FAULTS[fault])
    error = fails_at_once(broadcast_run(numbers(3), store=store))
    assert "3 recipients: 2 accepted, 1 refused" in str(error)


@pytest.mark.parametrize("fault", ["passing", "busy", "lost"])
def test_with_fail_its_retries_are_left_if_one_could_send_something(fault, store, sandbox):
    sandbox.fail_next(**FAULTS[fault])
    run = broadcast_run(numbers(3), store=store)
    may_be_tried_again(run, ItnioError)
    assert counts_of(run.once()) == {"accepted": 1, "accepted_earlier": 2}


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


@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
@pytest.mark.parametrize(("fault", "family"), EVERYONE.values(), ids=EVERYONE)
def test_what_would_meet_everyone_stops_at_once_and_a_retry_goes_on(fault, family, delivery, store, sandbox):
    people = numbers(30)
    sandbox.fail_next(recipient=people[5], **fault)
    run = broadcast_run(people, max_in_flight=1, delivery=delivery, store=store)
    error = may_be_tried_again(run, family)
    assert len(sandbox.requests) == 6
    assert counts_of(run.summary) == {"accepted": 5, "refused": 1, "not_attempted": 24}
    assert "5 accepted, 1 refused, 24 not attempted" in str(error)
    assert counts_of(run.once()) == {"accepted": 25, "accepted_earlier": 5}
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


@pytest.mark.parametrize("status", [-69, -70, -114, -133, -999, -18, -8])
def test_what_meets_one_alone_stops_nothing(status, store, sandbox):
    people = numbers(10)
    sandbox.fail_next(recipient=people[2], status=status)
    run = broadcast_run(people, max_in_flight=1, store=store)
    with pytest.raises((AirflowFailException, ItnioError)):
        run.once()
    assert counts_of(run.summary) == {"accepted": 9, "refused": 1}


def test_a_hundred_in_a_row_that_did_not_leave_stop_it(store, connect, closed_port, sandbox):
    connect(host=f"http://127.0.0.1:{closed_port}", extra={"max_attempts": 1})
    run = broadcast_run(numbers(150), max_in_flight=1, store=store)
    may_be_tried_again(run, NotSentError)
    assert counts_of(run.summary) == {"not_sent": 100, "not_attempted": 50}
    connect()
    assert counts_of(run.once()) == {"accepted": 150}


def test_a_hundred_that_did_not_leave_with_one_that_did_among_them_stop_nothing(store, sandbox):
    people = numbers(199)
    sandbox.fail_next(99, http_status=429)
    sandbox.fail_next(recipient=people[99], delay=0.001)
    for number in people[100:]:
        sandbox.fail_next(recipient=number, http_status=429)
    run = broadcast_run(people, max_in_flight=1, store=store)
    may_be_tried_again(run, ItnioError)
    assert counts_of(run.summary) == {"accepted": 1, "not_sent": 198}


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

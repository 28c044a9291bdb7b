"""A broadcast's summary, and how its task ends."""

from __future__ import annotations

import json
import random
from itertools import product

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_itnio.api.errors import (
    AccountError,
    AuthenticationError,
    ItnioError,
)
from tests.tables import for_each
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


# --- counts ---------------------------------------------------------------------------------------------


@for_each(("seed", "delivery"), product(range(3), ["at_least_once", "at_most_once"]))
def test_the_counts_add_up_and_no_recipient_is_lost_or_messaged_twice(seed, delivery, sandbox):
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
        with pytest.raises((AirflowFailException, ItnioError)):  # some entries are not numbers
            run.once()
        counts = counts_of(run.summary)
        if "not_attempted" not in counts:
            assert counts["excluded"] == sum(number_in(entry) in exclude for entry in entries)
        got = [(message.recipient, message.text) for message in sandbox.messages]
        assert set(got) <= wanted
        if delivery == "at_most_once":
            assert len(got) == len(set(got))
    # In the last try nothing failed.
    assert not {"not_attempted", "not_sent"} & set(counts)
    accepted = counts["accepted_earlier"] + counts.get("accepted", 0)
    assert accepted + counts.get("refused", 0) + counts.get("unknown", 0) == len(wanted)
    if delivery == "at_least_once":
        assert "unknown" not in counts
        assert len(wanted - set(got)) <= counts.get("refused", 0)


def number_in(entry):
    return entry.get("phone") if isinstance(entry, dict) else entry


def test_each_outcome_is_counted_separately(sandbox):
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


def test_a_failure_contains_the_servers_reason_truncated(sandbox):
    sandbox.fail_next(status=-114, reason="TEXT_EMPTY")
    sandbox.fail_next(status=-114, reason="y" * 500)
    run = broadcast_run(numbers(2), max_in_flight=1)
    fails_at_once(run)
    first, second = [failure["reason"] for failure in run.summary["failures"]]
    assert first == "text is empty; its reason: 'TEXT_EMPTY'"
    assert len(second) <= 160


def test_a_reason_is_truncated_to_160_characters(sandbox):
    names = {letter * 59: 1 for letter in "abc"}
    run = broadcast_run([{"phone": LI, **names}], text=f"{{{{ recipient.{'k' * 150} }}}}")
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
    assert logged().count("7 to 14 digits, 2 given") <= 40  # each line may be there twice


def test_the_summary_is_plain_json(sandbox):
    sandbox.fail_next(status=-114)
    run = broadcast_run(numbers(3), keep_receipts=True, if_some_fail="warn")
    summary = run.once()
    assert json.loads(json.dumps(summary)) == summary


# --- return value or XCom -------------------------------------------------------------------------------


def test_the_summary_is_returned_by_a_task_that_succeeds(sandbox):
    run = broadcast_run(numbers(2))
    assert counts_of(run.once()) == {"accepted": 2}
    assert run.ti.pushed == {}  # Airflow pushes the return value


@for_each("kept", [True, False])
def test_the_summary_is_pushed_before_a_task_fails(kept, sandbox):
    sandbox.fail_next(status=-114)
    run = broadcast_run(numbers(2), store=TaskStateStore() if kept else None)
    fails_at_once(run)
    assert list(run.ti.pushed) == [RETURNED]
    assert counts_of(run.summary) == {"accepted": 1, "refused": 1}


def test_a_task_without_do_xcom_push_pushes_no_summary(sandbox):
    sandbox.fail_next(status=-114)
    run = broadcast_run(numbers(2), do_xcom_push=False)
    fails_at_once(run)
    assert run.ti.pushed == {}


def test_a_broadcast_executed_by_hand_needs_no_task_instance(sandbox):
    sandbox.fail_next(status=-114)
    run = broadcast_run(numbers(1))
    run.begin()
    with pytest.raises(AirflowFailException):
        run.operator.execute({})


# --- receipts -------------------------------------------------------------------------------------------


def test_keep_receipts_adds_receipts_to_the_summary(sandbox):
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


def test_without_keep_receipts_the_summary_has_no_receipts(sandbox):
    assert "receipts" not in broadcast_run(numbers(2)).once()


def test_keep_receipts_adds_receipts_of_previous_tries(store, sandbox):
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


# --- if_some_fail ---------------------------------------------------------------------------------------

SOME = ["refused", "busy", "lost", "passing"]


@for_each("fault", SOME)
@for_each("kept", [True, False])
def test_with_warn_the_task_succeeds_although_some_failed(fault, kept, sandbox, logged):
    sandbox.fail_next(**FAULTS[fault])
    run = broadcast_run(numbers(3), if_some_fail="warn", store=TaskStateStore() if kept else None)
    assert counts_of(run.once())["accepted"] == 2
    assert (
        "Some messages failed. Clearing this task sends to all recipients again: 3 recipients: 2 accepted, 1 "
        in logged()
    )


def test_with_warn_the_task_fails_if_no_message_was_accepted(sandbox):
    sandbox.fail_next(3, status=-114)
    run = broadcast_run(numbers(3), if_some_fail="warn")
    fails_at_once(run)


def test_with_warn_the_task_fails_if_some_messages_were_not_attempted(sandbox):
    people = numbers(9)
    sandbox.fail_next(recipient=people[4], status=-68)
    run = broadcast_run(people, if_some_fail="warn", max_in_flight=1)
    fails_at_once(run, AccountError)
    assert counts_of(run.summary) == {"accepted": 4, "refused": 1, "not_attempted": 4}


def test_with_warn_messages_accepted_in_previous_tries_count(store, sandbox):
    people = numbers(3)
    sandbox.fail_next(recipient=people[1], status=-114)
    sandbox.fail_next(recipient=people[2], status=-1)
    run = broadcast_run(people, if_some_fail="warn", max_in_flight=1, store=store)
    may_be_tried_again(run, AuthenticationError)
    sandbox.fail_next(status=-114)
    assert counts_of(run.once()) == {"accepted_earlier": 1, "refused": 2}


@for_each("fault", ["refused", "no price", "of a recipient", "not listed"])
def test_with_fail_no_retries_are_left_if_a_retry_could_send_nothing(fault, store, sandbox):
    sandbox.fail_next(**FAULTS[fault])
    error = fails_at_once(broadcast_run(numbers(3), store=store))
    assert "3 recipients: 2 accepted, 1 refused" in str(error)


@for_each("fault", ["passing", "busy", "lost"])
def test_with_fail_the_retries_are_left_if_a_retry_could_send_something(fault, store, sandbox):
    sandbox.fail_next(**FAULTS[fault])
    run = broadcast_run(numbers(3), store=store)
    may_be_tried_again(run, ItnioError)
    assert counts_of(run.once()) == {"accepted": 1, "accepted_earlier": 2}

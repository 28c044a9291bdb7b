"""A broadcast across the tries of its task: what a retry sends, and a cleared task."""

from __future__ import annotations

import pytest

from airflow_provider_itnio.api.errors import AccountError, ItnioError
from tests.task_runs import (
    broadcast_run,
    counts_of,
    fails_at_once,
    may_be_tried_again,
    numbers,
    times_sent,
)

pytestmark = pytest.mark.usefixtures("hasty")


def test_a_retry_of_a_partly_failed_broadcast_sends_only_the_rest(delivery, store, sandbox):
    people = numbers(30)
    for number in people[::3]:
        sandbox.fail_next(recipient=number, http_status=429)
    run = broadcast_run(people, delivery=delivery, checkpoint_every=7, store=store)
    may_be_tried_again(run, ItnioError)
    assert counts_of(run.summary) == {"accepted": 20, "not_sent": 10}
    before = len(sandbox.requests)
    assert counts_of(run.once()) == {"accepted": 10, "accepted_earlier": 20}
    assert len(sandbox.requests) - before == 10
    assert times_sent(sandbox) == dict.fromkeys(people, 1)


def test_a_retry_lists_a_refused_message_again_and_does_not_send_it(store, sandbox):
    people = numbers(3)
    sandbox.fail_next(recipient=people[0], status=-114)
    sandbox.fail_next(recipient=people[1], http_status=429)
    run = broadcast_run(people, store=store)
    may_be_tried_again(run, ItnioError)
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 1, "accepted_earlier": 1, "refused": 1}
    (failure,) = run.summary["failures"]
    assert (failure["position"], failure["outcome"], failure["code"]) == (0, "refused", -114)
    assert failure["reason"] == "refused in a previous try of this task: text is empty"


def test_at_most_once_a_retry_lists_an_unknown_message_and_does_not_send_it(store, sandbox):
    people = numbers(3)
    sandbox.fail_next(recipient=people[0], drop="after_accepting")
    run = broadcast_run(people, delivery="at_most_once", store=store)
    for accepted in ("accepted", "accepted_earlier"):
        fails_at_once(run)
        assert counts_of(run.summary) == {accepted: 2, "unknown": 1}
    (failure,) = run.summary["failures"]
    assert failure["reason"] == "a previous try of this task may have sent it"
    assert times_sent(sandbox) == dict.fromkeys(people, 1)


def test_a_broadcast_cleared_after_a_stop_sends_only_the_rest(delivery, store, sandbox):
    people = numbers(20)
    sandbox.fail_next(recipient=people[8], status=-68)
    run = broadcast_run(people, delivery=delivery, max_in_flight=1, store=store)
    may_be_tried_again(run, AccountError)
    run.clear()
    assert counts_of(run.once()) == {"accepted": 12, "accepted_earlier": 8}
    run.clear()
    assert counts_of(run.once()) == {"accepted": 20}
    assert times_sent(sandbox) == dict.fromkeys(people, 2)


def test_a_broadcast_cleared_after_success_records_its_new_tries(delivery, store, sandbox):
    people = numbers(10)
    run = broadcast_run(people, delivery=delivery, store=store)
    for _ in range(3):
        sandbox.clear()
        sandbox.fail_next(recipient=people[3], http_status=429)
        may_be_tried_again(run, ItnioError)
        assert counts_of(run.once()) == {"accepted": 1, "accepted_earlier": 9}
        assert times_sent(sandbox) == dict.fromkeys(people, 1)
        run.clear()


def test_a_retry_distinguishes_messages_to_one_number_by_their_order(delivery, store, sandbox):
    (number,) = numbers(1)
    entries = [{"phone": number, "n": n} for n in range(4)]
    sandbox.fail_next(delay=0.001)
    sandbox.fail_next(http_status=429)
    run = broadcast_run(entries, text="{{ recipient.n }}", delivery=delivery, store=store)
    may_be_tried_again(run, ItnioError)
    run.once()
    assert [message.text for message in sandbox.messages] == ["0", "2", "3", "1"]


def test_several_documents_to_one_number_are_sent_one_after_the_other(sandbox):
    """A message is prepared while the next one to the same number waits for its outcome."""
    people = [{"phone": number, "n": n} for n in range(3) for number in numbers(2)]
    link = {"link": "https://example.com/{{ recipient.n }}.pdf"}
    assert counts_of(broadcast_run(people, text=None, document=link).once()) == {"accepted": 6}
    sent = sandbox.sent_to(numbers(1)[0])
    assert [one.body["document"]["link"][-5] for one in sent] == ["0", "1", "2"]


def test_a_retry_sends_to_recipients_added_since(store, sandbox):
    people = numbers(4)
    sandbox.fail_next(recipient=people[0], http_status=429)
    run = broadcast_run("{{ params.to | join(',') }}", context={"params": {"to": people[:2]}}, store=store)
    may_be_tried_again(run, ItnioError)
    run.context = {"params": {"to": people[::-1]}}
    assert counts_of(run.once()) == {"accepted": 3, "accepted_earlier": 1}
    assert times_sent(sandbox) == dict.fromkeys(people, 1)


def test_a_retry_sends_to_an_invalid_recipient_that_was_corrected(store, sandbox):
    people = numbers(2)
    run = broadcast_run(
        "{{ params.to | join(',') }}", context={"params": {"to": [people[0], "12"]}}, store=store
    )
    fails_at_once(run)
    run.context = {"params": {"to": people}}
    assert counts_of(run.once()) == {"accepted": 1, "accepted_earlier": 1}

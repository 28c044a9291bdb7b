"""A broadcast whose record, answers or stop come at a bad moment."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from airflow_provider_itnio.api.errors import AccountError, ItnioError, UnknownOutcomeError
from airflow_provider_itnio.delivery import state_store
from airflow_provider_itnio.operators._broadcast_run import BroadcastRun
from tests.tables import for_each
from tests.task_runs import (
    TaskStateStore,
    broadcast_run,
    counts_of,
    fails_at_once,
    may_be_tried_again,
    numbers,
)

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture
def store():
    return TaskStateStore()


def recorded(store):
    """Return the numbers whose outcome is recorded."""
    entries = [json.loads(text) for text in store.kept.values()]
    return [row[0] for entry in entries for row in entry.get("outcomes", ())]


def test_known_outcomes_are_recorded_before_the_last_answers_are_awaited(store, sandbox, monkeypatch):
    """Airflow kills the process a few seconds after SIGTERM."""
    *people, slow = numbers(21)
    sandbox.fail_next(recipient=slow, delay=1.5)
    run = broadcast_run([*people, slow], store=store)
    seen = []
    context = run.begin()

    async def end_early(broadcast_run):
        broadcast, (client,) = broadcast_run.broadcast, broadcast_run._clients
        async with client:
            running = asyncio.create_task(broadcast.run())
            while broadcast.report.counts.accepted < 20:
                await asyncio.sleep(0.01)
            broadcast.stop("the task was ended from outside", 0.3)
            seen.extend(recorded(store))
            await running

    monkeypatch.setattr(BroadcastRun, "_run", end_early)
    with pytest.raises(ItnioError):
        run.operator.execute(context)
    assert sorted(seen) == people
    assert sorted(recorded(store)) == [*people, slow]


def test_an_unreachable_store_is_not_tried_again_for_each_answer(store, sandbox, monkeypatch):
    monkeypatch.setattr(state_store, "_WRITE_RETRY_DELAY", 0)
    sandbox.fail_next(60, delay=0.2)
    store.fail(OSError("Broken pipe"), after=1)
    fails_at_once(broadcast_run(numbers(60), store=store, max_in_flight=10, checkpoint_every=20))
    assert store.tried <= 1 + 2 * 3  # the head, the first batch, and once more at the end


def test_a_task_killed_before_it_sends_sends_nothing(store, sandbox):
    run = broadcast_run(numbers(2), store=store)
    context = run.begin()
    run.operator.on_kill()
    with pytest.raises(ItnioError, match="ended from outside before anything was sent"):
        run.operator.execute(context)
    assert sandbox.requests == []


def test_the_intents_of_messages_waiting_for_their_number_are_at_most_a_batch(store, sandbox):
    """With ``at_most_once`` a message whose intent is recorded when the worker is lost is never retried."""
    number = numbers(1)[0]
    sandbox.fail_next(1, delay=0.5)
    run = broadcast_run(
        [{"phone": number, "n": n} for n in range(100)],
        text="{{ recipient.n }}",
        store=store,
        delivery="at_most_once",
        checkpoint_every=20,
    )
    intended = []
    sets = store.set

    def watched(key, value, **options):
        intended.append(len(value.get("intended", ())))
        sets(key, value, **options)

    store.set = watched
    run.once()
    assert max(intended) <= 20
    assert [message.text for message in sandbox.messages] == [str(n) for n in range(100)]


@for_each("delivery", ["at_least_once", "at_most_once"])
def test_many_unknown_outcomes_in_a_row_stop_a_broadcast(delivery, store, sandbox, monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.broadcast.engine._MAX_UNANSWERED", 20)
    sandbox.fail_next(1000, http_status=502)
    run = broadcast_run(numbers(100), store=store, delivery=delivery, max_in_flight=10)
    may_be_tried_again(run, UnknownOutcomeError)
    assert 20 <= run.summary["unknown"] <= 30
    assert run.summary["not_attempted"] >= 70
    sandbox.clear_faults()
    before = run.summary["unknown"]
    if delivery == "at_least_once":
        assert counts_of(run.once()) == {"accepted": 100}
    else:
        fails_at_once(run)
        assert counts_of(run.summary) == {"accepted": 100 - before, "unknown": before}


def test_retries_of_the_client_count_towards_the_rate_limit(sandbox):
    sandbox.fail_next(20, http_status=429, headers={"Retry-After": "1"})
    broadcast_run(numbers(40), messages_per_second=40, max_in_flight=40).once()
    moments = sorted(request.at.timestamp() for request in sandbox.requests)
    assert len(moments) == 60
    most = max(sum(moment <= other < moment + 0.5 for other in moments) for moment in moments)
    assert most <= 20 + 10  # 10 for a busy machine; retries outside the rate limit would add all 20


def test_a_stop_does_not_wait_for_messages_waiting_for_a_retry_of_the_client(store, sandbox):
    people = numbers(10)
    sandbox.fail_next(recipient=people[0], http_status=429, headers={"Retry-After": "600"})
    sandbox.fail_next(recipient=people[5], status=-68)
    begun = time.monotonic()
    run = broadcast_run(people, store=store)
    may_be_tried_again(run, AccountError)
    assert time.monotonic() - begun < 300
    assert people[0] not in [message.recipient for message in sandbox.messages]
    run.once()
    assert sorted(message.recipient for message in sandbox.messages) == people


def test_an_earlier_recipient_is_sent_to_again_after_a_success_with_another(store, sandbox):
    from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
    from tests.task_runs import TaskRun

    first, second = numbers(2)
    numbers_of_tries = iter([first, second, first])
    run = TaskRun(
        lambda: WhatsAppSendOperator(task_id="tell", recipient=next(numbers_of_tries), text="x"), store=store
    )
    run.once(ends="failing")
    run.once()
    run.clear()
    run.once()
    assert [message.recipient for message in sandbox.messages] == [first, second, first]

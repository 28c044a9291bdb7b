"""Unit tests of the queue: order, one message in flight per number, results of previous tries."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from airflow_provider_itnio.api.errors import InvalidMessageError, RecordError
from airflow_provider_itnio.api.models import message_from
from airflow_provider_itnio.broadcast.accepted_messages import AcceptedMessages
from airflow_provider_itnio.broadcast.queue import MessageQueue
from airflow_provider_itnio.broadcast.recipients import Recipients
from airflow_provider_itnio.broadcast.summary import Report
from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord, RecordedOutcome
from tests.tables import for_each
from tests.task_runs import TaskStateStore, counts_of, numbers

MESSAGE = message_from({"text": "x"})


def record_in(store, max_tries=2):
    instance = SimpleNamespace(task_id="tell", try_number=1, max_tries=max_tries)
    context = {} if store is None else {"task_state_store": store, "ti": instance}
    return BroadcastRecord.from_context(context, "tell")


def queue_of(
    entries,
    *,
    store=None,
    delivery="at_least_once",
    max_waiting=1000,
    first_batch=100,
    message_for=lambda _: MESSAGE,
):
    """Make a queue with its report."""
    recipients = Recipients(entries)
    report, record = Report(recipients, kind="text"), record_in(store)
    accepted = AcceptedMessages(
        recipients, report=report, record=record, add=record.add, watch=None, fallbacks=None
    )
    queue = MessageQueue(
        recipients,
        message_for=message_for,
        record=record,
        report=report,
        accepted=accepted,
        delivery=delivery,
        fallbacks=None,
        max_waiting=max_waiting,
        first_batch=first_batch,
    )
    queue.report = report
    return queue


async def soon(waiting):
    """Return the awaitable's result, or ``"waits"`` if it is not ready at once."""
    task = asyncio.ensure_future(waiting)
    for _ in range(5):
        await asyncio.sleep(0)
    if task.done():
        return task.result()
    task.cancel()
    return "waits"


def number_of(queued):
    return queued and queued.recipient.number


@pytest.fixture
def store():
    return TaskStateStore()


@pytest.fixture(params=["at_least_once", "at_most_once"])
def delivery(request):
    return request.param


def test_recipients_are_taken_in_the_lists_order_and_then_none(delivery, store):
    async def run():
        queue = queue_of(people, delivery=delivery, store=store)
        return [number_of(await queue.take()) for _ in range(5)]

    people = numbers(4)
    assert asyncio.run(run()) == [*people, None]


def test_a_number_has_one_message_in_flight_and_other_numbers_overtake_the_next(delivery, store):
    async def run():
        one, two = numbers(2)
        entries = [{"phone": one, "n": 0}, {"phone": one, "n": 1}, {"phone": one, "n": 2}, {"phone": two}]
        queue = queue_of(entries, delivery=delivery, store=store)
        first = await queue.take()
        assert number_of(await queue.take()) == two
        assert await soon(queue.take()) == "waits"
        for n in (1, 2):
            queue.done(first)
            first = await soon(queue.take())
            assert first.recipient.data["n"] == n
            assert await soon(queue.take()) in ("waits", None)
        queue.done(first)
        assert await queue.take() is None

    asyncio.run(run())


def test_at_most_room_messages_wait_behind_one_in_flight(store):
    async def run():
        made = []
        one = numbers(1)[0]
        entries = [{"phone": one, "n": n} for n in range(100)]
        queue = queue_of(
            entries, max_waiting=5, message_for=lambda recipient: made.append(recipient) or MESSAGE
        )
        await queue.take()
        assert await soon(queue.take()) == "waits"
        return len(made)

    assert asyncio.run(run()) == 1 + 5


def test_a_closed_queue_gives_no_more_recipients_and_ends_waiting_takes():
    async def run():
        one = numbers(1)[0]
        queue = queue_of([{"phone": one, "n": n} for n in range(3)])
        await queue.take()
        waiting = asyncio.ensure_future(queue.take())
        await asyncio.sleep(0)
        queue.close()
        return [await waiting, await queue.take()]

    assert asyncio.run(run()) == [None, None]


def test_recipients_that_get_no_message_are_counted_by_reason(store):
    previous = record_in(store)
    accepted, refused, unknown, other = numbers(4)
    for number, outcome in ((accepted, "accepted"), (refused, "refused"), (unknown, "unknown")):
        previous.add(RecordedOutcome((number, 0), outcome, code=-114 if outcome == "refused" else None))
    previous.flush()

    def message_for(recipient):
        raise InvalidMessageError("text.body: must not be empty")

    async def run():
        queue = queue_of(
            ["12", accepted, refused, unknown, other],
            store=store,
            delivery="at_most_once",
            message_for=message_for,
        )
        assert await queue.take() is None
        return queue.report.summary()

    summary = asyncio.run(run())
    assert counts_of(summary) == {"accepted_earlier": 1, "refused": 1, "unknown": 1, "invalid": 2}
    assert [failure["reason"] for failure in summary["failures"]] == [
        "recipients[0]: 7 to 14 digits, 2 given",
        "refused in a previous try of this task: text is empty",
        "a previous try of this task may have sent it",
        "text.body: must not be empty",
    ]


def test_at_most_once_messages_taken_are_recorded_and_unsent_ones_are_withdrawn(store):
    async def run():
        one, *others = numbers(4)
        entries = [{"phone": one, "n": 0}, {"phone": one, "n": 1}, *others]
        queue = queue_of(entries, store=store, delivery="at_most_once")
        taken = [await queue.take(), await queue.take()]
        on_record = record_in(store)
        assert {on_record.previous_outcome(queued.key)[0].outcome for queued in taken} == {"unknown"}
        queue.put_back(taken[1])
        return sorted(queued.key for queued in queue.unsent_intended()), [
            (one, 1),
            *((number, 0) for number in others),
        ]

    withdrawn, not_left = asyncio.run(run())
    assert withdrawn == not_left


@for_each("kept", [True, False])
def test_no_intent_is_recorded_at_least_once_or_without_a_record(kept, store):
    async def run():
        queue = queue_of(
            numbers(3),
            store=store if kept else None,
            delivery="at_least_once" if kept else "at_most_once",
        )
        await queue.take()
        assert list(queue.unsent_intended()) == []

    asyncio.run(run())
    assert "intended" not in store.text


def test_messages_whose_intent_cannot_be_recorded_are_not_taken_but_withdrawn(store):
    async def run():
        queue = queue_of(numbers(3), store=store, delivery="at_most_once")
        store.fail(OSError("Broken pipe"))
        with pytest.raises(RecordError):
            await queue.take()
        return [queued.recipient.number for queued in queue.unsent_intended()]

    assert asyncio.run(run()) == numbers(3)


def test_at_most_a_few_batches_of_waiting_messages_are_intended(store):
    async def run():
        one, *others = numbers(30)
        entries = [{"phone": one, "n": n} for n in range(100)] + others
        queue = queue_of(entries, store=store, delivery="at_most_once", first_batch=7)
        await queue.take()
        assert await soon(queue.take()) == "waits"
        return len(list(queue.unsent_intended()))

    assert asyncio.run(run()) < 7 + 2 * 7

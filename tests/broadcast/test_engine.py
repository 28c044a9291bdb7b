"""Unit tests of a broadcast's engine. How it handles answers is tested with its operator."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_itnio.api.async_client import ItnioAsyncClient
from airflow_provider_itnio.api.models import message_from
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.signing import Credentials
from airflow_provider_itnio.broadcast.engine import Broadcast
from airflow_provider_itnio.broadcast.recipients import Recipients
from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord
from tests.task_runs import numbers


@pytest.fixture
def broadcast(sandbox):
    """Run a broadcast, and at the same time the given coroutine."""

    async def run(people, beside, **options):
        message = message_from({"text": "x"})
        async with ItnioAsyncClient(
            Credentials("bDqJFiq9", "7bz1lzh9"), ClientSettings(base_url=sandbox.url)
        ) as client:
            broadcast = Broadcast(
                Recipients(people),
                message_for=lambda recipient: message,
                client=client,
                app_id="DGziZf5u",
                business_phone="91856321321",
                record=BroadcastRecord.from_context({}, "tell"),
                kind="text",
                **options,
            )
            await asyncio.gather(broadcast.run(), beside(broadcast))
        return broadcast

    async def nothing(broadcast):
        pass

    return lambda people, beside=nothing, **options: asyncio.run(run(people, beside, **options))


def test_a_broadcast_sends_to_all_recipients_and_reports_the_count(broadcast, sandbox):
    people = numbers(20)
    done = broadcast(people, messages_per_second=None)
    assert sorted(message.recipient for message in sandbox.messages) == people
    assert (done.stop_reason, done.stop_error, done.report.describe()) == (
        None,
        None,
        "20 recipients: 20 accepted",
    )


def test_a_stopped_broadcast_finishes_messages_in_flight_and_starts_no_new_ones(broadcast, sandbox):
    sandbox.fail_next(4, delay=0.3)

    async def stop(broadcast):
        await asyncio.sleep(0.1)
        broadcast.stop("enough")

    done = broadcast(numbers(20), stop, max_in_flight=4)
    assert done.stop_reason == "enough"
    assert done.report.counts.accepted == len(sandbox.messages) <= 4
    assert done.report.not_attempted == 20 - done.report.counts.accepted


def test_a_broadcast_stopped_with_a_grace_period_gives_up_messages_that_take_longer(broadcast, sandbox):
    sandbox.fail_next(delay=30)

    async def stop(broadcast):
        await asyncio.sleep(0.2)
        broadcast.stop("enough", 0.1)

    done = broadcast(numbers(3), stop, max_in_flight=1)
    assert done.report.describe() == "3 recipients: 1 unknown, 2 not attempted"

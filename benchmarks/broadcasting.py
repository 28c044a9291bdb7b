"""A broadcast to many numbers, and the aiohttp loop that a user would write instead."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from urllib.request import urlopen

from benchmarks.by_hand import API_KEY, APP_ID, BUSINESS_PHONE, SECRET, TEXT, headers_by_hand

__all__ = ["arrivals_at", "broadcast", "by_hand", "numbers", "people"]

PERSONAL = "Dear {{ recipient.name }}, " + TEXT


def numbers(count: int) -> list[str]:
    """Return phone numbers.

    :param count: how many.
    """
    return [f"86100{n:08d}" for n in range(count)]


def people(count: int) -> list[dict[str, str]]:
    """Return recipients with a name.

    :param count: how many.
    """
    return [{"phone": number, "name": f"Customer {n}"} for n, number in enumerate(numbers(count))]


async def by_hand(url: str, recipients: Sequence[str], in_flight: int) -> None:
    """Post a signed text to each number, and only check that it was accepted.

    :param url: the server's address.
    :param recipients: the numbers.
    :param in_flight: requests that wait for their answer at a time.
    """
    import aiohttp

    waiting = iter(recipients)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post() -> None:
            for number in waiting:
                message = {
                    "appId": APP_ID,
                    "businessPhone": BUSINESS_PHONE,
                    "recipient": number,
                    "channelType": 0,
                    "type": "text",
                    "text": {"body": TEXT},
                }
                body = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
                address = f"{url}/wa/custom/sendMsg"
                async with session.post(address, data=body, headers=headers_by_hand()) as response:
                    assert (await response.json())["status"] == "0"

        await asyncio.gather(*(post() for _ in range(in_flight)))


async def broadcast(
    url: str,
    recipients: Sequence[Any],
    in_flight: int,
    *,
    per_second: float | None = None,
    personal: bool = False,
    keep_receipts: bool = False,
) -> Any:
    """Send a text to each recipient with the package.

    :param url: the server's address.
    :param recipients: numbers, or dicts with ``phone`` and ``name``.
    :param in_flight: messages that wait for their answer at a time.
    :param per_second: the most messages per second; ``None`` for no limit.
    :param personal: whether the text contains each recipient's name.
    :param keep_receipts: whether to keep the receipts.
    :return: its report.
    """
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    from airflow_provider_itnio.api.async_client import ItnioAsyncClient
    from airflow_provider_itnio.api.models import Message, message_from
    from airflow_provider_itnio.api.settings import ClientSettings
    from airflow_provider_itnio.api.signing import Credentials
    from airflow_provider_itnio.broadcast.engine import Broadcast
    from airflow_provider_itnio.broadcast.recipients import Recipient, Recipients
    from airflow_provider_itnio.broadcast.rendering import PersonalMessage
    from airflow_provider_itnio.delivery.broadcast_record import BroadcastRecord

    template = PersonalMessage({"text": PERSONAL}, SandboxedEnvironment(undefined=StrictUndefined), {}, {})
    same = message_from({"text": TEXT})

    def message_for(recipient: Recipient) -> Message:
        return message_from(template.fields_for(recipient)) if personal else same

    async with ItnioAsyncClient(Credentials(API_KEY, SECRET), ClientSettings(base_url=url)) as client:
        sent = Broadcast(
            Recipients(recipients),
            message_for=message_for,
            client=client,
            app_id=APP_ID,
            business_phone=BUSINESS_PHONE,
            record=BroadcastRecord.from_context({}, "benchmark"),
            kind="text",
            max_in_flight=in_flight,
            messages_per_second=per_second,
            keep_receipts=keep_receipts,
        )
        await sent.run()
    assert sent.report.counts.accepted == len(recipients), sent.report.describe()
    return sent.report


def arrivals_at(url: str) -> list[float]:
    """Return the times at which messages reached the server since the last call, in seconds.

    :param url: the server's address.
    """
    with urlopen(f"{url}/arrivals") as answer:
        moments: list[float] = json.load(answer)
    return moments

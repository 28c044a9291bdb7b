"""The search of the inbox page: which exchanges hold some words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import Any

from airflow_provider_itnio.sandbox.inbox.items import failure
from airflow_provider_itnio.sandbox.phone_numbers import digits_of
from airflow_provider_itnio.sandbox.store.exchange import Exchange

LOOKED_AT_ONCE = 100
"""Exchanges between which no other request is answered."""


async def found(exchanges: Iterable[Exchange], words: str) -> AsyncIterator[Exchange]:
    """Give the exchanges that hold some words in any letter case, and let requests through meanwhile."""
    wanted = words.strip().lower()
    # Numbers are found as people write them.
    digits = digits_of(wanted) if re.fullmatch(r"[+\d\s().-]+", wanted) else ""

    def holds(text: str) -> bool:
        return wanted in text or (len(digits) > 2 and digits in text)

    rest = iter(exchanges)
    while part := list(islice(rest, LOOKED_AT_ONCE)):
        for exchange in part:
            if not wanted or holds(searched(exchange)):
                yield exchange
        await asyncio.sleep(0)


def searched(exchange: Exchange) -> str:
    """Give the texts of an exchange itself, not those of its envelope, which all share."""
    if exchange.searched is None:
        exchange.searched = "\n".join(map(str, _texts_of(exchange))).lower()
    return exchange.searched


def _texts_of(exchange: Exchange) -> Iterator[Any]:
    yield exchange.number_of_chat
    if message := exchange.message:
        yield from (message.id, message.text, *_texts_in(message.body.get(message.type)))
    elif reply := exchange.reply:
        yield from (reply.id, reply.text, reply.choice or "", reply.answers or "")
    else:
        told = failure(exchange)
        names = ("recipient", "text", "why", "meaning", "status", "http_status")
        yield from (told[name] for name in names if told.get(name) is not None)


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(inner)
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        yield str(value)

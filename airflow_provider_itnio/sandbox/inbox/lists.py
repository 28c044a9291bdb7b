"""The lists of the inbox page: the conversations, and the entries of one of them, by page or by search."""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from airflow_provider_itnio.sandbox.api_models import ChatsAsked, PartAsked
from airflow_provider_itnio.sandbox.inbox.items import failure, item_as_json
from airflow_provider_itnio.sandbox.phone_numbers import digits_of
from airflow_provider_itnio.sandbox.responses import json_bytes
from airflow_provider_itnio.sandbox.store.exchange import Exchange
from airflow_provider_itnio.sandbox.store.store import NUMBER, SHOWN, Store, add_to_chat

FIRST_WORDS = 200
"""Most characters of a text in the list of conversations."""

ANSWERS_KEPT = 20

LOOKED_AT_ONCE = 100
"""Exchanges that are processed before other requests are answered."""


@dataclass(frozen=True)
class Lists:
    """The lists of the page as JSON; ``written`` is a cache, so that many pages cost as much as one."""

    store: Store
    written: dict[tuple[str, ChatsAsked], bytes] = field(default_factory=dict)

    async def conversations(self, asked: ChatsAsked) -> bytes:
        """List the conversations, the most recent first."""
        cursor = self.store.cursor
        if (cursor, asked) not in self.written:
            answer = await self._conversations(cursor, asked)
            if len(self.written) >= ANSWERS_KEPT:
                self.written.clear()
            self.written[cursor, asked] = answer
        return self.written[cursor, asked]

    async def _conversations(self, cursor: str, asked: ChatsAsked) -> bytes:
        store, hits = self.store, None
        if asked.q.strip():
            hits = [one async for one in found(store.exchanges(), asked.q)]
        with store.changed:
            chats, failed = store.chats, store.exchanges(["failure"])
            if hits is not None:
                chats, failed = {}, [one for one in hits if one.kind == "failure"]
                for one in hits:
                    add_to_chat(chats, one)
            wanted = (
                one for one in reversed(chats.items()) if not asked.before or _newest(one[1]) < asked.before
            )
            part = list(islice(wanted, asked.limit + 1))
            shown = part[: asked.limit]
            own = digits_of(asked.chat)
            kinds = {kind: store.kinds[kind] for kind in SHOWN}
            answer = {
                "cursor": cursor,
                "keep": store.keep,
                "open_windows": store.open_windows,
                "totals": {
                    "messages": len(kinds["message"]),
                    "replies": len(kinds["reply"]),
                    "failures": len(kinds["failure"]),
                    "conversations": len(store.chats),
                },
                "oldest": {kind: next(iter(kept), store.number + 1) for kind, kept in kinds.items()},
                "failures": {"count": len(failed), "last": failure(failed[-1]) if failed else None},
                "chat": self._conversation(own, store.chats[own]) | {"found": len(chats.get(own, ()))}
                if own in store.chats
                else None,
                "conversations": [self._conversation(*one) for one in shown],
                "next": _newest(shown[-1][1]) if len(part) > len(shown) else None,
            }
        return json_bytes(answer)

    async def chat(self, number: str, asked: PartAsked) -> bytes:
        """List the chat with a recipient, oldest first."""
        with self.store.changed:
            exchanges = list(self.store.chats.get(number, {}).values())
        return await self._part(exchanges, asked, {"window_until": self._window_of(number)})

    async def failures(self, asked: PartAsked) -> bytes:
        """List the failed requests without a message, oldest first."""
        return await self._part(self.store.exchanges(["failure"]), asked, {})

    async def _part(self, exchanges: list[Exchange], asked: PartAsked, more_keys: dict[str, Any]) -> bytes:
        """Return the newest of some exchanges, or those next to a number, as JSON."""
        forwards = bool(asked.after)
        if asked.before:
            exchanges = exchanges[: bisect_left(exchanges, asked.before, key=NUMBER)]
        exchanges = exchanges[bisect_right(exchanges, asked.after, key=NUMBER) :]
        part: list[Exchange] = []
        async for exchange in found(exchanges if forwards else reversed(exchanges), asked.q):
            part.append(exchange)
            if len(part) > asked.limit:
                break
        more, part = len(part) > asked.limit, part[: asked.limit]
        part.sort(key=NUMBER)
        numbers: dict[str, int | None] = {"before": None, "after": None}
        if more:
            numbers |= {"after": part[-1].number} if forwards else {"before": part[0].number}
        items = b",".join([item_as_json(one) for one in part])
        return b'{"items": [%s], %s' % (items, json_bytes(more_keys | numbers)[1:])

    def _conversation(self, number: str, chat: dict[int, Exchange]) -> dict[str, Any]:
        counts = Counter(one.kind for one in chat.values())
        return {
            "number": number,
            "messages": counts["message"],
            "replies": counts["reply"],
            "failures": counts["failure"],
            "failed": sum(one.has_trouble for one in chat.values()),
            "last": _last(chat[_newest(chat)]),
            "window_until": self._window_of(number),
        }

    def _window_of(self, number: str) -> str | None:
        until = self.store.window_until(number)
        return until.isoformat() if until else None


def _newest(chat: dict[int, Exchange]) -> int:
    return next(reversed(chat))


def _last(exchange: Exchange) -> dict[str, Any]:
    """Return what the list of conversations shows of a conversation's last exchange."""
    shown: dict[str, Any] = {"number": exchange.number, "kind": exchange.kind}
    if message := exchange.message:
        shown |= {"type": message.type, "text": message.text, "at": message.at, "status": message.status}
    elif reply := exchange.reply:
        shown |= {"type": reply.type, "text": reply.text, "at": reply.at, "status": None}
    else:
        failed = failure(exchange)
        shown |= {"type": "failure", "text": failed["why"] or failed["meaning"], "at": exchange.entries[0].at}
        shown |= {"status": failed["status"]}
    return shown | {"text": shown["text"][:FIRST_WORDS], "at": shown["at"].isoformat()}


async def found(exchanges: Iterable[Exchange], words: str) -> AsyncIterator[Exchange]:
    """Yield the exchanges that contain some words, ignoring case, and let other requests run in between."""
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
    """Return the texts of an exchange for the search, without those that all requests have."""
    if exchange.searched is None:
        exchange.searched = "\n".join(map(str, _texts_of(exchange))).lower()
    return exchange.searched


def _texts_of(exchange: Exchange) -> Iterator[Any]:
    yield exchange.chat_number
    if message := exchange.message:
        yield from (message.id, message.text, *_texts_in(message.body.get(message.type)))
    elif reply := exchange.reply:
        yield from (reply.id, reply.text, reply.choice or "", reply.answers or "")
    else:
        failed = failure(exchange)
        names = ("recipient", "text", "why", "meaning", "status", "http_status")
        yield from (failed[name] for name in names if failed.get(name) is not None)


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(inner)
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        yield str(value)

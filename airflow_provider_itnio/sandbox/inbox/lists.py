"""What the inbox page loads: the conversations, and what stands in one of them, in parts."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from airflow_provider_itnio.sandbox.api_models import ChatsAsked, PartAsked
from airflow_provider_itnio.sandbox.inbox.items import failure, item_as_json
from airflow_provider_itnio.sandbox.inbox.search import found
from airflow_provider_itnio.sandbox.phone_numbers import digits_of
from airflow_provider_itnio.sandbox.responses import json_bytes
from airflow_provider_itnio.sandbox.store.conversations import Conversation, Conversations
from airflow_provider_itnio.sandbox.store.exchange import Exchange
from airflow_provider_itnio.sandbox.store.store import NUMBER, SHOWN, Store

FIRST_WORDS = 200
"""Characters of a text that the list of conversations shows."""

ANSWERS_KEPT = 20


@dataclass(frozen=True)
class Lists:
    """The lists of the page, as JSON; ``written`` is kept so that many pages cost as much as one."""

    store: Store
    written: dict[tuple[str, ChatsAsked], bytes] = field(default_factory=dict)

    async def conversations(self, asked: ChatsAsked) -> bytes:
        """List the conversations, the one that was last written in first."""
        cursor = self.store.cursor
        if (cursor, asked) not in self.written:
            told = await self._conversations(cursor, asked)
            if len(self.written) >= ANSWERS_KEPT:
                self.written.clear()
            self.written[cursor, asked] = told
        return self.written[cursor, asked]

    async def _conversations(self, cursor: str, asked: ChatsAsked) -> bytes:
        store, searches = self.store, bool(asked.q.strip())
        found, failed = await self._found(asked.q) if searches else ([], [])
        with store.changed:
            if not searches:
                failed = store.failures()
            all_chats = found if searches else reversed(store.chats)
            wanted = (one for one in all_chats if not asked.before or one.last.number < asked.before)
            chats = list(islice(wanted, asked.limit + 1))
            shown = chats[: asked.limit]
            kinds = {kind: store.kinds[kind] for kind in SHOWN}
            told = {
                "cursor": cursor,
                "keep": store.keep,
                "open_windows": store.open_windows,
                "totals": {
                    "messages": len(kinds["message"]),
                    "replies": len(kinds["reply"]),
                    "failures": len(kinds["failure"]),
                    "conversations": len(store.chats),
                },
                "oldest": {
                    kind: next((one.number for one in kept), store.number + 1) for kind, kept in kinds.items()
                },
                "failures": {"count": len(failed), "last": failure(failed[-1]) if failed else None},
                "chat": self._counted(asked.chat, found if searches else chats),
                "conversations": [self._conversation(one) for one in shown],
                "next": shown[-1].last.number if len(chats) > len(shown) else None,
            }
        return json_bytes(told)

    def _counted(self, number: str, found: list[Conversation]) -> dict[str, Any] | None:
        """Count what stands in a chat, and what was found of it."""
        chat = self.store.chats.of(digits_of(number))
        if chat is None:
            return None
        hits = (len(one.exchanges) for one in found if one.number == chat.number)
        return self._conversation(chat) | {"found": next(hits, 0)}

    async def chat(self, number: str, asked: PartAsked) -> bytes:
        """List what stands in the chat with a recipient, oldest first."""
        with self.store.changed:
            chat = self.store.chats.of(number)
            exchanges = list(chat.exchanges.values()) if chat else []
        return await self._part(exchanges, asked, {"window_until": self._window_of(number)})

    async def failures(self, asked: PartAsked) -> bytes:
        """List the requests that failed and left no message, oldest first."""
        return await self._part(self.store.failures(), asked, {})

    async def _part(self, exchanges: list[Exchange], asked: PartAsked, told: dict[str, Any]) -> bytes:
        """Write the newest of some exchanges, or those next to a number."""
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
        return b'{"items": [%s], %s' % (items, json_bytes(told | numbers)[1:])

    async def _found(self, words: str) -> tuple[list[Conversation], list[Exchange]]:
        """Give the conversations in which some words are, with what was found in each alone, and failures."""
        conversations, failures = Conversations(), []
        async for exchange in found(self.store.exchanges, words):
            conversations.add(exchange)
            if exchange.kind == "failure":
                failures.append(exchange)
        return list(reversed(conversations)), failures

    def _conversation(self, chat: Conversation) -> dict[str, Any]:
        return {
            "number": chat.number,
            "messages": chat.counts["message"],
            "replies": chat.counts["reply"],
            "failures": chat.counts["failure"],
            "failed": chat.troubles,
            "last": _last(chat.last),
            "window_until": self._window_of(chat.number),
        }

    def _window_of(self, number: str) -> str | None:
        until = self.store.window_until(number)
        return until.isoformat() if until else None


def _last(exchange: Exchange) -> dict[str, Any]:
    """Tell of the last exchange of a conversation what a row of the list shows."""
    told: dict[str, Any] = {"number": exchange.number, "kind": exchange.kind}
    if message := exchange.message:
        told |= {"type": message.type, "text": message.text, "at": message.at, "status": message.status}
    elif reply := exchange.reply:
        told |= {"type": reply.type, "text": reply.text, "at": reply.at, "status": None}
    else:
        failed = failure(exchange)
        told |= {"type": "failure", "text": failed["why"] or failed["meaning"], "at": exchange.entries[0].at}
        told |= {"status": failed["status"]}
    return told | {"text": told["text"][:FIRST_WORDS], "at": told["at"].isoformat()}

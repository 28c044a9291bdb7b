"""Which exchanges stand in whose chat, and how many of each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from airflow_provider_itnio.sandbox.store.exchange import Exchange, Kind


@dataclass
class Conversation:
    """
    The chat with one recipient.

    :param exchanges: what stands in it, oldest first, by number
    :param counts: how many messages, replies and failures stand in it; failures have left no message
    :param troubles: how many messages do not arrive, or failed for their sender
    """

    number: str
    last: Exchange
    exchanges: dict[int, Exchange] = field(default_factory=dict)
    counts: Counter[Kind] = field(default_factory=Counter)
    troubles: int = 0


class Conversations:
    """The chats with all recipients, the one that was last written in last."""

    def __init__(self) -> None:
        self._all: dict[str, Conversation] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __reversed__(self) -> Iterator[Conversation]:
        return reversed(self._all.values())

    def of(self, number: str) -> Conversation | None:
        """Give the chat with a recipient, None if nothing of it is kept."""
        return self._all.get(number)

    def add(self, exchange: Exchange) -> None:
        """Take an exchange in, if it names a recipient."""
        number = exchange.number_of_chat
        if number and exchange.kind != "other":
            conversation = self._all.pop(number, None) or Conversation(number, exchange)
            self._all[number] = conversation
            conversation.last = conversation.exchanges[exchange.number] = exchange
            conversation.counts[exchange.kind] += 1
            conversation.troubles += exchange.has_trouble

    def remove(self, exchange: Exchange) -> None:
        """Forget an exchange, if it was taken in."""
        conversation = self._all.get(exchange.number_of_chat)
        if conversation and conversation.exchanges.pop(exchange.number, None):
            conversation.counts[exchange.kind] -= 1
            conversation.troubles -= exchange.has_trouble
            if conversation.exchanges:
                conversation.last = next(reversed(conversation.exchanges.values()))
            else:
                del self._all[conversation.number]

    def count_trouble(self, exchange: Exchange, difference: int) -> None:
        """Change how many messages of a chat do not arrive."""
        conversation = self._all.get(exchange.number_of_chat)
        if conversation and exchange.number in conversation.exchanges:
            conversation.troubles += difference

    def clear(self) -> None:
        """Forget all."""
        self._all.clear()

"""One request with what became of it, or one reply."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

from airflow_provider_itnio.sandbox.phone_numbers import digits_of
from airflow_provider_itnio.sandbox.status_codes import BALANCE_PATH
from airflow_provider_itnio.sandbox.store.entries import (
    Entry,
    ReceivedMessage,
    RefusedRequest,
    Reply,
    SeenRequest,
)
from airflow_provider_itnio.sandbox.store.ring_buffer import memory_of

Kind: TypeAlias = Literal["message", "reply", "failure", "other"]

LONGEST_NUMBER = 40
"""Characters of a recipient, as it was sent, that a chat is kept for."""


@dataclass
class Exchange:
    """
    One request with what became of it, or one reply.

    :param entries: what was kept of it: at most one ``message``, ``refused``, ``request`` and ``reply``
    :param chosen: the id of what the recipient has chosen of its message last, None if nothing was
    :param written: room for how it is written for the page, and for what that depended on
    :param searched: room for the texts that a search looks through, in lower case
    """

    number: int
    entries: tuple[Entry, ...]
    chosen: str | None = None
    written: tuple[object, bytes] | None = field(default=None, repr=False, compare=False)
    searched: str | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        of_type: dict[type, Any] = {type(one): one for one in self.entries}
        self.message: ReceivedMessage | None = of_type.get(ReceivedMessage)
        self.refused: RefusedRequest | None = of_type.get(RefusedRequest)
        self.request: SeenRequest | None = of_type.get(SeenRequest)
        self.reply: Reply | None = of_type.get(Reply)

    @cached_property
    def kind(self) -> Kind:
        """What it is in the inbox; ``other`` is not shown there."""
        if self.message:
            return "message"
        if self.reply:
            return "reply"
        return "failure" if self.failed else "other"

    @cached_property
    def number_of_chat(self) -> str:
        """The digits of the recipient in whose chat it stands; empty if it names none."""
        if self.message:
            return self.message.recipient
        if self.reply:
            return self.reply.sender
        body = self.request.body if self.request else None
        recipient = body.get("recipient") if isinstance(body, dict) else None
        written = str(recipient) if isinstance(recipient, (str, int)) else ""
        return digits_of(written) if len(written) <= LONGEST_NUMBER else ""

    @property
    def has_trouble(self) -> bool:
        """Whether the sender did not learn of a success, or the message does not arrive."""
        return self.failed or (self.message is not None and self.message.status == "failed")

    @property
    def failed(self) -> bool:
        """Whether the sender did not learn of a success, or no message is kept of the success it was told."""
        request = self.request
        if self.refused or request is None:
            return self.refused is not None
        return not request.accepted or (request.path != BALANCE_PATH and not self.message)

    @property
    def memory(self) -> int:
        """About how many bytes it takes: a message and a refusal share the JSON of their request."""
        if self.reply:
            return 16 * len(self.reply.text)
        if self.request is None:
            return 0
        answer = self.request.answer if isinstance(self.request.answer, str) else ""
        return memory_of(self.request.raw_body) + memory_of(answer.encode("utf-8", "surrogatepass"))

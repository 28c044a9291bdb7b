"""Ids of accepted messages: which of them can be waited for."""

from __future__ import annotations

from typing import Final, TypeVar

Owner = TypeVar("Owner")

LONGEST_ID: Final = 128
"""Characters of a message id."""
UNUSABLE: Final = "(accepted; its id"
"""What begins in place of an id that can't be used: why it can't follows."""


def why_not_waited_for(message_id: str, owner: Owner | None = None, other: Owner | None = None) -> str:
    """Say why a message that was accepted can't be waited for.

    :param message_id: its id, as the receipt has it.
    :param owner: whose message it is; ``None`` if that is not known.
    :param other: whose message the same id stands for already, if it does.
    :return: the reason; empty if it can be waited for.
    """
    if message_id.startswith(UNUSABLE):
        return f"can't be waited for {message_id}"
    if owner is not None and other is not None and owner != other:
        return "can't be waited for: Itniotech gave another message the same id"
    return ""

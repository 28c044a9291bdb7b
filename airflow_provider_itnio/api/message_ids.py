"""Ids of accepted messages, and whether a task can wait for the message."""

from __future__ import annotations

from typing import Final, TypeVar

Owner = TypeVar("Owner")

MAX_ID_LENGTH: Final = 128
"""Most characters of a message id."""
UNUSABLE_ID: Final = "(accepted; its id"
"""How the text begins that replaces an unusable id. The reason follows."""


def message_id_problem(message_id: str, owner: Owner | None = None, other: Owner | None = None) -> str:
    """Return why a task can't wait for an accepted message.

    :param message_id: its id, as in the receipt.
    :param owner: the message's recipient or key; ``None`` if it is not known.
    :param other: the owner of another message with the same id, if there is one.
    :return: the reason; empty if a task can wait for it.
    """
    if message_id.startswith(UNUSABLE_ID):
        return f"can't be waited for {message_id}"
    if owner is not None and other is not None and owner != other:
        return "can't be waited for: Itniotech gave another message the same id"
    return ""

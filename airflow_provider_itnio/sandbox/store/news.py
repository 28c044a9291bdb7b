"""What has changed in the store since a reader looked last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from airflow_provider_itnio.sandbox.store.entries import ReceivedMessage


@dataclass(frozen=True)
class Window:
    """
    The 24-hour window of a recipient.

    :param recipient: the recipient's digits
    :param until: when it closes or closed
    """

    recipient: str
    until: datetime


@dataclass(frozen=True)
class News:
    """
    What happened since a reader looked last.

    :param cleared: whether the inbox was cleared since
    :param updates: what changed since, each with its place in the order of all that happened, oldest first:
        a message that has another status, or a window
    :param number: where to go on from, once the exchanges up to it are read too
    """

    cleared: bool
    updates: list[tuple[int, ReceivedMessage | Window]]
    number: int

"""A message of a broadcast, made for one recipient."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_itnio.broadcast.recipients import Recipient

if TYPE_CHECKING:
    from airflow_provider_itnio.api.models import Message
    from airflow_provider_itnio.delivery.broadcast_record import MessageKey


class QueuedMessage(NamedTuple):
    """A message that may leave.

    :param recipient: the recipient.
    :param message: what is sent.
    :param is_fallback: whether it goes out in place of another message.
    """

    recipient: Recipient
    message: Message
    is_fallback: bool = False

    @property
    def key(self) -> MessageKey:
        """Which message it is in the record."""
        return self.recipient.key

"""A message of a broadcast for one recipient."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_itnio.broadcast.recipients import Recipient

if TYPE_CHECKING:
    from airflow_provider_itnio.api.models import Message
    from airflow_provider_itnio.delivery.broadcast_record import MessageKey


class QueuedMessage(NamedTuple):
    """A message that is ready to be sent.

    :param recipient: the recipient.
    :param message: the message.
    :param is_fallback: whether it is the fallback.
    """

    recipient: Recipient
    message: Message
    is_fallback: bool = False

    @property
    def key(self) -> MessageKey:
        """The message's key in the record."""
        return self.recipient.key

"""A message that is checked and not sent yet."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_provider_itnio.api.models import Message

__all__ = ["PreparedMessage"]


@dataclass(frozen=True, slots=True)
class PreparedMessage:
    """A checked message, ready to send.

    :param message: the message.
    :param recipient: the phone number, digits only.
    :param app_id: the application it goes through.
    :param business_phone: the number it comes from, digits only.
    """

    message: Message = field(repr=False)
    recipient: str = field(repr=False)
    app_id: str
    business_phone: str = field(repr=False)

"""What an accepted message gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

import pendulum


class ReceiptDict(TypedDict):
    """A receipt as plain JSON, as it stands in XCom.

    A task that waits until its message is delivered adds ``status`` and ``status_at``, the time in ISO 8601.
    """

    message_id: str
    recipient: str
    type: str
    timestamp: str | None
    status: NotRequired[str]
    status_at: NotRequired[str | None]


@dataclass(frozen=True, slots=True)
class Receipt:
    """Itniotech has accepted the message. Whether WhatsApp delivers it is not known here.

    A task returns :meth:`as_dict` of it: Airflow does not read a ``Receipt`` from an XCom.

    :param message_id: the vendor's id of the message: printable text of at most 128 characters. Where the
        vendor gave something else, it says so in brackets.
    :param recipient: the number it goes to, digits only.
    :param type: the message's type, such as ``text`` or ``template``.
    :param timestamp: when it was accepted, in UTC; ``None`` if the answer did not say.
    :param in_sandbox: whether the answer is one of ``itnio-sandbox``.
    """

    message_id: str
    recipient: str = field(repr=False)
    type: str
    timestamp: pendulum.DateTime | None
    in_sandbox: bool = field(default=False, repr=False, compare=False)

    def as_dict(self) -> ReceiptDict:
        """Write the receipt as plain JSON, the time in ISO 8601."""
        return {
            "message_id": self.message_id,
            "recipient": self.recipient,
            "type": self.type,
            "timestamp": self.timestamp.isoformat() if self.timestamp else None,
        }

"""The receipt of an accepted message."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

import pendulum


class ReceiptDict(TypedDict):
    """A receipt as plain JSON, as in XCom.

    A task that waits for its message to be delivered adds ``status``, and ``status_at`` in ISO 8601.
    """

    message_id: str
    recipient: str
    type: str
    timestamp: str | None
    status: NotRequired[str]
    status_at: NotRequired[str | None]


@dataclass(frozen=True, slots=True)
class Receipt:
    """Itniotech has accepted the message. Whether WhatsApp delivers it is not known yet.

    From a task, return :meth:`as_dict`: Airflow can't read a ``Receipt`` from XCom.

    :param message_id: the vendor's id of the message: printable text of at most 128 characters. If that id is
        unusable, a text in brackets that says why.
    :param recipient: the recipient's number, digits only.
    :param type: the message's type, such as ``text`` or ``template``.
    :param timestamp: when it was accepted, in UTC; ``None`` if it is not in the answer.
    :param in_sandbox: whether ``itnio-sandbox`` accepted it.
    """

    message_id: str
    recipient: str = field(repr=False)
    type: str
    timestamp: pendulum.DateTime | None
    in_sandbox: bool = field(default=False, repr=False, compare=False)

    def as_dict(self) -> ReceiptDict:
        """Return the receipt as plain JSON, the time in ISO 8601."""
        return {
            "message_id": self.message_id,
            "recipient": self.recipient,
            "type": self.type,
            "timestamp": self.timestamp.isoformat() if self.timestamp else None,
        }

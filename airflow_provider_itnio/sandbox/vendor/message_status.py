"""Set and push the statuses of accepted messages, depending on the 24-hour window."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from airflow_provider_itnio.sandbox.api_models import PushGiven
from airflow_provider_itnio.sandbox.faults.test_numbers import Outcome, failed_with, outcome_of_number
from airflow_provider_itnio.sandbox.store.entries import (
    WINDOW,
    DeliveryStatus,
    ReceivedMessage,
    Reply,
    status_push,
)
from airflow_provider_itnio.sandbox.store.store import Store
from airflow_provider_itnio.sandbox.vendor.schema import BY_WHATSAPP
from airflow_provider_itnio.sandbox.vendor.webhook import Webhook

SECONDS_AFTER_ACCEPTANCE = {"sent": 0.0, "delivered": 1.0, "read": 2.0, "failed": 0.0}
OUTSIDE_WINDOW = (
    "would not arrive: outside the 24-hour window. The recipient has not written in the last 24 hours, "
    "so only WhatsApp templates arrive"
)


@dataclass(frozen=True)
class Delivery:
    """
    Sets the statuses of accepted messages, and pushes them and the replies of recipients.

    :param clock: returns the sandbox's time in Unix seconds
    :param scale: factor for the pauses
    """

    store: Store
    webhook: Webhook
    clock: Callable[[], float]
    scale: float

    def begin(self, message: ReceivedMessage) -> None:
        """Add a note to a new message if it would not arrive, and the statuses that it has at once."""
        by_number = outcome_of_number(message.recipient)
        if by_number is None and message.type != "template" and not self._is_open(message.recipient):
            message.notes.append(OUTSIDE_WINDOW)
        outcome = outcome_of(message)
        immediate = [name for name in outcome.statuses if not SECONDS_AFTER_ACCEPTANCE[name] * self.scale]
        message.statuses.extend(self._status(name, outcome) for name in immediate)

    def follow(self, message: ReceivedMessage) -> None:
        """Push a message's statuses, and set the later ones in time. Call it in the server's event loop."""
        self._push(message, message.statuses)
        self._follow(message)

    def resume(self) -> None:
        """Resume after a restart: set the remaining statuses, and send waiting pushes."""
        for message in self.store.messages:
            self._follow(message)
        self.webhook.resume()

    def _follow(self, message: ReceivedMessage) -> None:
        loop = asyncio.get_running_loop()
        cleared = self.store.cleared
        elapsed = self.clock() - message.at.timestamp()
        for name in _remaining_statuses(message):
            after = SECONDS_AFTER_ACCEPTANCE[name] * self.scale
            loop.call_later(min(after, max(0.0, after - elapsed)), self._advance, message, name, cleared)

    def receive(self, reply: Reply) -> None:
        """Store and push a recipient's reply, which opens the 24-hour window."""
        with self.store.transaction():
            self.store.add(reply)
            self.store.set_window(reply.sender, reply.at + WINDOW)
            self.webhook.put(reply.id, [reply.body])

    def push(self, given: PushGiven) -> ReceivedMessage:
        """Set the status of a message, push it, and return the message."""
        message = self.store.message(given.message_id)
        status = DeliveryStatus(given.status, self._now(), given.reason)
        with self.store.transaction():
            self.store.add_status(message, status)
            self.webhook.put(message.id, [status_push(message, status)] * given.times)
        return message

    def set_window(self, recipient: str, *, is_open: bool) -> None:
        """Open the 24-hour window of a recipient from now on, or close it."""
        self.store.set_window(recipient, self._now() + WINDOW if is_open else self._now())

    def _is_open(self, recipient: str) -> bool:
        until = self.store.window_until(recipient)
        return self.store.open_windows if until is None else self._now() < until

    def _advance(self, message: ReceivedMessage, name: str, cleared: int) -> None:
        if self.store.cleared != cleared or name not in _remaining_statuses(message):
            return
        status = self._status(name, outcome_of(message))
        with self.store.transaction():
            self.store.add_status(message, status)
            self._push(message, [status])

    def _push(self, message: ReceivedMessage, reached: list[DeliveryStatus]) -> None:
        if self.webhook.settings.disorder:
            reached = [] if _remaining_statuses(message) else message.statuses[::-1]
        self.webhook.put(message.id, [status_push(message, one) for one in reached])

    def _status(self, name: str, outcome: Outcome) -> DeliveryStatus:
        return DeliveryStatus(name, self._now(), outcome.failure)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock(), UTC)


def outcome_of(message: ReceivedMessage) -> Outcome:
    """Return the outcome of a message, which depends only on its recipient and its notes."""
    if by_number := outcome_of_number(message.recipient):
        return by_number
    if OUTSIDE_WINDOW in message.notes:
        return failed_with(131047)
    return failed_with(131009) if any(note.startswith(BY_WHATSAPP) for note in message.notes) else Outcome()


def _remaining_statuses(message: ReceivedMessage) -> list[str]:
    """Return the statuses that a message has yet to reach."""
    reached = {one.status for one in message.statuses}
    return [name for name in outcome_of(message).statuses if name not in reached]

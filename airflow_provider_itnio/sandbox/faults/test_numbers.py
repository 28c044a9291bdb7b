"""Test numbers, which decide the outcome of each message to them.

They begin with +999, which is not a country code, so that none of them belongs to a person.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from airflow_provider_itnio.sandbox.faults.fault import (
    AFTER_ACCEPTING,
    BEFORE_ACCEPTING,
    LONGEST_DELAY,
    NO_FAULT,
    Fault,
)

TRANSIENT_HTTP = (429, 503)
PAGE = b"<html><body>Bad gateway</body></html>"


TABLE = {
    "+999 1 000 NNNN": "refused with the code -NNNN",
    "+999 2 000 SSSS": "accepted, and answered SSSS seconds late, at most 600",
    "+999 3 000 0001": "the connection is dropped before the message is accepted",
    "+999 3 000 0002": "the connection is dropped after the message is accepted",
    "+999 4 000 0HHH": "answered HTTP HHH, 400 to 599; 429 and 503 with Retry-After: 1",
    "+999 5 000 0001": "answered with an HTML page instead of JSON",
    "+999 5 000 0002": "answered success without a message id",
    "+999 6 000 0NNN": "accepted, then pushed as failed with WhatsApp's code 131NNN",
    "+999 7 000 0001": "accepted and sent, never delivered",
    "+999 7 000 0002": "accepted, sent and delivered, never read",
    "+999 7 000 0003": "accepted, and no status is ever pushed",
}
"""
The effects of :func:`fault_of_number` and :func:`outcome_of_number` in words, by number. Letters in a number
are placeholders for digits.
"""


def meaning_of_number(digits: str) -> str:
    """Return the effect of a test number in words, from the table; empty for any other number."""
    for number, meaning in TABLE.items():
        if re.fullmatch(re.sub("[A-Z]", "[0-9]", re.sub("[+ ]", "", number)), digits):
            return f"test number {number}: {meaning}"
    return ""


class Outcome(NamedTuple):
    """The outcome of an accepted message: the statuses that are pushed, and the reason of ``failed``."""

    statuses: tuple[str, ...] = ("sent", "delivered", "read")
    failure: str = ""


FAILURES = {
    131009: "Parameter value is not valid",
    131026: "Message undeliverable",
    131047: "Re-engagement message",
    131049: "This message was not delivered to maintain healthy ecosystem engagement",
    131053: "Media upload error",
}
"""WhatsApp's codes for messages that fail after acceptance, with WhatsApp's texts."""


def failed_with(code: int) -> Outcome:
    """
    Return the outcome of a message that fails with one of WhatsApp's codes.

    The format of Itniotech's ``failure`` is not documented; here it begins with the code.
    """
    return Outcome(("failed",), f"{code}: {FAILURES.get(code, 'Message failed to send')}")


def outcome_of_number(digits: str) -> Outcome | None:
    """Return the outcome of each message to a test number, for any window; None for other numbers."""
    effect = _effect_of(digits)
    return effect if isinstance(effect, Outcome) else None


def fault_of_number(digits: str) -> Fault | None:
    """Return the fault of each message to a test number; None for other numbers."""
    effect = _effect_of(digits)
    # A number with an outcome is always accepted, also with random failures.
    return NO_FAULT if isinstance(effect, Outcome) else effect


def _effect_of(digits: str) -> Fault | Outcome | None:
    match = re.fullmatch(r"999([1-7])000([0-9]{4})", digits)
    match (match[1], int(match[2])) if match else ("", 0):
        case "1", code if code:
            return Fault(status=-code)
        case "2", seconds if 0 < seconds <= LONGEST_DELAY:
            return Fault(delay=float(seconds))
        case "3", 1:
            return Fault(drop=BEFORE_ACCEPTING)
        case "3", 2:
            return Fault(drop=AFTER_ACCEPTING)
        case "4", http_status if 400 <= http_status <= 599:
            headers = {"Retry-After": "1"} if http_status in TRANSIENT_HTTP else {}
            return Fault(http_status=http_status, headers=headers)
        case "5", 1:
            return Fault(body=PAGE)
        case "5", 2:
            return Fault(answer={"status": "0", "reason": "success"})
        case "6", code if code < 1000:
            return failed_with(131_000 + code)
        case "7", 1:
            return Outcome(("sent",))
        case "7", 2:
            return Outcome(("sent", "delivered"))
        case "7", 3:
            return Outcome(())
    return None

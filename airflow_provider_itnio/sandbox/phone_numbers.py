"""Phone numbers: as digits, and shortened for the log."""

from __future__ import annotations


def digits_of(number: object) -> str:
    """Leave only the digits of a number, so that ``+86 147-1800-4557`` equals ``8614718004557``."""
    return "".join(mark for mark in str(number) if mark in "0123456789")


def shortened(number: str) -> str:
    """Mask the middle of a number for a log; all of it if it has at most four characters."""
    return f"{number[:2]}…{number[-2:]}" if len(number) > 4 else "…"

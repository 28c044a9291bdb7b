"""What time it is for the vendor: this machine's clock, corrected once the server has shown it wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

__all__ = ["ServerClock", "seconds_of_date"]


class ServerClock:
    """Unix time as the server sees it.

    :param now: gives this machine's Unix time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.offset: float = 0.0
        """Seconds the server is ahead of this machine; negative if it is behind."""

    def now(self) -> float:
        """Give the server's Unix time in seconds, as far as it is known."""
        return self._now() + self.offset

    def set_by(self, date: str | None) -> bool:
        """Take the time from an answer's ``Date`` header.

        :param date: the header's text, ``None`` if the answer had none.
        :return: whether it was a time.
        """
        at = seconds_of_date(date)
        if at is None:
            return False
        self.offset = at - self._now()
        return True


def seconds_of_date(date: str | None) -> float | None:
    """Read an HTTP date.

    :param date: the header's text.
    :return: Unix time in seconds, ``None`` if it is not a date.
    """
    if not date:
        return None
    try:
        at = parsedate_to_datetime(date)
        # HTTP's dates are in UTC, also where they do not say so.
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None

"""The vendor's time: this machine's clock, corrected if the server has rejected a timestamp."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime


class ServerClock:
    """Unix time as the server sees it.

    :param now: returns this machine's Unix time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.offset: float = 0.0
        """Seconds the server is ahead of this machine; negative if it is behind."""
        self._confirmed_offset: float = 0.0

    def now(self) -> float:
        """Return the server's Unix time in seconds, as far as it is known."""
        return self._now() + self.offset

    def set_from_date(self, date: str | None) -> bool:
        """Set the time from the ``Date`` header of an answer that rejects a request's timestamp.

        Without a valid date, go back to this machine's clock.

        :param date: the header's text, ``None`` if the answer had none.
        :return: whether the time has changed.
        """
        at = parse_http_date(date)
        if at is None:
            before, self.offset, self._confirmed_offset = self.offset, 0.0, 0.0
            return before != 0
        self.offset = at - self._now()
        return True

    def confirm(self, offset: float, *, accepted: bool) -> None:
        """Keep the offset if the server accepted it; else go back to the last offset that it accepted.

        :param offset: the offset that a request was signed with after the clock was set.
        :param accepted: whether the server accepted that request's timestamp.
        """
        if accepted:
            self._confirmed_offset = offset
        elif self.offset == offset:  # no other request has set it meanwhile
            self.offset = self._confirmed_offset


def parse_http_date(date: str | None) -> float | None:
    """Read an HTTP date.

    :return: Unix time in seconds, ``None`` if it is not a date.
    """
    if not date:
        return None
    try:
        at = parsedate_to_datetime(date)
        # HTTP dates are in UTC, even without a time zone.
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None

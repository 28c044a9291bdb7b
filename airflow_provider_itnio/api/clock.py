"""What time it is for the vendor: this machine's clock, corrected once the server has shown it wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime


class ServerClock:
    """Unix time as the server sees it.

    :param now: gives this machine's Unix time in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.offset: float = 0.0
        """Seconds the server is ahead of this machine; negative if it is behind."""
        self._helped: float = 0.0

    def now(self) -> float:
        """Return the server's Unix time in seconds, as far as it is known."""
        return self._now() + self.offset

    def set_by(self, date: str | None) -> bool:
        """Take the time from the ``Date`` header of an answer that calls a request's time wrong.

        Without a usable date, go back to this machine's clock, if that was not what the request went by.

        :param date: the header's text, ``None`` if the answer had none.
        :return: whether the time is another one now.
        """
        at = seconds_of_date(date)
        if at is None:
            before, self.offset, self._helped = self.offset, 0.0, 0.0
            return before != 0
        self.offset = at - self._now()
        return True

    def judge(self, offset: float, *, helped: bool) -> None:
        """Keep the offset while it helps; else go back to the last one that did.

        :param offset: what a request was signed with after the clock was set.
        :param helped: whether the server took that request's time for right.
        """
        if helped:
            self._helped = offset
        elif self.offset == offset:  # no other request has set it meanwhile
            self.offset = self._helped


def seconds_of_date(date: str | None) -> float | None:
    """Read an HTTP date.

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

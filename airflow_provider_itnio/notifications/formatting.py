"""The format of times and durations in an alert, and removal of characters that can't be sent."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_UNSENDABLE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


def sendable(text: str) -> str:
    """Remove what a message can't contain: terminal colours, control characters, lone surrogates.

    :param text: any text. Surrogates come from file names that are not UTF-8.
    """
    return _UNSENDABLE.sub("", text).encode("utf-8", "replace").decode()


def utc_minute(moment: datetime | None) -> str:
    """Return a time to the minute, in UTC.

    :param moment: a time with its zone; the text is empty for ``None``.
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if moment else ""


def describe_duration(seconds: float) -> str:
    """Return a duration, such as ``1 min 12 s``.

    :param seconds: a negative number counts as 0.
    """
    hours, rest = divmod(max(0, int(seconds)), 3600)
    minutes, seconds = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"

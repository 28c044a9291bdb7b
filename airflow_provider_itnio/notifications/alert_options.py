"""The options ``[itnio]`` of Airflow's configuration that say when alerts are held back, read when used."""

from __future__ import annotations

import logging
import re
from datetime import datetime, time, tzinfo
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import conf

from airflow_provider_itnio.api.describe import describe_value

__all__ = ["HoldingOptions", "QuietHours", "holding_options", "option"]

_HOURS: Final = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})(?:\s+(\S+))?")

_LOG = logging.getLogger(f"airflow.task.{__name__}")


class QuietHours(NamedTuple):
    """Hours of each day.

    :param start: when they begin.
    :param end: when they end, on the next day if that is before ``start``.
    :param zone: the time zone of both.
    """

    start: time
    end: time
    zone: tzinfo

    def contain(self, moment: datetime) -> bool:
        """Say whether a time lies within.

        :param moment: a time with its zone.
        """
        now = moment.astimezone(self.zone).time()
        if self.start < self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end


class HoldingOptions(NamedTuple):
    """When alerts are held back.

    :param limit: alerts that go out to a recipient in a window; 0 for any number.
    :param window: seconds of a window.
    :param quiet_hours: when only urgent ones go out, ``None`` for never.
    :param urgent_tags: tags of DAGs whose alerts go out in quiet hours too.
    """

    limit: int
    window: int
    quiet_hours: QuietHours | None
    urgent_tags: frozenset[str]


def option(name: str, default: str = "") -> str:
    """Give an option of ``[itnio]`` as it is written.

    :param name: its name.
    :param default: what counts where it is not given or can't be read.
    """
    try:
        return str(conf.get("itnio", name, fallback=default) or default).strip()
    except Exception:  # such as a command for its value that fails
        return default


def holding_options() -> HoldingOptions:
    """Give the options; one that can't be used counts as not given."""
    return HoldingOptions(
        _whole("alert_limit", 20, 0, 100_000),
        _whole("alert_window", 600, 1, 604_800),
        _quiet_hours(),
        frozenset(filter(None, (tag.strip() for tag in option("urgent_tags").split(",")))),
    )


def _whole(name: str, default: int, least: int, most: int) -> int:
    written = option(name, str(default))
    try:
        number = int(written)
    except ValueError:
        number = -1
    if least <= number <= most:
        return number
    wanted = f"a whole number from {least} to {most}"
    shown = describe_value(written)
    _LOG.warning("[itnio] %s: must be %s, %s given; the default %s is used", name, wanted, shown, default)
    return default


def _quiet_hours() -> QuietHours | None:
    written = option("quiet_hours")
    if not written:
        return None
    try:
        if not (match := _HOURS.fullmatch(written)):
            raise ValueError(written)
        *numbers, zone = match.groups()
        hour, minute, end_hour, end_minute = map(int, numbers)
        start, end = time(hour, minute), time(end_hour, end_minute)
        if start == end:
            raise ValueError(written)
        return QuietHours(start, end, ZoneInfo(zone or "UTC"))
    except (ValueError, OSError, KeyError):
        example = "two different times and a time zone, such as 22:00-07:00 Europe/Berlin"
        shown = describe_value(written)
        _LOG.warning("[itnio] quiet_hours: must be %s, %s given; there are no quiet hours", example, shown)
        return None

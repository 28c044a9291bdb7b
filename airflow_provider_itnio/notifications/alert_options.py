"""The options ``[itnio]`` of Airflow's configuration. An invalid option is logged and not used."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta, tzinfo
from functools import cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import conf

from airflow_provider_itnio.api.checks import describe_number
from airflow_provider_itnio.api.never_raising_log import NeverRaisingLog
from airflow_provider_itnio.templating import is_rendered_later, recipient_entries

_EVENTS: Final = ("dag_failure", "task_failure", "dag_recovery")
_DEFAULT_EVENTS: Final = "dag_failure,dag_recovery"
_DEFAULT_CONNECTION: Final = "itnio_default"
_CONNECTION_ID: Final = re.compile(r"[\w#!()\-.:/\\]{1,200}")  # Airflow's rule
_TAG_LIMIT: Final = 100
"""Characters; Airflow's limit."""
_QUIET_HOURS: Final = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})(?:\s+(\S+))?")

_LOG = NeverRaisingLog(f"airflow.task.{__name__}")


class DagAlerts(NamedTuple):
    """The alerts that the configuration adds to a DAG.

    :param recipients: phone numbers or Jinja, at least one.
    :param events: one or more of ``dag_failure``, ``task_failure`` and ``dag_recovery``.
    :param conn_id: the connection that sends them.
    """

    recipients: tuple[str, ...]
    events: frozenset[str]
    conn_id: str


class QuietHours(NamedTuple):
    """Hours of each day, in local time, so a change of daylight saving time makes them shorter or longer.

    :param start: when they begin.
    :param end: when they end, on the next day if it is before ``start``.
    :param zone: the time zone of both.
    """

    start: time
    end: time
    zone: tzinfo

    def contain(self, moment: datetime) -> bool:
        """Return whether a time is within these hours.

        :param moment: a time with its zone.
        """
        now = moment.astimezone(self.zone).time()
        if self.start < self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end

    def end_of(self, moment: datetime) -> datetime:
        """Return when alerts are sent again: the time itself, or the end of the quiet hours it is in.

        :param moment: a time with its zone.
        """
        while self.contain(moment):  # minute by minute: a change of daylight saving time may skip ``end``
            moment += timedelta(minutes=1)
        return moment


class HoldingOptions(NamedTuple):
    """When alerts are held back.

    :param limit: alerts for a recipient within a window; 0 for no limit.
    :param window: seconds.
    :param quiet_hours: when only urgent alerts are sent; ``None`` for never.
    :param urgent_tags: tags of DAGs whose alerts are sent in quiet hours, too.
    """

    limit: int
    window: int
    quiet_hours: QuietHours | None
    urgent_tags: frozenset[str]


def alerts_of(dag: Any, recipients: str) -> DagAlerts | None:
    """Return the alerts that the configuration adds to a DAG.

    :param dag: the DAG.
    :param recipients: the option ``alert_recipients``, not empty.
    :return: ``None`` if it adds none.
    """
    options = _dag_options(recipients, *map(_option, ("alert_skip_tags", "alert_on", "alert_conn_id")))
    tags = [str(tag) for tag in dag.tags or ()]
    if options.skip_tags.intersection(tags):
        return None
    keys = [f"tag:{tag}" for tag in tags]
    if any(key.startswith("owner:") for key in options.recipients):
        # Not dag.owner, which raises if a task's owner is None.
        owners = [owner for task in dag.tasks for owner in str(task.owner or "").split(",")]
        keys += dict.fromkeys(f"owner:{owner.strip()}" for owner in owners)
    matched = [number for key in keys for number in options.recipients.get(key, ())]
    numbers = tuple(dict.fromkeys(matched or options.recipients.get("default", ())))
    return DagAlerts(numbers, options.events, options.conn_id) if numbers else None


def holding_options() -> HoldingOptions:
    """Return when alerts are held back. For an invalid option, its default is used."""
    return HoldingOptions(
        _integer_option("alert_limit", 20, 0, 100_000),
        _integer_option("alert_window", 600, 1, 604_800),
        _quiet_hours(),
        _tags("urgent_tags", _option("urgent_tags")),
    )


def check_holding_options() -> None:
    """Log which of these options are invalid, once per process."""
    _log_once(*map(_option, ("alert_limit", "alert_window", "quiet_hours", "urgent_tags")))


@cache
def _log_once(*value: str) -> None:
    holding_options()


def _option(name: str) -> str:
    try:
        return str(conf.get("itnio", name, fallback="") or "").strip()
    except Exception as error:  # e.g. a single ``%``, which is special in the configuration file
        _LOG.warning("[itnio] %s: can't be read (%s); the default is used", name, type(error).__name__)
        return ""


def _log_invalid(name: str, expected: str, value: object, consequence: str) -> None:
    _LOG.warning("[itnio] %s: must be %s, %s given; %s", name, expected, describe_number(value), consequence)


def _integer_option(name: str, default: int, lowest: int, highest: int) -> int:
    if not (value := _option(name)):
        return default
    try:
        number = int(value)
    except ValueError:
        number = -1
    if lowest <= number <= highest:
        return number
    _log_invalid(name, f"a whole number from {lowest} to {highest}", value, f"the default {default} is used")
    return default


def _quiet_hours() -> QuietHours | None:
    if not (value := _option("quiet_hours")):
        return None
    try:
        if not (match := _QUIET_HOURS.fullmatch(value)):
            raise ValueError(value)
        *numbers, zone = match.groups()
        hour, minute, end_hour, end_minute = map(int, numbers)
        midnight = (end_hour, end_minute) == (24, 0)
        start, end = time(hour, minute), time() if midnight else time(end_hour, end_minute)
        if start == end:
            raise ValueError(value)
        return QuietHours(start, end, ZoneInfo(zone or "UTC"))
    except (ValueError, OSError, KeyError):
        expected = "two different times and a time zone, such as 22:00-07:00 Europe/Berlin"
        _log_invalid("quiet_hours", expected, value, "there are no quiet hours")
        return None


def _tags(name: str, value: str) -> frozenset[str]:
    tags = _split_list(value)
    if invalid := {tag for tag in tags if len(tag) > _TAG_LIMIT or '"' in tag}:  # quotes: a list in JSON
        expected = f"tags of at most {_TAG_LIMIT} characters without quotes, separated by commas"
        _log_invalid(name, expected, min(invalid), "no DAG can have such a tag")
    return tags


def _split_list(value: str) -> frozenset[str]:
    return frozenset(filter(None, (word.strip() for word in value.split(","))))


class _DagOptions(NamedTuple):
    recipients: Mapping[str, Sequence[str]]
    skip_tags: frozenset[str]
    events: frozenset[str]
    conn_id: str


@cache
def _dag_options(recipients: str, skip_tags: str, events: str, conn_id: str) -> _DagOptions:
    """Read the options of alerts for all DAGs. Cached, so that a mistake is logged once per process."""
    return _DagOptions(
        {key: numbers for key, entries in _by_key(recipients).items() if (numbers := _valid(key, entries))},
        _tags("alert_skip_tags", skip_tags),
        _parse_events(events),
        _connection(conn_id),
    )


def _by_key(value: str) -> dict[str, Any]:
    """Read a list of numbers, Jinja, or JSON with lists by tag and owner."""
    if not value.startswith(("{", "[")) or value.startswith(("{{", "{%", "{#")):
        return {"default": value}
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError) as error:
        _log_invalid("alert_recipients", "phone numbers or JSON", value, f"no DAG alerts: {error}"[:120])
        return {}
    by_key = parsed if isinstance(parsed, dict) else {"default": parsed}
    unknown = [key for key in by_key if not re.fullmatch(r"default|(tag|owner):\S(.*\S)?", key, re.DOTALL)]
    for key in unknown:
        _log_invalid("alert_recipients", "phone numbers by default, tag:… and owner:…", key, "it is not used")
        del by_key[key]
    return by_key


def _valid(key: str, recipients: Any) -> list[str]:
    """Return the recipients that are phone numbers or Jinja, and log an error for each of the others."""
    from airflow_provider_itnio.notifications.notifier_checks import check_recipient

    name, valid = f"alert_recipients: {key[:60]}", []
    if not (entries := recipient_entries(recipients)):
        _log_invalid(name, "at least one phone number", recipients, "it is not used")
    for index, entry in enumerate(entries):
        try:
            check_recipient(entry, f"{key[:60]}[{index}]")
            valid.append(str(entry))
        except Exception as error:
            _LOG.warning("[itnio] alert_recipients: %s", str(error)[:300])
    return valid


def _parse_events(value: str) -> frozenset[str]:
    names = _split_list(value)
    known = names.intersection(_EVENTS)
    if unknown := ", ".join(sorted(names - known)):
        consequence = "it is not used" if known else f"the default {_DEFAULT_EVENTS} is used"
        _log_invalid("alert_on", f"one or more of {', '.join(_EVENTS)}", unknown, consequence)
    return known or _split_list(_DEFAULT_EVENTS)


def _connection(value: str) -> str:
    if not value or _CONNECTION_ID.fullmatch(value) or is_rendered_later(value):
        return value or _DEFAULT_CONNECTION
    expected = "a connection's id: at most 200 letters, digits or #!()-.:/_\\"
    _log_invalid("alert_conn_id", expected, value, f"the default {_DEFAULT_CONNECTION} is used")
    return _DEFAULT_CONNECTION

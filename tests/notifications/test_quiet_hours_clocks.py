"""Quiet hours are in local time, also on days with a change of daylight saving time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_itnio.notifications.alert_options import holding_options

from .guard_cases import ON_CALL, failed, last_line

pytestmark = pytest.mark.usefixtures("connection")


@pytest.fixture
def hours(option):
    def read(written):
        option(quiet_hours=written)
        quiet = holding_options().quiet_hours
        assert quiet is not None
        return quiet

    return read


def at(moment):
    return datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "moments"),
    [
        # Berlin changes clocks on 29 March 2026 from 02:00 to 03:00, on 25 October from 03:00 to 02:00.
        ("22:00-07:00 Europe/Berlin", {"2026-03-28T20:59": 0, "2026-03-28T21:00": 1, "2026-03-29T00:59": 1}),
        ("22:00-07:00 Europe/Berlin", {"2026-03-29T04:59": 1, "2026-03-29T05:00": 0, "2026-03-29T20:00": 1}),
        ("22:00-07:00 Europe/Berlin", {"2026-10-25T04:59": 1, "2026-10-25T05:30": 1, "2026-10-25T06:00": 0}),
        ("22:00-02:30 Europe/Berlin", {"2026-03-29T00:59": 1, "2026-03-29T01:00": 0, "2026-03-29T01:29": 0}),
        ("02:30-04:00 Europe/Berlin", {"2026-03-29T00:59": 0, "2026-03-29T01:00": 1, "2026-03-29T02:00": 0}),
        ("02:00-03:00 Europe/Berlin", {"2026-03-29T00:59": 0, "2026-03-29T01:00": 0, "2026-10-25T00:00": 1}),
        ("02:00-03:00 Europe/Berlin", {"2026-10-25T01:59": 1, "2026-10-25T02:00": 0}),
        # São Paulo changed clocks on 4 November 2018 from 00:00 to 01:00, on 18 February from 00:00 to 23:00.
        ("22:00-00:30 America/Sao_Paulo", {"2018-11-04T02:59": 1, "2018-11-04T03:00": 0}),
        ("23:00-00:00 America/Sao_Paulo", {"2018-02-18T01:30": 1, "2018-02-18T02:30": 1}),
        ("23:00-00:00 America/Sao_Paulo", {"2018-02-18T02:59": 1, "2018-02-18T03:00": 0}),
        # Lord Howe changes clocks by 30 min: on 4 October 2026 from 02:00 to 02:30, on 5 April back.
        ("22:00-02:15 Australia/Lord_Howe", {"2026-10-03T15:29": 1, "2026-10-03T15:30": 0}),
        ("01:45-06:00 Australia/Lord_Howe", {"2026-04-04T14:44": 0, "2026-04-04T14:45": 1}),
        ("01:45-06:00 Australia/Lord_Howe", {"2026-04-04T15:00": 0, "2026-04-04T15:15": 1}),
        ("01:45-06:00 Australia/Lord_Howe", {"2026-04-04T19:29": 1, "2026-04-04T19:30": 0}),
    ],
)  # fmt: skip
def test_quiet_hours_follow_local_time_over_daylight_saving_changes(written, moments, hours):
    quiet = hours(written)
    assert {moment: int(quiet.contain(at(moment))) for moment in moments} == moments


@pytest.mark.parametrize(
    ("written", "moment", "end"),
    [
        ("22:00-07:00 Europe/Berlin", "2026-03-28T22:00", "2026-03-29T05:00"),
        ("22:00-07:00 Europe/Berlin", "2026-10-24T22:00", "2026-10-25T06:00"),
        ("22:00-02:30 Europe/Berlin", "2026-03-28T22:00", "2026-03-29T01:00"),
        ("22:00-00:30 America/Sao_Paulo", "2018-11-04T02:00", "2018-11-04T03:00"),
        ("22:00-02:15 Australia/Lord_Howe", "2026-10-03T12:00", "2026-10-03T15:30"),
        ("22:00-07:00", "2026-11-25T12:00", "2026-11-25T12:00"),
        ("00:00-23:59", "2026-11-25T00:00", "2026-11-25T23:59"),
    ],
)
def test_the_end_is_the_first_minute_after_quiet_hours(written, moment, end, hours):
    assert hours(written).end_of(at(moment)) == at(end)


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("22:00-24:00 Europe/Berlin", "22:00-00:00 Europe/Berlin"),
        ("9:00-17:30", "09:00-17:30 UTC"),
        ("22:00 – 07:00  Europe/Berlin", "22:00-07:00 Europe/Berlin"),
        (" 22:00-07:00\tEtc/GMT-2 ", "22:00-07:00 Etc/GMT-2"),
    ],
)
def test_equal_quiet_hours_may_be_written_differently(written, same, hours):
    assert hours(written) == hours(same)


@pytest.mark.parametrize(
    "written",
    [
        "00:00-24:00", "07:00-07:00 Europe/Berlin", "24:00-07:00", "22:00-07:60", "22-07", "22:00-07:00:00",
        "10pm-7am", "22.00-07.00", "22:00-07:00 Europe", "22:00-07:00 Europe/Berlin Europe/Paris",
        "22:00-07:00 +02:00", "22:00-07:00 UTC+2", "22:00-07:00, 12:00-13:00", "-", "22:00--07:00",
        "22:00-07:00 " + "x" * 5000,
    ],
)  # fmt: skip
def test_invalid_quiet_hours_are_ignored_and_logged(written, option, logged):
    option(quiet_hours=written)
    assert holding_options().quiet_hours is None
    assert "[itnio] quiet_hours: must be two different times and a time zone, such as 22:00-07:00" in logged()


def test_the_last_alert_before_quiet_hours_shows_their_end(tell, sandbox, variables, clock, option):
    # The window ends at 12:10 UTC, within the quiet hours, which end at 07:00 in Berlin.
    option(alert_limit=1, quiet_hours="13:05-07:00 Europe/Berlin")
    tell(ON_CALL, failed())
    assert last_line(sandbox) == (
        "_Further alerts are held back until 2026-11-26 06:00 UTC: 1 went out within 10 min._"
    )
    tell(ON_CALL, failed())
    clock.now = at("2026-11-26T06:00").timestamp()
    tell(ON_CALL, failed())
    assert "_1 alert was held back since 2026-11-25 12:00 UTC: nightly_load (1)." in last_line(sandbox)

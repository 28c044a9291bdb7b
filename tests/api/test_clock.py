from __future__ import annotations

import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_itnio.api.clock import ServerClock, parse_http_date
from tests.tables import for_each

NOW = 1_700_000_000


def test_the_clock_is_the_machines_until_a_server_date_sets_it() -> None:
    clock = ServerClock(lambda: NOW)
    assert clock.now() == NOW
    assert clock.set_from_date(formatdate(NOW - 3600, usegmt=True))
    assert clock.now() == NOW - 3600
    assert clock.offset == -3600


def test_the_offset_is_added_to_the_machines_running_clock() -> None:
    times = iter([NOW, NOW + 10])
    clock = ServerClock(lambda: next(times))
    clock.set_from_date(formatdate(NOW + 60, usegmt=True))
    assert clock.now() == NOW + 70


@for_each("date", [None, "", "yesterday", "Tue, 99 Nov 2023 22:13:20 GMT", "1700000000"])
def test_an_invalid_date_does_not_set_the_clock(date: str | None) -> None:
    clock = ServerClock(lambda: NOW)
    assert not clock.set_from_date(date)
    assert clock.offset == 0


@for_each(
    "date", ["Tue, 14 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 2023 23:13:20 +0100", "14 Nov 2023 22:13:20 GMT"]
)
def test_http_dates_are_read(date: str) -> None:
    assert parse_http_date(date) == NOW


@given(date=st.text(max_size=40) | st.text(st.sampled_from("Tue,14Nov2023:GMT+- "), max_size=40))
def test_any_date_header_gives_a_time_or_none(date: str) -> None:
    seconds = parse_http_date(date)
    assert seconds is None or isinstance(seconds, float)


@pytest.mark.parametrize("date", ["Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 -0000"])
def test_a_date_without_a_time_zone_is_read_as_utc(date: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        assert parse_http_date(date) == 784111777
    finally:
        monkeypatch.undo()
        time.tzset()

from __future__ import annotations

import asyncio
import json
import threading
from datetime import datetime

import pytest

from airflow_provider_itnio.notifications import alert_state, whatsapp


@pytest.fixture(params=["notify", "async_notify"])
def tell(request):
    """Send an alert in both ways: Airflow calls the notifier, or awaits it."""

    def call(notifier, context):
        if request.param == "notify":
            return notifier.notify(context)
        return asyncio.run(notifier.async_notify(context))

    return call


@pytest.fixture
def notify():
    """Send an alert by calling the notifier, for tables of cases that both ways share."""
    return lambda notifier, context: notifier.notify(context)


class Variables:
    """A stub for Airflow's Variables as callbacks use them; tests/system uses the real ones."""

    def __init__(self):
        self.begin_again()

    def begin_again(self):
        self.values = {}
        self.answering = threading.Event()
        self.answering.set()
        self.asked = 0
        self.writes = 0
        self.unreadable = self.unwritable = self.forgetful = False

    def read(self, key):
        self.asked += 1
        self.answering.wait()
        if self.unreadable:
            raise RuntimeError("the API server is away")
        return self.values.get(key)

    def set(self, key, value, description):
        if self.unwritable:
            raise PermissionError("403")
        if not self.forgetful:
            self.values[key] = value
        self.writes += 1

    @property
    def alerts(self):
        return json.loads(self.values[alert_state.VARIABLE])

    @property
    def recipients(self):
        return list(self.alerts["recipients"].values())


@pytest.fixture(autouse=True)
def not_given_up(monkeypatch):
    """Forget that another test's Variable could not be read or written."""
    monkeypatch.setattr(alert_state._VariableUse, "paused_until", 0.0)


@pytest.fixture
def quick_look_ups(monkeypatch):
    """Look a missing connection up as often as usual, without a pause."""
    monkeypatch.setattr(whatsapp, "_LOOKUP_DELAYS", [0.0] * len(whatsapp._LOOKUP_DELAYS))


@pytest.fixture
def variables(monkeypatch, tmp_path):
    """Empty Variables."""
    variables = Variables()
    monkeypatch.delenv("AIRFLOW__ITNIO__ALERT_LIMIT")
    monkeypatch.setattr(alert_state, "Variable", variables)
    monkeypatch.setattr(alert_state, "read_variable", variables.read)
    # Tests that run in parallel use another folder for their lock.
    monkeypatch.setattr(alert_state.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("airflow_provider_itnio.notifications.guard._TIMEOUT", 60.0)  # for a busy machine
    return variables


@pytest.fixture
def option(monkeypatch):
    """Set options of ``[itnio]``."""

    def set_options(**options):
        for name, value in options.items():
            monkeypatch.setenv(f"AIRFLOW__ITNIO__{name.upper()}", str(value))

    return set_options


class Clock:
    """A clock that tests set; it starts at noon UTC."""

    def __init__(self):
        self.begin_again()

    def begin_again(self):
        self.now = datetime.fromisoformat("2026-11-25T12:00:00+00:00").timestamp()

    def time(self):
        return self.now

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    """The clock of the guard and of the shared alert state."""
    from airflow_provider_itnio.notifications import guard, recovery

    clock = Clock()
    for module in (guard, recovery, alert_state):
        monkeypatch.setattr(module, "time", clock)
    return clock

"""An alert ends at its deadline wherever Airflow sends it from, though the other end would go on for ever."""

from __future__ import annotations

import time

import pytest

from .conftest import AIRFLOW_2

pytestmark = pytest.mark.system

CALLBACKS = {80: "a DAG's callback", 82: "a task's callback"}
LATE = {} if AIRFLOW_2 else {84: "a deadline's callback in the triggerer"}
PATIENCE = 240
"""Seconds that a callback may take to be called and to come back, on a busy machine."""


@pytest.fixture(scope="module")
def ran(running):
    running.airflow.trigger("slow", "run_of_slow")
    if LATE:
        running.airflow.trigger("slow_and_late", "run_of_slow_and_late")
    assert running.airflow.wait_for("slow", "run_of_slow") == "failed"
    return running


def until(is_so):
    ends_at = time.monotonic() + PATIENCE
    while not (so := is_so()) and time.monotonic() < ends_at:
        time.sleep(0.2)
    return so


@pytest.mark.parametrize("number", CALLBACKS | LATE, ids=(CALLBACKS | LATE).values())
def test_an_alert_gives_up_a_server_that_goes_on_for_ever(number, ran):
    assert until(lambda: f"8610000000{number}" in ran.slow.given_up), len(ran.slow.requests)


@pytest.mark.parametrize("number", CALLBACKS, ids=CALLBACKS.values())
def test_the_callback_behind_it_is_called(number, ran):
    """Airflow, which ends callbacks that take too long, has not ended this one."""
    assert until(lambda: ran.alerts.sent_to(f"+86 1000 0000 {number + 1}"))

"""An alert ends at its deadline, wherever Airflow sends it, although the server never ends its answer."""

from __future__ import annotations

from contextlib import suppress

import pytest

from .conftest import AIRFLOW_2
from .running import NotInTimeError, scenario, until

pytestmark = pytest.mark.system

CALLBACKS = {80: "a DAG's callback", 82: "a task's callback"}
LATE = {} if AIRFLOW_2 else {84: "a deadline's callback in the triggerer"}


@scenario()
def slow(running):
    """Alert through the slow server, and wait until all alerts are given up and the next callbacks called."""
    running.airflow.trigger("slow", "run_of_slow")
    if LATE:
        running.airflow.trigger("slow_and_late", "run_of_slow_and_late")
    assert running.airflow.wait_for("slow", "run_of_slow") == "failed"
    given_up = {f"8610000000{number}" for number in CALLBACKS | LATE}
    behind = [f"+86 1000 0000 {number + 1}" for number in CALLBACKS]
    # On a busy machine callbacks take long to be called and to return.
    with suppress(NotInTimeError):
        until(lambda: given_up <= running.slow.given_up and all(map(running.alerts.sent_to, behind)))
    return running


@pytest.mark.parametrize("number", CALLBACKS | LATE, ids=(CALLBACKS | LATE).values())
def test_an_alert_gives_up_a_server_whose_answer_never_ends(number, slow):
    assert f"8610000000{number}" in slow.slow.given_up, len(slow.slow.requests)


@pytest.mark.parametrize("number", CALLBACKS, ids=CALLBACKS.values())
def test_the_callback_after_a_given_up_alert_is_called(number, slow):
    """Airflow ends callbacks that take too long; it has not ended this one."""
    assert slow.alerts.sent_to(f"+86 1000 0000 {number + 1}")

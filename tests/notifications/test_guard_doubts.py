"""In doubt, an alert is sent: after any error, with an invalid Variable, or if the count takes too long."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_itnio.notifications import alert_state, guard
from airflow_provider_itnio.notifications.alert_options import holding_options
from airflow_provider_itnio.notifications.alert_state import AlertState, RecipientState, digest
from tests.notifications.guard_cases import ON_CALL, failed, last_line
from tests.tables import for_each

pytestmark = pytest.mark.usefixtures("connection")

# --- in doubt, send ---------------------------------------------------------------------------------------

NONSENSE = [
    "", "nonsense", "[]", "7", "null", '"x"', "{",
    '{"version": 2}', '{"recipients": 7}', '{"recipients": {"a": 7}}',
    json.dumps({"version": 1, "recipients": {digest("8614718004557"): {"start": 1e18, "sent": 99}}}),
    json.dumps({"version": 1, "recipients": {digest("8614718004557"): {"start": 9_999_999_999, "sent": 99}}}),
    json.dumps({"version": 1, "recipients": {digest("8614718004557"): {"start": -5, "sent": "many"}}}),
    json.dumps({"failing": {"a": {"since": 1, "last": 1, "runs": 1, "run": "r" * 40_000}}}),
    json.dumps({"failing": {"f" * 40_000: {"since": 1, "last": 1, "runs": 1, "run": "r"}}}),
    json.dumps({"recipients": {digest("8614718004557"): {"held": 1, "since": 10**30}}}),
    json.dumps({"recipients": {digest("8614718004557"): {"held": 10**30, "since": 1}}}),
]  # fmt: skip
LIMIT = {"alert_limit": 2}
QUIET = LIMIT | {"quiet_hours": "00:00-23:59"}


@for_each("value", NONSENSE)
def test_an_invalid_variable_holds_no_alert_back(value, notify, sandbox, variables, clock):
    variables.values[alert_state.VARIABLE] = value
    notify(ON_CALL, failed())
    assert len(sandbox.messages) == 1
    assert variables.recipients[0]["sent"] == 1


@pytest.mark.parametrize(
    ("broken", "options"),
    [("unreadable", LIMIT), ("unwritable", QUIET), ("forgetful", LIMIT), ("forgetful", QUIET)],
)
def test_a_variable_that_cannot_be_read_or_written_holds_no_alert_back(
    broken, options, tell, sandbox, variables, option
):
    option(**options)
    setattr(variables, broken, True)
    for _ in range(4):
        tell(ON_CALL, failed())
    assert len(sandbox.messages) == 4


def test_an_unreadable_variable_is_not_read_again_for_a_minute(tell, sandbox, variables, clock):
    variables.unreadable = True
    for _ in range(3):
        tell(ON_CALL, failed())
    assert (len(sandbox.messages), variables.asked) == (3, 1)
    variables.unreadable = False
    clock.now += 61
    tell(ON_CALL, failed())
    assert (variables.asked, variables.writes) == (2, 1)


@pytest.fixture
def answers_late(sandbox, variables, monkeypatch):
    """Delay Airflow's answer until the first alert was sent, which must not wait for it."""

    def answer():
        with suppress(TimeoutError):
            sandbox.wait_for(1, timeout=60)
        variables.answering.set()

    monkeypatch.setattr(guard, "_TIMEOUT", 0.2)
    variables.answering.clear()
    answering = threading.Thread(target=answer)
    answering.start()
    yield
    answering.join()


@pytest.mark.usefixtures("answers_late")
def test_alerts_do_not_wait_for_an_airflow_that_does_not_answer(tell, sandbox, variables):
    for _ in range(3):
        tell(ON_CALL, failed())
    assert (len(sandbox.messages), variables.asked) == (3, 1)
    for thread in threading.enumerate():
        if thread.name == "whatsapp-alert-guard":
            thread.join()


@pytest.mark.usefixtures("answers_late")
def test_a_late_decision_of_the_guard_does_not_change_the_variable(tell, sandbox, variables):
    held = {"start": 1, "sent": 20, "held": 3, "since": 1, "dags": {"sales": 3}}
    before = json.dumps({"recipients": {digest("8614718004557"): held}})
    variables.values[alert_state.VARIABLE] = before
    tell(ON_CALL, failed())
    for thread in threading.enumerate():
        if thread.name == "whatsapp-alert-guard":
            thread.join()
    # The alert was sent without the three held alerts, so the next one must report them.
    assert "held back" not in sandbox.messages[-1].text
    assert variables.values[alert_state.VARIABLE] == before


def test_a_decision_written_too_late_does_not_lose_held_alerts(tell, sandbox, variables, monkeypatch):
    held = {"start": 1, "sent": 20, "held": 3, "since": 1, "dags": {"sales": 3}}
    variables.values[alert_state.VARIABLE] = json.dumps({"recipients": {digest("8614718004557"): held}})
    monkeypatch.setattr(guard, "_TIMEOUT", 0.5)
    write = variables.set

    def write_late(*args):
        variables.set = write
        with suppress(TimeoutError):  # the alert must not wait for this write
            sandbox.wait_for(1, timeout=60)
        write(*args)

    variables.set = write_late
    tell(ON_CALL, failed())
    assert "held back" not in sandbox.messages[-1].text
    deadline = time.monotonic() + 60
    while variables.writes < 2 and time.monotonic() < deadline:  # the count is written, and then undone
        time.sleep(0.05)
    assert [(one["held"], one["dags"]) for one in variables.recipients] == [(3, {"sales": 3})]


class DeadlockImminentError(BaseException):
    """A stub for Airflow 3.3's error, which is in no public module."""


def test_a_read_that_raises_holds_no_alert_back(tell, sandbox, variables, option, monkeypatch):
    def refuse(*args):
        raise DeadlockImminentError

    option(quiet_hours="00:00-23:59")
    monkeypatch.setattr(guard, "read_state", refuse)
    tell(ON_CALL, failed())
    assert len(sandbox.messages) == 1


def test_a_window_may_last_a_week(tell, sandbox, variables, clock, option):
    option(alert_limit=2, alert_window=604_800)
    for _ in range(2):
        tell(ON_CALL, failed())
    clock.now += 3 * 86_400
    tell(ON_CALL, failed())
    assert len(sandbox.messages) == 2


def test_the_end_of_the_window_is_shown_rounded_up_to_the_minute(tell, sandbox, variables, clock, option):
    option(alert_limit=1, alert_window=3600)
    clock.now += 10
    tell(ON_CALL, failed())
    assert last_line(sandbox) == (
        "_Further alerts are held back until 2026-11-25 13:01 UTC: 1 went out within 1 h._"
    )


def test_a_variable_hidden_by_a_secrets_backend_holds_no_alert_back(tell, sandbox, variables, clock, option):
    option(quiet_hours="00:00-23:59")
    shown = AlertState(recipients={"a": RecipientState(start=int(clock.now), sent=3)}).to_json(int(clock.now))
    variables.values[alert_state.VARIABLE] = shown
    variables.forgetful = True
    tell(ON_CALL, failed())
    assert len(sandbox.messages) == 1


def test_after_the_variable_is_deleted_counting_starts_again(tell, sandbox, variables, clock, option):
    option(alert_limit=1)
    for _ in range(3):
        tell(ON_CALL, failed())
    variables.values.clear()
    tell(ON_CALL, failed())
    assert len(sandbox.messages) == 2


@pytest.mark.parametrize("given_limit", ["many", "-1", "1.5", "999999999999", "", "0x10"])
def test_an_invalid_limit_counts_as_20(given_limit, option, logged):
    option(alert_limit=given_limit)
    assert holding_options().limit == 20
    assert ("[itnio] alert_limit: must be a whole number from 0 to 100000" in logged()) is bool(given_limit)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.text()
    | st.recursive(
        st.integers() | st.text() | st.none(),
        lambda inner: st.dictionaries(
            st.sampled_from(
                ["version", "recipients", "failing", digest("8614718004557"), "start", "sent", "held"]
            ),
            inner,
        ),
    ).map(json.dumps)
)
def test_any_content_of_the_variable_lets_a_first_alert_be_sent(value, sandbox, variables, clock):
    variables.values[alert_state.VARIABLE] = value
    before = len(sandbox.messages)
    ON_CALL.notify(failed())
    held = value.count('"sent"') and "1764" in value  # a valid, full window of today
    assert held or len(sandbox.messages) == before + 1

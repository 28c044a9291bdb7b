"""Quiet hours, and the content of the Variable."""

from __future__ import annotations

import json
import multiprocessing

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_itnio.notifications import alert_state
from airflow_provider_itnio.notifications.alert_state import AlertState, FailingState, RecipientState, digest
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from tests.notifications.guard_cases import NUMBER, ON_CALL, OTHER, failed

from .events import of_deadline

pytestmark = pytest.mark.usefixtures("connection")

# --- quiet hours ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "is_quiet"),
    [
        ("11:00-13:00", True),
        ("11:00-12:00", False),
        ("12:00-13:00 UTC", True),
        ("22:00-07:00", False),
        ("22:00-13:00", True),
        ("22:00-07:00 Asia/Shanghai", False),
        ("19:00-21:00 Asia/Shanghai", True),
        ("13:00 - 14:00 Europe/Berlin", True),
        ("12:00-13:00 Europe/Berlin", False),
    ],
)
def test_quiet_hours_have_a_time_zone_and_may_pass_midnight(
    hours, is_quiet, notify, sandbox, variables, clock, option
):
    option(quiet_hours=hours)
    notify(ON_CALL, failed())
    assert (sandbox.messages == []) is is_quiet


def test_the_first_alert_after_quiet_hours_reports_the_held_alerts(tell, sandbox, variables, clock, option):
    option(quiet_hours="11:30-14:00 UTC", alert_limit=0)
    for _ in range(2):
        tell(ON_CALL, failed())
    clock.now += 2 * 3600
    tell(ON_CALL, failed())
    (message,) = sandbox.messages
    assert "_2 alerts were held back since 2026-11-25 12:00 UTC: nightly_load (2)._" in message.text


def test_a_dag_with_an_urgent_tag_alerts_in_quiet_hours(tell, sandbox, variables, clock, option):
    option(quiet_hours="11:30-14:00", urgent_tags="finance, payroll")
    for tags in (["marketing"], ["a", "payroll"], []):
        tell(ON_CALL, failed() | {"dag": DAG("nightly_load", schedule=None, tags=tags)})
    assert len(sandbox.messages) == 1


def test_a_deadlines_alert_is_sent_in_quiet_hours_since_its_tags_are_unknown(
    tell, sandbox, variables, clock, option
):
    option(quiet_hours="11:30-14:00", urgent_tags="finance")
    tell(ON_CALL, of_deadline())
    assert len(sandbox.messages) == 1
    option(urgent_tags="")
    tell(ON_CALL, of_deadline())
    assert len(sandbox.messages) == 1


@pytest.mark.parametrize(
    "hours",
    ["night", "22:00", "22-07", "25:00-07:00", "22:00-22:00", "22:00-07:00 Mars/Base", "22:00-07:00 ../x"],
)
def test_invalid_quiet_hours_hold_no_alert_back(hours, notify, sandbox, variables, clock, option, logged):
    option(quiet_hours=hours)
    notify(ON_CALL, failed())
    assert len(sandbox.messages) == 1
    assert "[itnio] quiet_hours: must be two different times and a time zone, such as" in logged()


# --- the variable's content -------------------------------------------------------------------------------


def test_the_variable_contains_no_phone_number(tell, sandbox, variables, option):
    option(alert_limit=1)
    for _ in range(3):
        tell(WhatsAppNotifier(recipients=[NUMBER, OTHER]), failed())
    written = variables.values[alert_state.VARIABLE]
    assert "4557" not in written
    assert "8610000" not in written
    assert [one["dags"] for one in variables.recipients] == [{"nightly_load": 2}] * 2


def test_the_variables_size_is_limited_and_recipients_with_held_alerts_are_kept_longest():
    state = AlertState(
        recipients={
            digest(str(number)): RecipientState(
                start=number, held=number % 50, since=1, dags={f"dag_{one}" * 9: 1 for one in range(10)}
            )
            for number in range(1, 400)
        },
        failing={
            digest(str(number)): FailingState(since=1, last=number, runs=3, run=digest("x"))
            for number in range(1000)
        },
    )
    written = state.to_json(500)
    assert len(written) <= 32_000
    kept = AlertState.model_validate_json(written)
    assert 50 < len(kept.failing) <= 100
    assert min(failing.last for failing in kept.failing.values()) > 800
    assert digest("399") in kept.recipients


def _alert(number, path):
    class Kept:
        @staticmethod
        def set(key, value, description):
            path.write_text(value)

    alert_state.Variable = Kept
    alert_state.read_variable = lambda key: path.read_text() if path.exists() else None

    def change(state):
        state.recipient("1").hold("sales", 1)

    for _ in range(number):
        alert_state.update_state(change, None)


def test_processes_of_one_machine_do_not_overwrite_each_others_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(alert_state, "_LOCK_TIMEOUT", 600.0)
    path = tmp_path / "variable"
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_alert, args=(25, path)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    (recipient,) = json.loads(path.read_text())["recipients"].values()
    assert recipient["held"] == 200


def test_an_alert_is_sent_and_counted_if_the_lock_cannot_be_made(tell, sandbox, variables, monkeypatch):
    monkeypatch.setattr(alert_state.tempfile, "gettempdir", lambda: "/no/such/folder")
    tell(ON_CALL, failed())
    assert (len(sandbox.messages), variables.writes) == (1, 1)

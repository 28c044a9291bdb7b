"""A success after a failure is reported as a recovery, once."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_itnio.notifications import alert_state
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier

from .events import AIRFLOW_2, START, of_dag, of_task

if not AIRFLOW_2:
    from airflow.sdk.execution_time import comms, supervisor

NUMBER = "+86 147-1800-4557"
FAILED = WhatsAppNotifier(recipients=NUMBER)
RECOVERED = WhatsAppNotifier(recipients=NUMBER, only_after_failure=True)
pytestmark = pytest.mark.usefixtures("connection", "clock")


def run(state, number, *, start, run_type="manual", on_success=RECOVERED, **changes):
    """Return the context of a DAG's callback for a run that took a minute."""
    of_run = {
        "run_id": f"run_{number}",
        "run_type": run_type,
        "logical_date": None,
        "clear_number": 0,
        "start_date": start,
        "end_date": start + timedelta(minutes=1),
    }
    context = of_dag(state, **of_run | changes)
    return context | {"dag": DAG("nightly_load", schedule=None, on_success_callback=on_success)}


@pytest.fixture
def at(clock):
    """Return the time this many minutes after the start, and set the clock two minutes later."""

    def turn(minutes):
        clock.now = START.timestamp() + 60 * (minutes + 2)
        return START + timedelta(minutes=minutes)

    return turn


def headlines(sandbox):
    return [message.text.split("\n")[0] for message in sandbox.messages]


def test_a_dag_that_fails_twice_and_then_succeeds_recovers_once(tell, sandbox, variables, at):
    for number, (minutes, state) in enumerate(
        [(0, "success"), (10, "failed"), (20, "failed"), (70, "success"), (80, "success")]
    ):
        tell(FAILED if state == "failed" else RECOVERED, run(state, number, start=at(minutes)))
    assert headlines(sandbox) == ["❌ *DAG failed*", "❌ *DAG failed*", "💚 *DAG recovered*"]
    assert "It had failed in 2 runs for 1 h 1 min" in sandbox.messages[-1].text


def test_each_notifier_of_a_dag_reports_the_same_recovery(tell, sandbox, variables, at):
    own = WhatsAppNotifier(
        recipients="+86 1000 0000 11",
        only_after_failure=True,
        text="{{ alert.kind }} {{ alert.failed_runs }}, {{ alert.failed_for }}",
    )
    for notifier in (FAILED, FAILED):  # two alerts of one run count once
        tell(notifier, run("failed", 1, start=at(0), on_success=[own, RECOVERED]))
    good = run("success", 2, start=at(10))
    for notifier in (own, RECOVERED):
        tell(notifier, good)
    assert [message.text for message in sandbox.sent_to("+86 1000 0000 11")] == [
        "dag_recovered 1, 11 min 0 s"
    ]
    assert headlines(sandbox)[-1] == "💚 *DAG recovered*"


def test_a_cleared_run_that_succeeds_is_a_recovery(tell, sandbox, variables, at):
    tell(FAILED, run("failed", 1, start=at(0)))
    tell(RECOVERED, run("success", 1, start=at(30), clear_number=1))
    tell(RECOVERED, run("success", 1, start=at(50), clear_number=2))
    assert headlines(sandbox) == ["❌ *DAG failed*", "💚 *DAG recovered*"]


def test_the_success_of_a_run_started_before_the_failure_is_not_a_recovery(tell, sandbox, variables, at):
    before = at(0)
    tell(FAILED, run("failed", 2, start=at(10)))
    tell(RECOVERED, run("success", 1, start=before, end_date=at(30)))
    tell(RECOVERED, run("success", 3, start=at(40)))
    assert headlines(sandbox) == ["❌ *DAG failed*", "💚 *DAG recovered*"]


def test_backfill_runs_count_neither_as_failure_nor_as_recovery(tell, sandbox, variables, at):
    tell(FAILED, run("failed", 1, start=at(0)))
    tell(RECOVERED, run("success", 2, start=at(10), run_type="backfill"))
    tell(FAILED, run("failed", 3, start=at(20), run_type=SimpleNamespace(value="backfill")))
    tell(RECOVERED, run("success", 4, start=at(30)))
    assert headlines(sandbox) == ["❌ *DAG failed*", "❌ *DAG failed*", "💚 *DAG recovered*"]
    assert "It had failed in 1 run for" in sandbox.messages[-1].text


def test_failures_are_stored_only_if_a_notifier_will_report_the_recovery(tell, sandbox, variables, at):
    for callback in (None, print, [WhatsAppNotifier(recipients=NUMBER)]):
        tell(FAILED, run("failed", 1, start=at(0), on_success=callback))
    assert "failing" not in variables.alerts


def test_without_only_after_failure_each_success_is_reported(tell, sandbox, variables, at):
    tell(WhatsAppNotifier(recipients=NUMBER), run("success", 1, start=at(0)))
    assert headlines(sandbox) == ["✅ *DAG succeeded*"]


def test_only_after_failure_suppresses_only_successes(tell, sandbox, variables, at):
    tell(RECOVERED, run("failed", 1, start=at(0)))
    tell(RECOVERED, of_task("skipped"))
    assert headlines(sandbox) == ["❌ *DAG failed*", "⏭️ *Task skipped*"]


@pytest.mark.parametrize("map_index", [-1, 3])
def test_a_task_and_map_index_recover_separately(map_index, tell, sandbox, variables, at):
    task = SimpleNamespace(on_success_callback=RECOVERED)

    def of(state, run_id, minutes, index=map_index, **changes):
        return of_task(
            state, run_id=run_id, map_index=index, start_date=at(minutes), end_date=None, **changes
        ) | {"task": task}

    tell(FAILED, of("failed", "a", 0, exception=ValueError("x")))
    tell(RECOVERED, of("success", "b", 10, index=7))
    tell(FAILED, of("up_for_retry", "c", 20, exception=ValueError("x")))
    tell(RECOVERED, of("success", "c", 30, try_number=2))
    tell(RECOVERED, of("success", "d", 40))
    assert headlines(sandbox) == [
        "❌ *Task failed*",
        "🔁 *Task failed, will be tried again*",
        "💚 *Task recovered*",
    ]
    assert "It had failed in 1 run for 30 min 0 s" in sandbox.messages[-1].text


# --- failures without an alert ----------------------------------------------------------------------------


class Runs:
    """Runs of a DAG, the latest first, as Airflow returns them where callbacks run."""

    def __init__(self, *states):
        self.runs = [
            SimpleNamespace(
                dag_id="nightly_load",
                run_id=f"run_{-age}",
                run_type="scheduled",
                state=state,
                clear_number=0,
                logical_date=START - timedelta(days=age),
                start_date=START - timedelta(days=age),
                end_date=START - timedelta(days=age) + timedelta(hours=1),
            )
            for age, state in enumerate(states, 1)
        ]
        for one, previous in zip(self.runs, [*self.runs, None][1:], strict=True):
            one.get_previous_dagrun = lambda run, previous=previous: previous

    def send(self, msg):
        assert isinstance(msg, comms.GetPreviousDagRun)
        previous = [one for one in self.runs if one.logical_date < msg.logical_date]
        return SimpleNamespace(dag_run=previous[0] if previous else None)

    def tell(self, **changes):
        first = self.runs[0] if self.runs else None
        context = run("success", 0, start=START, **{"logical_date": START} | changes)
        context["dag_run"].get_previous_dagrun = lambda run: first
        if AIRFLOW_2:
            return RECOVERED.notify(context)
        with supervisor.set_supervisor_comms(self):
            return RECOVERED.notify(context)


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ([], None),
        (["success", "failed"], None),
        (["failed", "success", "failed"], "It had failed in 1 run for 23 h 2 min"),
        (["failed", "failed", "success"], "It had failed in 2 runs for 47 h 2 min"),
        (["failed"] * 50, "It had failed in at least 20 runs for 479 h 2 min"),
        (["running", "failed"], None),
    ],
)
def test_previous_failed_runs_are_looked_up_by_logical_date(states, said, sandbox, variables, at):
    at(0)
    Runs(*states).tell()
    assert [message.text.split("\n")[4] for message in sandbox.messages if said] == ([said] if said else [])
    assert bool(sandbox.messages) is bool(said)


@pytest.mark.parametrize("backfill", ["success", "failed", "running"])
def test_backfill_runs_in_between_are_skipped(backfill, sandbox, variables, at):
    at(0)
    runs = Runs(backfill, "failed", backfill, "failed", "success")
    for number in (0, 2):
        runs.runs[number].run_type = "backfill"
    runs.tell()
    assert "It had failed in 2 runs for 95 h 2 min" in sandbox.messages[-1].text


@pytest.mark.parametrize(
    "changes", [{"logical_date": None}, {"clear_number": 1}, {"run_type": "backfill"}], ids=str
)
def test_a_cleared_or_backfill_run_or_one_without_logical_date_is_not_looked_up(
    changes, sandbox, variables, at
):
    at(0)
    Runs("failed").tell(**changes)
    assert sandbox.messages == []


@pytest.mark.parametrize("value", ["nonsense", "{}", None])
def test_with_an_invalid_variable_previous_runs_are_still_looked_up(value, sandbox, variables, at):
    variables.values[alert_state.VARIABLE] = value
    at(0)
    Runs("failed", "success").tell()
    assert headlines(sandbox) == ["💚 *DAG recovered*"]


def test_with_an_unreadable_variable_previous_runs_are_still_looked_up(sandbox, variables, at):
    variables.unreadable = True
    at(0)
    Runs("failed", "success").tell()
    assert headlines(sandbox) == ["💚 *DAG recovered*"]


def test_without_access_to_previous_runs_no_recovery_is_reported(tell, sandbox, variables, at, logged):
    tell(RECOVERED, run("success", 0, start=at(0), logical_date=START))
    assert sandbox.messages == []
    assert "if this is a recovery, no alert is sent" in logged()

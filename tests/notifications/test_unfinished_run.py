"""Airflow 2's ``dags backfill`` runs callbacks while the run's stored state is still running."""

from __future__ import annotations

import pytest

from airflow_provider_itnio.notifications.alert_facts import alert_facts
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from tests.tables import for_each

from .events import of_dag

NUMBER = "+86 147-1800-4557"


@for_each("state", ["running", "queued", None])
@for_each(
    ("reason", "kind", "error"),
    [
        ("success", "dag_succeeded", ""),
        ("task_failure", "dag_failed", "task_failure"),
        ("timed_out", "dag_failed", "timed_out"),
        ("all_tasks_deadlocked", "dag_failed", "all_tasks_deadlocked"),
    ],
)
def test_the_reason_gives_the_outcome_of_a_run_that_has_not_ended(state, reason, kind, error):
    facts = alert_facts(of_dag(state, reason=reason, end_date=None))
    assert (facts.kind, facts.error) == (kind, error)


def test_the_state_has_precedence_over_the_reason_if_the_run_has_ended():
    assert alert_facts(of_dag("failed", reason="success")).kind == "dag_failed"


@pytest.mark.usefixtures("connection")
def test_a_backfill_that_succeeds_sends_no_alert_with_only_after_failure(tell, sandbox, variables):
    notifier = WhatsAppNotifier(recipients=NUMBER, only_after_failure=True)
    tell(notifier, of_dag("running", reason="success", run_id="backfill__2026-11-10T00:00:00+00:00"))
    assert sandbox.messages == []


@pytest.mark.usefixtures("connection")
def test_a_backfill_that_fails_sends_an_alert(tell, sandbox, variables):
    tell(WhatsAppNotifier(recipients=NUMBER), of_dag("running", reason="task_failure", end_date=None))
    assert sandbox.messages[0].text.split("\n")[0] == "❌ *DAG failed*"

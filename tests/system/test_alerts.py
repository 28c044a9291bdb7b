"""Alerts sent by real Airflow: worker, DAG processor, triggerer, executor."""

from __future__ import annotations

from collections import defaultdict

import pytest

from .conftest import AIRFLOW_2
from .running import scenario, until

pytestmark = pytest.mark.system

only_on_3 = pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2 has no deadline and asks no person")
RUNS = ("failing", "failing_again", "own_words", "succeeding")
RUNS_ON_3 = ("late", "late_in_executor", "asking")


@scenario()
def arrived(running):
    """Run every DAG and return the messages by the last two digits of the number."""
    airflow, sandbox = running.airflow, running.alerts
    runs = RUNS if AIRFLOW_2 else RUNS + RUNS_ON_3
    for run in runs:
        airflow.trigger(run.removesuffix("_again"), f"run_of_{run}")
    states = {
        run: airflow.wait_for(run.removesuffix("_again"), f"run_of_{run}")
        for run in runs
        if run != "asking"  # it waits for an answer
    }
    # A DAG's callbacks run shortly after it has ended.
    awaited = {10: 2, 30: 1} | ({} if AIRFLOW_2 else {40: 1, 41: 1, 50: 1})
    for number, messages in awaited.items():
        until(lambda to=f"+86 1000 0000 {number}", least=messages: len(sandbox.sent_to(to)) >= least)
    by_number = defaultdict(list)
    for message in sandbox.messages:
        by_number[int(message.recipient[-2:])].append(message)
    assert states == {run: "failed" if run.startswith(("fail", "own")) else "success" for run in states}
    assert sandbox.refused == []
    return by_number


def text_of(arrived, number):
    """Return the lines of the only text to a number, without the duration."""
    (message,) = arrived[number]
    assert message.type == "text"
    return lines_of(message)


def lines_of(message):
    return [line for line in message.text.split("\n") if not line.startswith("Ran for: ")]


ERROR = ["```ValueError: it *broke* {{ 7 * 7 }} in load_orders", "and a second line with a 'tick'```"]


# --- a task -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "headline", "tries"),
    [(11, "🔁 *Task failed, will be tried again*", "Try: 1 of 2"), (12, "❌ *Task failed*", "Try: 2 of 2")],
    ids=["retry", "failure"],
)
def test_a_failed_tasks_alert_contains_task_run_try_and_error_for_each_run(number, headline, tries, arrived):
    for run, message in zip(("run_of_failing", "run_of_failing_again"), by_run(arrived[number]), strict=True):
        *lines, link = lines_of(message)
        assert lines == [headline, "DAG: `failing`", "Task: `load_orders`", f"Run: `{run}`", tries, *ERROR]
        assert link.startswith("http://127.0.0.1:")
        assert run in link
        assert "load_orders" in link


def test_a_mapped_task_that_succeeds_sends_an_alert_per_map_index(arrived):
    texts = sorted(lines_of(message) for message in arrived[31])
    assert [text[:4] for text in texts] == [
        [
            "✅ *Task succeeded*",
            "DAG: `succeeding`",
            f"Task: `succeed`, map index {index}",
            "Run: `run_of_succeeding`",
        ]
        for index in (0, 1)
    ]


def test_a_skipped_task_sends_an_alert(arrived):
    assert text_of(arrived, 32)[0] == "⏭️ *Task skipped*"


def test_a_custom_text_contains_the_facts_and_renders_no_jinja_in_them(arrived):
    texts = [message.text for message in by_run(arrived[13])]
    assert texts == [
        f"ValueError: it *broke* {{{{ 7 * 7 }}}} in load_orders in load_orders, {run}"
        for run in ("run_of_failing", "run_of_failing_again")
    ]


def test_a_cluster_policy_adds_alerts_to_the_tasks_of_all_dags(arrived):
    runs = [lines_of(message)[3] for message in arrived[60]]
    assert sorted(runs) == ["Run: `run_of_failing_again`", "Run: `run_of_failing`", "Run: `run_of_own_words`"]


# --- a DAG ------------------------------------------------------------------------------------------------


def test_one_notifier_of_a_dag_reports_each_of_its_runs(arrived):
    messages = by_run(arrived[10])
    for run, message in zip(("run_of_failing", "run_of_failing_again"), messages, strict=True):
        *lines, link = lines_of(message)
        assert lines == ["❌ *DAG failed*", "DAG: `failing`", f"Run: `{run}`", "Failed tasks: `load_orders`"]
        assert "/dags/failing/" in link
        assert run in link


def test_a_dag_that_succeeds_sends_an_alert(arrived):
    assert text_of(arrived, 30)[:3] == ["✅ *DAG succeeded*", "DAG: `succeeding`", "Run: `run_of_succeeding`"]


# --- nothing is lost --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (20, "text: UndefinedError: 'there' is undefined"),
        (21, "text.body: at most 4096 characters, 5000 given; if_too_long='truncate' shortens it"),
    ],
    ids=["not rendered", "too long"],
)
def test_an_unusable_custom_text_is_replaced_by_the_default_with_the_reason(number, reason, arrived):
    lines = text_of(arrived, number)
    assert lines[0] == "❌ *Task failed*"
    assert lines[-1] == f"_The text of this alert could not be used:_ {reason}"


def test_a_recipient_that_cannot_be_rendered_does_not_affect_the_others(arrived):
    assert text_of(arrived, 23) == text_of(arrived, 24)


def test_a_whatsapp_template_contains_the_same_facts(arrived):
    (message,) = arrived[22]
    assert message.type == "template"
    template = message.body["template"]
    assert (template["name"], template["language"]) == ("pipeline_alert", {"code": "en"})
    (body,) = template["components"]
    headline, where, run, tries, why, link = [value["text"] for value in body["parameters"]]
    assert (headline, where, run) == ("Task failed", "own_words / fail / map index 0", "run_of_own_words")
    assert tries.startswith("1 of 1, ")
    assert why == "RuntimeError: no. 5"
    assert link.startswith("http://127.0.0.1:")


# --- deadlines, questions ---------------------------------------------------------------------------------


@only_on_3
@pytest.mark.parametrize(
    ("number", "dag_id"), [(40, "late"), (41, "late_in_executor")], ids=["triggerer", "executor"]
)
def test_a_missed_deadlines_alert_names_the_late_run(number, dag_id, arrived):
    headline, dag, run, due, link = text_of(arrived, number)
    assert (headline, dag, run) == ("⏰ *Deadline missed*", f"DAG: `{dag_id}`", f"Run: `run_of_{dag_id}`")
    assert due.startswith("Due: 2")
    assert due.endswith(" UTC")
    assert link.endswith(f"/dags/{dag_id}/runs/run_of_{dag_id}")


@only_on_3
def test_a_questions_alert_contains_its_choices_and_a_link_to_the_form(arrived):
    headline, subject, choices, *_, link = text_of(arrived, 50)
    assert (headline, subject) == ("✋ *Your answer is wanted*", "Load *orders* of run_of_asking?")
    assert choices == "Choices: Approve, Reject"
    assert "/dags/asking/runs/run_of_asking/tasks/approve/required_actions" in link


def by_run(messages):
    return sorted(messages, key=lambda message: "run_of_failing_again" in message.text)

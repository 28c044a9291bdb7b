"""The default alert as the six values of a WhatsApp template."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_itnio.api.models import message_from
from airflow_provider_itnio.notifications.alert_facts import AlertFacts
from airflow_provider_itnio.notifications.default_text import default_template
from tests.tables import for_each

from .events import BASE_URL
from .test_default_text import FULL, HEADLINES, facts, long_words, words

LIMITS = (40, 200, 120, 60, 200, 350)


def values_of(template):
    (body,) = template["components"]
    assert body["type"] == "body"
    return [value["text"] for value in body["parameters"]]


def test_all_six_values_of_an_alert():
    template = default_template(FULL, "pipeline_alert", "en_GB", "text: 'x' is undefined")
    assert (template["name"], template["language"]) == ("pipeline_alert", {"code": "en_GB"})
    assert values_of(template) == [
        "Task failed",
        "nightly_load / load_orders / map index 3",
        "manual__1",
        "1 of 3, 1 min 12 s",
        "text: 'x' is undefined: ValueError: no orders",
        "https://airflow.example.com/dags/nightly_load",
    ]


def test_a_mapped_task_has_the_label_that_airflow_shows():
    _, where, *_ = values_of(default_template(FULL._replace(map_label="São\nPaulo"), "any", "en"))
    assert where == "nightly_load / load_orders / map index 3 (São Paulo)"


@for_each("kind", HEADLINES)
def test_every_kind_has_its_headline(kind):
    headline = values_of(default_template(AlertFacts(kind=kind), "pipeline_alert", "en"))[0]
    assert f"*{headline}*" in HEADLINES[kind]


def test_an_unknown_value_is_a_dash():
    assert values_of(default_template(AlertFacts(), "pipeline_alert", "en"))[1:] == ["-"] * 5


def test_a_missed_deadline_says_when_it_was_due():
    late = AlertFacts(kind="deadline_missed", dag_id="a", duration="42 s", deadline="2026-07-01 02:30 UTC")
    assert values_of(default_template(late, "pipeline_alert", "en"))[3] == "42 s, due 2026-07-01 02:30 UTC"


def test_a_question_is_in_the_fifth_value():
    asked = AlertFacts(kind="approval_wanted", subject="Load?", options="Approve, Reject")
    assert values_of(default_template(asked, "pipeline_alert", "en"))[4] == "Load?: Approve, Reject"


@pytest.mark.parametrize(
    ("alert", "why"),
    [
        (
            AlertFacts(kind="dag_failed", failed_tasks="load, check (3 mapped)"),
            "load, check (3 mapped)",
        ),
        (AlertFacts(kind="dag_failed", error_line="task_failure"), "task_failure"),
        (
            AlertFacts(kind="dag_recovered", failed_runs="2", failed_for="42 s"),
            "It had failed in 2 runs for 42 s",
        ),
    ],
)
def test_a_dags_failed_tasks_and_duration_are_in_the_fifth_value(alert, why):
    assert values_of(default_template(alert, "pipeline_alert", "en"))[4] == why


def test_the_fifth_value_begins_with_the_held_alerts():
    why = values_of(default_template(FULL, "pipeline_alert", "en", note="80 alerts were held back"))[4]
    assert why == "80 alerts were held back: ValueError: no orders"


@given(alert=facts, reason=words | long_words)
def test_any_facts_give_a_template_that_whatsapp_accepts(alert, reason):
    template = default_template(alert, "pipeline_alert", "en", reason)
    values = values_of(template)
    assert len(values) == len(LIMITS)
    for value, limit in zip(values, LIMITS, strict=True):
        assert 0 < len(value) <= limit
        assert value.strip()
        assert not [mark for mark in ("\n", "\r", "\t", "    ") if mark in value]
    assert message_from({"template": template}).type == "template"


@given(text=st.text(st.characters(categories=["Cc", "Zs", "Zl", "Zp", "Ll"]), max_size=20))
def test_spaces_and_control_characters_give_a_template_that_whatsapp_accepts(text):
    alert = AlertFacts(kind="task_failed", dag_id=text, run_id=text, error_line=text, log_url=text)
    assert message_from({"template": default_template(alert, "pipeline_alert", "en", text)})


@pytest.mark.parametrize(
    "path",
    [
        "runs/{}/tasks/load_orders?try_number=1",
        "grid?dag_run_id={}&task_id=load_orders&tab=logs",
    ],
    ids=["Airflow 3", "Airflow 2"],
)
def test_a_log_link_over_350_characters_becomes_the_dags(path):
    link = f"{BASE_URL}/dags/nightly_load/{path}"
    fits = link.format("x" * (352 - len(link)))
    assert len(fits) == 350
    for run_id, shown in (("x" * (352 - len(link)), fits), ("x" * 353, f"{BASE_URL}/dags/nightly_load")):
        alert = FULL._replace(log_url=link.format(run_id))
        assert values_of(default_template(alert, "pipeline_alert", "en"))[5] == shown

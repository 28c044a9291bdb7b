"""The default text of an alert."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_itnio.api.models import message_from
from airflow_provider_itnio.notifications.alert_facts import AlertFacts, AlertKind
from airflow_provider_itnio.notifications.default_text import default_text
from tests.tables import for_each

HEADLINES = {
    "task_failed": "❌ *Task failed*",
    "task_retry": "🔁 *Task failed, will be tried again*",
    "task_succeeded": "✅ *Task succeeded*",
    "task_skipped": "⏭️ *Task skipped*",
    "task_running": "▶️ *Task running*",
    "dag_failed": "❌ *DAG failed*",
    "dag_succeeded": "✅ *DAG succeeded*",
    "task_recovered": "💚 *Task recovered*",
    "dag_recovered": "💚 *DAG recovered*",
    "deadline_missed": "⏰ *Deadline missed*",
    "approval_wanted": "✋ *Your answer is wanted*",
    "alerts_held": "📥 *Alerts held back*",
    "event": "ℹ️ *Airflow*",
}
BEGINNINGS = (
    "DAG: ",
    "Task: ",
    "Run: ",
    "Try: ",
    "Due: ",
    "Ran for: ",
    "Choices: ",
    "Failed tasks: ",
    "It had failed ",
    "_The text of this",
)
REASON = "_The text of this alert could not be used:_ "

pieces = st.sampled_from(
    ["`", "```", "*", "_", "~", "\n", "\r\n", "\t", "{{ 7 * 7 }}", "{%", "{#", "é漢😀", "a"]
)
words = st.lists(pieces | st.text(max_size=8), max_size=12).map("".join)
long_words = st.builds(lambda text, times: text * times, words, st.integers(1, 400))
ids = st.just("") | (words | long_words).filter(str.strip)
numbers = st.sampled_from(["", "0", "1", "12", "999999"])
links = st.just("") | st.builds(
    lambda path: f"https://airflow.example.com/dags/{path}",
    st.text("abc%_*~-./?=&", max_size=60) | st.just("%E6" * 2000),
)
facts = st.builds(
    AlertFacts,
    kind=st.sampled_from(get_args(AlertKind)),
    dag_id=ids,
    task_id=ids,
    map_index=numbers,
    map_label=ids,
    run_id=ids,
    try_number=numbers,
    max_attempts=numbers,
    error=words | long_words,
    error_line=words,
    duration=st.sampled_from(["", "3 s", "2 h 5 min"]),
    log_url=links,
    deadline=st.sampled_from(["", "2026-07-01 02:30 UTC"]),
    subject=words | long_words,
    options=words | long_words,
    failed_tasks=ids,
    failed_runs=numbers,
    failed_for=st.sampled_from(["", "3 s", "2 h 5 min"]),
)

FULL = AlertFacts(
    kind="task_failed",
    dag_id="nightly_load",
    task_id="load_orders",
    map_index="3",
    run_id="manual__1",
    try_number="1",
    max_attempts="3",
    error="ValueError: no orders\nsecond line",
    error_line="ValueError: no orders",
    duration="1 min 12 s",
    log_url="https://airflow.example.com/dags/nightly_load",
)


def line_of(text, beginning):
    (line,) = [line for line in text.split("\n") if line.startswith(beginning)]
    return line


def test_a_mapped_task_has_the_label_that_airflow_shows():
    assert "Task: `load_orders`, map index 3 (`São 'Paulo'`)" in default_text(
        FULL._replace(map_label="São\n`Paulo`")
    )


def test_every_kind_has_a_headline():
    assert set(HEADLINES) == set(get_args(AlertKind))


def test_all_lines_of_an_alert():
    assert default_text(FULL, "text: 'x' is undefined").split("\n") == [
        "❌ *Task failed*",
        "DAG: `nightly_load`",
        "Task: `load_orders`, map index 3",
        "Run: `manual__1`",
        "Try: 1 of 3",
        "Ran for: 1 min 12 s",
        "```ValueError: no orders",
        "second line```",
        "https://airflow.example.com/dags/nightly_load",
        "_The text of this alert could not be used:_ text: 'x' is undefined",
    ]


@for_each("kind", HEADLINES)
def test_an_alert_without_facts_is_only_its_headline(kind):
    assert default_text(AlertFacts(kind=kind)) == HEADLINES[kind]


@for_each("kind", HEADLINES)
def test_the_try_is_shown_only_for_task_failures_and_retries(kind):
    assert ("Try: 1 of 3" in default_text(FULL._replace(kind=kind))) is (
        kind in ("task_failed", "task_retry")
    )


def test_a_question_shows_the_question_and_its_choices_but_no_duration():
    asked = FULL._replace(kind="approval_wanted", subject="Load *orders*?", options="Approve, Reject")
    lines = default_text(asked._replace(error="")).split("\n")
    assert lines[1:3] == ["Load *orders*?", "Choices: Approve, Reject"]
    assert not [line for line in lines if line.startswith("Ran for")]


def test_a_try_without_a_maximum_is_shown_alone():
    assert line_of(default_text(FULL._replace(max_attempts="")), "Try: ") == "Try: 1"


def test_a_failed_dag_shows_its_failed_tasks_before_the_error():
    failed = AlertFacts(kind="dag_failed", failed_tasks="load, check (3 mapped)")
    assert default_text(failed) == "❌ *DAG failed*\nFailed tasks: `load, check (3 mapped)`"
    late = failed._replace(error="timed_out")
    assert default_text(late).endswith("Failed tasks: `load, check (3 mapped)`\n```timed_out```")


@pytest.mark.parametrize(
    ("runs", "how_long", "said"),
    [
        ("2", "3 h 5 min", "It had failed in 2 runs for 3 h 5 min"),
        ("1", "42 s", "It had failed in 1 run for 42 s"),
        ("2", "", "It had failed in 2 runs"),
    ],
)
def test_a_recovery_shows_the_number_and_the_time_of_failures(runs, how_long, said):
    recovered = AlertFacts(kind="dag_recovered", dag_id="sales", failed_runs=runs, failed_for=how_long)
    assert default_text(recovered) == f"💚 *DAG recovered*\nDAG: `sales`\n{said}"


def test_held_alerts_are_shown_before_the_reason():
    lines = default_text(FULL, "why", "80 alerts were held back").split("\n")
    assert lines[-2:] == ["_80 alerts were held back_", f"{REASON}why"]


@given(alert=facts, reason=words | long_words)
def test_any_facts_give_a_text_that_whatsapp_accepts(alert, reason):
    text = default_text(alert, reason)
    assert len(text) <= 4096
    assert text.startswith(HEADLINES[alert.kind])
    assert message_from({"text": text}).type == "text"


@given(alert=facts, reason=words | long_words)
def test_backticks_in_data_neither_open_nor_close_code(alert, reason):
    text = default_text(alert, reason)
    assert text.count("```") in (0, 2)
    outside = text if "```" not in text else "".join(text.split("```")[::2])
    for line in outside.split("\n"):
        is_labelled = line.startswith("Task: ") and alert.map_index and alert.map_label
        assert line.count("`") in (0, 4 if is_labelled else 2), line
        assert line.count("`") == 0 or line.startswith(("DAG: `", "Task: `", "Run: `", "Failed tasks: `"))


@given(alert=facts, reason=words | long_words)
def test_no_line_is_empty_or_only_a_label(alert, reason):
    text = default_text(alert, reason)
    outside = text if "```" not in text else "x".join(text.split("```")[::2])
    for line in outside.split("\n"):
        assert line.strip()
        assert line.strip() not in [beginning.strip() for beginning in BEGINNINGS]
    assert "``````" not in text


@given(alert=facts, reason=(words | long_words).filter(str.strip))
def test_the_reason_is_in_the_last_line(alert, reason):
    last = default_text(alert, reason).split("\n")[-1]
    assert last.startswith(REASON)
    shown = last.removeprefix(REASON)
    assert " ".join(reason.replace("`", "'").split()).startswith(shown.removesuffix("…"))


@for_each("name", ["dag_id", "task_id", "run_id", "subject", "options"])
def test_line_breaks_in_an_id_or_question_become_spaces(name):
    plain = default_text(FULL._replace(kind="approval_wanted", **{name: "a b c"}))
    assert default_text(FULL._replace(kind="approval_wanted", **{name: "a\nb\r\n\t c"})) == plain


@for_each("name", ["dag_id", "task_id", "run_id", "error", "subject", "options"])
@for_each("jinja", ["{{ 7 * 7 }}", "{% raw %}", "{# x #}", "{{ no.such.name }}", "{% endif %}"])
def test_jinja_in_data_is_not_rendered(name, jinja):
    assert jinja in default_text(FULL._replace(kind="approval_wanted", **{name: jinja}))
    assert jinja in default_text(FULL, jinja)


def test_a_long_error_is_truncated_and_the_lines_after_it_are_kept():
    text = default_text(FULL._replace(error="x" * 10_000), "why")
    assert f"```{'x' * 1499}…```" in text
    assert text.endswith("why")


def test_an_error_is_truncated_to_the_space_that_the_other_lines_leave():
    link = "https://airflow.example.com/dags/" + "x" * 967
    longest = dict.fromkeys(("dag_id", "task_id", "run_id", "error", "subject", "options"), "x" * 5000)
    text = default_text(FULL._replace(**longest, log_url=link), "w" * 5000)
    assert 4090 < len(text) <= 4096
    error, shown_link, reason = text.split("\n")[-3:]
    assert (error[:6], error[-4:]) == ("```xxx", "…```")
    assert len(error) > 600
    assert shown_link == link
    assert reason == f"{REASON}{'w' * 399}…"


def test_an_error_of_backticks_only_closes_its_code_block():
    assert "```'''```" in default_text(FULL._replace(error="```"))


def test_a_link_longer_than_the_space_left_becomes_the_dags_link():
    link = f"https://airflow.example.com/dags/nightly_load/runs/{'%E6' * 2000}/tasks/x"
    lines = default_text(FULL._replace(log_url=link), "why").split("\n")
    assert lines[-2:] == ["https://airflow.example.com/dags/nightly_load", f"{REASON}why"]

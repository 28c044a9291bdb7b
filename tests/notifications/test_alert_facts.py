"""The facts of an alert, gathered from every context Airflow gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import DAG, mask_secret

from airflow_provider_itnio.notifications.alert_facts import AlertFacts, alert_facts
from tests.tables import for_each

from .events import (
    BASE_URL,
    EVENTS,
    LOG_URL,
    RUN_ID,
    RUN_LINK,
    START,
    dag_run,
    of_dag,
    of_deadline,
    of_task,
    task_instance,
)


class State(Enum):
    """A stub for Airflow's states, whose ``str`` is not their value in every version."""

    FAILED = "failed"


class LoadError(Exception):
    """An error with an additional value."""

    value = 42


class MuteError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


@pytest.fixture
def base_url(monkeypatch):
    """Set Airflow's base URL."""

    def put(url):
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", url)
        monkeypatch.setenv("AIRFLOW__WEBSERVER__BASE_URL", url)

    return put


# --- all kinds --------------------------------------------------------------------------------------------


@for_each(("kind", "context"), EVENTS.items())
def test_the_kind_is_derived_from_the_context(kind, context):
    assert alert_facts(context()).kind == kind


@for_each("context", [*EVENTS.values(), dict])
def test_every_fact_is_a_string(context):
    assert {type(fact) for fact in alert_facts(context())} == {str}


def test_an_empty_context_is_an_event_without_facts():
    assert alert_facts({}) == AlertFacts()


# --- a task -----------------------------------------------------------------------------------------------


def test_the_facts_of_a_failed_task():
    assert alert_facts(of_task(exception=ValueError("no orders\nsecond line"))) == AlertFacts(
        kind="task_failed",
        dag_id="nightly_load",
        task_id="load_orders",
        run_id=RUN_ID,
        try_number="1",
        max_attempts="3",
        error="ValueError: no orders\nsecond line",
        error_line="ValueError: no orders",
        duration="1 min 12 s",
        log_url=LOG_URL,
    )


def test_a_state_may_be_an_enum_member():
    assert alert_facts(of_task(State.FAILED)).kind == "task_failed"


@for_each(
    ("exception", "error"),
    [
        (None, ""),
        ("Task was killed", "Task was killed"),
        ("  ", ""),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (ValueError(), "ValueError"),
        (ValueError("\n "), "ValueError"),
        (KeyError("orders"), "KeyError: 'orders'"),
        (RuntimeError("é {{ 7 * 7 }} *漢*"), "RuntimeError: é {{ 7 * 7 }} *漢*"),
        (LoadError("no such table"), "LoadError: no such table"),
        (StopIteration(), "StopIteration"),
        (StopIteration(5), "StopIteration: 5"),
        (KeyError(""), "KeyError: ''"),
        (MuteError("x"), "MuteError"),
        (SystemExit(3), "SystemExit: 3"),
        (State.FAILED, "failed"),
    ],
)
def test_an_error_is_its_type_and_message(exception, error):
    facts = alert_facts(of_task() | {"exception": exception})
    assert (facts.error, facts.error_line) == (error, error)


@for_each(
    ("context", "told"),
    [
        ({"dag": DAG("sales", schedule=None), "run_id": "r1"}, ("dag_failed", "sales", "r1")),
        ({"dag_run": dag_run("failed")}, ("dag_failed", "nightly_load", RUN_ID)),
        ({}, ("event", "", "")),
    ],
)
def test_a_context_without_a_task_instance_keeps_its_error(context, told):
    facts = alert_facts(context | {"exception": OSError("disk full")})
    assert (facts.kind, facts.dag_id, facts.run_id) == told
    assert (facts.error, facts.error_line) == ("OSError: disk full", "OSError: disk full")


def test_a_stop_iteration_error_is_its_type_only():
    try:
        next(iter([]))
    except StopIteration as error:
        facts = alert_facts(of_task(exception=error))
    assert facts.error == facts.error_line == "StopIteration"


def test_the_errors_of_an_exception_group_are_listed():
    group = ExceptionGroup("loading", [ValueError("no orders"), LoadError("no table"), MuteError()])
    facts = alert_facts(of_task(exception=group))
    assert facts.error == (
        "ExceptionGroup: loading (3 sub-exceptions)\n"
        "- ValueError: no orders\n- LoadError: no table\n- MuteError"
    )
    assert facts.error_line == "ExceptionGroup: loading (3 sub-exceptions)"


def test_a_huge_error_is_truncated_without_showing_a_masked_value():
    mask_secret("hunter2ofthetests")
    words = f"{'x' * 1990} hunter2ofthetests {'y' * 50_000_000}"
    error = alert_facts(of_task(exception=ValueError(words))).error
    assert len(error) <= 2000
    assert "hunter" not in error


def test_a_running_task_with_an_exception_counts_as_failed():
    assert alert_facts(of_task("running", exception=ValueError("x"))).kind == "task_failed"
    assert alert_facts(of_task("running")).kind == "task_running"
    assert alert_facts(of_task(None)).kind == "event"


def test_a_long_error_is_truncated():
    facts = alert_facts(of_task(exception=ValueError("x" * 5000)))
    assert facts.error == f"ValueError: {'x' * 1987}…"
    assert len(facts.error) == 2000
    assert facts.error_line == f"ValueError: {'x' * 187}…"
    assert len(facts.error_line) == 200


def test_error_has_all_lines_and_error_line_only_the_first():
    facts = alert_facts(of_task(exception=ValueError("\n".join(map(str, range(50))))))
    assert facts.error.count("\n") == 49
    assert facts.error_line == "ValueError: 0"


@pytest.mark.parametrize("make", [ValueError, str], ids=["exception", "text"])
def test_values_that_airflow_masks_are_masked_in_the_error(make):
    mask_secret("hunter2ofthetests")
    facts = alert_facts(of_task(exception=make("can't log in with hunter2ofthetests\nhunter2ofthetests")))
    assert "hunter2" not in "".join(facts)
    assert facts.error_line.endswith("can't log in with ***")


@for_each(("given", "shown"), [(-1, ""), (None, ""), (0, "0"), (12, "12")])
def test_only_a_mapped_task_has_a_map_index(given, shown):
    assert alert_facts(of_task(map_index=given)).map_index == shown


@for_each(("given", "shown"), [("Berlin", "Berlin"), (" ", ""), (None, "")])
def test_a_mapped_task_may_have_a_label(given, shown):
    assert alert_facts(of_task(map_index=3, rendered_map_index=given)).map_label == shown


def test_missing_attributes_of_a_task_instance_are_empty_facts():
    ti = SimpleNamespace(task_id="load_orders", state="running")
    assert alert_facts({"ti": ti}) == AlertFacts(kind="task_running", task_id="load_orders")


@pytest.mark.parametrize(("tried", "kind"), [(1, "task_retry"), (2, "task_retry"), (3, "task_failed")])
def test_a_task_with_neither_state_nor_exception_means_a_lost_worker(tried, kind):
    ti = SimpleNamespace(task_id="load_orders", try_number=tried, max_tries=2)
    facts = alert_facts({"ti": ti})
    assert facts.kind == kind
    assert facts.error == facts.error_line == "The worker that ran the task was killed or lost"
    assert (facts.try_number, facts.max_attempts) == (str(tried), "3")


@for_each("state", ["failed", "up_for_retry"])
def test_a_dict_of_ids_as_the_error_as_in_airflow_2_means_a_lost_worker(state):
    error = str({"DAG Id": "nightly_load", "Task Id": "load_orders", "Run Id": RUN_ID, "Hostname": "worker"})
    facts = alert_facts(of_task(state, exception=error))
    assert facts.error == facts.error_line == "The worker that ran the task was killed or lost"


def test_a_fact_that_raises_leaves_the_others():
    class Mute:
        state, dag_id, task_id = "failed", "nightly_load", "load_orders"

        @property
        def log_url(self):
            raise RuntimeError("no address")

    facts = alert_facts({"ti": Mute()})
    assert (facts.kind, facts.dag_id, facts.task_id, facts.log_url) == (
        "task_failed",
        "nightly_load",
        "load_orders",
        "",
    )


def test_colours_and_control_characters_are_removed_from_an_error():
    error = alert_facts(of_task(exception=ValueError("\x1b[31mred\x1b[0m\x00 and\n\tmore"))).error
    assert error == "ValueError: red and\n\tmore"


@for_each(
    ("seconds", "shown"),
    [(-5, "0 s"), (0, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (3600, "1 h 0 min"), (7509, "2 h 5 min")],
)
def test_a_duration_is_human_readable(seconds, shown):
    assert alert_facts(of_task(end_date=START + timedelta(seconds=seconds))).duration == shown


def test_the_duration_of_a_task_without_an_end_date_lasts_until_now():
    started = datetime.now(UTC) - timedelta(hours=3, minutes=1, seconds=30)
    assert alert_facts(of_task(start_date=started, end_date=None)).duration == "3 h 1 min"


def test_a_task_without_a_start_date_has_no_duration():
    assert alert_facts(of_task(start_date=None)).duration == ""


# --- a human-in-the-loop task -----------------------------------------------------------------------------


class Question:
    subject = "Load orders?"
    options = ("Approve", "Reject")

    def generate_link_to_ui_from_context(self, *, context):
        return f"{BASE_URL}/required_actions/{context['ti'].task_id}"


def test_a_human_in_the_loop_task_gives_its_question_and_the_link_to_its_form():
    facts = alert_facts(of_task("running", task=Question()))
    assert facts.kind == "approval_wanted"
    assert (facts.subject, facts.options) == ("Load orders?", "Approve, Reject")
    assert facts.log_url == f"{BASE_URL}/required_actions/load_orders"


def test_a_human_in_the_loop_task_that_failed_is_a_failed_task():
    facts = alert_facts(of_task(task=Question(), exception=TimeoutError("no answer")))
    assert (facts.kind, facts.subject, facts.log_url) == ("task_failed", "", LOG_URL)


# --- a DAG ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ti", [None, task_instance("success")], ids=["without", "with the last task"])
def test_the_facts_of_a_failed_dag(ti, base_url):
    base_url(BASE_URL)
    assert alert_facts(of_dag(ti=ti)) == AlertFacts(
        kind="dag_failed",
        dag_id="nightly_load",
        run_id=RUN_ID,
        error="task_failure",
        error_line="task_failure",
        duration="2 h 5 min",
        log_url=RUN_LINK,
    )


def test_a_dag_that_succeeded_has_no_error():
    facts = alert_facts(of_dag("success", reason="success"))
    assert (facts.kind, facts.error, facts.error_line) == ("dag_succeeded", "", "")


def test_the_link_of_a_run_has_the_host_of_its_tasks_log_links(base_url):
    base_url("https://elsewhere.example.com")
    assert alert_facts(of_dag(ti=task_instance())).log_url == RUN_LINK


@pytest.mark.parametrize("url", [BASE_URL, f"{BASE_URL}/"])
def test_the_link_of_a_run_without_a_task_uses_airflows_base_url(url, base_url):
    base_url(url)
    assert alert_facts(of_dag()).log_url == RUN_LINK


def test_the_link_of_a_run_is_on_localhost_if_airflow_has_no_base_url(base_url):
    base_url("")
    assert alert_facts(of_dag()).log_url == RUN_LINK.replace(BASE_URL, "http://localhost:8080")


def test_a_dags_event_without_a_run_has_the_dags_id_and_link():
    facts = alert_facts({"dag": DAG("nightly_load", schedule=None)})
    assert (facts.kind, facts.dag_id, facts.run_id) == ("event", "nightly_load", "")
    assert facts.log_url.partition("/dags/")[2].startswith("nightly_load")


def test_a_context_with_a_run_id_only_has_the_run_id():
    assert alert_facts({"run_id": RUN_ID, "reason": "task_failure"}).run_id == RUN_ID


# --- a deadline -------------------------------------------------------------------------------------------


def test_the_facts_of_a_missed_deadline(base_url):
    base_url(BASE_URL)
    assert alert_facts(of_deadline()) == AlertFacts(
        kind="deadline_missed",
        dag_id="nightly_load",
        run_id=RUN_ID,
        duration="42 s",
        log_url=RUN_LINK,
        deadline="2026-07-01 02:30 UTC",
    )


@for_each(
    ("moment", "shown"),
    [
        (datetime(2026, 7, 1, 2, 30, 59, tzinfo=UTC), "2026-07-01 02:30 UTC"),
        (datetime(2026, 7, 1, 10, 30, tzinfo=timezone(timedelta(hours=8))), "2026-07-01 02:30 UTC"),
        ("2026-07-01T02:30:00Z", "2026-07-01 02:30 UTC"),
        ("2026-07-01T10:30:00.123456+08:00", "2026-07-01 02:30 UTC"),
        ("soon", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_deadlines_time_may_be_a_datetime_or_a_string(moment, shown):
    assert alert_facts(of_deadline(deadline={"deadline_time": moment})).deadline == shown


@pytest.mark.parametrize("nothing", [None, {}, "gone"])
def test_a_deadline_without_a_run_or_time_is_a_missed_deadline(nothing):
    facts = alert_facts({"dag_run": nothing, "deadline": nothing})
    assert facts == AlertFacts(kind="deadline_missed")


def test_a_task_instance_has_precedence_over_a_deadline():
    assert alert_facts(of_task("success") | {"deadline": {}}).kind == "task_succeeded"


def test_ids_in_a_link_are_percent_encoded(base_url):
    base_url(BASE_URL)
    link = alert_facts(of_deadline(dag_run={"dag_id": "a b", "dag_run_id": "x&y z"})).log_url
    assert link.startswith(f"{BASE_URL}/dags/a%20b/")
    assert link.endswith("x%26y%20z")

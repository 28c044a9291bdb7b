"""Running one task of a DAG without a database: how it is executed and ends."""

from __future__ import annotations

import os
import re
from datetime import date

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSkipException,
    BaseOperator,
    task,
)

from airflow_provider_itnio.api.errors import NotSentError
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from tests.sandbox.testing import task_dags
from tests.sandbox.testing.in_dag import (
    AIRFLOW_BEFORE_3_3,
    Looking,
    adhoc,
    in_dag,
    on_airflow_3,
    rendered,
)
from tests.sandbox.testing.task_dags import NUMBER, Counting
from tests.tables import for_each
from tests.task_runs import TaskStateStore

pytestmark = on_airflow_3

# --- execution ------------------------------------------------------------------------------------------


def test_any_operator_runs_with_its_pre_and_post_execute_hooks(itnio_sandbox):
    task_dags.NOTES.clear()
    hooks = {
        "pre_execute": lambda context: task_dags.NOTES.append("own pre"),
        "post_execute": lambda context, result: task_dags.NOTES.append(f"own post {result}"),
    }
    operator = Counting(task_id="count", words="{{ ds }}", **hooks)
    assert itnio_sandbox.execute(operator, ds="2026-07-01") == 10
    called = task_dags.NOTES
    assert called[:2] == ["own pre", "pre 2026-07-01"]
    assert called[2:4] == ["execute None", "pushed 5"]
    assert called[4:] == ["own post 10", "post"]


@pytest.mark.parametrize("count", [1, 2])
def test_airflow_accepts_the_run_as_one_by_its_task_runner(itnio_sandbox, logged, count):
    class Strict(BaseOperator):
        def execute(self, context):
            return "done"

    operator = Strict(task_id="strict", allow_nested_operators=False)
    assert [itnio_sandbox.execute(operator) for _ in range(count)] == ["done"] * count
    assert "cannot be called outside" not in logged()


@pytest.mark.parametrize(
    ("fault", "error"),
    [({"status": -68}, AirflowFailException), ({"count": 9, "http_status": 503}, NotSentError)],
)
def test_a_tasks_error_is_raised(itnio_sandbox, fault, error):
    itnio_sandbox.connect(extra={"max_attempts": 1})
    itnio_sandbox.fail_next(**fault)
    with pytest.raises(error):
        itnio_sandbox.execute(adhoc("hello"))


def test_a_task_without_a_receiver_names_the_fixture_that_starts_one(itnio_sandbox):
    waits = WhatsAppSendOperator(task_id="tell", recipient=NUMBER, text="done", wait_for="delivered")
    with pytest.raises(AirflowFailException, match="receiver_url: is missing") as raised:
        itnio_sandbox.execute(waits)
    assert any("itnio_receiver" in note for note in raised.value.__notes__)


def test_a_skip_is_raised(itnio_sandbox):
    @task.whatsapp(recipient=NUMBER)
    def nothing():
        raise AirflowSkipException("nothing is late")

    with DAG("sales", schedule=None):
        skipping = nothing()
    with pytest.raises(AirflowSkipException, match="nothing is late"):
        itnio_sandbox.execute(skipping)
    assert itnio_sandbox.messages == []


@for_each(
    ("given", "named"),
    [
        ("tell", "str given"),
        (None, "NoneType given"),
        (task_dags.tell, "the function tell given. Its task is dag.get_task('tell')"),
        (task_dags.tell.override(task_id="tell_each"), "dag.get_task('tell_each')"),
        (Looking, "the class Looking given"),
    ],
)
def test_a_value_that_is_not_a_task_is_refused(itnio_sandbox, given, named):
    expected = "task: an operator, or what a function with a task decorator returns in a DAG; "
    with pytest.raises(TypeError, match=f"{re.escape(expected)}.*{re.escape(named)}"):
        itnio_sandbox.execute(given)


def test_a_tasks_error_is_raised_without_a_context(itnio_sandbox):
    with pytest.raises(ZeroDivisionError) as raised:
        itnio_sandbox.execute(Looking(task_id="look", at=lambda: 1 / 0))
    assert raised.value.__context__ is None


@pytest.mark.skipif(AIRFLOW_BEFORE_3_3, reason="Airflow has a task state store from 3.3 on")
def test_each_run_of_a_task_has_an_empty_task_state_store(itnio_sandbox, caplog):
    caplog.set_level("INFO")

    class Storing(BaseOperator):
        def execute(self, context):
            store = context["task_state_store"]
            assert store.get("seen", "never") == "never"
            store.set("seen", {"times": [1]})
            assert store.get("seen") == {"times": [1]}
            store.set("other", 1)
            store.delete("other")
            assert store.get("other") is None
            with pytest.raises(ValueError, match="None"):
                store.set("seen", None)
            store.clear()
            assert store.get("seen") is None
            store.set("seen", "last")

    for _ in range(2):
        itnio_sandbox.execute(Storing(task_id="stores"))
        itnio_sandbox.execute(in_dag("hello"))
    assert len(itnio_sandbox.messages) == 2
    assert "No delivery record" not in caplog.text


@pytest.mark.skipif(AIRFLOW_BEFORE_3_3, reason="Airflow has a task state store from 3.3 on")
@pytest.mark.parametrize("store", [{}, TaskStateStore()], ids=["a dict", "another store"])
def test_a_test_may_pass_the_store_of_a_previous_try(itnio_sandbox, store):
    for try_number in (1, 2):
        itnio_sandbox.execute(in_dag("hello"), try_number=try_number, task_state_store=store)
    assert len(itnio_sandbox.messages) == 1


def test_another_connection_is_used_if_the_task_names_it(itnio_sandbox):
    itnio_sandbox.connect("itnio_marketing", extra={"app_id": "DGziZf5u", "business_phone": "12"})
    with pytest.raises(AirflowFailException, match="business_phone"):
        itnio_sandbox.execute(adhoc("hello", itnio_conn_id="itnio_marketing"))
    itnio_sandbox.connect("itnio_marketing")
    itnio_sandbox.execute(adhoc("hello", itnio_conn_id="itnio_marketing"))
    assert len(itnio_sandbox.messages) == 1


@for_each(
    ("given", "words"),
    [
        ({"xcoms": [1]}, "xcoms: a dict, [1] given"),
        ({"variables": ["a"]}, "variables: a dict, ['a'] given"),
        ({"variables": {"good": "1", "a=b": "2"}}, "variables: an id without '=', 'a=b' given"),
        ({"variables": {1: "x"}}, "variables: an id without '=', 1 given"),
        ({"variables": {"a": object()}}, "variables: must be valid as JSON"),
        ({"xcoms": {1: 2}}, "xcoms: by task id, or by task id and key, 1 given"),
        ({"xcoms": {("a",): 2}}, "xcoms: by task id, or by task id and key, ('a',) given"),
        ({"xcoms": {("a", 1): 2}}, "xcoms: by task id, or by task id and key, ('a', 1) given"),
        ({"variables": {"": "x"}}, "variables: an id without '=', '' given"),
        ({"variables": {"good": "1", "a": "\0"}}, "variables['a']: a text without NUL and lone surrogates"),
        ({"variables": {"a": "\ud800"}}, "variables['a']: a text without NUL and lone surrogates"),
        ({"variables": {"\udfff": "x"}}, "variables: a text without NUL and lone surrogates"),
        ({"run_id": 4}, "run_id: a text, 4 given"),
        ({"run_id": ""}, "run_id: a text, '' given"),
        ({"params": [1]}, "params: a dict, [1] given"),
        ({"map_index": 3}, "map_index: the task is not mapped, 3 given"),
        ({"try_number": "2"}, "try_number: a whole number from 1, '2' given"),
        ({"try_number": 0}, "try_number: a whole number from 1, 0 given"),
        ({"ds": "yesterday"}, "ds: a date such as '2026-07-01', 'yesterday' given"),
        (
            {"ds": "2026-07-01T23:30:00-05:00"},
            "ds: a date such as '2026-07-01', '2026-07-01T23:30:00-05:00' given",
        ),
        ({"ds": None}, "ds: a date such as '2026-07-01', None given"),
        ({"ds": "2026-07-01", "logical_date": "2026-01-01"}, "ds: not together with logical_date"),
        (
            {"logical_date": "soon"},
            "logical_date: a date or a time, such as '2026-07-01T06:00:00Z', 'soon' given",
        ),
        ({"logical_date": 5}, "logical_date: a date or a time, such as '2026-07-01T06:00:00Z', 5 given"),
        ({"data_interval_end": "x"}, "data_interval_end: a date or a time"),
    ],
)
def test_the_error_of_an_invalid_argument_names_it(itnio_sandbox, given, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        itnio_sandbox.execute(in_dag("hello"), **given)
    assert itnio_sandbox.requests == []
    assert "AIRFLOW_VAR_GOOD" not in os.environ


@pytest.mark.parametrize("day", ["20260701", date(2026, 7, 1)])
def test_a_date_without_a_time_is_midnight_utc(itnio_sandbox, day):
    assert rendered(itnio_sandbox, "{{ ds }} {{ ts }}", ds=day) == "2026-07-01 2026-07-01T00:00:00+00:00"
    assert rendered(itnio_sandbox, "{{ ds }}", logical_date=date(2026, 7, 1)) == "2026-07-01"


def test_xcom_pull_supports_default_and_map_indexes(itnio_sandbox):
    text = "{{ ti.xcom_pull('u', map_indexes=0, default='zz') }} {{ ti.xcom_pull('v', map_indexes=[1, 0]) }}"
    assert rendered(itnio_sandbox, text, xcoms={"u": None, "v": [1, 2]}) == "zz [2, 1]"
    with pytest.raises(ValueError, match="xcoms: a list for 'v', an entry per instance, 5 given"):
        rendered(itnio_sandbox, "{{ ti.xcom_pull('v', map_indexes=0) }}", xcoms={"v": 5})


def test_alerts_over_the_limit_are_held_back(itnio_sandbox, monkeypatch):
    monkeypatch.setenv("AIRFLOW__ITNIO__ALERT_LIMIT", "1")
    told = [WhatsAppNotifier(recipients=NUMBER, text=text) for text in ("first", "second")]
    with DAG("held", schedule=None):
        task = adhoc("{{ no_such_name }}", on_failure_callback=told)
    with pytest.raises(AirflowFailException):
        itnio_sandbox.execute(task)
    (message,) = itnio_sandbox.messages
    assert message.text.startswith("first\n\n_Further alerts are held back until ")

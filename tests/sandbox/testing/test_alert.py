"""Running a notifier with the context of each kind of event."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from importlib.metadata import version

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_1_PLUS

from airflow_provider_itnio.api.errors import ItnioError
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from tests.sandbox.testing import task_dags
from tests.sandbox.testing.task_dags import NUMBER
from tests.tables import for_each

AIRFLOW_2 = version("apache-airflow").startswith("2.")
EVERY_FACT = "{{ alert.kind }}|{{ alert.dag_id }}|{{ alert.task_id }}|{{ alert.run_id }}|{{ alert.error }}"


def notifier(**fields):
    return WhatsAppNotifier(recipients=NUMBER, **fields)


@for_each(
    ("kind", "told", "text"),
    [
        ("failure", "task_failed", "a_dag|a_task|run|RuntimeError: the task failed"),
        ("retry", "task_retry", "a_dag|a_task|run|RuntimeError: the task failed"),
        ("success", "task_succeeded", "a_dag|a_task|run|"),
        ("skipped", "task_skipped", "a_dag|a_task|run|"),
        ("dag_failure", "dag_failed", "a_dag||run|task_failure"),
        ("dag_success", "dag_succeeded", "a_dag||run|"),
        ("deadline", "deadline_missed", "a_dag||run|"),
    ],
)
def test_a_notifier_gets_the_facts_of_each_kind_of_event(itnio_sandbox, kind, told, text):
    itnio_sandbox.alert(notifier(text=EVERY_FACT), kind, run_id="run")
    assert [message.text for message in itnio_sandbox.messages] == [f"{told}|{text}"]


@pytest.mark.parametrize("kind", ["failure", "dag_success", "deadline"])
def test_the_default_text_has_a_duration_and_a_link(itnio_sandbox, kind):
    itnio_sandbox.alert(notifier(), kind, run_id="run")
    (message,) = itnio_sandbox.messages
    assert "1 min 12 s" in message.text
    run = "grid?dag_run_id=run" if AIRFLOW_2 else "runs/run"
    assert f"http://localhost:8080/dags/a_dag/{run}" in message.text


@pytest.mark.parametrize("exception", [ValueError("no orders"), "no orders"])
def test_the_exception_is_passed_to_the_notifier(itnio_sandbox, exception):
    itnio_sandbox.alert(notifier(text="{{ alert.error_line }}"), exception=exception)
    assert itnio_sandbox.messages[0].text.endswith("no orders")


@for_each("kind", ["success", "skipped", "dag_failure", "dag_success", "deadline"])
def test_an_exception_for_an_event_without_one_is_refused(itnio_sandbox, kind):
    with pytest.raises(ValueError, match=f"exception: Airflow gives none with {kind}"):
        itnio_sandbox.alert(notifier(), kind, exception=ValueError("no orders"))
    assert itnio_sandbox.messages == []


def test_an_unknown_kind_is_refused(itnio_sandbox):
    with pytest.raises(ValueError, match=r"kind: one of failure, retry, .*, 'failed' given"):
        itnio_sandbox.alert(notifier(), "failed")


@pytest.mark.parametrize("given", [{"task": task_dags.loaded}, {"task": task_dags.dag.get_task("load")}])
def test_the_event_is_of_the_given_task(itnio_sandbox, given):
    itnio_sandbox.alert(notifier(text=EVERY_FACT), run_id="run", exception=ValueError("x"), **given)
    assert itnio_sandbox.messages[0].text == "task_failed|sales|load|run|ValueError: x"


def test_the_event_is_of_the_given_dag(itnio_sandbox):
    for kind in ("dag_failure", "deadline"):
        itnio_sandbox.alert(notifier(text="{{ alert.dag_id }}"), kind, dag=task_dags.dag)
    itnio_sandbox.alert(notifier(text="{{ alert.dag_id }}"), "dag_success", dag=DAG("empty", schedule=None))
    assert [message.text for message in itnio_sandbox.messages] == ["sales", "sales", "empty"]


def test_a_tasks_callbacks_and_lists_of_callbacks_are_called(itnio_sandbox):
    load = task_dags.loaded.operator
    heard = []
    itnio_sandbox.alert(load.on_failure_callback, task=load)
    itnio_sandbox.alert([notifier(text="one"), heard.append], "success", task=load)
    assert len(itnio_sandbox.messages) == 2
    assert heard[0]["ti"].state == "success"
    assert heard[0].get("exception") is None
    assert ("exception" in heard[0]) is not AIRFLOW_2


def test_a_notifiers_template_gets_the_context(itnio_sandbox):
    text = "{{ ds }} {{ params.shop }} {{ var.value.phone }} {{ ti.xcom_pull('figures') }} {{ own }}"
    itnio_sandbox.alert(
        notifier(text=text),
        task=task_dags.loaded,
        ds="2026-07-01",
        params={"shop": 9},
        variables={"phone": "12"},
        xcoms={"figures": 5},
        own="x",
    )
    assert itnio_sandbox.messages[0].text == "2026-07-01 9 12 5 x"


def test_the_try_number_and_map_index_are_in_the_facts(itnio_sandbox):
    text = "{{ alert.try_number }}/{{ alert.max_attempts }} {{ alert.map_index }} {{ alert.log_url }}"
    itnio_sandbox.alert(
        notifier(text=text), "retry", try_number=2, map_index=3, run_id="run", ds="2026-07-01"
    )
    where = (
        "grid?dag_run_id=run&task_id=a_task&map_index=3&base_date=2026-07-01T00%3A00%3A00.000000%2B0000&tab=logs"
        if AIRFLOW_2
        else "runs/run/tasks/a_task/mapped/3?try_number=2"
    )
    assert itnio_sandbox.messages[0].text == f"2/3 3 http://localhost:8080/dags/a_dag/{where}"


def test_a_deadlines_context_contains_only_the_run(itnio_sandbox):
    heard = []
    itnio_sandbox.alert(
        heard.append, "deadline", logical_date=None, deadline={"id": "d", "deadline_time": "t"}
    )
    assert set(heard[0]) == {"dag_run", "deadline"}
    assert heard[0]["dag_run"]["logical_date"] is None
    assert heard[0]["deadline"] == {"id": "d", "deadline_time": "t"}


def test_in_a_tasks_event_the_task_has_ended_and_its_run_has_not(itnio_sandbox):
    heard = []
    itnio_sandbox.alert(heard.append, "failure", exception=ValueError("no orders"))
    ti, run = heard[0]["ti"], heard[0]["dag_run"]
    assert (ti.state, run.state) == ("failed", "running")
    assert ti.start_date < ti.end_date
    assert run.end_date is None
    assert getattr(ti, "duration", None) == (
        (ti.end_date - ti.start_date).total_seconds() if AIRFLOW_2 else None
    )


def test_in_a_skipped_tasks_event_the_end_date_is_not_set(itnio_sandbox):
    heard = []
    itnio_sandbox.alert(heard.append, "skipped")
    assert heard[0]["ti"].state == "skipped"
    assert heard[0]["ti"].end_date is None


@pytest.mark.parametrize(("kind", "state"), [("dag_failure", "failed"), ("dag_success", "success")])
def test_in_a_dags_event_the_run_has_ended(itnio_sandbox, kind, state):
    heard = []
    itnio_sandbox.alert(heard.append, kind)
    ti, run = heard[0]["ti"], heard[0]["dag_run"]
    assert (f"{run.state}", f"{run.run_type}") == (state, "manual")
    assert run.start_date < run.end_date
    assert "exception" not in heard[0]
    assert ti.state == (state if AIRFLOW_2 else None)


@pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="Airflow has deadlines from 3.1 on")
def test_a_late_run_is_passed_as_airflow_serializes_it(itnio_sandbox):
    from airflow.api_fastapi.core_api.datamodels.dag_run import DAGRunResponse

    heard = []
    itnio_sandbox.alert(heard.append, "deadline", ds="2026-07-01", params={"shop": 9})
    told = heard[0]["dag_run"]
    fields = {
        **told,
        "run_id": told["dag_run_id"],
        "dag_model": {"dag_display_name": told["dag_display_name"]},
    }
    written = DAGRunResponse.model_validate(fields).model_dump(mode="json")
    later = set(told) - set(written)
    assert written == {name: told[name] for name in written}
    # Airflow writes these from 3.2 or 3.3 on; older versions are compared exactly.
    assert later <= {"partition_date", "partition_key"}


@pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="Airflow has deadlines from 3.1 on")
@pytest.mark.parametrize("name", ["AsyncCallback", "SyncCallback"])
def test_the_callback_of_a_deadline_is_created_and_called(itnio_sandbox, name):
    from airflow.sdk.definitions import deadline

    callback = getattr(deadline, name)(WhatsAppNotifier, kwargs={"recipients": [NUMBER], "text": "late"})
    itnio_sandbox.alert(callback, "deadline")
    assert [message.text for message in itnio_sandbox.messages] == ["late"]


@pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="Airflow has deadlines from 3.1 on")
def test_the_function_of_a_deadline_is_called(itnio_sandbox):
    from airflow.sdk.definitions.deadline import AsyncCallback, SyncCallback

    HEARD.clear()
    itnio_sandbox.alert(SyncCallback(hear, kwargs={"name": "sync"}), "deadline")
    itnio_sandbox.alert(AsyncCallback(ahear, kwargs={"name": "async"}), "deadline")
    assert HEARD == [("sync", "a_dag"), ("async", "a_dag")]


@pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="Airflow has deadlines from 3.1 on")
def test_a_deadlines_event_can_be_sent_inside_a_running_event_loop(itnio_sandbox):
    from airflow.sdk.definitions.deadline import AsyncCallback

    async def test():
        itnio_sandbox.alert(notifier(text="late"), "deadline")
        itnio_sandbox.alert(AsyncCallback(ahear, kwargs={"name": "async"}), "deadline")
        itnio_sandbox.fail_next(status=-97)
        with pytest.raises(ItnioError):
            itnio_sandbox.alert(notifier(text="late"), "deadline")

    HEARD.clear()
    asyncio.run(asyncio.wait_for(test(), 30))
    assert [message.text for message in itnio_sandbox.messages] == ["late"]
    assert HEARD == [("async", "a_dag")]


HEARD = []


def hear(name, context):
    HEARD.append((name, context["dag_run"]["dag_id"]))


async def ahear(name, context):
    hear(name, context)


def test_a_notifiers_error_is_raised(itnio_sandbox):
    itnio_sandbox.fail_next(status=-97)
    with pytest.raises(ItnioError, match="was not sent to 1 of 1"):
        itnio_sandbox.alert(notifier())


def test_the_same_notifier_can_be_used_for_several_events(itnio_sandbox):
    same = notifier(text="{{ alert.run_id }}")
    for run_id in ("one", "two"):
        itnio_sandbox.alert(same, run_id=run_id)
    assert [message.text for message in itnio_sandbox.messages] == ["one", "two"]


@for_each(
    ("callback", "given", "words"),
    [
        (None, {}, "notifier: there is no callback to call, None given"),
        ([], {}, r"notifier: there is no callback to call, \[\] given"),
        (WhatsAppNotifier, {}, "notifier: a notifier, the class WhatsAppNotifier given"),
        (print, {"task": "x"}, "task: an operator, 'x' given"),
        (print, {"dag": "x"}, "dag: a DAG, 'x' given"),
        (print, {"task": task_dags.loaded, "dag": task_dags.dag}, "task: not together with dag"),
        (print, {"xcoms": 5}, "xcoms: a dict, 5 given"),
        ([print, 3], {}, "notifier: a notifier or another callback, 3 given"),
        (print, {"exception": 4}, "exception: an exception or a text, 4 given"),
        (print, {"kind": "deadline", "xcoms": {"a": 1}}, "xcoms: Airflow gives none with deadline"),
    ],
)
def test_the_error_of_an_invalid_argument_names_it(itnio_sandbox, callback, given, words):
    with pytest.raises(ValueError, match=words):
        itnio_sandbox.alert(callback, **given)


def test_a_deadline_may_be_of_a_task_without_a_dag(itnio_sandbox):
    seen = []
    itnio_sandbox.alert(seen.append, "deadline", task=BaseOperator(task_id="alone"))
    assert seen[0]["dag_run"]["dag_display_name"] == seen[0]["dag_run"]["dag_id"]


def test_after_a_failing_callback_the_others_are_called(itnio_sandbox):
    def fails(context):
        raise RuntimeError("first")

    with pytest.raises(RuntimeError, match="first"):
        itnio_sandbox.alert([fails, notifier(text="told"), fails])
    assert [message.text for message in itnio_sandbox.messages] == ["told"]


@pytest.mark.skipif(not AIRFLOW_V_3_1_PLUS, reason="Airflow has deadlines from 3.1 on")
def test_a_deadline_alert_may_be_given_as_the_notifier(itnio_sandbox):
    from airflow.sdk.definitions import deadline

    callback = deadline.AsyncCallback(WhatsAppNotifier, kwargs={"recipients": [NUMBER], "text": "late"})
    late = deadline.DeadlineAlert(
        reference=deadline.DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(hours=1), callback=callback
    )
    itnio_sandbox.alert(late, "deadline")
    assert [message.text for message in itnio_sandbox.messages] == ["late"]
    for given in (late, callback):
        with pytest.raises(ValueError, match=r"kind: must be 'deadline' for AsyncCallback"):
            itnio_sandbox.alert(given)

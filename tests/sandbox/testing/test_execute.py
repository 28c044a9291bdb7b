"""Running one task of a DAG without a database: what its templates get."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pendulum
import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowNotFoundException,
    Asset,
    task,
)
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_2_PLUS

from airflow_provider_itnio.messages import contact_card
from tests.sandbox.testing import task_dags
from tests.sandbox.testing.in_dag import adhoc, context_of, in_dag, on_airflow_3, rendered
from tests.tables import for_each

pytestmark = on_airflow_3

timetables = import_module("airflow.sdk" if AIRFLOW_V_3_2_PLUS else "airflow.timetables.interval")


# --- rendering ------------------------------------------------------------------------------------------

DATES = {
    "{{ ds }} {{ ds_nodash }}": "2026-07-01 20260701",
    "{{ ts }} {{ ts_nodash }}": "2026-07-01T00:00:00+00:00 20260701T000000",
    "{{ ts_nodash_with_tz }}": "20260701T000000+0000",
    "{{ logical_date.add(days=1).format('DD.MM.') }}": "02.07.",
    "{{ data_interval_start == data_interval_end == dag_run.logical_date == logical_date }}": "True",
    "{{ dag_run.data_interval_start | string }}": "2026-07-01 00:00:00+00:00",
    "{{ dag_run.data_interval_end.year }}": "2026",
}
NAMES = {
    "{{ dag.dag_id }} {{ task.task_id }} {{ ti.dag_id }} {{ ti.task_id }}": "sales tell sales tell",
    "{{ run_id }} {{ ti.run_id }} {{ dag_run.run_id }}": "run run run",
    "{{ ti.try_number }} {{ ti.map_index }} {{ ti.state.value }} {{ dag_run.state == 'running' }}": (
        "1 -1 running True"
    ),
    "{{ params.shop }} {{ params.colour }}": "7 red",
    "{{ macros.ds_add(ds, 7) }}": "2026-07-08",
    "{{ double(4) }} {{ 'a' | loud }}": "8 A",
    "{{ task_instance is sameas ti }} {{ task_instance_key_str }}": "True sales__tell__20260701",
    "{{ conn.itnio_default.login }} {{ conn.get('itnio_default').login }}": "bDqJFiq9 bDqJFiq9",
    "{{ conn.get('no') is none }} {{ conn.get('no', 'x') }} {{ conn.get('no', default_conn=5) }}": "True x 5",
    "{{ prev_data_interval_start_success is none and prev_data_interval_end_success is none }}": "True",
    "{{ prev_start_date_success is none }} {{ prev_end_date_success is none }}": "True True",
    "{{ ti.get_previous_dagrun() is none }} {{ ti.end_date is none }}": "True True",
    "{{ ti.get_template_context().ds }} {{ ti.stats_tags.dag_id }}": "2026-07-01 sales",
    "{{ outlet_events | length }} {{ inlets }} {{ map_index_template is none }}": "0 [] True",
}
OF_AIRFLOW_3 = {
    "{{ dag_run.run_after }} {{ dag_run.conf | tojson }}": "2026-07-01 00:00:00+00:00 {}",
    "{{ ti.id | string | length }}": "36",
    "{{ ti.mark_success_url == ti.log_url }} {{ ti.get_first_reschedule_date({}) is none }}": "True True",
    "{{ triggering_asset_events | length }} {{ dag_run.consumed_asset_events }}": "0 []",
    # In Airflow 3 the task instance has no date, the context no settings, the run no queued time.
    "{{ ti.logical_date is defined }} {{ ti.key is defined }} {{ conf is defined }}": "False False False",
    "{{ dag_run.queued_at is defined }} {{ dag_run.execution_date is defined }}": "False False",
}


@for_each(
    ("text", "expected"),
    [*DATES.items(), *NAMES.items(), *OF_AIRFLOW_3.items()],
)
def test_a_template_gets_the_same_values_as_in_airflow(itnio_sandbox, text, expected):
    assert rendered(itnio_sandbox, text, ds="2026-07-01", run_id="run") == expected


@pytest.mark.parametrize(
    "date",
    [pendulum.datetime(2026, 7, 1, 2), datetime(2026, 7, 1, 2, tzinfo=UTC), "2026-07-01T02:00:00+00:00"],
)
def test_a_run_has_the_given_logical_date(itnio_sandbox, date):
    text = rendered(itnio_sandbox, "{{ ts }} {{ run_id }}", logical_date=date)
    assert text == "2026-07-01T02:00:00+00:00 manual__2026-07-01T02:00:00+00:00"


def test_a_run_may_have_no_logical_date(itnio_sandbox):
    with pytest.raises(Exception, match="'ds' is undefined"):
        rendered(itnio_sandbox, "{{ ds }}", logical_date=None)
    text = rendered(itnio_sandbox, "{{ task_instance_key_str }} {{ run_id }}", logical_date=None)
    key, run_id = text.split()
    assert key == f"sales__tell__{run_id}"
    assert run_id.startswith("manual__")


def test_a_date_is_converted_to_utc(itnio_sandbox):
    text = rendered(itnio_sandbox, "{{ ds }} {{ ts }}", logical_date="2026-07-01T01:00:00+02:00")
    assert text == "2026-06-30 2026-06-30T23:00:00+00:00"


@for_each(
    ("schedule", "expected"),
    [
        (None, "2026-07-01 2026-07-01"),
        ("@daily", "2026-07-01 2026-07-01"),
        (timedelta(days=1), "2026-07-01 2026-07-01"),
        ([Asset("s3://orders")], "2026-07-01 2026-07-01"),
        (timetables.CronDataIntervalTimetable("@weekly", timezone="UTC"), "2026-06-21 2026-06-28"),
    ],
)
def test_the_data_interval_is_the_timetables_for_a_manual_run(itnio_sandbox, schedule, expected):
    with DAG("sales", schedule=schedule, start_date=datetime(2026, 1, 1)):
        told = adhoc(
            "{{ data_interval_start | ds }} {{ data_interval_end | ds }}"
            "{{ '' if data_interval_end == dag_run.data_interval_end else ' but not so in the run' }}"
        )
    itnio_sandbox.execute(told, ds="2026-07-01")
    assert itnio_sandbox.messages[0].text == expected


def test_a_data_interval_can_be_given(itnio_sandbox):
    text = "{{ data_interval_start | ds }} {{ dag_run.data_interval_end.day }} {{ ds }}"
    interval = {"data_interval_start": "2026-06-01", "data_interval_end": "2026-06-30"}
    assert rendered(itnio_sandbox, text, ds="2026-07-01", **interval) == "2026-06-01 30 2026-07-01"


# Names of events, of the PythonOperator, of assets, and names that no task gets.
NOT_OF_A_TASK = {"reason", "templates_dict", "asset_state_store"}
NEVER_GIVEN = {"expanded_ti_count", "start_date", "test_mode", "try_number"}


def test_the_context_has_all_names_that_airflow_declares(itnio_sandbox):
    declared = set(import_module("airflow.sdk.definitions.context").Context.__annotations__)
    context = context_of(itnio_sandbox)
    assert declared - set(context) == declared & (NOT_OF_A_TASK | NEVER_GIVEN)


def test_without_a_date_the_logical_date_is_now(itnio_sandbox):
    before = datetime.now(UTC)
    text = rendered(itnio_sandbox, "{{ ts }}")
    assert before <= datetime.fromisoformat(text) <= datetime.now(UTC)


def test_given_params_override_the_dags_and_are_the_runs_conf(itnio_sandbox):
    text = "{{ params.shop }} {{ params.colour }} {{ dag_run.conf.shop }}"
    assert rendered(itnio_sandbox, text, params={"shop": 9}) == "9 red 9"


def test_given_params_do_not_affect_the_next_run(itnio_sandbox):
    assert rendered(itnio_sandbox, "{{ params.shop }}", params={"shop": 9}) == "9"
    told = in_dag("{{ params.shop }}")
    for params, shop in (({"shop": 8}, "8"), ({}, "7"), ({"shop": 6}, "6"), ({}, "7")):
        itnio_sandbox.execute(told, params=params)
        assert itnio_sandbox.messages[-1].text == shop


def test_other_arguments_are_added_to_the_context(itnio_sandbox):
    assert rendered(itnio_sandbox, "{{ own }} {{ ds }}", own=5, ds="2026-07-01") == "5 2026-07-01"


def test_given_variables_exist_during_the_run_only(itnio_sandbox):
    text = "{{ var.value.phone }} {{ var.json.shops[1] }} {{ var.value.get('none', 'x') }}"
    shown = rendered(itnio_sandbox, text, variables={"phone": "12", "shops": [7, 8]})
    assert shown == "12 8 x"
    assert not [name for name in os.environ if name.startswith("AIRFLOW_VAR_")]


def test_the_date_of_a_missing_previous_run_is_a_missing_value(itnio_sandbox):
    with pytest.raises(Exception, match=r"a value is None \(prev_start_date_success\)"):
        rendered(itnio_sandbox, "since {{ prev_start_date_success }}")


def test_the_error_of_a_missing_connection_names_it(itnio_sandbox):
    with pytest.raises(AirflowNotFoundException, match="no Airflow connection 'no': set AIRFLOW_CONN_NO"):
        rendered(itnio_sandbox, "{{ conn.no.login }}")


def test_the_error_of_a_missing_variable_names_it(itnio_sandbox):
    with pytest.raises(Exception, match=r"no Airflow variable of this name: variables=\{'phone': ...\}"):
        rendered(itnio_sandbox, "{{ var.value.phone }}")


def test_a_jinja_file_is_read_through_the_dags_loader(itnio_sandbox, tmp_path):
    (tmp_path / "words.j2").write_text("{{ ds }}: {{ params.shop }}")
    with DAG("sales", schedule=None, params={"shop": 7}, template_searchpath=[str(tmp_path)]):
        operator = adhoc("words.j2")
    itnio_sandbox.execute(operator, ds="2026-07-01")
    assert itnio_sandbox.messages[0].text == "2026-07-01: 7"


def test_native_rendering_of_the_dag_applies(itnio_sandbox):
    cards = [contact_card("Ana", phone="+86 147-1800-4557")]
    itnio_sandbox.execute(task_dags.to_native, xcoms={"cards": cards}, params={"phone": "8614718004557"})
    (message,) = itnio_sandbox.messages
    assert (message.type, message.recipient, message.text) == ("contacts", "8614718004557", "Ana")


def test_a_task_without_a_dag_runs(itnio_sandbox):
    receipt = itnio_sandbox.execute(adhoc("{{ ds }} {{ ti.dag_id }}"), ds="2026-07-01")
    (message,) = itnio_sandbox.messages
    assert message.text == "2026-07-01 adhoc"
    assert receipt["message_id"] == message.id


def test_the_given_task_is_not_changed(itnio_sandbox):
    operator = in_dag("{{ ds }}")
    for ds in ("2026-07-01", "2026-07-02"):
        itnio_sandbox.execute(operator, ds=ds)
    assert [message.text for message in itnio_sandbox.messages] == ["2026-07-01", "2026-07-02"]
    assert operator.text == "{{ ds }}"


@pytest.mark.parametrize("value", [float("nan"), {"rows": [{"n": float("inf")}]}])
def test_a_return_value_that_airflow_cannot_store_is_an_error(value, itnio_sandbox):
    with DAG("report", schedule=None) as dag:

        @task
        def load():
            return value

        load()
    with pytest.raises(ValueError, match="not JSON compliant"):
        itnio_sandbox.execute(dag.get_task("load"))

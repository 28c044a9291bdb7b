"""One task of a DAG by itself, without a database."""

from __future__ import annotations

import asyncio
import copy
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, date, datetime, timedelta
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pendulum
import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSkipException,
    Asset,
    BaseOperator,
    task,
)
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_2_PLUS
from packaging.version import Version

from airflow_provider_itnio.api.errors import NotSentError
from airflow_provider_itnio.messages import contact_card
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from airflow_provider_itnio.sandbox import trial_turns
from airflow_provider_itnio.sandbox.trial_airflow import PlainXComArg
from tests.sandbox import trial_dags
from tests.sandbox.trial_dags import NUMBER, SHOPS, Counting
from tests.task_runs import TaskStateStore

AIRFLOW_2 = version("apache-airflow").startswith("2.")
AIRFLOW_BEFORE_3_3 = Version(version("apache-airflow")) < Version("3.3")
GUIDE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
timetables = import_module("airflow.sdk" if AIRFLOW_V_3_2_PLUS else "airflow.timetables.interval")


def adhoc(text, *, task_id="tell", **fields):
    """Give a task without a DAG."""
    return WhatsAppSendOperator(task_id=task_id, recipient=NUMBER, text=text, **fields)


def rendered(itnio_sandbox, text, **options):
    itnio_sandbox.execute(in_dag(text), **options)
    return itnio_sandbox.messages[-1].text


def in_dag(text):
    """Give a task in a DAG like the users' one, to render a text in."""
    with DAG(
        "sales",
        schedule=None,
        params=trial_dags.dag.params,
        user_defined_macros=trial_dags.dag.user_defined_macros,
        user_defined_filters=trial_dags.dag.user_defined_filters,
    ):
        return adhoc(text, params={"colour": "red"})


# --- what is rendered -------------------------------------------------------------------------------------

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
OF_AIRFLOW_2 = {
    "{{ dag_run.execution_date }} {{ dag_run.external_trigger }}": "2026-07-01 00:00:00+00:00 True",
    "{{ ti.key.primary }} {{ ti.logical_date.year }}": "('sales', 'tell', 'run', -1) 2026",
    "{{ dag_run.queued_at == dag_run.start_date == ti.get_dagrun().start_date }}": "True",
    "{{ execution_date.year }} {{ prev_ds }} {{ next_ds_nodash }}": "2026 2026-07-01 20260701",
    "{{ yesterday_ds }} {{ tomorrow_ds_nodash }}": "2026-06-30 20260702",
    "{{ test_mode }} {{ ti.test_mode }} {{ expanded_ti_count is none }} {{ ti.operator }}": (
        "False False True WhatsAppSendOperator"
    ),
    "{{ ti.duration is none }} {{ ti.previous_ti is none }} {{ ti.note is none }}": "True True True",
    "{{ triggering_dataset_events }} {{ conf.get('core', 'dags_folder') | length > 0 }}": "{} True",
}
OF_AIRFLOW_3 = {
    "{{ dag_run.run_after }} {{ dag_run.conf }}": "2026-07-01 00:00:00+00:00 {}",
    "{{ ti.id | string | length }} {{ ti.is_mapped }}": "36 False",
    "{{ ti.mark_success_url == ti.log_url }} {{ ti.get_first_reschedule_date(none) is none }}": "True True",
    "{{ triggering_asset_events | length }} {{ dag_run.consumed_asset_events }}": "0 []",
    # Its task instance has no date, its context no settings, its run no time in a queue.
    "{{ ti.logical_date is defined }} {{ ti.key is defined }} {{ conf is defined }}": "False False False",
    "{{ dag_run.queued_at is defined }} {{ dag_run.execution_date is defined }}": "False False",
}


@pytest.mark.filterwarnings("ignore:Accessing .* from the template is deprecated")
@pytest.mark.parametrize(
    ("text", "expected"),
    [*DATES.items(), *NAMES.items(), *(OF_AIRFLOW_2 if AIRFLOW_2 else OF_AIRFLOW_3).items()],
)
def test_a_template_sees_what_airflow_shows_it(itnio_sandbox, text, expected):
    assert rendered(itnio_sandbox, text, ds="2026-07-01", run_id="run") == expected


@pytest.mark.parametrize(
    "date",
    [pendulum.datetime(2026, 7, 1, 2), datetime(2026, 7, 1, 2, tzinfo=UTC), "2026-07-01T02:00:00+00:00"],
)
def test_a_run_is_for_the_date_that_is_given(itnio_sandbox, date):
    text = rendered(itnio_sandbox, "{{ ts }} {{ run_id }}", logical_date=date)
    assert text == "2026-07-01T02:00:00+00:00 manual__2026-07-01T02:00:00+00:00"


def test_a_run_may_have_no_date(itnio_sandbox):
    with pytest.raises(Exception, match="'ds' is undefined"):
        rendered(itnio_sandbox, "{{ ds }}", logical_date=None)
    text = rendered(itnio_sandbox, "{{ task_instance_key_str }} {{ run_id }}", logical_date=None)
    key, run_id = text.split()
    assert key == f"sales__tell__{run_id}"
    assert run_id.startswith("manual__")


def test_a_date_is_told_in_utc_as_airflow_keeps_it(itnio_sandbox):
    text = rendered(itnio_sandbox, "{{ ds }} {{ ts }}", logical_date="2026-07-01T01:00:00+02:00")
    assert text == "2026-06-30 2026-06-30T23:00:00+00:00"


BY_CRON = "2026-06-30 2026-07-01" if AIRFLOW_2 else "2026-07-01 2026-07-01"


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (None, "2026-07-01 2026-07-01"),
        ("@daily", BY_CRON),
        (timedelta(days=1), BY_CRON),
        ([Asset("s3://orders")], "2026-07-01 2026-07-01"),
        (timetables.CronDataIntervalTimetable("@weekly", timezone="UTC"), "2026-06-21 2026-06-28"),
    ],
)
def test_the_data_interval_is_what_the_timetable_gives_a_run_that_a_person_starts(
    itnio_sandbox, schedule, expected
):
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


# What Airflow declares and our context leaves out; docs/testing.md names these,
NEEDS_A_DATABASE = {"inlet_events", "asset_state_store"}
# and these come with an event, come from a PythonOperator, or are declared and given by no task runner.
NOT_OF_A_TASK = {"exception", "reason", "templates_dict", "try_number"}
NEVER_GIVEN = set() if AIRFLOW_2 else {"expanded_ti_count", "start_date", "test_mode"}


def test_the_context_has_all_that_airflow_declares(itnio_sandbox):
    if AIRFLOW_2:
        declared = set(import_module("airflow.utils.context").KNOWN_CONTEXT_KEYS)
    else:
        declared = set(import_module("airflow.sdk.definitions.context").Context.__annotations__)
    context = itnio_sandbox.execute(Looking(task_id="look"))
    assert declared - set(context) == declared & (NEEDS_A_DATABASE | NOT_OF_A_TASK | NEVER_GIVEN)
    assert set(context) <= declared


@pytest.mark.parametrize("name", sorted(NEEDS_A_DATABASE))
def test_the_guide_names_what_the_context_leaves_out(name):
    part = GUIDE.partition("\n## Run a task\n")[2].partition("\n## ")[0]
    assert f"`{name}`" in part.partition("Not a part of it")[2]


class Looking(BaseOperator):
    """An operator that gives its context back."""

    def __init__(self, *, at=None, **kwargs):
        super().__init__(**kwargs)
        self.at = at

    def execute(self, context):
        if callable(self.at):
            self.at()
        return context


def test_without_a_date_it_is_now(itnio_sandbox):
    before = datetime.now(UTC)
    text = rendered(itnio_sandbox, "{{ ts }}")
    assert before <= datetime.fromisoformat(text) <= datetime.now(UTC)


def test_what_the_run_was_triggered_with_overrides_the_params(itnio_sandbox):
    text = "{{ params.shop }} {{ params.colour }} {{ dag_run.conf.shop }}"
    assert rendered(itnio_sandbox, text, params={"shop": 9}) == "9 red 9"


def test_what_one_run_was_triggered_with_is_not_there_in_the_next(itnio_sandbox):
    assert rendered(itnio_sandbox, "{{ params.shop }}", params={"shop": 9}) == "9"
    told = in_dag("{{ params.shop }}")
    for params, shop in (({"shop": 8}, "8"), ({}, "7"), ({"shop": 6}, "6"), ({}, "7")):
        itnio_sandbox.execute(told, params=params)
        assert itnio_sandbox.messages[-1].text == shop


def test_anything_else_goes_into_the_context(itnio_sandbox):
    assert rendered(itnio_sandbox, "{{ own }} {{ ds }}", own=5, ds="2026-07-01") == "5 2026-07-01"


def test_variables_are_there_meanwhile(itnio_sandbox):
    text = "{{ var.value.phone }} {{ var.json.shops[1] }} {{ var.value.get('none', 'x') }}"
    shown = rendered(itnio_sandbox, text, variables={"phone": "12", "shops": [7, 8]})
    assert shown == "12 8 x"
    assert not [name for name in os.environ if name.startswith("AIRFLOW_VAR_")]


def test_a_connection_that_the_test_does_not_give_is_named(itnio_sandbox):
    with pytest.raises(AirflowNotFoundException, match="no Airflow connection 'no': set AIRFLOW_CONN_NO"):
        rendered(itnio_sandbox, "{{ conn.no.login }}")


def test_a_variable_that_the_test_does_not_give_is_named(itnio_sandbox):
    with pytest.raises(KeyError, match=r"no Airflow variable of this name: variables=\{'phone': ...\}"):
        rendered(itnio_sandbox, "{{ var.value.phone }}")


def test_a_jinja_file_is_read_through_the_dags_loader(itnio_sandbox, tmp_path):
    (tmp_path / "words.j2").write_text("{{ ds }}: {{ params.shop }}")
    with DAG("sales", schedule=None, params={"shop": 7}, template_searchpath=[str(tmp_path)]):
        operator = adhoc("words.j2")
    itnio_sandbox.execute(operator, ds="2026-07-01")
    assert itnio_sandbox.messages[0].text == "2026-07-01: 7"


def test_a_dag_with_native_rendering_renders_natively(itnio_sandbox):
    cards = [contact_card("Ana", phone="+86 147-1800-4557")]
    itnio_sandbox.execute(trial_dags.to_native, xcoms={"cards": cards}, params={"phone": "8614718004557"})
    (message,) = itnio_sandbox.messages
    assert (message.type, message.recipient, message.text) == ("contacts", "8614718004557", "Ana")


def test_a_task_without_a_dag_runs(itnio_sandbox):
    receipt = itnio_sandbox.execute(adhoc("{{ ds }} {{ ti.dag_id }}"), ds="2026-07-01")
    (message,) = itnio_sandbox.messages
    assert message.text == "2026-07-01 adhoc"
    assert receipt["message_id"] == message.id


def test_the_dag_files_own_task_stays_as_it_is(itnio_sandbox):
    operator = in_dag("{{ ds }}")
    for ds in ("2026-07-01", "2026-07-02"):
        itnio_sandbox.execute(operator, ds=ds)
    assert [message.text for message in itnio_sandbox.messages] == ["2026-07-01", "2026-07-02"]
    assert operator.text == "{{ ds }}"


# --- what comes from upstream -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "xcoms", "expected"),
    [
        ("{{ ti.xcom_pull('load') }}", {"load": 5}, "5"),
        ("{{ ti.xcom_pull(task_ids='load') is none }}", {"load": None}, "True"),
        ("{{ ti.xcom_pull('load', key='rows') }}", {("load", "rows"): 6}, "6"),
        ("{{ ti.xcom_pull(['load', 'part']) }}", {"load": 5, "part": 6}, "[5, 6]"),
        ("{{ ti.xcom_pull('part', map_indexes=1) }}", {"part": [5, 6]}, "6"),
        ("{{ ti.xcom_pull('part', map_indexes=[1, 0]) }}", {"part": [5, 6]}, "[6, 5]"),
        ("{{ ti.xcom_pull('part', map_indexes=-1) }}", {"part": 5}, "5"),
        ("{{ ti.xcom_pull('load', default='x') }}", {}, "x"),
        ("{{ ti.xcom_pull('elsewhere', dag_id='other') }}", {"elsewhere": 5}, "5"),
    ],
)
def test_an_xcom_is_what_the_test_gives(itnio_sandbox, text, xcoms, expected):
    assert rendered(itnio_sandbox, text, xcoms=xcoms) == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{{ ti.xcom_pull('load') }}", r"xcoms=\{'load': ...\}"),
        ("{{ ti.xcom_pull('load', key='rows') }}", r"xcoms=\{\('load', 'rows'\): ...\}"),
    ],
)
def test_an_xcom_that_the_test_does_not_give_is_named(itnio_sandbox, text, named):
    with pytest.raises(LookupError, match=named):
        rendered(itnio_sandbox, text, xcoms={"laod": 5})


def test_the_output_of_an_upstream_task_is_what_the_test_gives(itnio_sandbox):
    for told in (trial_dags.told, trial_dags.dag.get_task("tell")):
        receipt = itnio_sandbox.execute(told, xcoms={"load": {"rows": 5}}, ds="2026-07-01")
        assert itnio_sandbox.messages[-1].text == "2026-07-01: 5"
        assert receipt["message_id"] == itnio_sandbox.messages[-1].id


def test_the_output_of_an_upstream_task_must_be_given(itnio_sandbox):
    with pytest.raises(LookupError, match=r"xcoms=\{'load': ...\}"):
        itnio_sandbox.execute(trial_dags.told)


@pytest.mark.parametrize("xcoms", [{"figures": {"rows": 1, "revenue": 9}}, {("figures", "revenue"): 9}])
def test_one_of_multiple_outputs_is_found(itnio_sandbox, xcoms):
    itnio_sandbox.execute(trial_dags.tell_revenue, xcoms=xcoms)
    assert itnio_sandbox.messages[0].text == "9"


def test_one_of_multiple_outputs_can_be_pulled(itnio_sandbox):
    with trial_dags.dag:
        pulling = adhoc("{{ ti.xcom_pull('figures', key='revenue') }}", task_id="pulls")
    itnio_sandbox.execute(pulling, xcoms={"figures": {"revenue": 9}})
    assert itnio_sandbox.messages[0].text == "9"


def test_a_mapped_upstream_task_gives_a_list(itnio_sandbox):
    itnio_sandbox.execute(trial_dags.tell_parts, xcoms={"part": [1, 2]})
    assert itnio_sandbox.messages[0].text == "[1, 2]"


def test_what_comes_from_upstream_is_not_run_as_jinja(itnio_sandbox):
    itnio_sandbox.execute(trial_dags.to_upstream, xcoms={"load": ["{{ ds }}"]})
    assert itnio_sandbox.messages[0].text == "{{ ds }}"


# --- mapped tasks -----------------------------------------------------------------------------------------


def test_one_instance_of_a_mapped_task_runs(itnio_sandbox):
    for map_index in (0, 1):
        itnio_sandbox.execute(trial_dags.to_shops, map_index=map_index, ds="2026-07-01")
    assert [len(itnio_sandbox.sent_to(shop)) for shop in SHOPS] == [1, 1]
    assert {message.text for message in itnio_sandbox.messages} == {"2026-07-01 is closed"}


def test_the_first_instance_runs_if_none_is_named(itnio_sandbox):
    itnio_sandbox.execute(trial_dags.to_shops)
    assert len(itnio_sandbox.sent_to(SHOPS[0])) == 1


def test_an_instance_knows_of_the_mapped_task(itnio_sandbox):
    with DAG("shops", schedule=None):
        mapped = Looking.partial(task_id="look", map_index_template="{{ ds }}").expand(at=["a", "b"])
    context = itnio_sandbox.execute(mapped, map_index=1)
    assert context["map_index_template"] == "{{ ds }}"
    assert context["ti"].task is context["task"]
    if AIRFLOW_2:
        assert context["expanded_ti_count"] == 2
        assert context["ti"].key.map_index == 1
    else:
        assert context["ti"].is_mapped


@pytest.mark.parametrize("map_index", [2, -1])
def test_an_instance_that_is_not_there_is_an_error(itnio_sandbox, map_index):
    with pytest.raises(IndexError, match=f"the mapped task has 2 instances, from 0, {map_index} given"):
        itnio_sandbox.execute(trial_dags.to_shops, map_index=map_index)


@pytest.mark.parametrize(
    ("map_index", "text", "recipient"),
    [(0, "4", NUMBER), (2, "4", SHOPS[1]), (3, "5", NUMBER), (5, "5", SHOPS[1])],
)
def test_of_several_arguments_the_last_changes_fastest(itnio_sandbox, map_index, text, recipient):
    itnio_sandbox.execute(trial_dags.to_product, map_index=map_index, xcoms={"load": [4, 5]})
    assert [message.text for message in itnio_sandbox.sent_to(recipient)] == [text]


def test_a_decorated_function_may_be_mapped(itnio_sandbox):
    xcoms = {"load": [{"rows": 5}, {"rows": 6}]}
    itnio_sandbox.execute(trial_dags.tell_each, map_index=1, xcoms=xcoms, ds="2026-07-01")
    assert itnio_sandbox.messages[0].text == "2026-07-01: 6"


@pytest.mark.parametrize("pushed", [5, "abc", None])
def test_what_cannot_be_expanded_over_is_named(itnio_sandbox, pushed):
    with DAG("expanded", schedule=None):
        load = BaseOperator(task_id="load")
        mapped = Looking.partial(task_id="look").expand(at=load.output)
        rows = Looking.partial(task_id="rows").expand_kwargs(load.output)
    for one, words in (
        (mapped, "a list or a dict for at= of .expand"),
        (rows, "a list of dicts for .expand_kwargs"),
    ):
        with pytest.raises(ValueError, match=re.escape(f"xcoms: {words}, {pushed!r} given")):
            itnio_sandbox.execute(one, xcoms={"load": pushed})


@pytest.mark.parametrize("pushed", [{"at": 1}, [5]])
def test_expand_kwargs_takes_a_list_of_dicts_alone(itnio_sandbox, pushed):
    with DAG("expanded", schedule=None):
        rows = Looking.partial(task_id="rows").expand_kwargs(BaseOperator(task_id="load").output)
    with pytest.raises(ValueError, match=r"xcoms: a list of dicts for \.expand_kwargs"):
        itnio_sandbox.execute(rows, xcoms={"load": pushed})


def test_expand_kwargs_takes_rows_from_upstream_which_are_never_rendered(itnio_sandbox):
    rows = [{}, {"text": "{{ ds }}", "recipient": NUMBER}]
    itnio_sandbox.execute(trial_dags.to_rows, map_index=1, xcoms={"load": rows}, ds="2026-07-01")
    assert itnio_sandbox.messages[0].text == "{{ ds }}"


@pytest.mark.parametrize(("map_index", "text"), [(0, "one 2026-07-01"), (1, "{{ data }}")])
def test_expand_kwargs_takes_rows_of_the_dag_file(itnio_sandbox, map_index, text):
    itnio_sandbox.execute(
        trial_dags.to_written_rows, map_index=map_index, xcoms={"load": "{{ data }}"}, ds="2026-07-01"
    )
    assert itnio_sandbox.messages[0].text == text


def test_a_dict_is_mapped_over_its_items(itnio_sandbox):
    with DAG("lengths", schedule=None):
        mapped = Counting.partial(task_id="count").expand(words={"a": 1, "b": 2})
    assert itnio_sandbox.execute(mapped, map_index=1) == 2
    assert "pre ('b', 2)" in trial_dags.NOTES


# --- broadcasts -------------------------------------------------------------------------------------------

PEOPLE = [{"phone": NUMBER, "name": "Ana"}, {"phone": "+999 1 000 0070", "name": "Bo"}]


def test_a_broadcast_renders_each_message_and_tells_of_the_number_that_is_refused(itnio_sandbox):
    text = (
        "{{ recipient.name }} {{ shared.rows }} {{ ds }} {{ params.shop }} {{ double(2) }} {{ var.value.v }}"
    )
    with DAG("sales", schedule=None, params={"shop": 7}, user_defined_macros={"double": lambda n: 2 * n}):
        people, figures = (task(task_id=name)(lambda: None)() for name in ("people", "figures"))
        broadcast = WhatsAppBroadcastOperator(
            task_id="tell", recipients=people, text=text, shared={"rows": figures}, if_some_fail="warn"
        )
    summary = itnio_sandbox.execute(
        broadcast, xcoms={"people": PEOPLE, "figures": 5}, ds="2026-07-01", variables={"v": "x"}
    )
    assert [message.text for message in itnio_sandbox.messages] == ["Ana 5 2026-07-01 7 4 x"]
    assert (summary["accepted"], summary["refused"]) == (1, 1)
    assert [refused.status for refused in itnio_sandbox.refused] == [-70]


def test_a_broadcast_that_fails_leaves_its_summary_and_raises(itnio_sandbox):
    broadcast = WhatsAppBroadcastOperator(
        task_id="tell", recipients=[person["phone"] for person in PEOPLE], text="hello"
    )
    with pytest.raises(AirflowFailException, match="1 accepted, 1 refused"):
        itnio_sandbox.execute(broadcast)
    assert len(itnio_sandbox.messages) == 1


# --- how it is executed -----------------------------------------------------------------------------------


def test_any_operator_runs_with_what_comes_before_and_after_it(itnio_sandbox):
    trial_dags.NOTES.clear()
    hooks = {
        "pre_execute": lambda context: trial_dags.NOTES.append("own pre"),
        "post_execute": lambda context, result: trial_dags.NOTES.append(f"own post {result}"),
    }
    operator = Counting(task_id="count", words="{{ ds }}", **hooks)
    assert itnio_sandbox.execute(operator, ds="2026-07-01") == 10
    called = trial_dags.NOTES
    assert called[:2] == ["own pre", "pre 2026-07-01"]
    assert called[2:4] == ["execute nothing", "pushed 5"]
    assert called[4:] == ["own post 10", "post"]


@pytest.mark.parametrize("count", [1, 2])
def test_airflow_takes_it_for_its_own_task_runner(itnio_sandbox, logged, count):
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
def test_what_a_task_raises_comes_through(itnio_sandbox, fault, error):
    itnio_sandbox.connect(extra={"max_attempts": 1})
    itnio_sandbox.fail_next(**fault)
    with pytest.raises(error):
        itnio_sandbox.execute(adhoc("hello"))


def test_a_skip_comes_through(itnio_sandbox):
    @task.whatsapp(recipient=NUMBER)
    def nothing():
        raise AirflowSkipException("nothing is late")

    with DAG("sales", schedule=None):
        skipping = nothing()
    with pytest.raises(AirflowSkipException, match="nothing is late"):
        itnio_sandbox.execute(skipping)
    assert itnio_sandbox.messages == []


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("tell", "str"),
        (None, "NoneType"),
        (trial_dags.tell, type(trial_dags.tell).__name__),
        (Looking, "the class Looking"),
    ],
)
def test_what_is_no_task_is_an_error(itnio_sandbox, given, named):
    expected = f"task: an operator, or what a function with a task decorator returns in a DAG; {named} given"
    with pytest.raises(TypeError, match=re.escape(expected)):
        itnio_sandbox.execute(given)


def test_what_a_task_raises_comes_through_alone(itnio_sandbox):
    with pytest.raises(ZeroDivisionError) as raised:
        itnio_sandbox.execute(Looking(task_id="look", at=lambda: 1 / 0))
    assert raised.value.__context__ is None


@pytest.mark.skipif(AIRFLOW_BEFORE_3_3, reason="Airflow has a task state store from 3.3 on")
def test_each_run_of_a_task_has_an_empty_task_state_store(itnio_sandbox, caplog):
    caplog.set_level("INFO")
    for _ in range(2):
        store = itnio_sandbox.execute(Looking(task_id="look"))["task_state_store"]
        assert store.get("seen", "never") == "never"
        store.set("seen", {"times": [1]})
        assert store.get("seen") == {"times": [1]}
        store.set("other", 1)
        store.delete("other")
        assert store.get("other") is None
        with pytest.raises(ValueError, match="None"):
            store.set("seen", None)
        with pytest.raises(TypeError):
            store.set("seen", object())
        itnio_sandbox.execute(in_dag("hello"))
        store.clear()
        assert store.get("seen") is None
    assert len(itnio_sandbox.messages) == 2
    assert "No delivery record" not in caplog.text


@pytest.mark.skipif(AIRFLOW_BEFORE_3_3, reason="Airflow has a task state store from 3.3 on")
def test_a_test_may_give_the_store_of_an_earlier_try(itnio_sandbox):
    store = TaskStateStore()
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


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"xcoms": [1]}, "xcoms: a dict, [1] given"),
        ({"variables": ["a"]}, "variables: a dict, ['a'] given"),
        ({"variables": {"good": "1", "a=b": "2"}}, "variables: an id without '=', 'a=b' given"),
        ({"variables": {1: "x"}}, "variables: an id without '=', 1 given"),
        ({"variables": {"a": object()}}, "variables: what JSON can hold"),
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
def test_an_argument_that_cannot_be_is_named(itnio_sandbox, given, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        itnio_sandbox.execute(in_dag("hello"), **given)
    assert itnio_sandbox.requests == []
    assert "AIRFLOW_VAR_GOOD" not in os.environ


@pytest.mark.parametrize("day", ["20260701", date(2026, 7, 1)])
def test_a_day_is_read_as_one(itnio_sandbox, day):
    assert rendered(itnio_sandbox, "{{ ds }} {{ ts }}", ds=day) == "2026-07-01 2026-07-01T00:00:00+00:00"
    assert rendered(itnio_sandbox, "{{ ds }}", logical_date=date(2026, 7, 1)) == "2026-07-01"


def test_a_default_is_given_whole(itnio_sandbox):
    text = "{{ ti.xcom_pull('u', map_indexes=0, default='zz') }} {{ ti.xcom_pull('v', map_indexes=[1, 0]) }}"
    assert rendered(itnio_sandbox, text, xcoms={"v": [1, 2]}) == "zz [2, 1]"
    with pytest.raises(ValueError, match="xcoms: a list for 'v', of which the task asks map_indexes=0"):
        rendered(itnio_sandbox, "{{ ti.xcom_pull('v', map_indexes=0) }}", xcoms={"v": 5})


def test_the_context_can_be_copied(itnio_sandbox):
    context = itnio_sandbox.execute(Looking(task_id="look"), xcoms={"load": 5})
    assert copy.deepcopy(context["ti"]).xcom_pull("load") == 5
    assert copy.copy(context["var"]["value"]).get("x", 7) == 7


@pytest.mark.skipif(not AIRFLOW_2, reason="Airflow 3 looks for the task's own")
def test_a_key_without_a_task_is_anyones(itnio_sandbox):
    text = "{{ ti.xcom_pull(key='rows') }} {{ ti.xcom_pull() }} {{ ti.xcom_pull(key='none') or '-' }}"
    xcoms = {("load", "rows"): 42, "a": 1, "b": 2}
    assert rendered(itnio_sandbox, text, xcoms=xcoms) == "42 2 -"


def test_a_task_that_begins_a_loop_runs_in_an_async_test(itnio_sandbox):
    broadcast = WhatsAppBroadcastOperator(task_id="report", recipients=[NUMBER], text="{{ var.value.word }}")

    async def test():
        return itnio_sandbox.execute(broadcast, variables={"word": "hello"})

    assert asyncio.run(test())["accepted"] == 1
    assert [message.text for message in itnio_sandbox.messages] == ["hello"]


def test_a_trial_inside_of_a_trial_does_not_wait_for_it(itnio_sandbox):
    def tell(context):
        async def inside():
            itnio_sandbox.execute(in_dag("{{ var.value.word }}"), variables={"word": "inner"})

        asyncio.run(inside())

    itnio_sandbox.alert(tell, variables={"word": "outer"})
    assert [message.text for message in itnio_sandbox.messages] == ["inner"]


def test_trials_inside_of_one_take_turns_too(itnio_sandbox):
    before = dict(os.environ)
    resolve = PlainXComArg.resolve
    task = in_dag("{{ var.value.word }}")

    def tell(context):
        async def inside():
            runs = [
                asyncio.to_thread(itnio_sandbox.execute, task, variables={"word": f"w{n}"}) for n in range(8)
            ]
            await asyncio.gather(*runs)

        asyncio.run(inside())

    itnio_sandbox.alert(tell)
    assert sorted(message.text for message in itnio_sandbox.messages) == [f"w{n}" for n in range(8)]
    assert dict(os.environ) == before
    assert PlainXComArg.resolve is resolve


def test_what_a_trial_has_begun_and_left_takes_its_turn_later(itnio_sandbox):
    may_go, left = threading.Event(), []
    task = in_dag("{{ var.value.word }}")

    def late():
        may_go.wait(10)
        itnio_sandbox.execute(task, variables={"word": "late"})

    def tell(context):
        left.append(threading.Thread(target=copy_context().run, args=[late]))
        left[0].start()

    def slow(context):
        may_go.set()
        time.sleep(0.3)
        assert itnio_sandbox.messages == []

    itnio_sandbox.alert(tell)
    itnio_sandbox.alert(slow)
    left[0].join()
    assert [message.text for message in itnio_sandbox.messages] == ["late"]
    assert "AIRFLOW_VAR_WORD" not in os.environ


def test_a_trial_that_waits_for_itself_gives_up(itnio_sandbox, monkeypatch):
    monkeypatch.setattr(trial_turns, "LONGEST_TRIAL", 0.2)

    def tell(context):
        with ThreadPoolExecutor(1) as thread:
            thread.submit(itnio_sandbox.execute, in_dag("hello")).result()

    with pytest.raises(RuntimeError, match=r"begin it with contextvars\.copy_context\(\)\.run"):
        itnio_sandbox.alert(tell)
    itnio_sandbox.execute(in_dag("hello"))
    assert len(itnio_sandbox.messages) == 1


def test_a_trial_whose_thread_does_not_end_gives_its_turn_back(itnio_sandbox, monkeypatch):
    monkeypatch.setattr(trial_turns, "LONGEST_TRIAL", 0.2)
    ended, runs = threading.Event(), threading.Event()

    def hang():
        runs.set()
        ended.wait(10)

    def tell(context):
        hanging = Looking(task_id="look", at=hang)
        thread = threading.Thread(target=copy_context().run, args=[itnio_sandbox.execute, hanging])
        thread.start()
        runs.wait(10)

    with pytest.raises(RuntimeError, match="another one has been running"):
        itnio_sandbox.alert(tell)
    itnio_sandbox.execute(in_dag("hello"))
    ended.set()
    assert len(itnio_sandbox.messages) == 1


def test_one_that_waits_for_many_does_not_give_up(itnio_sandbox, monkeypatch):
    monkeypatch.setattr(trial_turns, "LONGEST_TRIAL", 0.5)
    slow = Looking(task_id="look", at=partial(time.sleep, 0.3))
    with ThreadPoolExecutor(6) as threads:
        assert len(list(threads.map(itnio_sandbox.execute, [slow] * 6))) == 6


def test_several_threads_take_turns_and_leave_nothing_behind(itnio_sandbox):
    before = dict(os.environ)
    resolve = PlainXComArg.resolve

    def run(number):
        task = in_dag("{{ var.value.word }} {{ ti.xcom_pull('load') }}")
        itnio_sandbox.execute(task, variables={"word": f"w{number}"}, xcoms={"load": number})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(run, range(40)))
    assert sorted(message.text for message in itnio_sandbox.messages) == sorted(
        f"w{n} {n}" for n in range(40)
    )
    assert dict(os.environ) == before
    assert PlainXComArg.resolve is resolve


def test_what_a_task_does_to_the_environment_stays_and_nothing_else_is_touched(itnio_sandbox, monkeypatch):
    class Setting(BaseOperator):
        def execute(self, context):
            os.environ["SET_BY_A_TASK"] = os.environ["AIRFLOW_VAR_WORD"]

    monkeypatch.setenv("SET_BY_A_TASK", "before")
    monkeypatch.setenv("AIRFLOW_VAR_WORD", "own")
    itnio_sandbox.execute(Setting(task_id="sets"), variables={"word": "given"})
    assert (os.environ["SET_BY_A_TASK"], os.environ["AIRFLOW_VAR_WORD"]) == ("given", "own")

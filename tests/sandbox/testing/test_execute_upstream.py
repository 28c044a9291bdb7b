"""Running one task of a DAG without a database: upstream values and mapped tasks."""

from __future__ import annotations

import re

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    BaseOperator,
    task,
    task_group,
)

from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.sandbox.testing import task_dags
from tests.sandbox.testing.in_dag import Looking, adhoc, context_of, on_airflow_3, rendered
from tests.sandbox.testing.task_dags import NUMBER, SHOPS, Counting
from tests.tables import for_each

pytestmark = on_airflow_3

# --- upstream values ------------------------------------------------------------------------------------


@for_each(
    ("text", "xcoms", "expected"),
    [
        ("{{ ti.xcom_pull('load') }}", {"load": 5}, "5"),
        ("{{ ti.xcom_pull(task_ids='load') is none }}", {"load": None}, "True"),
        ("{{ ti.xcom_pull('load', key='rows') }}", {("load", "rows"): 6}, "6"),
        ("{{ ti.xcom_pull(['load', 'part']) }}", {"load": 5, "part": 6}, "[5, 6]"),
        ("{{ ti.xcom_pull('part', map_indexes=1) }}", {"part": [5, 6]}, "6"),
        ("{{ ti.xcom_pull('part', map_indexes=[1, 0]) }}", {"part": [5, 6]}, "[6, 5]"),
        ("{{ ti.xcom_pull('part', map_indexes=-1) }}", {"part": 5}, "5"),
        ("{{ ti.xcom_pull('load', map_indexes=-1, default='x') }}", {"load": None}, "x"),
        ("{{ ti.xcom_pull('elsewhere', dag_id='other') }}", {"elsewhere": 5}, "5"),
    ],
)
def test_an_xcom_has_the_value_given_by_the_test(itnio_sandbox, text, xcoms, expected):
    assert rendered(itnio_sandbox, text, xcoms=xcoms) == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{{ ti.xcom_pull('load') }}", r"xcoms=\{'load': ...\}"),
        ("{{ ti.xcom_pull('load', key='rows') }}", r"xcoms=\{\('load', 'rows'\): ...\}"),
    ],
)
def test_the_error_of_a_missing_xcom_names_it(itnio_sandbox, text, named):
    with pytest.raises(LookupError, match=named):
        rendered(itnio_sandbox, text, xcoms={"laod": 5})


def test_an_upstream_output_has_the_value_given_by_the_test(itnio_sandbox):
    for told in (task_dags.told, task_dags.dag.get_task("tell")):
        receipt = itnio_sandbox.execute(told, xcoms={"load": {"rows": 5}}, ds="2026-07-01")
        assert itnio_sandbox.messages[-1].text == "2026-07-01: 5"
        assert receipt["message_id"] == itnio_sandbox.messages[-1].id


def test_an_upstream_output_that_is_not_given_is_an_error(itnio_sandbox):
    with pytest.raises(LookupError, match=r"xcoms=\{'load': ...\}"):
        itnio_sandbox.execute(task_dags.told)


@pytest.mark.parametrize("xcoms", [{"figures": {"rows": 1, "revenue": 9}}, {("figures", "revenue"): 9}])
def test_one_of_multiple_outputs_is_found(itnio_sandbox, xcoms):
    itnio_sandbox.execute(task_dags.tell_revenue, xcoms=xcoms)
    assert itnio_sandbox.messages[0].text == "9"


def test_one_of_multiple_outputs_can_be_pulled(itnio_sandbox):
    with task_dags.dag:
        pulling = adhoc("{{ ti.xcom_pull('figures', key='revenue') }}", task_id="pulls")
    itnio_sandbox.execute(pulling, xcoms={"figures": {"revenue": 9}})
    assert itnio_sandbox.messages[0].text == "9"


def test_the_output_of_a_mapped_upstream_task_is_a_list(itnio_sandbox):
    with DAG("parts", schedule=None):
        parts = task(task_id="part")(lambda number: number).expand(number=[1, 2, 3])
        pulled = adhoc("{{ ti.xcom_pull('part') }} {{ ti.xcom_pull('part', map_indexes=1) is none }}")

        @task.whatsapp(recipient=NUMBER)
        def summary(parts):
            return f"{parts!r} {len(parts)} {list(parts)} {parts[-1]} {parts[0:1]}"

        summary = summary(parts)
    for one in (pulled, summary):
        itnio_sandbox.execute(one, xcoms={"part": [1, None, 3]})
    assert [message.text for message in itnio_sandbox.messages] == [
        "[1, 3] True",
        "LazyXComSequence(<unevaluated length>) 2 [1, 3] 3 [1]",
    ]
    with pytest.raises(ValueError, match="xcoms: a list for 'part', an entry per instance, 5 given"):
        itnio_sandbox.execute(pulled, xcoms={"part": 5})


def test_the_output_of_an_upstream_mapped_task_group_is_a_list(itnio_sandbox):
    with DAG("shops", schedule=None) as dag:

        @task_group
        def shop(number):
            return task(task_id="inside")(lambda number: number)(number)

        inside = shop.expand(number=[1, 2])
        inside >> task(task_id="other")(lambda: 5)()
        task(task_id="reads")(lambda numbers: [*numbers])(inside)
    other, reads = dag.get_task("other"), dag.get_task("reads")
    for xcoms in ({}, {"shop.inside": None}):
        assert itnio_sandbox.execute(other, xcoms=xcoms) == 5
    assert itnio_sandbox.execute(reads, xcoms={"shop.inside": [1, 2]}) == [1, 2]
    with pytest.raises(LookupError, match=r"xcoms=\{'shop.inside': ...\}"):
        itnio_sandbox.execute(reads)
    with pytest.raises(ValueError, match=r"xcoms: a list for 'shop\.inside', an entry per instance, 5 given"):
        itnio_sandbox.execute(reads, xcoms={"shop.inside": 5})


def test_jinja_in_an_upstream_value_is_not_rendered(itnio_sandbox):
    itnio_sandbox.execute(task_dags.to_upstream, xcoms={"load": ["{{ ds }}"]})
    assert itnio_sandbox.messages[0].text == "{{ ds }}"


# --- mapped tasks ---------------------------------------------------------------------------------------


def test_one_instance_of_a_mapped_task_runs(itnio_sandbox):
    for map_index in (0, 1):
        itnio_sandbox.execute(task_dags.to_shops, map_index=map_index, ds="2026-07-01")
    assert [len(itnio_sandbox.sent_to(shop)) for shop in SHOPS] == [1, 1]
    assert {message.text for message in itnio_sandbox.messages} == {"2026-07-01 is closed"}


def test_without_a_map_index_the_first_instance_runs(itnio_sandbox):
    itnio_sandbox.execute(task_dags.to_shops)
    assert len(itnio_sandbox.sent_to(SHOPS[0])) == 1


def test_an_instance_has_the_mapped_tasks_attributes(itnio_sandbox):
    with DAG("shops", schedule=None):
        mapped = Looking.partial(task_id="look", map_index_template="2026-07-01").expand(at=["a", "b"])
    context = context_of(itnio_sandbox, mapped, map_index=1)
    assert context["ti"].rendered_map_index == "2026-07-01"
    assert context["ti"].task is context["task"]
    assert context["ti"].is_mapped


@pytest.mark.parametrize("map_index", [2, -1])
def test_a_map_index_out_of_range_is_an_error(itnio_sandbox, map_index):
    with pytest.raises(IndexError, match=f"the mapped task has 2 instances, from 0, {map_index} given"):
        itnio_sandbox.execute(task_dags.to_shops, map_index=map_index)


@for_each(
    ("map_index", "text", "recipient"),
    [(0, "4", NUMBER), (2, "4", SHOPS[1]), (3, "5", NUMBER), (5, "5", SHOPS[1])],
)
def test_of_several_expanded_arguments_the_last_changes_fastest(itnio_sandbox, map_index, text, recipient):
    itnio_sandbox.execute(task_dags.to_product, map_index=map_index, xcoms={"load": [4, 5]})
    assert [message.text for message in itnio_sandbox.sent_to(recipient)] == [text]


def test_a_decorated_function_may_be_mapped(itnio_sandbox):
    xcoms = {"load": [{"rows": 5}, {"rows": 6}]}
    itnio_sandbox.execute(task_dags.tell_each, map_index=1, xcoms=xcoms, ds="2026-07-01")
    assert itnio_sandbox.messages[0].text == "2026-07-01: 6"


@pytest.mark.parametrize("pushed", [5, "abc", None])
def test_the_error_of_a_value_that_cannot_be_expanded_names_it(itnio_sandbox, pushed):
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
def test_expand_kwargs_requires_a_list_of_dicts(itnio_sandbox, pushed):
    with DAG("expanded", schedule=None):
        rows = Looking.partial(task_id="rows").expand_kwargs(BaseOperator(task_id="load").output)
    with pytest.raises(ValueError, match=r"xcoms: a list of dicts for \.expand_kwargs"):
        itnio_sandbox.execute(rows, xcoms={"load": pushed})


def test_upstream_rows_of_expand_kwargs_are_not_rendered(itnio_sandbox):
    rows = [{}, {"text": "{{ ds }}", "recipient": NUMBER}]
    itnio_sandbox.execute(task_dags.to_rows, map_index=1, xcoms={"load": rows}, ds="2026-07-01")
    assert itnio_sandbox.messages[0].text == "{{ ds }}"


@pytest.mark.parametrize(("map_index", "text"), [(0, "one 2026-07-01"), (1, "{{ data }}")])
def test_rows_of_expand_kwargs_in_the_dag_file_are_rendered(itnio_sandbox, map_index, text):
    itnio_sandbox.execute(
        task_dags.to_written_rows, map_index=map_index, xcoms={"load": "{{ data }}"}, ds="2026-07-01"
    )
    assert itnio_sandbox.messages[0].text == text


def test_a_dict_is_mapped_over_its_items(itnio_sandbox):
    with DAG("lengths", schedule=None):
        mapped = Counting.partial(task_id="count").expand(words={"a": 1, "b": 2})
    assert itnio_sandbox.execute(mapped, map_index=1) == 2
    assert "pre ('b', 2)" in task_dags.NOTES


# --- broadcasts -----------------------------------------------------------------------------------------

PEOPLE = [{"phone": NUMBER, "name": "Ana"}, {"phone": "+999 1 000 0070", "name": "Bo"}]


def test_a_broadcast_renders_each_message_and_counts_a_refusal(itnio_sandbox):
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


def test_a_broadcast_that_fails_raises_with_its_counts(itnio_sandbox):
    broadcast = WhatsAppBroadcastOperator(
        task_id="tell", recipients=[person["phone"] for person in PEOPLE], text="hello"
    )
    with pytest.raises(AirflowFailException, match="1 accepted, 1 refused"):
        itnio_sandbox.execute(broadcast)
    assert len(itnio_sandbox.messages) == 1

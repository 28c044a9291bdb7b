"""Two DAGs run in real Airflow: ``dags/data.py``; the second one uses native rendering."""

from __future__ import annotations

import json

import pytest

from tests.system.seen import SECRET

pytestmark = pytest.mark.system

JINJA = "{{ conn.itnio_default.password }}"
FILE = "please fix values.yaml.j2"


@pytest.fixture
def seen(seen_data):
    return seen_data


def test_messages_log_and_results_do_not_contain_the_secret(seen):
    assert SECRET not in json.dumps([message.body for message in seen.sandbox.messages])
    assert SECRET not in seen.log + json.dumps(seen.tasks)


@pytest.mark.parametrize("task", ["send_text", "send_zipped", "grouped.send"])
def test_upstream_data_in_a_mapped_text_are_sent_unrendered(task, seen):
    assert seen.texts_of(task, 2) == [JINJA, FILE]


@pytest.mark.parametrize("task", ["send_rows", "send_rows_made"])
def test_upstream_rows_of_a_mapped_task_are_sent_unrendered(task, seen):
    assert seen.texts_of(task, 2) == [JINJA] * 2
    assert seen.message_of(f"{task}[1]").body["context"] == {"refMessageId": JINJA}


def test_two_upstream_outputs_concatenated_are_sent_unrendered(seen):
    if "send_both[0]" in seen.tasks:
        assert seen.texts_of("send_both", 4) == [JINJA, FILE] * 2


def test_upstream_objects_of_a_mapped_task_are_sent_unrendered(seen):
    assert seen.message_of("send_menu[0]").body["interactive"]["body"] == {"text": JINJA}


def test_upstream_data_of_a_mapped_broadcast_are_sent_unrendered(seen):
    everything = [message.body for message in seen.sandbox.messages]
    broadcasts = [name for name in seen.tasks if name.startswith("broadcast_")]
    assert len(broadcasts) == 8
    assert {seen.state_of(name) for name in broadcasts} == {("success", 1)}
    texts = [body["text"]["body"] for body in everything if "text" in body]
    assert texts.count(f"Shenzhen{JINJA}") == 1
    assert f"Shenzhen{FILE}" in texts
    menus = [body["interactive"]["body"]["text"] for body in everything if "interactive" in body]
    assert menus == [JINJA] * 2


def test_values_of_a_mapped_task_in_the_dag_file_are_rendered(seen):
    assert seen.texts_of("send_written", 1) == ["Shenzhen"]
    assert seen.texts_of("send_written_rows", 2) == ["Shenzhen", JINJA]
    assert "Shenzhen 8610000000051" in [message.text for message in seen.sandbox.messages]


def test_upstream_data_in_a_mapped_functions_arguments_are_not_rendered(seen):
    assert seen.texts_of("told", 2) == [f"{JINJA} Shenzhen", f"{FILE} Shenzhen"]
    assert seen.texts_of("told_rows", 2) == [f"{JINJA} Shenzhen", "none Shenzhen"]


def test_an_async_function_may_return_the_message(seen):
    assert seen.texts_of("told_later", 2) == [f"later {JINJA}", f"later {FILE}"]
    assert seen.tasks["told_many"]["xcom"]["accepted"] == 1


@pytest.mark.parametrize("task", ["gaps.text", "gaps.filter", "gaps.mapped[0]", "gaps.frame", "native.gap"])
def test_a_missing_value_fails_at_once(task, seen):
    assert seen.state_of(task) == ("failed", 1)
    assert not [message for message in seen.sandbox.messages if "None" in message.text]
    assert "; give a default, as in {{ " in seen.log


def test_jinja_defaults_for_a_missing_value_are_sent(seen):
    assert seen.message_of("gaps.filled").text == "no rows"
    assert seen.message_of("gaps.frame_filled").text == "Shenzhen, none"


def test_a_float_phone_number_gets_no_decimal_point(seen):
    assert seen.message_of("number").recipient == "8610000000051"


def test_a_functions_result_is_not_rendered(seen):
    assert seen.message_of("function").text == JINJA


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("native.decimals", "12.50"),
        ("native.thousands", "1,204"),
        ("native.sha", "12e4567"),
        ("native.mapped[0]", "12e4567"),
    ],
)
def test_with_native_rendering_a_text_that_looks_like_a_number_stays_a_text(task, text, seen):
    assert seen.message_of(task).text == text
    assert seen.message_of(task).recipient == "8610000000051"


def test_only_tasks_with_missing_values_fail(seen):
    failed = {name for name, entry in seen.tasks.items() if entry["state"] != "success"}
    assert failed == {"gaps.text", "gaps.filter", "gaps.mapped[0]", "gaps.frame", "native.gap"}

"""Two DAGs run in real Airflow: how their tasks end, and what Airflow shows."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from tests.system.seen import API_KEY, HERE, SECRET

from .conftest import AIRFLOW_2

pytestmark = pytest.mark.system


def test_a_mapped_task_sends_one_message_per_recipient(seen):
    assert [seen.message_of(f"mapped[{n}]").recipient for n in (0, 2)] == ["8610000000011", "8610000000013"]
    assert seen.message_of("mapped[0]").text == "Hi from Shenzhen"


def test_a_mapped_task_sends_one_message_per_set_of_parameters(seen):
    assert seen.message_of("mapped_whole[0]").text == "first"
    assert seen.message_of("mapped_whole[2]").type == "image"


@pytest.mark.parametrize("task", ["mapped[1]", "mapped_whole[1]", "mapped_whole[3]"])
def test_an_invalid_map_index_fails_alone_and_at_once(task, seen):
    assert seen.ended(task, "failed", 1)
    assert (
        seen.requests_to("12") == seen.requests_to("8610000000022") == seen.requests_to("8610000000024") == []
    )


def test_a_functions_return_value_is_sent_unrendered(seen):
    assert re.fullmatch(r"written: \d and {{ 7 \* 7 }}", seen.message_of("written").text)


def test_a_mapped_function_sends_one_message_per_call(seen):
    messages = [seen.message_of(f"written_whole[{n}]") for n in (0, 1)]
    assert [message.body["document"]["filename"] for message in messages] == ["1.pdf", "2.pdf"]
    assert {message.recipient for message in messages} == {"8610000000042"}
    assert messages[0].body["context"] == {"refMessageId": "wamid.2"}


def test_a_missing_return_fails_at_once_and_says_so(seen):
    assert seen.ended("forgotten", "failed", 1)
    assert "forgotten returned None: is a return missing?" in seen.log
    assert seen.requests_to("8610000000043") == []


@pytest.mark.parametrize(
    ("task", "number"), [("busy_then_free", "8610000000031"), ("passing_refusal", "8610000000032")]
)
def test_a_transient_error_is_tried_again_by_the_tasks_retries(task, number, seen):
    assert seen.ended(task, "success", 2)
    assert len(seen.requests_to(number)) == 2
    assert seen.message_of(task).recipient == number


def test_a_refusal_is_not_retried_although_retries_are_left(seen):
    assert seen.ended("refused", "failed", 1)
    assert len(seen.requests_to("8610000000033")) == 1
    assert "AccountError: Itniotech refused the text message to 86…33: status -69" in seen.log


def test_at_most_once_a_message_with_an_unknown_outcome_is_sent_once(seen):
    assert seen.ended("lost_at_most_once", "failed", 1)
    assert len(seen.requests_to("8610000000034")) == 1


def test_at_least_once_a_message_with_an_unknown_outcome_is_sent_again(seen):
    assert seen.ended("lost_at_least_once", "success", 2)
    assert len(seen.requests_to("8610000000035")) == 2


def test_a_connection_error_uses_the_retries(seen):
    assert seen.ended("no_connection", "failed", 3)


def test_a_missing_secret_fails_at_once(seen):
    assert seen.ended("no_secret", "failed", 1)
    assert "Connection 'itnio_without_secret', password (the secret): is missing" in seen.log
    assert seen.requests_to("8610000000037") == []


def test_a_connection_that_is_not_defined_uses_the_retries(seen):
    assert seen.ended("no_such_connection", "failed", 3)
    assert "ConnectionLookupError: Connection 'itnio_nowhere' is not defined" in seen.log


def test_no_task_sent_a_message_twice(seen):
    receipts = [
        task["xcom"]["message_id"]
        for task in [*seen.tasks.values(), *seen.native.values()]
        if isinstance(task["xcom"], dict) and "message_id" in task["xcom"]
    ]
    lost = [message.id for message in seen.sandbox.messages if message.recipient == "8610000000034"]
    assert sorted([*receipts, *lost]) == sorted(message.id for message in seen.sandbox.messages)


def test_a_task_pushes_its_receipt_to_xcom(seen):
    assert set(seen.tasks["text"]["xcom"]) == {"message_id", "recipient", "type", "timestamp"}


def test_rendered_fields_are_readable(seen):
    rendered = seen.tasks["buttons"]["rendered"]
    assert rendered["interactive"]["body"] == {"text": "Again in Shenzhen?"}
    assert rendered["recipient"] == "+86 147-1800-4557"
    assert seen.tasks["file"]["rendered"]["text"] == "Report of Shenzhen:\n- a\n- b\n"
    assert seen.tasks["mapped[0]"]["rendered"]["recipient"] == "+86 100-0000-0011"


@pytest.mark.parametrize(
    ("task", "number"),
    [
        ("text", "8614718004557"),
        ("templated", "8610000000001"),
        ("upstream_text", "8610000000001"),
        ("mapped[2]", "8610000000013"),
        ("mapped_whole[0]", "8610000000021"),
    ],
)
def test_a_task_links_to_the_chat(task, number, seen):
    assert seen.tasks[task]["link"] == f"https://wa.me/{number}"


def test_a_task_without_a_number_has_no_link(seen):
    assert not seen.tasks["mapped[1]"]["link"]


def test_airflow_masks_key_and_secret_in_a_tasks_process(seen):
    assert seen.tasks["masked"]["xcom"] == "key ***, secret ***"


def test_log_and_results_contain_no_secret_key_or_signature(seen):
    assert "Itniotech accepted the text message to 86…57" in seen.log
    signs = {
        hashlib.md5(f"{API_KEY}{SECRET}{request.timestamp}".encode()).hexdigest()
        for request in seen.sandbox.requests
    }
    assert signs
    for secret in {API_KEY, SECRET, *signs}:
        assert secret not in seen.log
        assert secret not in json.dumps(seen.results)


def test_the_packages_log_lines_contain_no_whole_number(seen):
    # At DEBUG Airflow's supervisor logs the values to store, which contain numbers.
    ours = [line for line in seen.log.splitlines() if "Itniotech" in line and "supervisor.py" not in line]
    assert ours
    assert not [line for line in ours if "8614718004557" in line or "861000000003" in line]


def test_the_package_raises_no_warning(seen):
    ours = [
        warning
        for warning in seen.results["warnings"]
        if "airflow_provider_itnio/" in warning or f"{HERE.name}/dags/" in warning
    ]
    assert ours == []


def test_only_the_expected_tasks_fail(seen):
    failed = {task for task, entry in seen.tasks.items() if entry["state"] != "success"}
    assert failed == {
        "missing_file",
        "undefined",
        "mapped[1]",
        "mapped_whole[1]",
        "mapped_whole[3]",
        "refused",
        "lost_at_most_once",
        "no_connection",
        "no_secret",
        "no_such_connection",
        "forgotten",
        "too_long",
    }
    failed = {task for task, entry in seen.native.items() if entry["state"] != "success"}
    assert failed == {"list_as_text", "nothing"}
    assert AIRFLOW_2 or seen.results["every_way"]["state"] == "failed"

"""Two DAGs run in real Airflow: how their tasks end, and what Airflow shows of them."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from tests.system.seen import API_KEY, HERE, SECRET

from .conftest import AIRFLOW_2

pytestmark = pytest.mark.system


def test_one_message_for_each_recipient(seen):
    assert [seen.message_of(f"mapped[{n}]").recipient for n in (0, 2)] == ["8610000000011", "8610000000013"]
    assert seen.message_of("mapped[0]").text == "Hi from Shenzhen"


def test_one_message_for_each_set_of_parameters(seen):
    assert seen.message_of("mapped_whole[0]").text == "first"
    assert seen.message_of("mapped_whole[2]").type == "image"


@pytest.mark.parametrize("task", ["mapped[1]", "mapped_whole[1]", "mapped_whole[3]"])
def test_an_invalid_entry_fails_at_once_and_alone(task, seen):
    assert seen.ended(task, "failed", 1)
    assert (
        seen.requests_to("12") == seen.requests_to("8610000000022") == seen.requests_to("8610000000024") == []
    )


def test_what_a_function_returns_is_sent_as_it_is(seen):
    assert re.fullmatch(r"written: \d and {{ 7 \* 7 }}", seen.message_of("written").text)


def test_a_mapped_function_sends_a_message_for_each_of_its_calls(seen):
    messages = [seen.message_of(f"written_whole[{n}]") for n in (0, 1)]
    assert [message.body["document"]["filename"] for message in messages] == ["1.pdf", "2.pdf"]
    assert {message.recipient for message in messages} == {"8610000000042"}
    assert messages[0].body["context"] == {"refMessageId": "wamid.2"}


def test_a_forgotten_return_fails_at_once_and_says_so(seen):
    assert seen.ended("forgotten", "failed", 1)
    assert "forgotten returned None: is a return missing?" in seen.log
    assert seen.requests_to("8610000000043") == []


@pytest.mark.parametrize(
    ("task", "number"), [("busy_then_free", "8610000000031"), ("passing_refusal", "8610000000032")]
)
def test_what_passes_is_tried_again_by_the_tasks_retries(task, number, seen):
    assert seen.ended(task, "success", 2)
    assert len(seen.requests_to(number)) == 2
    assert seen.message_of(task).recipient == number


def test_a_refusal_is_one_request_although_there_are_retries(seen):
    assert seen.ended("refused", "failed", 1)
    assert len(seen.requests_to("8610000000033")) == 1
    assert "AccountError: Itniotech refused the text message to 86…33: status -69" in seen.log


def test_at_most_once_sends_once_where_nobody_can_say_what_became_of_it(seen):
    assert seen.ended("lost_at_most_once", "failed", 1)
    assert len(seen.requests_to("8610000000034")) == 1


def test_at_least_once_sends_again_where_nobody_can_say_what_became_of_it(seen):
    assert seen.ended("lost_at_least_once", "success", 2)
    assert len(seen.requests_to("8610000000035")) == 2


def test_no_connection_uses_up_the_retries(seen):
    assert seen.ended("no_connection", "failed", 3)


def test_a_missing_secret_fails_at_once(seen):
    assert seen.ended("no_secret", "failed", 1)
    assert "Connection 'itnio_without_secret', password (the secret): is missing" in seen.log
    assert seen.requests_to("8610000000037") == []


def test_a_connection_that_is_not_defined_uses_up_the_retries(seen):
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


def test_a_task_gives_its_receipt_to_xcom(seen):
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


def test_airflow_masks_key_and_secret_in_the_process_of_a_task(seen):
    assert seen.tasks["masked"]["xcom"] == "key ***, secret ***"


def test_no_secret_key_or_signature_is_left_behind(seen):
    assert "Itniotech accepted the text message to 86…57" in seen.log
    signs = {
        hashlib.md5(f"{API_KEY}{SECRET}{request.timestamp}".encode()).hexdigest()
        for request in seen.sandbox.requests
    }
    assert signs
    for secret in {API_KEY, SECRET, *signs}:
        assert secret not in seen.log
        assert secret not in json.dumps(seen.results)


def test_our_own_lines_show_no_whole_number(seen):
    # What Airflow's supervisor is asked to keep holds numbers, and at DEBUG it shows what it is asked.
    ours = [line for line in seen.log.splitlines() if "Itniotech" in line and "supervisor.py" not in line]
    assert ours
    assert not [line for line in ours if "8614718004557" in line or "861000000003" in line]


def test_nothing_of_ours_warns_while_it_runs(seen):
    ours = [
        warning
        for warning in seen.results["warnings"]
        if "airflow_provider_itnio/" in warning or f"{HERE.name}/dags/" in warning
    ]
    assert ours == []


def test_both_runs_fail_only_for_what_is_meant_to_fail(seen):
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

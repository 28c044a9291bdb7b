"""Two DAGs run in real Airflow: ``dags/every_way.py`` and ``dags/native.py``."""

from __future__ import annotations

import hashlib
import json
import re
import socket
from pathlib import Path

import pytest

from airflow_provider_itnio.sandbox import Sandbox

from .conftest import AIRFLOW_2

pytestmark = pytest.mark.system

HERE = Path(__file__).parent
API_KEY = "keyOfTheSystemTests"
SECRET = "secretOfTheSystemTests"

# What happens to the messages to these numbers, in the order of requests.
FAULTS = {
    "8610000000031": {"http_status": 503},
    "8610000000032": {"status": -18},
    "8610000000033": {"status": -69, "count": 9},
    "8610000000034": {"drop": "after_accepting"},
    "8610000000035": {"drop": "before_accepting"},
}


class Seen:
    """What a run has left behind, in Airflow, in its log and at Itniotech."""

    def __init__(self, results, log, sandbox):
        self.results = results
        self.log = log
        self.sandbox = sandbox
        self.tasks = results["every_way"]["tasks"]
        self.native = results["native"]["tasks"]

    def requests_to(self, number):
        return [request for request in self.sandbox.requests if request.body["recipient"] == number]

    def message_of(self, task, tasks=None):
        """Give the message that a task's receipt is about."""
        receipt = (tasks or self.tasks)[task]["xcom"]
        (message,) = [one for one in self.sandbox.messages if one.id == receipt["message_id"]]
        assert (message.recipient, message.type) == (receipt["recipient"], receipt["type"])
        return message

    def ended(self, task, state, tries):
        entry = self.tasks[task]
        return (entry["state"], entry["try"]) == (state, tries)


@pytest.fixture(scope="module")
def seen(airflow, python, tmp_path_factory):
    results = tmp_path_factory.mktemp("run") / "results.json"
    with Sandbox(api_key=API_KEY, secret=SECRET) as sandbox, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        for number, fault in FAULTS.items():
            sandbox.fail_next(**fault, recipient=number)
        plain = json.loads(sandbox.connection_json())
        hasty = plain | {"extra": plain["extra"] | {"max_attempts": 1}}
        connections = {
            "DEFAULT": plain,
            "HASTY": hasty,
            "UNREACHABLE": hasty | {"host": f"http://127.0.0.1:{deaf.getsockname()[1]}"},
            "WITHOUT_SECRET": plain | {"password": ""},
        }
        env = {f"AIRFLOW_CONN_ITNIO_{name}": json.dumps(value) for name, value in connections.items()}
        env["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "DEBUG"
        dags = [HERE / "dags" / "every_way.py", HERE / "dags" / "native.py"]
        run = python(HERE / "run_dags.py", results, *dags, env=env)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
    return Seen(json.loads(results.read_text()), run.stdout + run.stderr, sandbox)


# --- every type -------------------------------------------------------------------------------------------

TYPES = {
    "text": ("text", {"body": "*42* rows"}),
    "reply": ("text", {"body": "Thank you"}),
    "image": ("image", {"link": "https://example.com/a.png", "caption": "Rows"}),
    "audio": ("audio", {"link": "https://example.com/a.mp3"}),
    "video": ("video", {"link": "https://example.com/a.mp4"}),
    "document": ("document", {"link": "https://example.com/Sales%2010.pdf", "filename": "Sales 10.pdf"}),
    "sticker": ("sticker", {"link": "https://example.com/a.webp"}),
    "location": (
        "location",
        {"longitude": "114.05", "latitude": "22.5", "name": "Shenzhen", "address": "深圳市"},
    ),
    "buttons": (
        "interactive",
        {
            "type": "button",
            "body": {"text": "Again in Shenzhen?"},
            "action": {
                "buttons": [
                    {"type": "reply", "reply": {"id": "y", "title": "Yes"}},
                    {"type": "reply", "reply": {"id": "n", "title": "No Shenzhen"}},
                ]
            },
        },
    ),
    "menu": (
        "interactive",
        {
            "type": "list",
            "body": {"text": "Which?"},
            "action": {
                "button": "Reports",
                "sections": [
                    {
                        "title": "Daily",
                        "rows": [{"id": "sales", "title": "Sales", "description": "by hour"}],
                    }
                ],
            },
        },
    ),
    "place_wanted": (
        "interactive",
        {
            "type": "location_request_message",
            "body": {"text": "Where are you?"},
            "action": {"name": "send_location"},
        },
    ),
    "contacts": (
        "contacts",
        [
            {
                "name": {"formatted_name": "Ana Lima", "first_name": "Ana Lima"},
                "phones": [{"phone": "+55 11 91234-5678", "type": "CELL"}],
            }
        ],
    ),
    "template": (
        "template",
        {
            "name": "daily_report",
            "language": {"code": "en"},
            "components": [
                {
                    "type": "body",
                    "parameters": [{"type": "text", "text": "Shenzhen"}, {"type": "text", "text": "42"}],
                }
            ],
        },
    ),
}


@pytest.mark.parametrize("task", TYPES)
def test_every_type_arrives(task, seen):
    kind, content = TYPES[task]
    message = seen.message_of(task)
    assert seen.ended(task, "success", 1)
    assert message.type == kind
    assert message.body[kind] == content
    assert message.notes == []


def test_a_reply_names_what_it_answers(seen):
    assert seen.message_of("reply").body["context"] == {"refMessageId": "wamid.1"}


# --- what only rendering tells ----------------------------------------------------------------------------


def test_a_text_is_templated_and_so_are_number_and_connection(seen):
    message = seen.message_of("templated")
    assert (message.text, message.recipient) == ("Shenzhen: 42 rows", "8610000000001")
    assert seen.tasks["templated"]["rendered"]["itnio_conn_id"] == "itnio_default"


def test_text_and_number_come_from_upstream(seen):
    message = seen.message_of("upstream_text")
    assert (message.text, message.recipient) == ("built upstream", "8610000000001")


def test_a_whole_object_comes_from_upstream(seen):
    assert seen.message_of("upstream_menu").body["interactive"]["body"] == {"text": "Load again?"}


def test_a_whole_message_comes_from_upstream_and_jinja_in_it_is_no_jinja(seen):
    assert seen.message_of("upstream_message").text == "built upstream {{ not_rendered }}"


def test_a_literal_is_not_rendered(seen):
    assert seen.message_of("literal_text").text == "{{ as it stands }}"


def test_a_j2_file_is_read_and_rendered(seen):
    assert seen.message_of("file").text == "Report of Shenzhen:\n- a\n- b\n"


def test_a_j2_file_that_is_missing_fails_without_sending(seen):
    assert seen.ended("missing_file", "failed", 1)
    assert "text: the Jinja file 'nowhere.j2' was not found" in seen.log
    assert not [message for message in seen.sandbox.messages if "nowhere" in message.text]


def test_a_j2_name_that_came_from_data_is_a_text(seen):
    assert seen.message_of("file_named_by_data").text == "from_data.j2"


def test_an_undefined_name_fails_without_sending(seen):
    assert seen.tasks["undefined"]["state"] == "failed"
    assert not [message for message in seen.sandbox.messages if "nobody" in message.text]


def test_what_is_wrong_only_once_it_is_rendered_fails_at_once(seen):
    assert seen.ended("too_long", "failed", 1)
    assert "text.body: at most 4096 characters, 5000 given" in seen.log
    assert seen.requests_to("8610000000038") == []


@pytest.mark.parametrize(
    ("task", "content"),
    [
        ("whole_number", {"type": "text", "text": {"body": "42"}}),
        ("truth", {"type": "text", "text": {"body": "True"}}),
        (
            "place",
            {
                "type": "location",
                "location": {"longitude": "114.05", "latitude": "22", "name": "7", "address": "x"},
            },
        ),
    ],
)
def test_numbers_of_native_rendering_are_taken_as_their_text(task, content, seen):
    message = seen.message_of(task, seen.native)
    assert message.recipient == "8610000000041"
    assert {name: message.body[name] for name in content} == content


def test_objects_of_native_rendering_are_taken(seen):
    assert seen.message_of("menu", seen.native).body["interactive"]["body"] == {"text": "Load again?"}


def test_numbers_of_native_rendering_in_a_whatsapp_template_are_taken_as_their_text(seen):
    (body,) = seen.message_of("template", seen.native).body["template"]["components"]
    assert [parameter["text"] for parameter in body["parameters"]] == ["42", "1.5"]


@pytest.mark.parametrize("task", ["list_as_text", "nothing"])
def test_what_native_rendering_makes_no_text_of_fails_at_once(task, seen):
    assert (seen.native[task]["state"], seen.native[task]["try"]) == ("failed", 1)


def test_a_list_in_the_place_of_a_text_comes_with_a_hint(seen):
    assert "text.body: must be text, a list of 2 given; join it, for example with | join(', ')" in seen.log


# --- mapped -----------------------------------------------------------------------------------------------


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


# --- what a function returns ------------------------------------------------------------------------------


def test_what_a_function_returns_is_sent_as_it_is(seen):
    assert re.fullmatch(r"written: \d and {{ 7 \* 7 }}", seen.message_of("written").text)


def test_a_mapped_function_sends_a_message_for_each_of_its_calls(seen):
    messages = [seen.message_of(f"written_whole[{n}]") for n in (0, 1)]
    assert [message.body["document"]["filename"] for message in messages] == ["1.pdf", "2.pdf"]
    assert {message.recipient for message in messages} == {"8610000000042"}
    assert messages[0].body["context"] == {"refMessageId": "wamid.2"}


def test_a_forgotten_return_fails_at_once_and_says_so(seen):
    assert seen.ended("forgotten", "failed", 1)
    assert "forgotten returned None: is its return forgotten?" in seen.log
    assert seen.requests_to("8610000000043") == []


# --- ends -------------------------------------------------------------------------------------------------


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


def test_a_connection_that_is_not_defined_fails_at_once(seen):
    assert seen.ended("no_such_connection", "failed", 1)
    assert "ConfigurationError: Connection 'itnio_nowhere' is not defined" in seen.log


def test_no_task_sent_a_message_twice(seen):
    receipts = [
        task["xcom"]["message_id"]
        for task in [*seen.tasks.values(), *seen.native.values()]
        if isinstance(task["xcom"], dict) and "message_id" in task["xcom"]
    ]
    lost = [message.id for message in seen.sandbox.messages if message.recipient == "8610000000034"]
    assert sorted([*receipts, *lost]) == sorted(message.id for message in seen.sandbox.messages)


# --- what Airflow shows -----------------------------------------------------------------------------------


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


# --- secrets ----------------------------------------------------------------------------------------------


def test_airflow_masks_key_and_secret_in_the_process_of_a_task(seen):
    assert seen.tasks["masked"]["xcom"] == "key ***, secret ***"


def test_no_secret_key_or_signature_is_left_behind(seen):
    # The supervisor of dag.test(), not a worker's, logs what it is told to mask.
    log = "\n".join(line for line in seen.log.splitlines() if "MaskSecret(" not in line)
    assert "Itniotech accepted the text message to 86…57" in log
    signs = {
        hashlib.md5(f"{API_KEY}{SECRET}{request.timestamp}".encode()).hexdigest()
        for request in seen.sandbox.requests
    }
    assert signs
    for secret in {API_KEY, SECRET, *signs}:
        assert secret not in log
        assert secret not in json.dumps(seen.results)


def test_our_own_lines_show_no_whole_number(seen):
    # What Airflow's supervisor is asked to keep holds numbers, and at DEBUG it shows what it is asked.
    ours = [line for line in seen.log.splitlines() if "Itniotech" in line and "supervisor.py" not in line]
    assert ours
    assert not [line for line in ours if "8614718004557" in line or "861000000003" in line]


# --- warnings ---------------------------------------------------------------------------------------------


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

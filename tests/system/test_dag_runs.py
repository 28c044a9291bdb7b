"""Two DAGs run in real Airflow: the messages they send."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.system


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
def test_every_message_type_is_sent(task, seen):
    kind, content = TYPES[task]
    message = seen.message_of(task)
    assert seen.ended(task, "success", 1)
    assert message.type == kind
    assert message.body[kind] == content
    assert message.notes == []


def test_a_reply_contains_the_answered_messages_id(seen):
    assert seen.message_of("reply").body["context"] == {"refMessageId": "wamid.1"}


def test_text_recipient_and_connection_are_templated(seen):
    message = seen.message_of("templated")
    assert (message.text, message.recipient) == ("Shenzhen: 42 rows", "8610000000001")
    assert seen.tasks["templated"]["rendered"]["itnio_conn_id"] == "itnio_default"


def test_text_and_recipient_may_come_from_upstream(seen):
    message = seen.message_of("upstream_text")
    assert (message.text, message.recipient) == ("built upstream", "8610000000001")


def test_an_object_may_come_from_upstream(seen):
    assert seen.message_of("upstream_menu").body["interactive"]["body"] == {"text": "Load again?"}


def test_a_message_from_upstream_is_sent_unrendered(seen):
    assert seen.message_of("upstream_message").text == "built upstream {{ not_rendered }}"


def test_a_literal_is_not_rendered(seen):
    assert seen.message_of("literal_text").text == "{{ as it stands }}"


def test_a_j2_file_is_read_and_rendered(seen):
    assert seen.message_of("file").text == "Report of Shenzhen:\n- a\n- b\n"


def test_a_j2_file_that_is_missing_fails_without_sending(seen):
    assert seen.ended("missing_file", "failed", 1)
    assert "text: the Jinja file 'nowhere.j2' was not found" in seen.log
    assert not [message for message in seen.sandbox.messages if "nowhere" in message.text]


def test_a_j2_name_from_data_is_sent_as_a_text(seen):
    assert seen.message_of("file_named_by_data").text == "from_data.j2"


def test_an_undefined_name_fails_without_sending(seen):
    assert seen.tasks["undefined"]["state"] == "failed"
    assert not [message for message in seen.sandbox.messages if "nobody" in message.text]


def test_a_field_that_is_invalid_after_rendering_fails_at_once(seen):
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
def test_numbers_from_native_rendering_are_sent_as_text(task, content, seen):
    message = seen.message_of(task, seen.native)
    assert message.recipient == "8610000000041"
    assert {name: message.body[name] for name in content} == content


def test_objects_from_native_rendering_are_accepted(seen):
    assert seen.message_of("menu", seen.native).body["interactive"]["body"] == {"text": "Load again?"}


def test_numbers_from_native_rendering_in_a_template_are_sent_as_text(seen):
    (body,) = seen.message_of("template", seen.native).body["template"]["components"]
    assert [parameter["text"] for parameter in body["parameters"]] == ["42", "1.5"]


@pytest.mark.parametrize("task", ["list_as_text", "nothing"])
def test_a_list_or_none_from_native_rendering_as_a_text_fails_at_once(task, seen):
    assert (seen.native[task]["state"], seen.native[task]["try"]) == ("failed", 1)


def test_the_error_of_a_list_in_place_of_a_text_has_a_hint(seen):
    assert "text.body: must be text, a list of 2 given; join it, for example with | join(', ')" in seen.log

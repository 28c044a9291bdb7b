"""Errors hint at what to write in place of a string, and at Jinja where Jinja made the string."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.models import message_from
from tests.tables import for_each

NATIVE = "render_template_as_native_obj=True"
BUTTON = {"type": "reply", "reply": {"id": "a", "title": "A"}}
BODY = {"type": "button", "body": "Go?", "action": {"buttons": [BUTTON]}}
REPLY = {"type": "button", "body": {"text": "Go?"}, "action": {"buttons": ["yes"]}}


def problems(fields: dict[str, Any]) -> str:
    with pytest.raises(InvalidMessageError) as caught:
        message_from(fields)
    return str(caught.value)


@for_each(
    ("fields", "sentence"),
    [
        (
            {"message": "hello"},
            "message: must be an object (dict), 'hello' given; for a text give text=…",
        ),
        (
            {"template": "daily_report"},
            "template: must be an object (dict), 'daily_report' given; "
            "give template_message('daily_report', 'en', body=[…])",
        ),
        (
            {"template": "Daily Report"},
            "template: must be an object (dict), 'Daily Report' given; "
            "give template_message('name_of_the_template', 'en', body=[…])",
        ),
        (
            {"message": {"template": "daily_report"}},
            "template: must be an object (dict), 'daily_report' given; "
            "give template_message('daily_report', 'en', body=[…])",
        ),
        (
            {"template": {"name": "t", "language": "en"}},
            "template.language: must be an object (dict), 'en' given; give {\"code\": …}",
        ),
        (
            {"interactive": "Go?"},
            "interactive: must be an object (dict), 'Go?' given; "
            "give what reply_buttons(…), list_menu(…) or location_request(…) return",
        ),
        (
            {"interactive": BODY},
            "interactive.body: must be an object (dict), 'Go?' given; give {\"text\": …}",
        ),
        (
            {"interactive": REPLY},
            "interactive.action.buttons[0]: must be an object (dict), 'yes' given; give {\"reply\": …}",
        ),
        (
            {"location": "Berlin"},
            "location: must be an object (dict), 'Berlin' given; "
            'give {"longitude": …, "latitude": …, "name": …, "address": …}',
        ),
        (
            {"contacts": "Ana"},
            "contacts: must be a list, 'Ana' given; give what contact_card(…) returns, in a list",
        ),
        (
            {"contacts": ["Ana"]},
            "contacts[0]: must be an object (dict), 'Ana' given; give what contact_card(…) returns",
        ),
        (
            {"contacts": [{"name": {"formatted_name": "Ana", "first_name": "Ana"}, "org": "Shop"}]},
            "contacts[0].org: must be an object (dict), 'Shop' given",
        ),
    ],
)
def test_the_error_of_a_string_in_place_of_an_object_says_what_to_write(
    fields: dict[str, Any], sentence: str
) -> None:
    assert problems(fields).startswith(sentence)
    assert NATIVE not in problems(fields) or "org" in sentence


@for_each(
    "fields",
    [
        {"message": "{'text': 'hello'}"},
        {"interactive": ' {"type": "button"}'},
        {"contacts": "[{'name': 1}]"},
        {"template": {"name": "t", "language": "{'code': 'en'}"}},
    ],
)
def test_the_error_of_an_object_that_jinja_turned_into_text_names_native_rendering(
    fields: dict[str, Any],
) -> None:
    assert NATIVE in problems(fields)


@for_each("fields", [{"template": ["a"]}, {"location": (1, 2)}, {"message": 5}])
def test_the_error_of_a_value_that_is_not_a_string_has_no_hint(fields: dict[str, Any]) -> None:
    assert problems(fields).endswith(" given")


def test_the_error_of_a_text_over_the_limit_names_if_too_long() -> None:
    for fields in ({"text": "x" * 5000}, {"text": {"body": "x" * 5000}}, {"message": {"text": "x" * 5000}}):
        assert problems(fields) == (
            "text.body: at most 4096 characters, 5000 given; if_too_long='truncate' shortens it"
        )


@for_each(
    "link",
    [
        "/data/report.pdf",
        "report.pdf",
        "./report.pdf",
        "C:\\report.pdf",
        "s3://bucket/report.pdf",
        "file:///a.pdf",
    ],
)
@for_each("kind", ["image", "audio", "video", "document", "sticker"])
def test_the_error_of_a_local_path_says_that_whatsapp_fetches_the_link(kind: str, link: str) -> None:
    assert "WhatsApp fetches the link itself" in problems({kind: link})
    assert "WhatsApp fetches the link itself" in problems({kind: {"link": link}})

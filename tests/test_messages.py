from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, get_type_hints

import pytest
from pydantic_core import to_json

from airflow_provider_itnio import message_types, messages
from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.models import message_from
from airflow_provider_itnio.messages import (
    MESSAGE_FIELDS,
    MessageDict,
    MessageFields,
    contact_card,
    list_menu,
    location_request,
    reply_buttons,
    template_message,
)
from tests.tables import for_each


def sent(**fields: Any) -> Any:
    """The message's content as the JSON that is sent."""
    return json.loads(to_json(message_from(fields).content, exclude_none=True))


def test_reply_buttons_builds_the_apis_object() -> None:
    built = reply_buttons("Deploy?", {"yes": "Yes", "no": "No"}, header="Release 7", footer="until 18:00")
    assert built == {
        "type": "button",
        "header": {"type": "text", "text": "Release 7"},
        "body": {"text": "Deploy?"},
        "footer": {"text": "until 18:00"},
        "action": {
            "buttons": [
                {"type": "reply", "reply": {"id": "yes", "title": "Yes"}},
                {"type": "reply", "reply": {"id": "no", "title": "No"}},
            ]
        },
    }
    assert sent(interactive=built) == built


def test_list_menu_builds_the_apis_object() -> None:
    sections = {"Today": {"1": "Orders", "2": ("Returns", "of the last day")}, "Month": {"3": "All"}}
    built = list_menu("Which report?", "Reports", sections, header="Shop", footer="as of 06:00")
    assert built == {
        "type": "list",
        "header": {"type": "text", "text": "Shop"},
        "body": {"text": "Which report?"},
        "footer": {"text": "as of 06:00"},
        "action": {
            "button": "Reports",
            "sections": [
                {
                    "title": "Today",
                    "rows": [
                        {"id": "1", "title": "Orders"},
                        {"id": "2", "title": "Returns", "description": "of the last day"},
                    ],
                },
                {"title": "Month", "rows": [{"id": "3", "title": "All"}]},
            ],
        },
    }
    assert sent(interactive=built) == built


def test_location_request_builds_the_apis_object() -> None:
    built = location_request("Where are you?")
    assert built == {
        "type": "location_request_message",
        "body": {"text": "Where are you?"},
        "action": {"name": "send_location"},
    }
    assert sent(interactive=built) == built


def test_header_and_footer_are_omitted_if_not_given() -> None:
    for built in (reply_buttons("Deploy?", {"yes": "Yes"}), list_menu("Which?", "Open", {"A": {"1": "B"}})):
        assert built.keys() == {"type", "body", "action"}
        assert sent(interactive=built) == built


def test_contact_card_builds_the_apis_object() -> None:
    built = contact_card("Ann Smith", phone="+86 147-1800-4557", email="ann@a.example", company="Shop")
    assert built == {
        "name": {"formatted_name": "Ann Smith", "first_name": "Ann Smith"},
        "phones": [{"phone": "+86 147-1800-4557", "type": "CELL"}],
        "emails": [{"email": "ann@a.example", "type": "WORK"}],
        "org": {"company": "Shop"},
    }
    assert sent(contacts=[built, contact_card("Bob")]) == [
        built,
        {"name": {"formatted_name": "Bob", "first_name": "Bob"}},
    ]


PLACE = {"latitude": "62.6", "longitude": "104.05", "name": "Shop", "address": "1 Street"}
MONEY = {"fallback_value": "$100.99", "code": "USD", "amount_1000": 100990}
MOMENT = {"fallback_value": "February 25, 1977", "day_of_week": 5}


def test_template_message_builds_the_apis_object() -> None:
    built = template_message(
        "daily_report",
        "en",
        header={"document": {"link": "https://a.example/report.pdf", "filename": "report.pdf"}},
        body=["42", {"currency": MONEY}, {"date_time": MOMENT}],
        buttons=[{"url": "2025-01-01"}, None, {"quick_reply": "stop"}],
    )
    assert built == {
        "name": "daily_report",
        "language": {"code": "en"},
        "components": [
            {
                "type": "header",
                "parameters": [
                    {
                        "type": "document",
                        "document": {"link": "https://a.example/report.pdf", "filename": "report.pdf"},
                    }
                ],
            },
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "text": "42"},
                    {"type": "currency", "currency": MONEY},
                    {"type": "date_time", "date_time": MOMENT},
                ],
            },
            {
                "type": "button",
                "sub_type": "url",
                "index": "0",
                "parameters": [{"type": "text", "text": "2025-01-01"}],
            },
            {
                "type": "button",
                "sub_type": "quick_reply",
                "index": "2",
                "parameters": [{"type": "payload", "payload": "stop"}],
            },
        ],
    }
    assert sent(template=built) == built


@for_each(
    ("header", "parameter"),
    [
        ("Shop", {"type": "text", "text": "Shop"}),
        (
            {"image": "https://a.example/a.png"},
            {"type": "image", "image": {"link": "https://a.example/a.png"}},
        ),
        (
            {"video": "https://a.example/a.mp4"},
            {"type": "video", "video": {"link": "https://a.example/a.mp4"}},
        ),
        (
            {"document": "https://a.example/a.pdf"},
            {"type": "document", "document": {"link": "https://a.example/a.pdf"}},
        ),
        ({"location": PLACE}, {"type": "location", "location": PLACE}),
    ],
)
def test_template_message_accepts_each_kind_of_header(header: Any, parameter: dict[str, Any]) -> None:
    built = template_message("daily_report", "en", header=header)
    assert built["components"] == [{"type": "header", "parameters": [parameter]}]
    assert sent(template=built) == built


def test_a_template_without_variables_has_no_components() -> None:
    for built in (template_message("hello", "en"), template_message("hello", "en", buttons=[None, None])):
        assert built == {"name": "hello", "language": {"code": "en"}}
        assert sent(template=built) == built


def test_a_builder_does_not_check_limits_but_the_message_does() -> None:
    with pytest.raises(InvalidMessageError) as caught:
        message_from({"interactive": reply_buttons("Deploy?", {str(n): str(n) for n in range(4)})})
    assert str(caught.value) == "interactive.action.buttons: at most 3 buttons, 4 given"
    with pytest.raises(InvalidMessageError) as caught:
        message_from({"template": template_message("hello", "en", buttons=[{"copy_code": "1"}])})
    assert str(caught.value) == (
        "template.components[0].sub_type: must be one of url, quick_reply; 'copy_code' given"
    )


def test_the_typed_dicts_have_the_message_fields() -> None:
    assert set(get_type_hints(MessageDict)) == {*MESSAGE_FIELDS, "type", "reply_to"}
    assert set(get_type_hints(MessageFields)) == {*MESSAGE_FIELDS, "type", "reply_to", "message"}
    assert not MessageDict.__required_keys__
    assert not MessageFields.__required_keys__


MODELS_OF_TYPES = {
    "TextDict": "Text", "MediaDict": "Image", "LinkDict": "Audio", "DocumentDict": "Document",
    "LocationDict": "Location", "ContactDict": "Contact", "NameDict": "Name", "AddressDict": "Address",
    "EmailDict": "Email", "OrganisationDict": "Organisation", "PhoneDict": "ContactPhone", "UrlDict": "Url",
    "TemplateDict": "Template", "LanguageDict": "Language", "BodyDict": "Body", "HeaderDict": "Header",
    "FooterDict": "Footer", "InteractiveDict": "ButtonInteractive", "ButtonDict": "Button",
    "ReplyDict": "Reply", "RowDict": "Row", "SectionDict": "Section",
}  # fmt: skip


@for_each(("type_name", "model_name"), MODELS_OF_TYPES.items())
def test_each_typed_dict_has_the_keys_of_its_model(type_name: str, model_name: str) -> None:
    from airflow_provider_itnio.api.models import contacts, interactive, location, media, template, text

    families = (text, media, location, interactive, contacts, template)
    (model,) = {getattr(family, model_name) for family in families if hasattr(family, model_name)}

    assert set(get_type_hints(getattr(message_types, type_name))) == set(model.model_fields)


def test_all_public_names_exist() -> None:
    for module in (messages, message_types):
        assert all(hasattr(module, name) for name in module.__all__)


def test_importing_messages_imports_only_the_standard_library() -> None:
    program = (
        "import sys; import airflow_provider_itnio; "
        "import airflow_provider_itnio.messages; "
        "new = {name.partition('.')[0] for name in sys.modules}; "
        "print(sorted(new - set(sys.stdlib_module_names) - {'__main__'}))"
    )
    isolated = [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {program}"]
    ran = subprocess.run(isolated, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == "['airflow_provider_itnio']"

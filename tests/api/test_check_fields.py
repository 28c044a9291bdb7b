# ruff: noqa: E501 - in tables a row is a line
"""What is checked in a DAG file, before templated and upstream values are known."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_itnio.api.errors import InvalidMessageError, InvalidParameterError
from airflow_provider_itnio.api.models import check_fields
from tests.api.fields import (
    LINK,
    body,
    button_action,
    buttons,
    contact,
    currency,
    date_time,
    header,
    interactive,
    list_action,
    list_row,
    location,
    reply_button,
    row,
    rows,
    template,
    url_button,
)
from tests.tables import for_each


class Upstream:
    """A stub for the output of an upstream task."""

    def __repr__(self) -> str:
        return "<upstream>"


def is_unrendered(value: object) -> bool:
    return isinstance(value, Upstream) or (isinstance(value, str) and "{{" in value)


def problems(fields: Any, **options: Any) -> list[str]:
    try:
        check_fields(fields, is_unrendered=is_unrendered, **options)
    except InvalidMessageError as error:
        return list(error.problems)
    return []


JINJA = "{{ ti.xcom_pull('load') }}"
HOLES = [
    lambda hole: {"text": hole},
    lambda hole: {"text": {"body": hole}},
    lambda hole: {"text": "a", "reply_to": hole},
    lambda hole: {"image": hole},
    lambda hole: {"image": {"link": hole, "caption": hole}},
    lambda hole: {"document": hole},
    lambda hole: {"document": {"link": hole}},
    lambda hole: {"document": {"link": hole, "caption": "a"}},
    lambda hole: {"document": {"link": LINK, "filename": hole}},
    lambda hole: {"location": hole},
    lambda hole: location(longitude=hole, latitude=hole, name=hole, address=hole, link=hole),
    lambda hole: {"interactive": hole},
    lambda hole: interactive(header=hole, body=hole, footer=hole),
    lambda hole: interactive(action=hole),
    lambda hole: interactive(action={"buttons": hole}),
    lambda hole: interactive(action={"buttons": [hole, hole]}),
    lambda hole: interactive(action=button_action({"id": hole, "title": hole}, {"id": hole, "title": hole})),
    lambda hole: {"interactive": {"type": hole, "body": {"text": "a"}}},
    lambda hole: interactive("list", action=list_action(button=hole, sections=hole)),
    lambda hole: interactive("list", action=list_action(sections=[{"title": hole, "rows": hole}, hole])),
    lambda hole: list_row(id=hole, title=hole, description=hole),
    lambda hole: interactive("list", action=list_action(sections=[{"title": "S", "rows": [row(id=hole)] * 2}])),
    lambda hole: {"contacts": hole},
    lambda hole: {"contacts": [hole]},
    lambda hole: contact(birthday=hole, phones=hole, emails=[hole], org=hole, urls=[{"url": hole, "type": hole}]),
    lambda hole: {"template": hole},
    lambda hole: template(name=hole, language=hole),
    lambda hole: template(language={"code": hole}, components=hole),
    lambda hole: template(hole, hole),
    lambda hole: header(type="text", text=hole),
    lambda hole: header(type="image", image={"link": hole}),
    lambda hole: header(type="document", document=hole),
    lambda hole: body({"type": "text", "text": hole}, currency(code=hole, amount_1000=hole)),
    lambda hole: body(date_time(hour=hole, month=hole, fallback_value=hole)),
    lambda hole: template(url_button(index=hole), reply_button(index=hole)),
    lambda hole: {"message": hole},
    lambda hole: {"message": {"type": hole, "text": hole, "reply_to": hole}},
]  # fmt: skip


@for_each("hole", [JINJA, "x" * 5000 + "{{ a }}\n", Upstream()])
@for_each("make", HOLES)
def test_an_unrendered_value_is_not_checked(make, hole: object) -> None:
    assert problems(make(hole)) == []


STANDING = [
    ({"text": {"body": JINJA, "extra": JINJA}}, "text.extra: unknown key; known are body"),
    ({"text": {}}, "text.body: required, not given"),
    ({"image": {"caption": JINJA}}, "image.link: required, not given"),
    (
        interactive(action=button_action(*[{"id": JINJA, "title": JINJA}] * 4)),
        "interactive.action.buttons: at most 3 buttons, 4 given",
    ),
    (
        interactive(action=button_action({"id": JINJA})),
        "interactive.action.buttons[0].reply.title: required, not given",
    ),
    (
        interactive(action=button_action({"id": "1", "title": "{{ a }}"}, {"id": "1", "title": "{{ a }}"})),
        "interactive.action.buttons: each reply.id only once in a message, '1' given twice",
    ),
    (
        interactive("list", action=list_action(button=JINJA, sections=[
            {"title": JINJA, "rows": rows(6)}, {"title": JINJA, "rows": rows(6, first=6)},
        ])),
        "interactive.action.sections: at most 10 rows over all sections, 12 given",
    ),
    (interactive(body={"text": JINJA, "markup": JINJA}), "interactive.body.markup: unknown key; known are text"),
    (interactive(body={"text": JINJA}, action=buttons(4)), "interactive.action.buttons: at most 3 buttons, 4 given"),
    ({"interactive": {"body": {"text": JINJA}}}, "interactive.type: required, not given"),
    (contact(name={"first_name": JINJA}), "contacts[0].name.formatted_name: required, not given"),
    (contact(name={"formatted_name": JINJA, "first_name": JINJA}), None),
    (
        contact(name={"formatted_name": JINJA}),
        "contacts[0].name: first_name or another part (last_name, middle_name, suffix, prefix) is required beside "
        "formatted_name, or WhatsApp does not deliver the card; the whole name can go into first_name too",
    ),
    ({"contacts": [Upstream()] * 6}, "contacts: at most 5 contacts, 6 given"),
    (location(latitude="100", longitude=JINJA), "location.latitude: must be decimal degrees from -90 to 90, '100' given"),
    (location(extra=JINJA), "location.extra: unknown key; known are address, latitude, link, name, longitude"),
    (template({"type": "button", "sub_type": "url", "index": JINJA}), "template.components[0].parameters: required, not given"),
    (template(name="A B", language={"code": JINJA}), "template.name: lower-case letters, digits and underscores only, 'A B' given"),
    (body({"type": "text", "text": JINJA}, {"type": "text"}), "template.components[0].parameters[1].text: required, not given"),
    ({"document": {"link": "https://files.example/", "caption": JINJA}}, "document: filename is required where the link's path does not end in a name"),
    (
        {"text": JINJA, "image": JINJA},
        "exactly one of text, image, audio, video, document, sticker, location, interactive, contacts, template "
        "or message must be given, text, image given",
    ),
    (
        {"message": JINJA, "caption": JINJA},
        "message: can't be combined with other message fields, caption given too",
    ),
    ({"message": JINJA, "reply_to": JINJA}, None),
    ({"message": {"text": JINJA, "type": "image"}}, "type: must match the message, which is text; 'image' given"),
    (template(name=JINJA) | {"reply_to": JINJA}, "reply_to: a WhatsApp template can't be a reply"),
]  # fmt: skip


@for_each(("fields", "error"), STANDING)
def test_an_error_that_rendering_cannot_fix_is_reported(fields: dict[str, Any], error: str | None) -> None:
    assert problems(fields) == ([error] if error else [])


def test_only_the_errors_beside_unrendered_values_are_reported() -> None:
    fields = interactive(header={"text": JINJA * 9}, body={"text": "x" * 1025}, footer={"text": Upstream()})
    assert problems(fields) == ["interactive.body.text: at most 1024 characters, 1025 given"]


def test_a_message_without_unrendered_values_is_checked_completely() -> None:
    assert problems({"text": "a"}) == []
    assert problems({"text": ""}) == ["text.body: must not be empty"]


@for_each("word", ["never", JINJA, Upstream(), None])
def test_if_too_long_cannot_be_a_jinja_template(word: object) -> None:
    with pytest.raises(InvalidParameterError, match="if_too_long: must be one of fail, truncate; "):
        check_fields({"text": "a"}, if_too_long=word, is_unrendered=is_unrendered)


def test_a_text_over_the_limit_is_accepted_with_if_too_long_truncate() -> None:
    assert problems({"text": "x" * 5000}, if_too_long="truncate") == []

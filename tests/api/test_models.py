from __future__ import annotations

import json
from typing import Any

from airflow_provider_itnio.api.models import message_from
from airflow_provider_itnio.messages import MESSAGE_FIELDS
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
    sections,
    template,
    texts,
    url_button,
)
from tests.api.model_cases import (
    ONE_LINE,
    PARAMETERS,
    content,
    problems,
)
from tests.tables import for_each

# --- limits: the case, the value at the limit, the value past it, the error past it ---------------------

TEXT_IN_LIST = [{"type": "text", "text": "a"}]

CUT = "; if_too_long='truncate' shortens it"

LENGTHS = [
    (
        "text",
        lambda value: {"text": value},
        4096,
        f"text.body: at most 4096 characters, 4097 given{CUT}",
    ),
    (
        "text.body",
        lambda value: {"text": {"body": value}},
        4096,
        f"text.body: at most 4096 characters, 4097 given{CUT}",
    ),
    (
        "image.caption",
        lambda value: {"image": {"link": LINK, "caption": value}},
        1024,
        "image.caption: at most 1024 characters, 1025 given",
    ),
    (
        "video.caption",
        lambda value: {"video": {"link": LINK, "caption": value}},
        1024,
        "video.caption: at most 1024 characters, 1025 given",
    ),
    (
        "document.caption",
        lambda value: {"document": {"link": LINK, "caption": value}},
        1024,
        "document.caption: at most 1024 characters, 1025 given",
    ),
    (
        "header of buttons",
        lambda value: interactive("button", header={"type": "text", "text": value}),
        60,
        "interactive.header.text: at most 60 characters, 61 given",
    ),
    (
        "body of buttons",
        lambda value: interactive("button", body={"text": value}),
        1024,
        "interactive.body.text: at most 1024 characters, 1025 given",
    ),
    (
        "footer of buttons",
        lambda value: interactive("button", footer={"text": value}),
        60,
        "interactive.footer.text: at most 60 characters, 61 given",
    ),
    (
        "button id",
        lambda value: interactive("button", action=button_action({"id": value, "title": "Yes"})),
        256,
        "interactive.action.buttons[0].reply.id: at most 256 characters, 257 given",
    ),
    (
        "button title",
        lambda value: interactive("button", action=button_action({"id": "1", "title": value})),
        20,
        "interactive.action.buttons[0].reply.title: at most 20 characters, 21 given",
    ),
    (
        "header of a list",
        lambda value: interactive("list", header={"type": "text", "text": value}),
        60,
        "interactive.header.text: at most 60 characters, 61 given",
    ),
    (
        "body of a list",
        lambda value: interactive("list", body={"text": value}),
        1024,
        "interactive.body.text: at most 1024 characters, 1025 given",
    ),
    (
        "footer of a list",
        lambda value: interactive("list", footer={"text": value}),
        60,
        "interactive.footer.text: at most 60 characters, 61 given",
    ),
    (
        "button of a list",
        lambda value: interactive("list", action=list_action(button=value)),
        20,
        "interactive.action.button: at most 20 characters, 21 given",
    ),
    (
        "section title",
        lambda value: interactive("list", action=list_action(sections=[{"title": value, "rows": [row()]}])),
        24,
        "interactive.action.sections[0].title: at most 24 characters, 25 given",
    ),
    (
        "row id",
        lambda value: list_row(id=value),
        200,
        "interactive.action.sections[0].rows[0].id: at most 200 characters, 201 given",
    ),
    (
        "row title",
        lambda value: list_row(title=value),
        24,
        "interactive.action.sections[0].rows[0].title: at most 24 characters, 25 given",
    ),
    (
        "row description",
        lambda value: list_row(description=value),
        72,
        "interactive.action.sections[0].rows[0].description: at most 72 characters, 73 given",
    ),
    (
        "body of a location request",
        lambda value: interactive("location_request_message", body={"text": value}),
        1024,
        "interactive.body.text: at most 1024 characters, 1025 given",
    ),
    (
        "template name",
        lambda value: template(name=value),
        512,
        "template.name: at most 512 characters, 513 given",
    ),
    (
        "text of a template's header",
        lambda value: header(type="text", text=value),
        60,
        "template.components[0].parameters[0].text: at most 60 characters, 61 given",
    ),
    (
        "text of a template's body",
        lambda value: body({"type": "text", "text": value}),
        1024,
        "template.components[0].parameters[0].text: at most 1024 characters, 1025 given",
    ),
    (
        "text of a template's url button",
        lambda value: template(url_button(parameters=[{"type": "text", "text": value}])),
        1024,
        "template.components[0].parameters[0].text: at most 1024 characters, 1025 given",
    ),
]


@for_each(("make", "limit", "error"), [row[1:] for row in LENGTHS])
def test_a_text_at_its_limit_is_accepted_and_one_character_more_is_refused(
    make, limit: int, error: str
) -> None:
    assert "x" * limit in json.dumps(content(make("x" * limit)))
    assert problems(make("x" * (limit + 1))) == [error]


def test_characters_are_counted_as_code_points() -> None:
    assert content({"text": "😀" * 4096}) == {"body": "😀" * 4096}
    assert problems({"text": "😀" * 4097}) == [f"text.body: at most 4096 characters, 4097 given{CUT}"]


EDGES = [
    (
        "no button",
        interactive(action=buttons(1)),
        interactive(action={"buttons": []}),
        "interactive.action.buttons: at least 1 button, 0 given",
    ),
    (
        "buttons",
        interactive(action=buttons(3)),
        interactive(action=buttons(4)),
        "interactive.action.buttons: at most 3 buttons, 4 given",
    ),
    (
        "no section",
        interactive("list", action=sections(1)),
        interactive("list", action=list_action(sections=[])),
        "interactive.action.sections: at least 1 section, 0 given",
    ),
    (
        "sections",
        interactive("list", action=sections(10)),
        interactive("list", action=list_action(sections=[{"title": "S", "rows": []}] * 11)),
        "interactive.action.sections: at most 10 sections, 11 given",
    ),
    (
        "no row",
        list_row(),
        interactive("list", action=list_action(sections=[{"title": "S", "rows": []}])),
        "interactive.action.sections[0].rows: at least 1 row, 0 given",
    ),
    (
        "rows of one section",
        interactive("list", action=list_action(sections=[{"title": "S", "rows": rows(10)}])),
        interactive("list", action=list_action(sections=[{"title": "S", "rows": rows(11)}])),
        "interactive.action.sections[0].rows: at most 10 rows, 11 given",
    ),
    (
        "rows over all sections",
        interactive(
            "list",
            action=list_action(
                sections=[{"title": "S", "rows": rows(5)}, {"title": "T", "rows": rows(5, first=5)}]
            ),
        ),
        interactive(
            "list",
            action=list_action(
                sections=[{"title": "S", "rows": rows(5)}, {"title": "T", "rows": rows(6, first=5)}]
            ),
        ),
        "interactive.action.sections: at most 10 rows over all sections, 11 given",
    ),
    ("no contact", contact(), {"contacts": []}, "contacts: at least 1 contact, 0 given"),
    (
        "contacts",
        {"contacts": contact()["contacts"] * 5},
        {"contacts": contact()["contacts"] * 6},
        "contacts: at most 5 contacts, 6 given",
    ),
    (
        "longitude in the east",
        location(longitude="180"),
        location(longitude="180.000001"),
        "location.longitude: must be decimal degrees from -180 to 180, '180.000001' given",
    ),
    (
        "longitude in the west",
        location(longitude=-180),
        location(longitude="-181"),
        "location.longitude: must be decimal degrees from -180 to 180, '-181' given",
    ),
    (
        "latitude in the north",
        location(latitude=90.0),
        location(latitude=90.5),
        "location.latitude: must be decimal degrees from -90 to 90, '90.5' given",
    ),
    (
        "latitude in the south",
        location(latitude=-90),
        location(latitude=-91),
        "location.latitude: must be decimal degrees from -90 to 90, '-91' given",
    ),
    (
        "no parameter of a header",
        header(type="text", text="a"),
        template({"type": "header", "parameters": []}),
        f"{PARAMETERS}: at least 1 parameter, 0 given",
    ),
    (
        "parameters of a header",
        header(type="text", text="a"),
        template({"type": "header", "parameters": TEXT_IN_LIST * 2}),
        f"{PARAMETERS}: at most 1 parameter, 2 given",
    ),
    (
        "no parameter of a body",
        body(*texts(1)),
        body(),
        f"{PARAMETERS}: at least 1 parameter, 0 given",
    ),
    (
        "parameters of a body",
        body(*texts(20)),
        body(*texts(21)),
        f"{PARAMETERS}: at most 20 parameters, 21 given",
    ),
    (
        "no parameter of a url button",
        template(url_button()),
        template(url_button(parameters=[])),
        f"{PARAMETERS}: at least 1 parameter, 0 given",
    ),
    (
        "parameters of a url button",
        template(url_button()),
        template(url_button(parameters=TEXT_IN_LIST * 2)),
        f"{PARAMETERS}: at most 1 parameter, 2 given",
    ),
    (
        "no parameter of a quick-reply button",
        template(reply_button()),
        template(reply_button(parameters=[])),
        f"{PARAMETERS}: at least 1 parameter, 0 given",
    ),
    (
        "parameters of a quick-reply button",
        template(reply_button()),
        template(reply_button(parameters=[{"type": "payload", "payload": "a"}] * 2)),
        f"{PARAMETERS}: at most 1 parameter, 2 given",
    ),
    (
        "first position of a button",
        template(url_button(index="0")),
        template(url_button(index="-1")),
        "template.components[0].index: must be a button's position from 0 to 9, '-1' given",
    ),
    (
        "last position of a button",
        template(url_button(index=9)),
        template(url_button(index=10)),
        "template.components[0].index: must be a button's position from 0 to 9, '10' given",
    ),
    (
        "four blanks in a row",
        body({"type": "text", "text": "a    b"}),
        body({"type": "text", "text": "a     b"}),
        f"{PARAMETERS}[0].text: {ONE_LINE}",
    ),
    *(
        (
            f"{name}",
            body(date_time(**{name: at})),
            body(date_time(**{name: past})),
            f"{PARAMETERS}[0].date_time.{name}: {error}",
        )
        for name, at, past, error in (
            ("day_of_week", 1, 0, "at least 1, 0 given"),
            ("day_of_week", 7, 8, "at most 7, 8 given"),
            ("month", 1, 0, "at least 1, 0 given"),
            ("month", "12", "13", "at most 12, '13' given"),
            ("day_of_month", 1, 0, "at least 1, 0 given"),
            ("day_of_month", 31, 32, "at most 31, 32 given"),
            ("hour", 0, -1, "at least 0, -1 given"),
            ("hour", 23, 24, "at most 23, 24 given"),
            ("minute", 0, -1, "at least 0, -1 given"),
            ("minute", 59, 60, "at most 59, 60 given"),
        )
    ),
    (
        "largest amount",
        body(currency(amount_1000=2**63 - 1)),
        body(currency(amount_1000=2**63)),
        f"{PARAMETERS}[0].currency.amount_1000: must be a whole number, a number too large given",
    ),
]


@for_each(("at", "past", "error"), [row[1:] for row in EDGES])
def test_a_value_at_its_limit_is_accepted_and_one_past_it_is_refused(at: Any, past: Any, error: str) -> None:
    assert message_from(at).type in MESSAGE_FIELDS
    assert problems(past) == [error]

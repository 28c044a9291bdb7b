# ruff: noqa: E501 - in tables a row is a line
from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from pydantic_core import to_json

from airflow_provider_itnio.api.errors import InvalidMessageError, InvalidParameterError
from airflow_provider_itnio.api.models import Message, message_from, model_of
from airflow_provider_itnio.messages import MESSAGE_FIELDS
from tests.api.fields import (
    LINK,
    body,
    button_action,
    buttons,
    contact,
    currency,
    date_time,
    fields_of,
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


def content(fields: dict[str, Any], **options: Any) -> Any:
    """What of the message goes out, as JSON."""
    return json.loads(to_json(message_from(fields, **options).content, exclude_none=True))


def problems(fields: Any, **options: Any) -> list[str]:
    with pytest.raises(InvalidMessageError) as caught:
        message_from(fields, **options)
    assert str(caught.value) == "; ".join(caught.value.problems)
    return list(caught.value.problems)


# --- limits: what is tried, the value at the edge, the value past it, the error past it -----------------

TEXT_IN_LIST = [{"type": "text", "text": "a"}]
PARAMETERS = "template.components[0].parameters"
ONE_LINE = "must hold no line break, no tab and no more than four blanks in a row, as WhatsApp demands"

CUT = "; if_too_long='truncate' shortens it to that"

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


@pytest.mark.parametrize(
    ("make", "limit", "error"), [row[1:] for row in LENGTHS], ids=[r[0] for r in LENGTHS]
)
def test_a_text_at_its_limit_is_taken_and_one_character_more_refused(make, limit: int, error: str) -> None:
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


@pytest.mark.parametrize(("at", "past", "error"), [row[1:] for row in EDGES], ids=[row[0] for row in EDGES])
def test_a_value_at_its_edge_is_taken_and_one_past_it_refused(at: Any, past: Any, error: str) -> None:
    assert message_from(at).type in MESSAGE_FIELDS
    assert problems(past) == [error]


# --- values that are refused, with the whole sentence ---------------------------------------------------

CARD = "; give what contact_card(…) returns, in a list"
HINT = (
    "; a Jinja template gives an object with render_template_as_native_obj=True on the DAG, "
    "but not in a broadcast; or pass the upstream task's output itself"
)
KNOWN = "text, image, audio, video, document, sticker, location, interactive, contacts, template"
DEGREES = "must be decimal degrees from -180 to 180"
NO_LINK = "must be an http:// or https:// link"
FETCHED = "; WhatsApp fetches the link itself, and can't read a file or bucket of yours"

REFUSED = [
    ({"text": ""}, "text.body: must not be empty"),
    ({"text": " \n "}, "text.body: must not be empty"),
    ({"text": {"body": None}}, "text.body: must be text, nothing given"),
    ({"text": ["a", "b"]}, "text.body: must be text, a list of 2 given; join it, for example with | join(', ')"),
    ({"text": ("a",)}, "text.body: must be text, a list of 1 given; join it, for example with | join(', ')"),
    ({"text": b"a"}, "text.body: must be text, a value of type bytes given"),
    ({"text": 10**5000}, "text.body: must be text, a number too large given"),
    ({"text": "\ud800"}, "text.body: must be valid Unicode text, a lone surrogate given"),
    ({"text": {"body": "a", 1: "b"}}, "text: keys must be text, 1 given"),
    ({"text": {"body": "a", "\ud800": "b"}}, "text: must be valid Unicode text, a lone surrogate given"),
    ({"image": "ftp://files.example/a.png"}, f"image.link: {NO_LINK}, 'ftp://files.example/a.png' given{FETCHED}"),
    ({"image": "files.example/a.png"}, f"image.link: {NO_LINK}, 'files.example/a.png' given"),
    ({"image": "https://"}, f"image.link: {NO_LINK}, 'https://' given"),
    ({"image": "https://a b/c"}, "image.link: must hold no blank and no line break, 'https://a b/c' given; write a blank as %20"),
    ({"image": "https://[::1/c"}, f"image.link: {NO_LINK}, 'https://[::1/c' given"),
    ({"image": "https://a:99999/"}, f"image.link: {NO_LINK}, 'https://a:99999/' given"),
    ({"image": "https://a:0/"}, f"image.link: {NO_LINK}, 'https://a:0/' given"),
    ({"image": {"link": "http:/a?sig=5ecret"}}, f"image.link: {NO_LINK}, 'http:/a' given"),
    ({"image": {"link": "s3://user:5ecret@bucket/a"}}, f"image.link: {NO_LINK}, 's3://bucket/a' given{FETCHED}"),
    ({"audio": {"link": LINK, "caption": "a"}}, "audio.caption: unknown key; known are link"),
    ({"sticker": {"link": LINK, "caption": "a"}}, "sticker.caption: unknown key; known are link"),
    ({"document": "https://files.example"}, "document: filename is required where the link's path does not end in a name"),
    ({"document": "https://files.example/a/?b=c.pdf"}, "document: filename is required where the link's path does not end in a name"),
    (location(longitude="east"), f"location.longitude: {DEGREES}, 'east' given"),
    (location(longitude="1e2"), f"location.longitude: {DEGREES}, '1e2' given"),
    (location(longitude="nan"), f"location.longitude: {DEGREES}, 'nan' given"),
    (location(longitude=float("inf")), f"location.longitude: {DEGREES}, 'inf' given"),
    (location(longitude="١٢"), f"location.longitude: {DEGREES}, '١٢' given"),
    (location(longitude=True), f"location.longitude: {DEGREES}, 'True' given"),
    (location(longitude=[1]), "location.longitude: must be text, a list of 1 given; join it, for example with | join(', ')"),
    (location(link="nowhere"), f"location.link: {NO_LINK}, 'nowhere' given"),
    ({"interactive": "[]"}, f"interactive: must be an object (dict), '[]' given{HINT}"),
    ({"interactive": []}, "interactive: must be an object (dict), a list of 0 given"),
    ({"interactive": {}}, "interactive.type: required, not given"),
    (
        {"interactive": {"type": "product"}},
        "interactive.type: must be one of list, button, location_request_message; 'product' given",
    ),
    (interactive(header={"type": "image", "text": "a"}), "interactive.header.type: must be text; 'image' given"),
    (interactive(header="a"), "interactive.header: must be an object (dict), 'a' given; give {\"text\": …}"),
    (
        interactive(action={"buttons": {"1": "Yes"}}),
        "interactive.action.buttons: must be a list, an object given",
    ),
    (
        interactive(action=button_action({"id": " 1", "title": "Yes"})),
        "interactive.action.buttons[0].reply.id: must not begin or end with a blank",
    ),
    (
        interactive(action=button_action({"id": "1", "title": "Yes"}, {"id": "1", "title": "No"})),
        "interactive.action.buttons: each reply.id only once in a message, '1' given twice",
    ),
    (
        interactive(action=button_action({"id": "1", "title": "Yes"}, {"id": "2", "title": "Yes"})),
        "interactive.action.buttons: each reply.title only once in a message, 'Yes' given twice",
    ),
    (
        interactive("list", action=list_action(sections=[{"title": t, "rows": [row()]} for t in "ab"])),
        "interactive.action.sections: each row id only once in a message, '1' given twice",
    ),
    (
        interactive("location_request_message", action={"name": "send_home"}),
        "interactive.action.name: must be send_location; 'send_home' given",
    ),
    (
        interactive("location_request_message", footer={"text": "a"}),
        "interactive.footer: unknown key; known are type, body, action",
    ),
    ({"contacts": "Ann"}, f"contacts: must be a list, 'Ann' given{CARD}"),
    ({"contacts": ["Ann"]}, f"contacts[0]: must be an object (dict), 'Ann' given{CARD}"),
    (contact(birthday="11.01.1995"), "contacts[0].birthday: must be a date written YYYY-MM-DD, '11.01.1995' given"),
    (contact(birthday="1995-02-30"), "contacts[0].birthday: must be a date written YYYY-MM-DD, '1995-02-30' given"),
    (contact(birthday="19950111"), "contacts[0].birthday: must be a date written YYYY-MM-DD, '19…11' given"),
    (contact(emails=[{"email": "a@b.example", "type": "home"}]), "contacts[0].emails[0].type: must be one of HOME, WORK; 'home' given"),
    (
        contact(phones=[{"phone": "1", "type": "FAX"}]),
        "contacts[0].phones[0].type: must be one of CELL, MAIN, IPHONE, HOME, WORK; 'FAX' given",
    ),
    (contact(urls={"url": "a"}), "contacts[0].urls: must be a list, an object given"),
    (template(name="New Shop"), "template.name: lower-case letters, digits and underscores only, 'New Shop' given"),
    (template(language="en"), "template.language: must be an object (dict), 'en' given; give {\"code\": …}"),
    (template(language={"code": "en-US"}), "template.language.code: must be a code such as en or zh_TW, 'en-US' given"),
    (template(components={}), "template.components: must be a list, an object given"),
    (template({"type": "footer"}), "template.components[0].type: must be one of header, body, button; 'footer' given"),
    (template({"parameters": []}), "template.components[0].type: required, not given"),
    (
        template(url_button(sub_type="copy_code")),
        "template.components[0].sub_type: must be one of url, quick_reply; 'copy_code' given",
    ),
    (
        template(url_button(parameters=[{"type": "payload", "text": "a"}])),
        f"{PARAMETERS}[0].type: must be text; 'payload' given",
    ),
    (header(type="currency"), f"{PARAMETERS}[0].type: must be one of text, image, video, document, location; 'currency' given"),
    (body({"type": "image"}), f"{PARAMETERS}[0].type: must be one of text, currency, date_time; 'image' given"),
    (body({"type": "text", "text": "a\nb"}), f"{PARAMETERS}[0].text: {ONE_LINE}"),
    (body({"type": "text", "text": "a\tb"}), f"{PARAMETERS}[0].text: {ONE_LINE}"),
    (header(type="text", text="a\u2028b"), f"{PARAMETERS}[0].text: {ONE_LINE}"),
    (body(currency(code="usd")), f"{PARAMETERS}[0].currency.code: must be a currency's three letters as in USD, 'usd' given"),
    (body(currency(amount_1000="1.5")), f"{PARAMETERS}[0].currency.amount_1000: must be a whole number, '1.5' given"),
    (body(currency(amount_1000=1.5)), f"{PARAMETERS}[0].currency.amount_1000: must be a whole number, 1.5 given"),
    (body(currency(amount_1000=True)), f"{PARAMETERS}[0].currency.amount_1000: must be a whole number, a bool given"),
    (body(currency(amount_1000=float("nan"))), f"{PARAMETERS}[0].currency.amount_1000: must be a whole number, a missing value (nan) given"),
    (template(*[{"type": "body", "parameters": texts(1)}] * 2), "template.components: each component only once in a message, 'body' given twice"),
    (template(*[{"type": "header", "parameters": texts(1)}] * 2), "template.components: each component only once in a message, 'header' given twice"),
    (template(url_button(), reply_button(index="0")), "template.components: each component only once in a message, 'button 0' given twice"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "error"), REFUSED, ids=[error[:70] for _, error in REFUSED])
def test_what_breaks_a_rule_is_refused_with_one_sentence(fields: dict[str, Any], error: str) -> None:
    assert problems(fields) == [error]


def test_all_that_a_message_breaks_is_named_at_once() -> None:
    fields = interactive(header={"text": "x" * 61}, body={}, action=buttons(4), extra=1)
    assert "; ".join(problems(fields)) == (
        "interactive.header.text: at most 60 characters, 61 given; "
        "interactive.body.text: required, not given; "
        "interactive.action.buttons: at most 3 buttons, 4 given; "
        "interactive.extra: unknown key; known are type, header, body, footer, action"
    )


# --- keys: required, unknown, optional ------------------------------------------------------------------

WHOLE_CONTACT = {
    "addresses": [
        {"street": "S", "city": "C", "state": "T", "zip": "Z", "country": "L", "country_code": "LL", "type": "HOME"}
    ],
    "birthday": "1995-01-11",
    "emails": [{"email": "a@b.example", "type": "WORK"}],
    "name": {
        "formatted_name": "A",
        "first_name": "B",
        "last_name": "C",
        "middle_name": "D",
        "suffix": "E",
        "prefix": "F",
    },
    "org": {"company": "A", "department": "B", "title": "C"},
    "phones": [{"phone": "1", "type": "WORK", "wa_id": "2"}],
    "urls": [{"url": "https://a.example", "type": "WORK"}],
}  # fmt: skip
WHOLE_DATE = {
    "fallback_value": "F",
    "day_of_week": 5,
    "year": 1977,
    "month": 2,
    "day_of_month": 25,
    "hour": 15,
    "minute": 33,
    "calendar": "GREGORIAN",
}
PLACE = {"latitude": "1", "longitude": "2", "name": "N", "address": "A"}

WHOLE = {
    "text": {"text": {"body": "a"}},
    "image": {"image": {"link": LINK, "caption": "a"}},
    "audio": {"audio": {"link": LINK}},
    "video": {"video": {"link": LINK, "caption": "a"}},
    "document": {"document": {"link": LINK, "filename": "a", "caption": "a"}},
    "sticker": {"sticker": {"link": LINK}},
    "location": location(link="https://a.example"),
    "buttons": interactive(header={"type": "text", "text": "H"}, footer={"text": "F"}),
    "list": list_row(description="D")
    | interactive(
        "list",
        header={"type": "text", "text": "H"},
        footer={"text": "F"},
        action=list_action(sections=[{"title": "S", "rows": [row(description="D")]}]),
    ),
    "location request": interactive("location_request_message", action={"name": "send_location"}),
    "contacts": {"contacts": [WHOLE_CONTACT]},
    "template with texts": template(
        {"type": "header", "parameters": [{"type": "text", "text": "a"}]},
        {"type": "body", "parameters": [{"type": "text", "text": "a"}, currency(), {"type": "date_time", "date_time": WHOLE_DATE}]},
        url_button(),
        reply_button(),
    ),
    "template with an image": header(type="image", image={"link": LINK}),
    "template with a video": header(type="video", video={"link": LINK}),
    "template with a document": header(type="document", document={"link": LINK, "filename": "a.pdf"}),
    "template with a place": header(type="location", location=PLACE),
}  # fmt: skip

OPTIONAL = {
    "caption", "filename", "header", "footer", "description", "components", "org", "birthday", "addresses",
    "emails", "phones", "urls", "wa_id", "street", "city", "state", "zip", "country", "country_code",
    "first_name", "last_name", "middle_name", "suffix", "prefix", "company", "department",
    "day_of_week", "year", "month", "day_of_month", "hour", "minute", "calendar",
}  # fmt: skip
OPTIONAL_PATHS = {
    "location.link",
    "interactive.header.type",
    "contacts[0].org.title",
    *(f"contacts[0].{name}[0].type" for name in ("addresses", "emails", "phones", "urls")),
    "interactive.action.buttons[0].type",
    "interactive.action.name",
}


def keys(fields: Any) -> list[tuple[list[Any], str]]:
    """Every key in the fields: the steps to its object, and its path."""
    found: list[tuple[list[Any], str]] = []

    def walk(value: Any, steps: list[Any], path: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                inner_path = f"{path}.{key}" if path else key
                found.append(([*steps, key], inner_path))
                walk(inner, [*steps, key], inner_path)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                walk(inner, [*steps, index], f"{path}[{index}]")

    walk(fields, [], "")
    return [entry for entry in found if len(entry[0]) > 1]


def changed(fields: Any, steps: list[Any], change: Any) -> Any:
    copy = json.loads(json.dumps(fields))
    inner = copy
    for step in steps[:-1]:
        inner = inner[step]
    change(inner, steps[-1])
    return copy


KEYS = [(name, steps, path) for name, fields in WHOLE.items() for steps, path in keys(fields)]
REQUIRED = [
    entry
    for entry in KEYS
    if entry[2].rpartition(".")[2] not in OPTIONAL
    and entry[2] not in OPTIONAL_PATHS
    and (entry[0], entry[2]) != ("location request", "interactive.action")
]
REST = [entry for entry in KEYS if entry not in REQUIRED and not entry[2].endswith(("document.filename",))]


@pytest.mark.parametrize("name", WHOLE)
def test_a_message_with_every_key_goes_out_as_it_is_written(name: str) -> None:
    (kind,) = WHOLE[name]
    assert content(WHOLE[name]) == WHOLE[name][kind]


@pytest.mark.parametrize(("name", "steps", "path"), REQUIRED, ids=[f"{e[0]}: {e[2]}" for e in REQUIRED])
def test_a_required_key_may_not_be_left_out(name: str, steps: list[Any], path: str) -> None:
    without = changed(WHOLE[name], steps, lambda inner, key: inner.pop(key))
    assert problems(without) == [f"{path}: required, not given"]


@pytest.mark.parametrize(("name", "steps", "path"), REST, ids=[f"{e[0]}: {e[2]}" for e in REST])
def test_an_optional_key_may_be_left_out(name: str, steps: list[Any], path: str) -> None:
    without = changed(WHOLE[name], steps, lambda inner, key: inner.pop(key))
    assert message_from(without).type in MESSAGE_FIELDS


@pytest.mark.parametrize(
    ("name", "steps", "path"),
    [
        (n, s, p)
        for n, s, p in REST
        if p.rpartition(".")[2] not in ("type", "name", "header", "footer", "org", "action")
    ],
)
def test_an_empty_optional_value_is_left_out(name: str, steps: list[Any], path: str) -> None:
    numbers = ("day_of_week", "year", "month", "day_of_month", "hour", "minute")
    lists = ("addresses", "emails", "phones", "urls", "components")
    key = path.rpartition(".")[2]
    without = content(changed(WHOLE[name], steps, lambda inner, key: inner.pop(key)))
    for empty in ([], None) if key in lists else (None,) if key in numbers else ("", " ", None):
        assert (
            content(changed(WHOLE[name], steps, lambda inner, key, empty=empty: inner.update({key: empty})))
            == without
        )


@pytest.mark.parametrize(
    ("name", "steps", "path"), KEYS, ids=[f"{name}: beside {path}" for name, _, path in KEYS]
)
def test_an_unknown_key_is_refused_by_name_at_every_level(name: str, steps: list[Any], path: str) -> None:
    parent = path.rpartition(".")[0]
    beside = changed(WHOLE[name], steps, lambda inner, key: inner.update({"extra": "a"}))
    (problem,) = problems(beside)
    assert problem.startswith(f"{parent}.extra: unknown key; known are ")
    assert path.rpartition(".")[2] in problem.partition("known are ")[2].split(", ")


def test_an_unknown_key_is_shown_shortened_and_in_one_line() -> None:
    (problem,) = problems({"text": {"body": "a", "x\n" * 100: "b"}})
    shown = r"x\n" * 29
    assert problem == f"text.'{shown}x…': unknown key; known are body"
    assert problems({"a b": 1}) == [f"'a b': unknown field; known are {KNOWN}"]
    assert problems({"text": {"body": "a", "https://a.example/b?sig=5ecret": 1}}) == [
        "text.'https://a.example/b': unknown key; known are body"
    ]
    assert problems({"text": {"body": "a", "8614718004557": 1}}) == [
        "text.'86…57': unknown key; known are body"
    ]


# --- short forms and values as text ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["image", "audio", "video", "sticker"])
def test_a_link_alone_stands_for_a_medium(kind: str) -> None:
    assert content({kind: f" {LINK}\n"}) == {"link": LINK}


def test_a_text_alone_stands_for_its_body() -> None:
    assert content({"text": "  two lines\n"}) == {"body": "  two lines\n"}


@pytest.mark.parametrize(
    ("link", "filename"),
    [
        ("https://files.example/report.pdf", "report.pdf"),
        ("https://files.example/a/b/report.pdf?X-Amz-Signature=abc#page=2", "report.pdf"),
        ("https://files.example/Monats%20bericht%C3%BC.pdf", "Monats berichtü.pdf"),
        ("https://files.example/a%2Fb.pdf", "b.pdf"),
        ("https://files.example/a%0Ab.pdf", "ab.pdf"),
    ],
)
def test_a_documents_filename_is_the_end_of_its_links_path(link: str, filename: str) -> None:
    assert content({"document": link}) == {"link": link, "filename": filename}
    assert content({"document": {"link": link, "filename": " "}}) == {"link": link, "filename": filename}
    assert content({"document": {"link": link, "filename": "own"}}) == {"link": link, "filename": "own"}


def test_a_contact_alone_stands_for_a_list_of_one() -> None:
    (card,) = contact()["contacts"]
    assert content({"contacts": card}) == [card]
    assert problems({"contacts": {"name": {}}}) == ["contacts[0].name.formatted_name: required, not given"]


NAME = "contacts[0].name: first_name or another part (last_name, middle_name, suffix, prefix) is required"


def test_a_card_with_its_formatted_name_alone_is_refused_with_the_remedy() -> None:
    for part in ({}, {"first_name": None}, {"suffix": " "}):
        (problem,) = problems(contact(name={"formatted_name": "Ann Smith"} | part))
        assert problem.startswith(NAME)
        assert problem.endswith("the whole name may stand in first_name too")
    for part in ("first_name", "last_name", "middle_name", "suffix", "prefix"):
        assert content(contact(name={"formatted_name": "Ann", part: "x"}))[0]["name"][part] == "x"


@pytest.mark.parametrize(
    ("link", "error"),
    [
        ("https://a.example/my file.pdf", "must hold no blank and no line break, 'https://a.example/my file.pdf' given; write a blank as %20"),
        ("https://a.example/a\nb", "must hold no blank and no line break, 'https://a.example/a\\nb' given; write a blank as %20"),
        ("https://a.example/a\u00a0b", "must hold no blank and no line break, 'https://a.example/a\\xa0b' given; write a blank as %20"),
        ("https://a.example/\u200ba", "must hold no invisible character, 'https://a.example/<U+200B>a' given; take it out"),
        ("https://a.example/a\ufe0f", "must hold no invisible character, 'https://a.example/a<U+FE0F>' given; take it out"),
        ("https://a.example/\x07a", "must hold no invisible character, 'https://a.example/<U+0007>a' given; take it out"),
        ("/tmp/report.pdf", f"{NO_LINK}, '/tmp/report.pdf' given{FETCHED}"),
        ("./report.pdf", f"{NO_LINK}, './report.pdf' given{FETCHED}"),
        ("C:\\\\report.pdf", f"{NO_LINK}, 'C:\\\\\\\\report.pdf' given{FETCHED}"),
        ("file:///tmp/report.pdf", f"{NO_LINK}, 'file:///tmp/report.pdf' given{FETCHED}"),
        (PurePosixPath("/tmp/report.pdf"), f"{NO_LINK}, '/tmp/report.pdf' given{FETCHED}"),
        ("report.pdf", f"{NO_LINK}, 'report.pdf' given{FETCHED}"),
    ],
)  # fmt: skip
def test_a_link_that_can_not_be_fetched_is_refused_with_the_remedy(link: object, error: str) -> None:
    assert problems({"image": {"link": link}}) == [f"image.link: {error}"]


def test_what_is_not_ascii_in_a_link_is_percent_encoded() -> None:
    sent = "https://xn--mnchen-3ya.example:8443/%E6%8A%A5%E5%91%8A%20a.pdf?x=%C3%A9&y=1#z"
    given = "https://münchen.example:8443/报告%20a.pdf?x=é&y=1#z"
    assert content({"document": given}) == {"link": sent, "filename": "报告 a.pdf"}


def test_an_object_may_be_any_mapping() -> None:
    assert content({"text": MappingProxyType({"body": "a"})}) == {"body": "a"}
    assert content({"message": MappingProxyType({"image": MappingProxyType({"link": LINK})})}) == {
        "link": LINK
    }


def test_keys_with_one_possible_value_may_be_left_out() -> None:
    short = interactive(header={"text": "H"}, action={"buttons": [{"reply": {"id": "1", "title": "Yes"}}]})
    assert content(short) == content(interactive(header={"type": "text", "text": "H"}))
    assert content(interactive("location_request_message"))["action"] == {"name": "send_location"}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (62.636152267456, "62.636152267456"),
        (12, "12"),
        (Decimal("12.50"), "12.50"),
        (" -12.5 ", "-12.5"),
        ("+12.5", "+12.5"),
        (1e-7, "0.0000001"),
    ],
)
def test_degrees_go_out_as_text_without_an_exponent(given: object, sent: str) -> None:
    assert content(location(longitude=given))["longitude"] == sent
    (component,) = content(header(type="location", location=PLACE | {"latitude": given}))["components"]
    assert component["parameters"][0]["location"]["latitude"] == sent


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (42, "42"),
        (True, "True"),
        (1.5, "1.5"),
        (Decimal("0.10"), "0.10"),
        (date(2025, 1, 31), "2025-01-31"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_a_scalar_that_native_rendering_made_is_its_text(given: object, text: str) -> None:
    assert content({"text": given}) == {"body": text}
    assert content({"text": {"body": given}}) == {"body": text}
    assert content(body({"type": "text", "text": given}))["components"][0]["parameters"][0]["text"] == text
    assert content(list_row(description=given))["action"]["sections"][0]["rows"][0]["description"] == text


def test_a_scalar_is_counted_as_its_text() -> None:
    assert problems(list_row(title=UUID(int=1))) == [
        "interactive.action.sections[0].rows[0].title: at most 24 characters, 36 given"
    ]
    assert problems(list_row(description=10**80)) == [
        "interactive.action.sections[0].rows[0].description: at most 72 characters, 81 given"
    ]


def test_a_number_of_a_million_digits_is_no_degrees() -> None:
    assert problems(location(longitude="1" * 1_000_002)) == [f"location.longitude: {DEGREES}, '11…11' given"]


def test_a_document_by_a_link_that_can_not_be_read_is_refused() -> None:
    assert problems({"document": "https://[::1/a.pdf"}) == [
        f"document.link: {NO_LINK}, 'https://[::1/a.pdf' given"
    ]


def test_a_list_that_breaks_while_it_is_read_is_refused() -> None:
    def broken() -> Any:
        yield {"reply": {"id": "1", "title": "1"}}
        raise RuntimeError("gone")

    assert problems(interactive(action={"buttons": broken()})) == [
        "interactive.action.buttons[1]: can't be read, a value of type generator given"
    ]


def test_a_list_may_come_from_a_generator() -> None:
    replies = [{"reply": {"id": f"{n}", "title": f"{n}"}} for n in range(4)]
    assert content(interactive(action={"buttons": iter(replies[:3])})) == content(
        interactive(action={"buttons": replies[:3]})
    )
    (problem,) = problems(interactive(action={"buttons": iter(replies)}))
    assert problem.startswith("interactive.action.buttons: at most 3 buttons, ")


def test_whole_numbers_may_be_given_as_text() -> None:
    parameters = [currency(amount_1000=" 100990 "), date_time(hour="15", year=1977.0)]
    assert content(body(*parameters))["components"][0]["parameters"] == [
        currency(amount_1000=100990),
        date_time(hour=15, year=1977),
    ]


# --- one message of several fields ----------------------------------------------------------------------


def test_message_takes_each_type_with_its_short_form() -> None:
    assert message_from({"message": {"text": "a"}}) == message_from({"text": {"body": "a"}})
    for fields in WHOLE.values():
        assert message_from({"message": fields}) == message_from(fields)


def test_type_may_stand_beside_the_field_it_names() -> None:
    assert message_from({"message": {"type": "text", "text": "a"}}) == message_from({"text": "a"})
    assert message_from({"message": {"type": None, "text": "a"}}) == message_from({"text": "a"})


def test_fields_that_are_none_count_as_not_given() -> None:
    assert message_from(dict.fromkeys(MESSAGE_FIELDS) | {"text": "a", "message": None}) == message_from(
        {"text": "a"}
    )


ONE_OF = f"exactly one of {KNOWN} or message must be given"
COMBINATIONS = [
    ({}, f"{ONE_OF}, none given"),
    ({"reply_to": "1"}, f"{ONE_OF}, none given"),
    ({"text": "a", "image": LINK}, f"{ONE_OF}, text, image given"),
    ({"message": {}}, f"{ONE_OF}, none given"),
    ({"message": {"text": None}}, f"{ONE_OF}, none given"),
    ({"message": {"text": "a", "image": LINK}}, f"{ONE_OF}, text, image given"),
    ({"caption": "a"}, f"caption: unknown field; known are {KNOWN}"),
    ({"message": "a"}, "message: must be an object (dict), 'a' given; for a text give text=…"),
    ({"message": [{"text": "a"}]}, "message: must be an object (dict), a list of 1 given"),
    (
        {"message": {"text": "a"}, "text": "b", "image": LINK},
        "message: only where no other message field is given, text, image given too",
    ),
    (
        {"message": {"text": "a", "caption": "b"}},
        f"message.caption: unknown key; known are {KNOWN}, type, reply_to",
    ),
    ({"message": {1: "a"}}, f"message.<int>: unknown key; known are {KNOWN}, type, reply_to"),
    (
        {"message": {"text": "a", "reply_to": "1"}, "reply_to": "2"},
        "reply_to: given twice, beside message and in it",
    ),
    (
        {"message": {"type": "image", "text": "a"}},
        "type: must agree with the message, which is text; 'image' given",
    ),
]


@pytest.mark.parametrize(("fields", "error"), COMBINATIONS, ids=[error[:70] for _, error in COMBINATIONS])
def test_fields_that_do_not_make_one_message_are_refused(fields: dict[str, Any], error: str) -> None:
    assert problems(fields) == [error]


def test_a_wrong_type_is_named_beside_what_else_is_wrong() -> None:
    assert problems({"message": {"type": "image", "text": ""}}) == [
        "type: must agree with the message, which is text; 'image' given",
        "text.body: must not be empty",
    ]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("wamid.1", "wamid.1"), (" 1 ", "1"), (17, "17"), ("", None), (" ", None), (None, None)],
)
def test_reply_to_is_the_id_of_the_message_answered(given: object, kept: str | None) -> None:
    assert message_from({"text": "a", "reply_to": given}).reply_to == kept
    assert message_from({"message": {"text": "a", "reply_to": given}}).reply_to == kept
    assert message_from({"message": {"text": "a"}, "reply_to": given}).reply_to == kept


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (["1"], "must be the id of an incoming message, a list of 1 given"),
        (True, "must be the id of an incoming message, True given"),
        (1.5, "must be the id of an incoming message, 1.5 given"),
        ("\ud800", "must be valid Unicode text, a lone surrogate given"),
        pytest.param(10**5000, "must be text, a number too large given", id="a huge number"),
    ],
)
def test_reply_to_that_is_no_id_is_refused(given: object, error: str) -> None:
    assert problems({"text": "a", "reply_to": given}) == [f"reply_to: {error}"]


def test_a_whatsapp_template_is_no_reply() -> None:
    assert problems(template() | {"reply_to": "1"}) == ["reply_to: a WhatsApp template can't be a reply"]
    assert message_from(template() | {"reply_to": ""}).reply_to is None


def test_a_text_that_is_too_long_is_cut_on_demand() -> None:
    for text in ("x" * 5000, {"body": "x" * 5000}):
        assert content({"text": text}, if_too_long="truncate") == {"body": "x" * 4095 + "…"}
        assert content({"message": {"text": text}}, if_too_long="truncate") == {"body": "x" * 4095 + "…"}
    assert content({"text": "x" * 4096}, if_too_long="truncate") == {"body": "x" * 4096}


def test_nothing_but_a_text_is_cut() -> None:
    assert problems({"image": {"link": LINK, "caption": "x" * 1025}}, if_too_long="truncate") == [
        "image.caption: at most 1024 characters, 1025 given"
    ]
    assert problems({"text": {"body": "x" * 5000, "extra": 1}}, if_too_long="truncate") == [
        "text.extra: unknown key; known are body"
    ]
    assert problems({"text": ["x"] * 5000}, if_too_long="truncate") == [
        "text.body: must be text, a list of 5000 given; join it, for example with | join(', ')"
    ]


def test_if_too_long_has_two_words() -> None:
    with pytest.raises(InvalidParameterError) as caught:
        message_from({"text": "a"}, if_too_long="split")
    assert str(caught.value) == "if_too_long: must be one of fail, truncate; 'split' given"


# --- what no error may hold -----------------------------------------------------------------------------

PHONE = "+8614718004557"
SIGNED = "https://files.example/a.pdf?X-Amz-Signature=5ecret"
ANYWHERE = [
    lambda value: {"image": f"no link but {value}"},
    lambda value: {"message": value},
    lambda value: {"interactive": value},
    lambda value: {"contacts": value},
    lambda value: {"template": value},
    lambda value: {"text": "a", "type": value},
    lambda value: {"text": "a", "reply_to": [value]},
    lambda value: {"interactive": {"type": value}},
    lambda value: interactive(header={"type": value, "text": "a"}),
    lambda value: interactive(body=value),
    lambda value: interactive(action=button_action(*[{"id": value, "title": "a"}] * 2)),
    lambda value: interactive(action={"buttons": value}),
    lambda value: location(longitude=value),
    lambda value: location(link=f"no link but {value}"),
    lambda value: contact(birthday=value),
    lambda value: contact(phones=[{"phone": [value], "type": value}]),
    lambda value: template(name=f"Name {value}"),
    lambda value: template(language={"code": value}),
    lambda value: template(url_button(index=value)),
    lambda value: body(currency(code=value, amount_1000=f"x{value}")),
    lambda value: body(date_time(month=value)),
    lambda value: body({"type": value}),
]


def everything_said(fields: dict[str, Any]) -> str:
    with pytest.raises(InvalidMessageError) as caught:
        message_from(fields)
    error = caught.value
    return f"{error} {error!r} {error.args!r} {error.problems!r}"


@pytest.mark.parametrize("place", ANYWHERE)
def test_no_error_holds_a_whole_phone_number(place) -> None:
    for number in (PHONE, PHONE[1:], "+86 147-1800-4557", int(PHONE), float(PHONE)):
        said = everything_said(place(number))
        assert "4718004" not in said
        assert "147-1800" not in said


@pytest.mark.parametrize("place", ANYWHERE)
def test_no_error_holds_the_query_of_a_link(place) -> None:
    assert "5ecret" not in everything_said(place(SIGNED))


@pytest.mark.parametrize("place", ANYWHERE)
def test_no_error_holds_the_whole_of_a_long_value(place) -> None:
    for value in ("long " * 500, "l" * 61):
        assert value not in everything_said(place(value))


def test_every_field_has_its_model() -> None:
    assert len({model_of(name) for name in MESSAGE_FIELDS}) == len(MESSAGE_FIELDS)


def test_only_the_model_of_the_message_at_hand_is_loaded() -> None:
    program = (
        "import sys; from airflow_provider_itnio.api.models import message_from; "
        "message_from({'text': 'hi'}); "
        "print(*sorted(name for name in sys.modules if '.api.models.' in name))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert [name.rpartition(".")[2] for name in ran.stdout.split()] == ["base", "message", "text"]


def test_a_message_is_read_again_from_its_own_fields() -> None:
    for fields in WHOLE.values():
        message = message_from(fields)
        assert message_from(fields_of(message)) == message
    reply = Message("text", message_from({"text": "a"}).content, "1")
    assert message_from(fields_of(reply)) == reply

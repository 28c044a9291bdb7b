# ruff: noqa: E501 - in tables a row is a line
from __future__ import annotations

from typing import Any

from tests.api.fields import (
    LINK,
    body,
    button_action,
    buttons,
    contact,
    currency,
    header,
    interactive,
    list_action,
    location,
    reply_button,
    row,
    template,
    texts,
    url_button,
)
from tests.api.model_cases import (
    DEGREES,
    FETCHED,
    NO_LINK,
    ONE_LINE,
    PARAMETERS,
    problems,
)
from tests.tables import for_each

# --- values that are refused, with the whole sentence ---------------------------------------------------

CARD = "; give what contact_card(…) returns, in a list"
HINT = (
    "; a Jinja template gives an object with render_template_as_native_obj=True on the DAG, "
    "but not in a broadcast; or pass the upstream task's output itself"
)

REFUSED = [
    ({"text": ""}, "text.body: must not be empty"),
    ({"text": " \n "}, "text.body: must not be empty"),
    ({"text": "\u200b"}, "text.body: must not be empty; it contains only invisible characters"),
    ({"text": " \ufeff\u2060\n\u3164"}, "text.body: must not be empty; it contains only invisible characters"),
    ({"image": {"link": "https://a.com/a.png", "caption": "\u2800"}}, "image.caption: must not be empty; it contains only invisible characters"),
    ({"text": {"body": None}}, "text.body: must be text, nothing given"),
    ({"text": ["a", "b"]}, "text.body: must be text, a list of 2 given; join it, for example with | join(', ')"),
    ({"text": ("a",)}, "text.body: must be text, a list of 1 given; join it, for example with | join(', ')"),
    ({"text": b"a"}, "text.body: must be text, a value of type bytes given"),
    ({"text": 10**5000}, "text.body: must be text, a number too large given"),
    ({"text": "\ud800"}, "text.body: must be valid Unicode text; it has an unpaired surrogate"),
    ({"text": {"body": "a", 1: "b"}}, "text: keys must be text, 1 given"),
    ({"text": {"body": "a", "\ud800": "b"}}, "text: must be valid Unicode text; it has an unpaired surrogate"),
    ({"image": "ftp://files.example/a.png"}, f"image.link: {NO_LINK}, 'ftp://files.example/a.png' given{FETCHED}"),
    ({"image": "files.example/a.png"}, f"image.link: {NO_LINK}, 'files.example/a.png' given"),
    ({"image": "https://"}, f"image.link: {NO_LINK}, 'https://' given"),
    ({"image": "https://a b/c"}, "image.link: must not contain spaces or line breaks, 'https://a b/c' given; write a space as %20"),
    ({"image": "https://[::1/c"}, f"image.link: {NO_LINK}, 'https://[::1/c' given"),
    ({"image": "https://a:99999/"}, f"image.link: {NO_LINK}, 'https://a:99999/' given"),
    ({"image": "https://a:0/"}, f"image.link: {NO_LINK}, 'https://a:0/' given"),
    ({"image": {"link": "http:/a?sig=5ecret"}}, f"image.link: {NO_LINK}, 'http:/a' given"),
    ({"image": {"link": "s3://user:5ecret@bucket/a"}}, f"image.link: {NO_LINK}, 's3://bucket/a' given{FETCHED}"),
    ({"audio": {"link": LINK, "caption": "a"}}, "audio.caption: unknown key; known are link, object"),
    ({"sticker": {"link": LINK, "caption": "a"}}, "sticker.caption: unknown key; known are link, object"),
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
    (interactive(header={"type": "image", "text": "a"}), "interactive.header.type: must be 'text'; 'image' given"),
    (interactive(header="a"), "interactive.header: must be an object (dict), 'a' given; give {\"text\": …}"),
    (
        interactive(action={"buttons": {"1": "Yes"}}),
        "interactive.action.buttons: must be a list, an object given",
    ),
    (
        interactive(action=button_action({"id": " 1", "title": "Yes"})),
        "interactive.action.buttons[0].reply.id: must not begin or end with a space",
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
        "interactive.action.name: must be 'send_location'; 'send_home' given",
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
        f"{PARAMETERS}[0].type: must be 'text'; 'payload' given",
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


@for_each(("fields", "error"), REFUSED)
def test_an_invalid_value_is_refused_with_one_sentence(fields: dict[str, Any], error: str) -> None:
    assert problems(fields) == [error]


def test_all_problems_of_a_message_are_reported_together() -> None:
    fields = interactive(header={"text": "x" * 61}, body={}, action=buttons(4), extra=1)
    assert "; ".join(problems(fields)) == (
        "interactive.header.text: at most 60 characters, 61 given; "
        "interactive.body.text: required, not given; "
        "interactive.action.buttons: at most 3 buttons, 4 given; "
        "interactive.extra: unknown key; known are type, header, body, footer, action"
    )

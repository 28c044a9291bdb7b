"""Notes on messages that the vendor accepts and WhatsApp would drop."""

from __future__ import annotations

import pytest
import requests

from tests.tables import for_each

DROPPED = "WhatsApp would drop this message: "
NOTES = [
    ({"type": "text", "text": {"body": "hi", "preview_url": True}}, "unknown key text.preview_url"),
    ({"priority": 1}, "unknown key priority"),
    ({"image": {"link": "https://a.b"}}, "unknown key image"),
    (
        {"type": None, "text": None, "location": {"longitude": "1", "latitude": "2"}},
        "type is missing, taken to be location",
    ),
    *(
        (
            {"type": "image", "image": {"link": f"http://{host}/a.png"}},
            DROPPED + f"image.link leads to {name}, which only your own network knows",
        )
        for host, name in {
            "localhost:8000": "localhost",
            "10.1.2.3": "10.1.2.3",
            "192.168.0.7:8080": "192.168.0.7",
            "[::1]": "::1",
            "169.254.169.254": "169.254.169.254",
            "minio": "minio",
            "Files.Internal.": "files.internal",
            "LOCALHOST.": "localhost",
            "printer.local.": "printer.local",
            "wiki.corp": "wiki.corp",
            "10.0.0.1.": "10.0.0.1",
            "2130706433": "2130706433",
            "0x7f000001": "0x7f000001",
            "127.1": "127.1",
            "0177.0.0.1": "0177.0.0.1",
            "１０.0.0.1": "10.0.0.1",
            "[fd00::1]": "fd00::1",
            "[fe80::1]": "fe80::1",
            "[::ffff:10.0.0.1]": "::ffff:10.0.0.1",
        }.items()
    ),
    ({"channelType": "0"}, "channelType is a text; the page says Integer"),
    ({"recipient": 91856321322}, "recipient is a number; the page says text"),
    (
        {"text": {"body": "x" * 4097}},
        "WhatsApp would drop this message: text.body has 4097 characters, at most 4096",
    ),
    ({"text": {"body": 5}}, "text.body is a number; the page says text"),
    ({"text": {"body": True}}, "text.body is a boolean; the page says text"),
    ({"text": {"body": " \n"}}, "WhatsApp would drop this message: text.body contains only spaces"),
    ({"context": []}, "WhatsApp would drop this message: context is a list, an object is needed"),
    ({"context": {"messageId": "1"}}, "unknown key context.messageId"),
    (
        {"type": "image", "image": {"link": "https://a.b/c", "caption": "x" * 1025}},
        "WhatsApp would drop this message: image.caption has 1025 characters, at most 1024",
    ),
    (
        {"type": "document", "document": {"link": "https://a.b/c"}},
        "the page requires it: document.filename is missing or empty",
    ),
    (
        {"type": "location", "location": {"longitude": "1", "latitude": "2", "address": "x"}},
        "the page requires it: location.name is missing or empty",
    ),
    (
        {"type": "location", "location": {"longitude": 1.5, "latitude": "2"}},
        "location.longitude is a number; the page says text",
    ),
    (
        {"type": "location", "location": {"longitude": "1", "latitude": "90.1"}},
        "WhatsApp would drop this message: location.latitude is no number from -90 to 90",
    ),
    (
        {"type": "location", "location": {"longitude": "east", "latitude": "2"}},
        "WhatsApp would drop this message: location.longitude is no number from -180 to 180",
    ),
    ({"type": "interactive"}, "WhatsApp would drop this message: interactive is missing or empty"),
    (
        {"type": "interactive", "interactive": "Hi"},
        "WhatsApp would drop this message: interactive is a text, an object is needed",
    ),
    ({"type": "contacts", "contacts": []}, "WhatsApp would drop this message: contacts is missing or empty"),
    (
        {"type": "contacts", "contacts": [{"birthday": "1995-01-11"}]},
        "WhatsApp would drop this message: contacts[0].name is missing or empty",
    ),
    (
        {"type": "contacts", "contacts": [{"name": {"formatted_name": "A"}, "phones": [{"type": "CAR"}]}]},
        "WhatsApp would drop this message: "
        "contacts[0].phones[0].type is none of CELL, MAIN, IPHONE, HOME, WORK",
    ),
]


@for_each(("changes", "note"), NOTES)
def test_a_mistake_that_the_vendor_accepts_has_a_note(wire, sandbox, message, changes, note):
    answer = wire.custom(message(**changes))
    assert answer.json()["status"] == "0", answer.text
    assert note in sandbox.messages[0].notes


def test_a_public_link_has_no_note(wire, sandbox, message):
    for link in ("https://files.example.com/a.png", "http://8.8.8.8/a.png"):
        wire.custom(message(type="image", text=None, image={"link": link}))
    assert [one.notes for one in sandbox.messages] == [[], []]


@pytest.mark.parametrize("given", [None, "text/plain", "application/json"])
def test_another_content_type_has_a_note(wire, sandbox, message, given):
    wire.custom(message(), wire.headers(Content_Type=given))
    (note,) = sandbox.messages[0].notes
    assert note == f"Content-Type is {given or 'missing'}; the page says application/json;charset=UTF-8"


def test_the_double_slash_in_the_vendors_sample_returns_the_balance(wire, sandbox):
    answer = wire.session.get(f"{sandbox.url}/sms//getBalance", headers=wire.headers(), timeout=10)
    assert answer.json()["status"] == "0"


def rows(count, **changes):
    return [{"id": str(number), "title": f"row {number}"} | changes for number in range(count)]


def buttons(*titles):
    return [
        {"type": "reply", "reply": {"id": str(number), "title": one}} for number, one in enumerate(titles)
    ]


def list_of(sections, **changes):
    action = {"button": "Choose", "sections": sections}
    return {"type": "list", "body": {"text": "which?"}, "action": action} | changes


def buttons_of(*titles, **changes):
    return {"type": "button", "body": {"text": "ok?"}, "action": {"buttons": buttons(*titles)}} | changes


INTERACTIVE_NOTES = [
    ({"type": "carousel"}, "interactive.type is none of list, button, location_request_message"),
    ({"type": ["list"]}, "interactive.type is none of"),
    (buttons_of("a", body=None), "interactive.body is missing"),
    (buttons_of("a", body={"text": ""}), "interactive.body.text is missing"),
    (buttons_of("a", body={"text": "x" * 1025}), "interactive.body.text has 1025 characters, at most 1024"),
    (buttons_of("a", action=None), "interactive.action is missing"),
    (buttons_of("a", header={"text": "h"}), "interactive.header.type is missing"),
    (buttons_of("a", header={"type": "text", "text": "h" * 61}), "interactive.header.text has 61 characters"),
    (buttons_of("a", footer={"text": "f" * 61}), "interactive.footer.text has 61 characters"),
    (buttons_of(), "interactive.action.buttons is missing"),
    (buttons_of("a", "b", "c", "d"), "interactive.action.buttons has 4 entries, at most 3"),
    (buttons_of("a" * 21), "interactive.action.buttons[0].reply.title has 21 characters, at most 20"),
    (buttons_of("a", "a"), "the button title 'a' is used 2 times"),
    (
        buttons_of("a", action={"buttons": [*buttons("a"), *buttons("b")]}),
        "the button id '0' is used 2 times",
    ),
    (buttons_of("a", action={"buttons": "yes"}), "interactive.action.buttons is a text, a list is needed"),
    (buttons_of("a", action={"buttons": ["yes"]}), "buttons[0] is a text, an object is needed"),
    (list_of([]), "interactive.action.sections is missing"),
    (
        list_of([{"title": "s", "rows": rows(11)}]),
        "interactive.action.sections have 11 rows in total, at most 10",
    ),
    (list_of([{"title": "s", "rows": []}]), "interactive.action.sections[0].rows is missing"),
    (list_of([{"title": "s" * 25, "rows": rows(1)}]), "sections[0].title has 25 characters, at most 24"),
    (
        list_of([{"title": "s", "rows": rows(1, title="t" * 25)}]),
        "rows[0].title has 25 characters, at most 24",
    ),
    (list_of([{"title": "s", "rows": rows(1, id="i" * 201)}]), "rows[0].id has 201 characters, at most 200"),
    (
        list_of([{"title": "s", "rows": rows(1, description="d" * 73)}]),
        "description has 73 characters, at most 72",
    ),
    (list_of([{"title": "s", "rows": rows(2, id="same")}]), "the row id 'same' is used 2 times"),
    (
        list_of([{"title": "s", "rows": rows(1)}] * 11),
        "interactive.action.sections has 11 entries, at most 10",
    ),
    (
        list_of([{"title": "s", "rows": rows(1)}], header={"type": "image"}),
        "interactive.header.type is none of text",
    ),
    ({"type": "location_request_message", "body": {"text": "where?"}}, "interactive.action is missing"),
    (
        {"type": "location_request_message", "body": {"text": "where?"}, "action": {"name": "send"}},
        "interactive.action.name is none of send_location",
    ),
]


@for_each(("content", "note"), INTERACTIVE_NOTES)
def test_an_interactive_message_that_whatsapp_would_drop_is_accepted_with_a_note(
    wire, sandbox, message, content, note
):
    content = {name: value for name, value in content.items() if value is not None}
    assert wire.custom(message(type="interactive", interactive=content)).json()["status"] == "0"
    dropped = [
        one for one in sandbox.messages[0].notes if one.startswith("WhatsApp would drop this message: ")
    ]
    assert any(note in one for one in dropped), sandbox.messages[0].notes


def test_a_section_without_a_title_breaks_only_a_rule_of_the_page(wire, sandbox, message):
    wire.custom(message(type="interactive", interactive=list_of([{"rows": rows(10)}])))
    assert sandbox.messages[0].notes == [
        "the page requires it: interactive.action.sections[0].title is missing or empty"
    ]


TEMPLATE_NOTES = [
    ([{"type": "footer"}], "template.components[0].type is none of header, body, button"),
    ([{"type": "button", "sub_type": "flow", "index": "0"}], "sub_type is none of url, quick_reply"),
    ([{"type": "button", "sub_type": "url"}], "template.components[0].index is missing"),
    (["body"], "template.components[0] is a text, an object is needed"),
    (
        [{"type": "body", "parameters": [{"type": "text", "text": "two\nlines"}]}],
        "parameters[0].text contains a line break, a tab or more than four spaces in a row",
    ),
    (
        [{"type": "body", "parameters": [{"type": "text", "text": "five     blanks"}]}],
        "parameters[0].text contains a line break, a tab or more than four spaces in a row",
    ),
    ("none", "template.components is a text, a list is needed"),
]


@for_each(("components", "note"), TEMPLATE_NOTES)
def test_a_template_that_whatsapp_would_drop_is_accepted_with_a_note(
    wire, sandbox, template_message, components, note
):
    assert wire.template(template_message(components=components)).json()["status"] == "0"
    assert any(note in one for one in sandbox.messages[0].notes), sandbox.messages[0].notes


@for_each("host", ["8.8.8.8", "134744072", "[::ffff:8.8.8.8]", "example.com.", "corp.example.com"])
def test_a_link_with_a_public_host_has_no_note(wire, sandbox, message, host):
    wire.custom(message(type="image", image={"link": f"https://{host}/a.png"}))
    assert sandbox.messages[0].notes == []


def test_an_equal_message_within_minutes_has_a_note_about_a_duplicate(start_sandbox, wire_to, message):
    now = [1_800_000_000.0]
    sandbox = start_sandbox(clock=lambda: now[0], open_windows=True)
    wire = wire_to(sandbox)

    def notes_after(seconds, **changes):
        now[0] += seconds
        assert wire.custom(message(**changes), wire.headers(str(int(now[0])))).json()["status"] == "0"
        return sandbox.messages[-1].notes

    assert notes_after(0) == []
    assert notes_after(0, recipient="8614718004557") == []
    assert notes_after(1, text={"body": "another"}) == []
    assert notes_after(119) == ["looks like a duplicate: the same message came 2 minutes earlier"]
    assert notes_after(1) == ["looks like a duplicate: the same message came 1 second earlier"]
    sandbox.fail_next(drop="after_accepting")
    with pytest.raises(requests.ConnectionError):
        notes_after(600)
    assert sandbox.messages[-1].notes == []
    assert notes_after(60) == ["looks like a duplicate: the same message came 1 minute earlier"]
    sandbox.clear()
    assert notes_after(1) == []


def test_a_displaced_message_is_not_recognised_as_a_duplicate(start_sandbox, wire_to, message):
    sandbox = start_sandbox(keep=1, open_windows=True)
    for body in ("first", "second", "first"):
        wire_to(sandbox).custom(message(text={"body": body}))
        assert sandbox.messages[-1].notes == []

"""The page at / that lists what came."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

ATTACK = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'>{{ 7*7 }}"


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []
        self.attributes = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


def page(wire):
    return wire.session.get(wire.sandbox.url + "/", timeout=5)


def test_an_empty_page_says_so(wire):
    answer = page(wire)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "None yet." in answer.text


def test_the_page_shows_messages_and_refusals_newest_first(wire, sandbox, message):
    wire.custom(message(text={"body": "first"}))
    wire.custom(message(text={"body": "second"}, extra=1))
    wire.custom(message(recipient="1"))
    text = page(wire).text
    assert text.index("second") < text.index("first")
    for shown in (
        *(one.id for one in sandbox.messages),
        "91856321322",
        "unknown key extra",
        "-71",
        "at least 7",
    ):
        assert shown in text
    assert "<title>2 messages" in text


@pytest.mark.parametrize("place", ["text", "key", "type"])
def test_nothing_in_a_message_becomes_markup(wire, sandbox, message, place):
    changes = {"text": {"text": {"body": ATTACK}}, "key": {ATTACK: 1}, "type": {"type": ATTACK}}[place]
    wire.custom(message(**changes))
    wire.custom(message(recipient=ATTACK))
    text = page(wire).text
    tags = Tags()
    tags.feed(text)
    assert not {"script", "img"} & set(tags.tags)
    assert not [name for name in tags.attributes if name.startswith("on")]
    assert ATTACK not in text
    assert "49" not in re.sub(r"[0-9a-f]{32}|\d\d:\d\d:\d\d", "", text)


def test_the_page_needs_nothing_from_elsewhere(wire, sandbox, message):
    wire.custom(message())
    text = page(wire).text
    assert re.findall(r'(?:href|src)="([^"]*)"', text) == ["/static/inbox.css"]
    assert "style=" not in text
    style = wire.session.get(sandbox.url + "/static/inbox.css", timeout=5)
    assert style.headers["Content-Type"] == "text/css; charset=utf-8"
    assert not re.search(r"url\(|@import|https?:", style.text)

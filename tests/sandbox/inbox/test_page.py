"""The HTML frame of the inbox page and its files, without a browser."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from airflow_provider_itnio.sandbox.inbox.page import ASSETS, ITEMS_A_PART, one_file
from tests.tables import for_each

ATTACK = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'>{{ 7*7 }}"


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def named(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def get(wire, path):
    return wire.session.get(wire.sandbox.url + path, timeout=5)


def assets(wire):
    return re.findall(r'(?:href|src)="(/static/[^"]*)"', get(wire, "/").text)


def test_the_frame_contains_no_messages(wire, message):
    before = get(wire, "/")
    wire.custom(message(text={"body": ATTACK}))
    assert get(wire, "/").text == before.text
    assert before.headers["Content-Type"] == "text/html; charset=utf-8"


def test_the_page_loads_no_external_files(wire):
    html = get(wire, "/").text
    links = re.findall(r'(?:href|src)="([^"]*)"', html)
    assert {link.split("/")[1] for link in links} == {"static", "sandbox"}
    assert "style=" not in html
    assert assets(wire) == ["/static/icon.svg", "/static/inbox.css", "/static/inbox.js"]
    style, script = (get(wire, path) for path in assets(wire)[1:])
    assert style.headers["Content-Type"] == "text/css; charset=utf-8"
    assert not re.search(r"url\(|@import|https?:", style.text)
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert not re.search(r"^(import|export) ", script.text, re.MULTILINE)
    assert not re.search(r"(inner|outer)HTML|insertAdjacent|\.write\(|\beval\b", script.text)


def test_every_style_sheet_and_script_is_part_of_the_page(wire):
    style, script = (get(wire, path).text for path in assets(wire)[1:])
    for name, content in ASSETS.items():
        if name.endswith(".css"):
            assert content.decode() in style
        elif name.endswith(".js") and name != "inbox.js":
            assert script.count(f'modules["{name}"] = ') == 1, name


@for_each("name", ["page.py", "..%2Fpage.py", "lib%2F..%2Fmain.js", "lib/", "inbox.html", "none.js", ""])
def test_no_other_file_is_sent(wire, name):
    assert get(wire, f"/static/{name}").status_code == 404


def test_the_content_security_policy_allows_no_injected_script(wire):
    policy = get(wire, "/").headers["Content-Security-Policy"]
    directives = dict(one.strip().partition(" ")[::2] for one in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert directives["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in policy
    assert "*" not in policy


@pytest.fixture
def saved(wire, message):
    wire.custom(message(text={"body": ATTACK}, **{ATTACK: 1}))
    wire.custom(message(recipient="1"))
    raw = json.dumps(message(text={"body": "x"})).replace('"x"', r'"half \ud83d"').encode()
    wire.custom(raw)
    return get(wire, "/sandbox/inbox.html").text


def test_the_saved_page_contains_the_exchanges_as_data(saved, sandbox):
    (kept,) = re.findall(r'<script type="application/json" id="kept">(.*?)</script>', saved)
    held = json.loads(kept)
    assert held["keep"] == 1000
    first, refused, half = held["exchanges"]
    assert first["message"]["text"] == ATTACK
    assert first["request"]["headers"]["sign"] == "***"
    assert refused["failure"]["status"] == -71
    assert half["message"]["text"] == "half \ud83d"


def test_the_saved_page_is_written_in_parts(sandbox, wire, message):
    for _ in range(2 * ITEMS_A_PART + 1):
        wire.custom(message())
    parts = list(one_file(sandbox._vendor.store))
    assert [part.count(b'{"number": ') for part in parts] == [0, ITEMS_A_PART, ITEMS_A_PART, 1, 0]
    answer = get(wire, "/sandbox/inbox.html")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.content == b"".join(parts)


def test_the_saved_page_runs_only_its_own_script(saved):
    tags = Tags(saved)
    policy = tags.named("meta")[1]["content"]
    for element in ("style", "script"):
        (content,) = re.findall(rf"<{element}(?: type=\"module\")?>(.*?)</{element}>", saved, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert len(tags.named("script")) == 2
    assert not tags.named("img")
    assert "unsafe" not in policy


def test_the_saved_page_refers_to_no_other_file(saved):
    for attributes in Tags(saved).named("link"):
        assert attributes["href"].startswith("data:")
    assert not re.search(r"^(import|export) ", saved, re.MULTILINE)

"""Whatever stands in a message, it is text on the page: tried in every field of every type."""

from __future__ import annotations

import copy
import json

import pytest

from tests.sandbox.conftest import Wire

from .conftest import BUSINESS_PHONE, RECIPIENT, SAMPLES, leave

ATTACK = '<img src=x onerror="hacked=1"><script>hacked=1</script>"\'><svg onload=hacked=1>{{7*7}}'
SCRIPT_LINK = "javascript:hacked=1"
ENVELOPE = {"appId", "businessPhone", "channelType"}
LOOK_AT = """async (exchanges) => {
  const shown = async (selector) => {
    for (let left = 300; left; left--) {
      const found = document.querySelector(selector);
      if (found) return found;
      await new Promise(requestAnimationFrame);
    }
    throw new Error(`nothing like ${selector}`);
  };
  const looked = [];
  for (const [chosen, number, attack] of exchanges) {
    location.hash = chosen;
    (await shown(`main article[data-number="${number}"] > footer > :is(.stamp, .open)`)).click();
    await shown("aside .request-line");
    looked.push([HARM(), document.body.textContent.split(attack).length - 1]);
    document.querySelector("aside header .tool").click();
    await new Promise(requestAnimationFrame);
  }
  return looked;
}"""
HARM = """() => ({
  hacked: window.hacked,
  scripts: document.scripts.length,
  listeners: document.querySelectorAll("[onerror], [onload], [onclick], [onfocus]").length,
  brought: document.querySelectorAll("img[src='x'], svg:not(.icon), iframe, object, embed, style").length,
  links: [...document.querySelectorAll("[href], [src], [action]")]
    .map((node) => node.getAttribute("href") ?? node.getAttribute("src") ?? node.getAttribute("action"))
    .filter((link) => !/^(https?:|\\/)/.test(link)),
})"""
HARMLESS = {"hacked": None, "scripts": 1, "listeners": 0, "brought": 0, "links": []}

TEMPLATE = {
    "appId": "DGziZf5u",
    "businessPhone": BUSINESS_PHONE,
    "recipient": RECIPIENT,
    "channelType": 0,
    "template": {
        "name": "new_shop",
        "language": {"code": "zh_TW"},
        "components": [
            {
                "type": "header",
                "parameters": [
                    {
                        "type": "location",
                        "location": {"latitude": "1", "longitude": "2", "name": "Shop", "address": "Street"},
                    }
                ],
            },
            {
                "type": "header",
                "parameters": [
                    {
                        "type": "document",
                        "document": {"link": "http://127.0.0.1:9/a.pdf", "filename": "a.pdf"},
                    }
                ],
            },
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "text": "9.1日开业大吉"},
                    {"type": "currency", "currency": {"fallback_value": "$1", "code": "USD"}},
                    {"type": "date_time", "date_time": {"fallback_value": "today"}},
                ],
            },
            {
                "type": "button",
                "sub_type": "url",
                "index": "0",
                "parameters": [{"type": "text", "text": "runs/12"}],
            },
            {
                "type": "button",
                "sub_type": "quick_reply",
                "index": "1",
                "parameters": [{"type": "payload", "payload": "yes"}],
            },
        ],
    },
}


def messages():
    for file in sorted(SAMPLES.glob("*.json")):
        held = json.loads(file.read_text())
        yield file.stem, held | {"recipient": RECIPIENT, "businessPhone": BUSINESS_PHONE}
    yield "template", TEMPLATE


def paths_of(value, path=()):
    """Give the way to each text and number in a message."""
    if isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths_of(inner, (*path, key))
    else:
        yield path


def spoilt(body, paths, attack):
    body = copy.deepcopy(body)
    for path in paths:
        place = body
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = attack
    return body


def fields(name, body):
    """Give the way to each field that an attack may stand in."""
    return [path for path in paths_of(body) if path[0] not in ENVELOPE or name == "text"]


@pytest.fixture
def sandbox(open_sandbox):
    """Nothing is cleared between the attacks: harm that one does stays to be seen by those after it."""
    return open_sandbox


def post(wire, body):
    """Send a message and give what the sandbox kept of it."""
    (wire.template if "template" in body else wire.custom)(body)
    return wire.sandbox._vendor.store.exchanges()[-1]


@pytest.fixture(scope="module")
def attacks(open_sandbox):
    """Messages with an attack in each field that is accepted with it, or refused, and how many these are."""
    wire, found = Wire(open_sandbox), []
    for name, body in messages():
        paths = fields(name, body)
        links = [path for path in paths if path[-1] in ("link", "url")]
        for attack, attacked in ((ATTACK, paths), (SCRIPT_LINK, links)):
            accepted = [path for path in attacked if post(wire, spoilt(body, [path], attack)).message]
            refused = [path for path in attacked if path not in accepted]
            for at_once in filter(None, (accepted, refused)):
                # The refused are looked at last, in their list.
                place = len(found) if at_once is refused else 0
                found.insert(place, (spoilt(body, at_once, attack), attack, len(at_once)))
    return found


@pytest.fixture(scope="module")
def page(windows, open_sandbox, attacks):
    """One page for all attacks."""
    page = windows[-1]
    leave(page)
    open_sandbox.clear()
    page.goto(open_sandbox.url)
    page.locator("#state.live").wait_for()
    yield page
    leave(page)


@pytest.fixture
def look_at(page, wire):
    """Send messages, open the request of each; give what does harm then, and how often a text is shown."""

    def look_at(attacks):
        exchanges = [(post(wire, body), text) for body, text in attacks]
        # What each of them is refused for stands in the list of refused requests.
        places = [
            (one.message.recipient if one.message else "refused", one.number, text) for one, text in exchanges
        ]
        return page.evaluate(LOOK_AT.replace("HARM", f"({HARM})"), places)

    return look_at


def test_markup_in_a_field_is_text_and_a_script_as_a_link_leads_nowhere(look_at, attacks):
    # The request shows it as JSON writes it.
    looked = look_at((body, json.dumps(attack)[1:-1]) for body, attack, _ in attacks)
    for (body, _, times), (harm, shown) in zip(attacks, looked, strict=True):
        assert harm == HARMLESS, body
        assert shown >= times, body
    assert len(attacks) > 20


def test_a_script_as_the_link_of_a_header_leads_nowhere(look_at, message):
    bodies = [
        message(
            type="interactive",
            interactive={
                "type": "button",
                "header": {"type": kind, kind: {"link": SCRIPT_LINK, "filename": ATTACK}},
                "body": {"text": "x"},
                "action": {"buttons": [{"type": "reply", "reply": {"id": ATTACK, "title": ATTACK}}]},
            },
        )
        for kind in ("image", "video", "document")
    ]
    assert [harm for harm, _ in look_at((body, SCRIPT_LINK) for body in bodies)] == [HARMLESS] * 3


def test_markup_as_a_key_or_a_header_is_text(look_at, wire, message):
    wire.session.headers["X-Attack"] = "<img src=x onerror=hacked=1>"
    body = message(**{ATTACK: {ATTACK: ATTACK}})
    for text in (f"unknown key {ATTACK}", "<img src=x onerror=hacked=1>"):
        ((harm, shown),) = look_at([(body, text)])
        assert harm == HARMLESS
        assert shown


def test_markup_in_a_reply_is_text(page, sandbox, wire, message):
    wire.custom(message())
    wire.control("POST", "replies", json={"text": ATTACK, "message_id": sandbox.messages[-1].id})
    page.evaluate(f"location.hash = '{RECIPIENT}'")
    page.locator("article.reply .words").get_by_text(ATTACK, exact=True).wait_for()
    assert page.evaluate(HARM) == HARMLESS


def test_markup_in_the_search_and_the_address_is_text(page, sandbox, wire, message):
    wire.custom(message())
    page.evaluate(f"location.hash = '{RECIPIENT}'")
    page.locator("main article").first.wait_for()
    page.locator("#search").fill(ATTACK)
    page.evaluate("attack => (location.hash = attack)", ATTACK)
    page.get_by_text("Choose a conversation").wait_for()
    assert page.evaluate(HARM) == HARMLESS
    page.locator("#search").fill("")


def test_the_browser_itself_forbids_markup_from_text(page):
    # Trusted types: even a mistake in the page's scripts could not make markup of a text.
    sink = "document.createElement('p').innerHTML = '<b>x</b>'"
    forbidden = f"() => {{ try {{ {sink}; }} catch (error) {{ return error.name; }} }}"
    assert page.evaluate(forbidden) == "TypeError"


def test_an_object_of_a_message_is_no_element(page):
    drawn = """async () => {
      const { draw } = await import("/static/lib/dom.js");
      const shown = document.createElement("div");
      draw(shown, JSON.parse('{"name": "b", "properties": {"title": "x"}, "children": ["y"]}'));
      return [shown.childElementCount, shown.textContent];
    }"""
    assert page.evaluate(drawn) == [0, "[object Object]"]

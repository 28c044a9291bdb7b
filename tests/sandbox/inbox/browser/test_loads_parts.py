"""The page loads what it shows, in parts, however much is kept."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from airflow_provider_itnio.sandbox import Sandbox
from tests.sandbox.inbox.browser.reading import (
    LINE,
    below_the_edge,
    expect,
    gap_below,
    load_chat_anew,
    until,
    words,
)

from .conftest import RECIPIENT, fill, message_id

MUCH = 4000
OTHERS = 400
HIDE = """(hidden) => {
  Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


@pytest.fixture(scope="module")
def crowded(browser):
    """A sandbox that keeps 4,000 messages, half of them in one chat, and 150 failures."""
    with Sandbox(keep=2 * MUCH, app_id=None, business_phone=None, push_scale=0, open_windows=True) as sandbox:
        yield sandbox


@pytest.fixture
def filled(crowded, wire_to, message):
    if not crowded.messages:
        wire = wire_to(crowded)
        wire.custom(message())
        for _ in range(150):
            wire.custom(message(recipient="12"))
        fill(crowded, range(1, MUCH), lambda one: RECIPIENT if one % 2 else f"55119{one % (2 * OTHERS):06}")
    return crowded


@pytest.fixture
def open_bounded(open_page, filled):
    """Open an address of the page, which then asks for a bounded part of all."""

    def open_bounded(address, shown):
        page = open_page("about:blank")
        asked, answers = [], []
        page.on("request", ask := lambda request: asked.append(request.url))
        page.on("response", answer := lambda one: "/sandbox/" in one.url and answers.append(one))
        page.goto(f"{filled.url}/#{address}")
        page.locator("main").get_by_text(shown).first.wait_for()
        page.locator("#state.live").wait_for()
        expect(page).to_have_title(f"({len(filled.messages)}) Inbox · itnio-sandbox")
        page.wait_for_timeout(700)
        page.remove_listener("request", ask)
        page.remove_listener("response", answer)
        bodies = [one.body() for one in answers if "/sandbox/events" not in one.url]
        (stream,) = [url for url in asked if "/sandbox/events" in url]
        assert f"?after={filled._vendor.store.name}." in stream
        assert len(bodies) <= 15
        assert sum(map(len, bodies)) < 1_000_000
        told = [json.loads(body) for body in bodies]
        assert sum(len(one.get("items", ())) for one in told if isinstance(one, dict)) <= 200
        assert page.locator("article").count() <= 100
        return page

    return open_bounded


def test_the_conversations_come_in_parts(open_bounded, filled):
    page = open_bounded("", "Choose a conversation")
    rows = page.locator("nav ul:not(.pinned) .conversation")
    expect(rows).to_have_count(300)
    page.get_by_role("button", name="Show earlier conversations").click()
    expect(rows).to_have_count(OTHERS + 2)
    expect(page.get_by_role("button", name="Show earlier conversations")).to_be_hidden()
    fill(filled, [MUCH], lambda number: "49301000")
    expect(rows).to_have_count(OTHERS + 3)


def test_of_the_failed_requests_a_part_is_loaded_too(open_bounded):
    open_bounded("refused", "recipient has 2 digits")


def test_who_scrolls_through_a_chat_reads_on_in_both_directions(open_bounded):
    page = open_bounded(f"/{message_id(2001)}", "row 2001")
    expect(words(page).first).to_have_text("row 1903")
    expect(words(page).last).to_have_text("row 2101")
    page.locator("main .scroll").hover()
    first = f'article[data-id="{message_id(1903)}"]'
    for _ in range(40):
        page.mouse.wheel(0, -600)
        if page.locator("article").count() > 100:
            break
        page.wait_for_timeout(100)
    until(page, lambda: page.locator("article").count() == 200)
    before = below_the_edge(page, first)
    page.wait_for_timeout(300)
    assert abs(below_the_edge(page, first) - before) < LINE
    page.evaluate("document.querySelector('main .scroll').scrollTop = 1e9")
    page.wait_for_timeout(200)
    last = f'article[data-id="{message_id(2101)}"]'
    before = below_the_edge(page, last)
    page.get_by_role("button", name="Show later messages").click()
    expect(page.locator("article")).to_have_count(300)
    assert abs(below_the_edge(page, last) - before) < 4 * LINE
    assert words(page).all_text_contents() == [f"row {number}" for number in range(1703, 2303, 2)]


def test_the_search_finds_what_is_not_loaded(open_bounded):
    page = open_bounded(RECIPIENT, f"row {MUCH - 1}")
    page.locator("#search").fill("row 2345")
    expect(page.locator(".found")).to_contain_text(re.compile(f"^1 of {MUCH // 2 + 1} found"))
    expect(words(page)).to_have_text(["row 2345"])
    expect(page.locator(".conversation")).to_have_count(1)
    page.locator("#search").fill("row 77")
    expect(page.locator(".found")).to_contain_text(re.compile("^6 of"))
    expect(page.locator(".conversation")).to_have_count(6)


@pytest.fixture
def first(send, message):
    """The id of a first message."""
    return send(message(text={"body": "row 0"}))


def test_after_a_lost_stream_nothing_is_missed_and_nothing_doubled(open_inbox, sandbox, keep, first):
    keep(5000)
    last = 20
    fill(sandbox, range(1, last + 1))
    page = open_inbox()
    page.locator("article").nth(last).wait_for()
    for query in ("", "row"):
        page.locator("#search").fill(query)
        expect(page.locator(".found")).to_have_count(1 if query else 0)
        for missed in (30, 1500) if query else (400, 1500):
            page.evaluate(HIDE, True)
            fill(sandbox, range(last + 1, last + missed + 1))
            page.evaluate(HIDE, False)
            fill(sandbox, [last + missed + 1])
            last += missed + 1
            page.locator("article .words", has_text=re.compile(f"^row {last}$")).wait_for()
            shown = [f"row {number}" for number in range(max(0, last - 99), last + 1)]
            until(page, lambda shown=shown: words(page).all_text_contents() == shown)
            expect(page.locator(".conversation .count")).to_have_text(str(last + 1))


def test_a_chat_that_could_not_be_loaded_is_once_the_stream_is_back(open_inbox, wire, message, first):
    wire.custom(message(recipient="12", text={"body": "to another"}))
    page = open_inbox()
    expect(page.locator(".conversation")).to_have_count(3)
    page.wait_for_timeout(700)  # what was loaded comes as an event too, and is not shown twice
    expect(words(page)).to_have_text(["row 0"])
    page.evaluate(HIDE, True)
    page.route("**/sandbox/**", lambda route: route.abort())
    with page.expect_event("requestfailed"):
        page.evaluate("location.hash = '12'")
    page.unroute_all()
    page.evaluate(HIDE, False)
    expect(words(page)).to_have_text(["to another"])


def test_what_comes_while_an_old_message_is_read_is_counted_and_shown_when_asked_for(
    open_page, sandbox, first
):
    fill(sandbox, range(1, 250))
    page = open_page(f"{sandbox.url}/#{RECIPIENT}/{message_id(80)}")  # which hears of none of these
    page.locator("#state.live").wait_for()
    shown = page.locator(f'article[data-id="{message_id(80)}"]')
    expect(shown).to_be_in_viewport(ratio=1)
    expect(page.locator("main header")).to_contain_text("250 messages")
    fill(sandbox, range(250, 253))
    newer = page.get_by_role("button", name="3 new", exact=True)
    newer.wait_for()
    expect(shown).to_be_in_viewport(ratio=1)
    expect(page.locator("main header")).to_contain_text("253 messages")
    newer.click()
    expect(page.locator("article").last).to_contain_text("row 252")
    until(page, lambda: gap_below(page) < LINE)
    expect(newer).to_be_hidden()
    fill(sandbox, [253])
    expect(page.locator("article").last).to_contain_text("row 253")
    assert words(page).all_text_contents() == [f"row {number}" for number in range(154, 254)]


def test_a_quote_of_what_is_not_loaded_shows_its_words(open_inbox, sandbox, send, message, first):
    fill(sandbox, range(1, 150))
    sandbox.reply(message_id=first, text="an answer")
    reply = sandbox.replies[0].id
    page = open_inbox()
    expect(page.locator("article.reply .quoted")).to_have_text("Businessrow 0")
    fill(sandbox, range(150, 300))
    load_chat_anew(page, RECIPIENT)
    page.locator("article .words", has_text="row 299").wait_for()
    expect(page.locator("article.reply")).to_have_count(0)
    send(message(text={"body": "about it"}, context={"refMessageId": reply}))
    expect(page.locator("article .quoted")).to_have_text("Recipientan answer")
    page.evaluate("id => { location.hash = `/${id}`; }", reply)
    expect(page.locator("article[aria-current]")).to_contain_text("an answer")


def test_the_failed_requests_come_in_parts_around_the_one_of_an_address(open_inbox, sandbox, wire, message):
    wire.custom(message(recipient="12", text={"body": "0"}))
    store = sandbox._vendor.store
    refused, request = store.all("refused")[0], store.all("request")[0]
    for number in range(1, 170):
        store.add(refused, replace(request, body=request.body | {"text": {"body": str(number)}}))
    numbers = [one.number for one in store.exchanges(["failure"])]
    page = open_inbox(f"refused/{numbers[60]}")
    marked = page.locator(".failure[aria-current]")
    expect(marked).to_be_in_viewport()
    expect(marked).to_have_attribute("data-number", str(numbers[60]))
    expect(page.get_by_role("complementary").locator("pre").first).to_contain_text('"body": "60"')
    expect(page.locator("main header")).to_contain_text("170 requests")
    shown = "nodes => nodes.map((one) => Number(one.dataset.number))"
    assert page.locator(".failure").evaluate_all(shown) == numbers[110:10:-1]
    page.get_by_role("button", name="Show earlier ones").click()
    expect(page.locator(".failure")).to_have_count(111)
    page.get_by_role("button", name="Show later ones").click()
    expect(page.locator(".failure")).to_have_count(170)
    expect(page.get_by_role("button", name="Show later ones")).to_be_hidden()
    page.evaluate("number => { location.hash = `/${number}`; }", numbers[20])
    expect(page.locator("article.failed[aria-current]")).to_have_attribute("data-number", str(numbers[20]))
    assert page.url.endswith(f"#12/{numbers[20]}")

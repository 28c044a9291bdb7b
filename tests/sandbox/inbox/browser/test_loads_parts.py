"""The page loads what it shows, in parts, however much is kept."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from airflow_provider_itnio.sandbox import Sandbox
from tests.sandbox.inbox.browser.reading import LINE, below_the_edge, expect, gap_below, until, words

from .conftest import RECIPIENT

MUCH = 20_000
OTHERS = 2000
HIDE = """(hidden) => {
  Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


def fill(sandbox, numbers, recipient=lambda number: RECIPIENT):
    """Keep a message for each number, as if it had been sent."""
    store = sandbox._vendor.store
    template, request = store.messages[0], store.all("request")[0]
    for number in numbers:
        text = {"type": "text", "text": {"body": f"row {number}"}}
        store.add(
            replace(
                template,
                id=message_id(number),
                recipient=recipient(number),
                text=f"row {number}",
                body=template.body | text | {"recipient": recipient(number)},
                statuses=[],
            ),
            request,
        )


def message_id(number):
    return f"{number:031x}f"


@pytest.fixture(scope="module")
def crowded(browser):
    """A sandbox that keeps 20,000 messages, half of them in one chat, and as many failures."""
    with Sandbox(keep=MUCH, app_id=None, business_phone=None, push_scale=0, open_windows=True) as sandbox:
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


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("", "Choose a conversation"),
        (RECIPIENT, f"row {MUCH - 1}"),
        (f"{RECIPIENT}/{message_id(501)}", "row 501"),
        (f"/{message_id(501)}", "row 501"),
        ("refused", "recipient has 2 digits"),
    ],
)
def test_what_it_asks_for_when_it_opens_is_bounded(open_page, filled, address, shown):
    page = open_page("about:blank")
    asked, answers = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("response", lambda answer: "/sandbox/" in answer.url and answers.append(answer))
    page.goto(f"{filled.url}/#{address}")
    page.locator("main").get_by_text(shown).first.wait_for()
    page.locator("#state.live").wait_for()
    expect(page).to_have_title(f"({MUCH}) Inbox · itnio-sandbox")
    page.wait_for_timeout(1000)
    bodies = [one.body() for one in answers if "/sandbox/events" not in one.url]
    (stream,) = [url for url in asked if "/sandbox/events" in url]
    assert f"?after={filled._vendor.store.name}." in stream
    assert len(bodies) <= 15
    assert sum(map(len, bodies)) < 1_000_000
    told = [json.loads(body) for body in bodies]
    assert sum(len(one.get("items", ())) for one in told if isinstance(one, dict)) <= 200
    assert page.locator("article").count() <= 100


def test_who_scrolls_through_a_chat_reads_on_in_both_directions(open_page, filled):
    page = open_page(f"{filled.url}/#{RECIPIENT}/{message_id(10_001)}")
    row = f'article[data-id="{message_id(10_001)}"]'
    page.locator(row).wait_for()
    expect(words(page).first).to_have_text("row 9903")
    expect(words(page).last).to_have_text("row 10101")
    page.locator("main .scroll").hover()
    first = f'article[data-id="{message_id(9_903)}"]'
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
    last = f'article[data-id="{message_id(10_101)}"]'
    before = below_the_edge(page, last)
    page.get_by_role("button", name="Show later messages").click()
    expect(page.locator("article")).to_have_count(300)
    assert abs(below_the_edge(page, last) - before) < 4 * LINE
    expect(words(page)).to_have_text([f"row {number}" for number in range(9_703, 10_303, 2)])


def test_the_search_finds_what_is_not_loaded(open_page, filled):
    page = open_page(f"{filled.url}/#{RECIPIENT}")
    page.locator("article").nth(99).wait_for()
    page.locator("#search").fill("row 12345")
    expect(page.locator(".found")).to_contain_text(re.compile(f"^1 of {MUCH // 2 + 1} found"))
    expect(words(page)).to_have_text(["row 12345"])
    expect(page.locator(".conversation")).to_have_count(1)
    page.locator("#search").fill("row 777")
    expect(page.locator(".found")).to_contain_text(re.compile("^6 of"))
    expect(page.locator(".conversation")).to_have_count(6)


@pytest.fixture
def own(start_sandbox, wire_to, message):
    """A sandbox of this test with one message, and its client."""
    sandbox = start_sandbox(keep=5000, open_windows=True, push_scale=0)
    wire = wire_to(sandbox)
    wire.custom(message(text={"body": "row 0"}))
    return sandbox, wire


def test_after_a_lost_stream_nothing_is_missed_and_nothing_doubled(open_page, own):
    sandbox, _ = own
    last = 20
    fill(sandbox, range(1, last + 1))
    page = open_page(f"{sandbox.url}/#{RECIPIENT}")
    page.locator("article").nth(last).wait_for()
    for query in ("", "row"):
        page.locator("#search").fill(query)
        expect(page.locator(".found")).to_have_count(1 if query else 0)
        for missed in (30, 400, 1500):
            page.evaluate(HIDE, True)
            fill(sandbox, range(last + 1, last + missed + 1))
            page.evaluate(HIDE, False)
            fill(sandbox, [last + missed + 1])
            last += missed + 1
            page.locator("article .words", has_text=re.compile(f"^row {last}$")).wait_for()
            expect(words(page)).to_have_text(
                [f"row {number}" for number in range(max(0, last - 99), last + 1)]
            )
            expect(page.locator(".conversation .count")).to_have_text(str(last + 1))


def test_a_chat_that_could_not_be_loaded_is_once_the_stream_is_back(open_page, own, message):
    sandbox, wire = own
    wire.custom(message(recipient="12", text={"body": "to another"}))
    page = open_page(f"{sandbox.url}/#{RECIPIENT}")
    expect(words(page)).to_have_text(["row 0"])
    page.locator("#state.live").wait_for()
    page.evaluate(HIDE, True)
    page.route("**/sandbox/**", lambda route: route.abort())
    with page.expect_event("requestfailed"):
        page.evaluate("location.hash = '12'")
    page.unroute_all()
    page.evaluate(HIDE, False)
    expect(words(page)).to_have_text(["to another"])


def test_what_comes_while_an_old_message_is_read_is_counted_and_shown_when_asked_for(open_page, own):
    sandbox, _ = own
    fill(sandbox, range(1, 400))
    page = open_page(f"{sandbox.url}/#{RECIPIENT}/{message_id(100)}")
    shown = page.locator(f'article[data-id="{message_id(100)}"]')
    expect(shown).to_be_in_viewport(ratio=1)
    page.locator("#state.live").wait_for()
    expect(page.locator("main header")).to_contain_text("400 messages")
    fill(sandbox, range(400, 403))
    newer = page.get_by_role("button", name="3 new", exact=True)
    newer.wait_for()
    expect(shown).to_be_in_viewport(ratio=1)
    expect(page.locator("main header")).to_contain_text("403 messages")
    newer.click()
    expect(page.locator("article").last).to_contain_text("row 402")
    until(page, lambda: gap_below(page) < LINE)
    expect(newer).to_be_hidden()
    fill(sandbox, [403])
    expect(page.locator("article").last).to_contain_text("row 403")
    expect(words(page)).to_have_text([f"row {number}" for number in range(304, 404)])


def test_a_quote_of_what_is_not_loaded_shows_its_words(open_page, own, message):
    sandbox, wire = own
    first = sandbox.messages[0].id
    fill(sandbox, range(1, 150))
    sandbox.reply(message_id=first, text="an answer")
    reply = sandbox.replies[0].id
    page = open_page(f"{sandbox.url}/#{RECIPIENT}")
    expect(page.locator("article.reply .quoted")).to_have_text("Businessrow 0")
    fill(sandbox, range(150, 300))
    page.reload()
    page.locator("article .words", has_text="row 299").wait_for()
    wire.custom(message(text={"body": "about it"}, context={"refMessageId": reply}))
    expect(page.locator("article .quoted")).to_have_text("Recipientan answer")
    page.goto("about:blank")
    page.goto(f"{sandbox.url}/#/{reply}")
    expect(page.locator("article[aria-current]")).to_contain_text("an answer")


def test_the_failed_requests_come_in_parts_around_the_one_of_an_address(open_page, own, message):
    sandbox, wire = own
    for number in range(260):
        wire.custom(message(recipient="12", text={"body": str(number)}))
    numbers = [one.number for one in sandbox._vendor.store.exchanges(["failure"])]
    page = open_page(f"{sandbox.url}/#refused/{numbers[60]}")
    marked = page.locator(".failure[aria-current]")
    expect(marked).to_be_in_viewport()
    expect(marked).to_have_attribute("data-number", str(numbers[60]))
    expect(page.get_by_role("complementary").locator("pre").first).to_contain_text('"body": "60"')
    expect(page.locator("main header")).to_contain_text("260 requests")
    shown = "nodes => nodes.map((one) => Number(one.dataset.number))"
    assert page.locator(".failure").evaluate_all(shown) == numbers[110:10:-1]
    page.get_by_role("button", name="Show earlier ones").click()
    expect(page.locator(".failure")).to_have_count(111)
    page.get_by_role("button", name="Show later ones").click()
    expect(page.locator(".failure")).to_have_count(211)
    page.get_by_role("button", name="Show later ones").click()
    page.get_by_role("button", name="Show later ones").wait_for(state="hidden")
    page.goto("about:blank")
    page.goto(f"{sandbox.url}/#/{numbers[60]}")
    expect(page.locator("article.failed[aria-current]")).to_have_attribute("data-number", str(numbers[60]))
    assert page.url.endswith(f"#12/{numbers[60]}")


def test_the_conversations_come_in_parts(open_page, own):
    sandbox, _ = own
    fill(sandbox, range(1, 350), lambda number: f"49301000{number:03}")
    page = open_page(sandbox.url)
    rows = page.locator("nav ul:not(.pinned) .conversation")
    expect(rows).to_have_count(300)
    page.get_by_role("button", name="Show earlier conversations").click()
    expect(rows).to_have_count(350)
    expect(page.get_by_role("button", name="Show earlier conversations")).to_be_hidden()
    fill(sandbox, [350], lambda number: f"49301000{number:03}")
    expect(rows).to_have_count(351)

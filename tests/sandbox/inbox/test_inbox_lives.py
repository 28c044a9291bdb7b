"""What comes appears by itself, in every open page; search and clear."""

from __future__ import annotations

import re
import threading
import time
from random import Random

import pytest

from airflow_provider_itnio.sandbox import Sandbox

from .conftest import RECIPIENT

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect


TALL_PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="600"/>'


LINE = 24
"""Pixels of a line of text: what is read stays in sight if it moves by less."""


def until(page, condition):
    """Wait for the page to come to rest in a state; a busy machine may take long."""
    for _ in range(300):
        if condition():
            return
        page.wait_for_timeout(100)
    assert condition()


def words(page):
    return page.locator("article .words").all_text_contents()


def test_an_empty_inbox_says_so(open_inbox):
    page = open_inbox("")
    page.get_by_text("No messages yet").wait_for()
    assert page.title() == "Inbox · itnio-sandbox"


def test_a_new_message_appears_by_itself_in_every_open_page(open_inbox, send, message, bubble):
    pages = [open_inbox(), open_inbox(), open_inbox("")]
    message_id = send(message())
    for page in pages[:2]:
        bubble(page, message_id).wait_for()
    assert pages[2].locator(".conversation .last").text_content() == "42 rows loaded"
    assert pages[2].title() == "(1) Inbox · itnio-sandbox"
    pages[0].locator("#announcement", has_text="1 new message").wait_for(state="attached")


def test_a_page_that_is_opened_later_shows_what_came_before(open_inbox, send, message):
    for number in range(3):
        send(message(text={"body": f"row {number}"}))
    page = open_inbox()
    page.get_by_text("row 2").first.wait_for()
    assert words(page) == ["row 0", "row 1", "row 2"]


@pytest.mark.parametrize("query", ["SECOND", "second ro", "{id}", "Wörter"])
def test_search_finds_text_and_id_in_any_letter_case(open_inbox, send, message, query):
    send(message(text={"body": "first row"}))
    second = send(message(text={"body": "Second row, wörter"}))
    page = open_inbox()
    page.get_by_text("Second row").first.wait_for()
    page.locator("#search").fill(query.format(id=second[4:20].upper()))
    page.get_by_text("1 of 2 found").wait_for()
    assert words(page) == ["Second row, wörter"]
    page.get_by_role("button", name="Show all").click()
    page.get_by_text("first row").wait_for()
    assert page.locator("#search").input_value() == ""


@pytest.mark.parametrize("query", ["+86 147-1800", "8614718004557"])
def test_search_finds_numbers_as_people_write_them(open_inbox, send, message, query):
    send(message())
    send(message(recipient="5511912345678"))
    page = open_inbox("")
    page.locator(".conversation").nth(1).wait_for()
    page.locator("#search").fill(query)
    expect(page.locator(".conversation")).to_have_count(1)
    assert page.locator(".conversation .name").text_content() == "+8614718004557"


def test_search_looks_at_what_a_message_says_and_not_at_its_envelope(open_inbox, send, wire, sample, message):
    send(sample("interactive-button"))
    wire.custom(message(recipient="12"))
    wire.control("POST", "replies", json={"recipient": "5511912345678", "text": "fine"})
    page = open_inbox("")
    page.locator(".conversation").nth(2).wait_for()
    for query, found in (
        ("two", ["+8614718004557"]),
        ("fine", ["+5511912345678"]),
        ("-71", ["Refused requests"]),
    ):
        page.locator("#search").fill(query)
        expect(page.locator(".conversation .name")).to_have_text(found)
    for query in ("91856321321", "7WY0BQ7W", "POST", "interactive", "up-message-event"):
        page.locator("#search").fill("two")
        expect(page.locator(".conversation .name")).to_have_text(["+8614718004557"])
        page.locator("#search").fill(query)
        expect(page.locator(".conversation .name")).to_have_text([])
    page.get_by_text("Nothing found").wait_for()


def test_clear_forgets_everything_once_it_is_meant(open_inbox, sandbox, send, wire, message):
    send(message())
    wire.custom(message(recipient="12"))
    page, other = open_inbox(), open_inbox("")
    page.locator("article").wait_for()
    page.get_by_role("button", name="Clear the inbox").click()
    page.get_by_role("button", name="Keep").click()
    assert (len(sandbox.messages), page.get_by_role("dialog").count()) == (1, 0)
    page.get_by_role("button", name="Clear the inbox").click()
    page.get_by_role("button", name="Clear", exact=True).click()
    for one in (page, other):
        one.get_by_text("No messages yet").wait_for()
    assert page.locator("article").count() == 0
    assert sandbox.messages == sandbox.refused == []
    send(message(text={"body": "after"}))
    page.get_by_text("after").first.wait_for()
    assert words(page) == ["after"]


def test_a_restarted_sandbox_is_found_again_and_nothing_old_stays(open_page, start_sandbox, wire_to, message):
    first = Sandbox()
    first.start()
    page = open_page(f"{first.url}/#{RECIPIENT}")
    wire_to(first).custom(message(text={"body": "before"}))
    page.get_by_text("before").first.wait_for()
    first.stop()
    page.locator("#state.lost").wait_for()
    second = start_sandbox(port=first.port)
    wire_to(second).custom(message(text={"body": "after"}))
    page.locator("article .words", has_text="after").wait_for()
    assert words(page) == ["after"]


def test_a_restarted_sandbox_that_counts_alike_is_not_taken_for_the_first(
    open_page, start_sandbox, wire_to, message
):
    first = Sandbox()
    first.start()
    for number in range(40):
        wire_to(first).custom(message(text={"body": f"before {number}"}))
    wire_to(first).custom(message(recipient="1"))
    page = open_page(f"{first.url}/#{RECIPIENT}")
    page.get_by_text("before 39").first.wait_for()
    page.locator("main .scroll").evaluate("node => (node.scrollTop = 0)")
    page.locator("textarea").fill("a draft")
    page.locator("article").last.get_by_role("button", name="Answer this message").click(force=True)
    first.stop()
    page.locator("#state.lost").wait_for()
    second = start_sandbox(port=first.port)
    # In one go, as of a page that was away: the events that it gets come together.
    second._vendor.store.clear()
    for number in range(40):
        wire_to(second).custom(message(text={"body": f"after {number}"}))
    wire_to(second).custom(message(recipient="123"))
    page.locator("article .words", has_text="after 39").wait_for()
    assert words(page) == [f"after {number}" for number in range(40)]
    assert page.locator(f".conversation[data-number='{RECIPIENT}'] .last").text_content() == "after 39"
    assert "recipient has 3 digits" in page.locator(".pinned .last").text_content()
    assert page.locator("textarea").input_value() == "a draft"
    assert page.locator(".quoting").is_hidden()
    assert page.locator(".newer").is_hidden()


def test_a_page_that_was_away_gets_what_it_missed(open_inbox, send, message):
    page = open_inbox()
    send(message(text={"body": "seen"}))
    page.get_by_text("seen").first.wait_for()
    hide = "Object.defineProperty(document, 'hidden', { value: %s, configurable: true });"
    tell = "document.dispatchEvent(new Event('visibilitychange'))"
    page.evaluate(hide % "true" + tell)
    send(message(text={"body": "missed"}))
    page.wait_for_timeout(300)
    assert words(page) == ["seen"]
    page.evaluate(hide % "false" + tell)
    page.get_by_text("missed").first.wait_for()
    assert words(page) == ["seen", "missed"]


def test_only_the_last_are_kept(open_page, start_sandbox, wire_to, message):
    sandbox = start_sandbox(keep=5)
    wire = wire_to(sandbox)
    page = open_page(f"{sandbox.url}/#{RECIPIENT}")
    page.locator("#state.live").wait_for(state="attached")
    wire.custom(message(recipient="5511912345678"))
    page.locator(".conversation").wait_for()
    for number in range(7):
        wire.custom(message(text={"body": str(number)}))
    page.locator("article .words", has_text="6").wait_for()
    assert words(page) == ["2", "3", "4", "5", "6"]
    assert page.locator(".conversation .name").all_text_contents() == ["+8614718004557"]


def test_a_flood_of_a_thousand_leaves_the_page_quick(open_inbox, sandbox, send, message):
    page = open_inbox()
    send(message(text={"body": "0"}))
    page.locator("article").wait_for()
    page.evaluate(
        """() => {
          window.longest = 0;
          let last = performance.now();
          (function frame(now) {
            window.longest = Math.max(window.longest, now - last);
            last = now;
            requestAnimationFrame(frame);
          })(last);
        }"""
    )
    template = sandbox.messages[0]
    for number in range(1, 1101):
        sandbox._vendor.store.add(
            type(template)(
                **vars(template)
                | {
                    "id": f"{number:032x}",
                    "body": message(text={"body": str(number)}),
                    "recipient": RECIPIENT if number % 2 else f"55119{number % 400:06}",
                }
            )
        )
    page.locator(f'article[data-id="{1099:032x}"]').wait_for()
    assert page.evaluate("document.querySelectorAll('article').length") == 100
    total = "[...document.querySelectorAll('.count')].reduce((sum, one) => sum + Number(one.textContent), 0)"
    assert page.evaluate(total) == 1000
    assert page.evaluate("window.longest") < 1000
    page.get_by_role("button", name="Show earlier messages").click()
    expect(page.locator("article")).to_have_count(200)


def test_who_reads_is_not_moved_when_the_oldest_go(open_page, start_sandbox, wire_to, message):
    sandbox = start_sandbox(keep=40)
    wire = wire_to(sandbox)
    for number in range(40):
        wire.custom(message(text={"body": f"row {number}\n" + "x\n" * (number % 5)}))
    page = open_page(f"{sandbox.url}/#{RECIPIENT}")
    page.get_by_text("row 39").first.wait_for()
    scroll = page.locator("main .scroll")
    scroll.evaluate("node => (node.scrollTop = node.scrollHeight / 2)")
    page.wait_for_timeout(100)
    first_seen = """node => {
      const top = node.getBoundingClientRect().top;
      const all = [...node.querySelectorAll("article")];
      const found = all.find((one) => one.getBoundingClientRect().bottom > top);
      return [found.querySelector(".words").textContent, found.getBoundingClientRect().top];
    }"""
    read, top = scroll.evaluate(first_seen)
    for number in range(10):
        wire.custom(message(text={"body": f"new {number}"}))
    page.get_by_role("button", name="10 new").wait_for()
    assert page.locator("article").count() == 40
    still_read, now_at = scroll.evaluate(first_seen)
    assert still_read == read
    assert abs(now_at - top) < LINE
    # Who reads what goes sees what comes next.
    scroll.evaluate("node => (node.scrollTop = 0)")
    page.wait_for_timeout(100)
    wire.custom(message(text={"body": "one more"}))
    page.get_by_role("button", name="11 new").wait_for()
    assert scroll.evaluate("node => node.scrollTop") == 0


@pytest.fixture
def late_pictures(open_page, start_sandbox, wire_to, message, files, monkeypatch):
    """Open a conversation of 60 pictures that load after the event is set, at random within 0.6 s."""
    sandbox = start_sandbox()
    wire = wire_to(sandbox)
    may_load, late = threading.Event(), Random(3)
    monkeypatch.setattr(files, "wait", lambda: may_load.wait(20) and time.sleep(late.uniform(0, 0.6)))
    for number in range(60):
        name = f"late-{number}.svg"
        files.add(name, "image/svg+xml", TALL_PICTURE.encode(), **{"Cache-Control": "no-store"})
        wire.custom(message(type="image", image={"link": files.link(name), "caption": f"row {number}"}))
    page = open_page(f"{sandbox.url}/#{RECIPIENT}")
    page.locator("article").nth(59).wait_for()
    yield page, may_load
    may_load.set()


def bring_to_the_edge(page, selector, into=0):
    page.locator("main .scroll").evaluate(
        """(node, [selector, into]) => {
          const found = document.querySelector(selector).getBoundingClientRect();
          node.scrollTop += found.top - node.getBoundingClientRect().top + into;
        }""",
        [selector, into],
    )
    page.wait_for_timeout(200)


def below_the_edge(page, selector):
    """Give how far below the edge something begins."""
    return page.locator("main .scroll").evaluate(
        """(node, selector) => Math.round(
          document.querySelector(selector).getBoundingClientRect().top - node.getBoundingClientRect().top
        )""",
        selector,
    )


@pytest.mark.parametrize(
    ("at_the_edge", "into", "read"),
    [
        ("", -2, ""),
        (" .words", 0, " .words"),
        (" .picture", 15, " .words"),
        (" > footer", 3, " > footer"),
    ],
)
@pytest.mark.parametrize("number", [21, 46])
def test_pictures_that_load_late_do_not_move_what_is_read(late_pictures, at_the_edge, into, read, number):
    page, may_load = late_pictures
    article = f'article[data-number="{number}"]'
    bring_to_the_edge(page, article + at_the_edge, into)
    before = below_the_edge(page, article + read)
    height = page.locator("main .scroll").evaluate("node => node.scrollHeight")
    may_load.set()
    scroll = page.locator("main .scroll")
    until(page, lambda: scroll.evaluate("node => node.scrollHeight") > height + 3000)
    until(page, lambda: abs(below_the_edge(page, article + read) - before) < LINE)


def test_pictures_that_load_late_leave_the_end_in_sight(late_pictures):
    page, may_load = late_pictures
    until(page, lambda: gap_below(page) < LINE)
    height = page.locator("main .scroll").evaluate("node => node.scrollHeight")
    may_load.set()
    until(page, lambda: page.locator("main .scroll").evaluate("node => node.scrollHeight") > height + 3000)
    until(page, lambda: gap_below(page) < LINE)
    page.locator("textarea").fill("a\nb\nc\nd\ne")
    until(page, lambda: gap_below(page) < LINE)


def gap_below(page):
    return page.locator("main .scroll").evaluate(
        "node => Math.round(node.scrollHeight - node.scrollTop - node.clientHeight)"
    )


def test_who_scrolls_while_pictures_load_is_moved_by_that_alone(late_pictures):
    page, may_load = late_pictures
    bring_to_the_edge(page, 'article[data-number="30"]', -2)
    page.locator("main .scroll").hover()
    may_load.set()
    for _ in range(10):
        page.mouse.wheel(0, 12)
        page.wait_for_timeout(60)
    page.wait_for_timeout(1000)
    # What is scrolled past while it grows counts by its end, so its height is not known; no other row comes.
    edge = page.locator("main .scroll").bounding_box()["y"]
    first = page.evaluate(
        "edge => [...document.querySelectorAll('article')]"
        ".find((one) => one.getBoundingClientRect().bottom > edge).dataset.number",
        edge,
    )
    assert first in ("30", "31")


GROW_ABOVE = """async ([up, later]) => {
  const scroll = document.querySelector("main .scroll");
  const articles = [...document.querySelectorAll("article")];
  const edge = scroll.getBoundingClientRect().top;
  const read = articles.findIndex((one) => one.getBoundingClientRect().bottom > edge);
  const top = () => articles[read].getBoundingClientRect().top;
  const [before, wait] = [top(), () => new Promise((done) => setTimeout(done, 400))];
  articles[read - 2].style.paddingTop = "300px";
  scroll.scrollTop += up;
  await wait();
  if (later) articles[read - 3].style.paddingTop = "300px";
  await wait();
  return Math.round(top() - before);
}"""


def test_who_leaves_the_end_while_something_grows_is_moved_by_that_alone(open_inbox, send, message):
    for number in range(70):
        send(message(text={"body": f"row {number} " + "word " * 120}))
    page = open_inbox()
    page.locator("article").nth(69).wait_for()
    assert abs(page.evaluate(GROW_ABOVE, [-100, True]) - 100) < LINE


def test_what_grows_just_before_the_page_is_drawn_moves_nothing(open_inbox, send, message):
    ids = [send(message(text={"body": f"row {number}"})) for number in range(60)]
    page = open_inbox()
    page.locator("article").nth(59).wait_for()
    row = f"article[data-id='{ids[30]}']"
    bring_to_the_edge(page, row)
    before = below_the_edge(page, row)
    page.evaluate("""() => {
      document.querySelectorAll("article")[20].style.paddingTop = "300px";
      document.querySelector("#search").dispatchEvent(new Event("input"));
    }""")
    page.wait_for_timeout(300)
    until(page, lambda: abs(below_the_edge(page, row) - before) < LINE)


@pytest.mark.parametrize("grown", [20, 69])
def test_who_comes_to_the_end_while_something_grows_is_at_the_end(open_inbox, send, message, grown):
    for number in range(70):
        send(message(text={"body": f"row {number} " + "word " * 120}))
    page = open_inbox()
    page.locator("article").nth(69).wait_for()
    scroll = page.locator("main .scroll")
    scroll.evaluate("node => (node.scrollTop -= 300)")
    page.wait_for_timeout(200)
    scroll.evaluate(
        """(node, grown) => {
          document.querySelectorAll("article")[grown].style.paddingTop = "60px";
          node.scrollTop = 1e9;
        }""",
        grown,
    )
    until(page, lambda: gap_below(page) < LINE)
    send(message(text={"body": "new"}))
    expect(page.locator("article").last).to_contain_text("new")
    until(page, lambda: gap_below(page) < LINE)
    expect(page.locator(".newer")).to_be_hidden()


def test_a_search_that_is_typed_while_an_answer_is_under_way_stays(open_inbox, send, message):
    send(message())
    page = open_inbox()
    page.locator("article").wait_for()
    page.route("**/sandbox/replies", lambda route: (page.wait_for_timeout(400), route.continue_()))
    page.locator("textarea").fill("fine")
    page.keyboard.press("Enter")
    page.locator("#search").fill("rows")
    page.wait_for_timeout(800)
    page.locator(".found", has_text="1 of 2").wait_for()
    assert page.locator("#search").input_value() == "rows"


def test_an_answer_from_further_up_is_shown(open_inbox, send, message, sample):
    buttons = send(sample("interactive-button"))
    for number in range(40):
        send(message(text={"body": f"row {number}"}))
    page = open_inbox()
    page.locator("article").nth(40).wait_for()
    for way in ("press", "type", "search"):
        bring_to_the_edge(page, f'article[data-id="{buttons}"]')
        if way == "press":
            page.locator(".choice").first.click()
        else:
            if way == "search":
                page.locator("#search").fill("row 3")
                page.locator(".found", has_text="11 of").wait_for()
            page.locator("textarea").fill(way)
            page.keyboard.press("Enter")
        newest = page.locator("article").last
        expect(newest).to_have_class(re.compile("reply"))
        expect(newest).to_contain_text({"press": "one"}.get(way, way))
        expect(newest).to_be_in_viewport()
        expect(page.locator(".newer")).to_be_hidden()
    assert page.locator("#search").input_value() == ""


def test_a_quote_that_is_shown_goes_with_its_message(open_page, start_sandbox, wire_to, message):
    sandbox = start_sandbox(keep=3)
    wire = wire_to(sandbox)
    message_id = wire.custom(message(text={"body": "quoted words"})).json()["data"]["messageId"]
    wire.control("POST", "replies", json={"text": "answer", "message_id": message_id})
    page = open_page(f"{sandbox.url}/#{RECIPIENT}")
    expect(page.locator(".quoted")).to_contain_text("quoted words")
    for number in range(3):
        wire.custom(message(text={"body": f"row {number}"}))
    expect(page.locator(".quoted")).to_contain_text("is not in this inbox")


def test_what_is_read_stays_while_another_list_is_looked_at(open_inbox, send, wire, message):
    ids = [send(message(text={"body": f"row {number}"})) for number in range(60)]
    wire.custom(message(recipient="12"))
    page = open_inbox()
    page.locator("article").nth(59).wait_for()

    def look_elsewhere():
        page.locator(".conversation[data-number='refused']").click()
        page.locator(".failure").wait_for()
        page.locator(f".conversation[data-number='{RECIPIENT}']").click()
        page.locator("article.bubble").first.wait_for()

    look_elsewhere()
    until(page, lambda: gap_below(page) < LINE)
    row = f"article[data-id='{ids[20]}']"
    bring_to_the_edge(page, row)
    before = below_the_edge(page, row)
    look_elsewhere()
    until(page, lambda: abs(below_the_edge(page, row) - before) < LINE)


def test_earlier_messages_come_without_taking_any_away(open_page, start_sandbox, wire_to, message):
    sandbox = start_sandbox()
    wire = wire_to(sandbox)
    for number in range(250):
        wire.custom(message(text={"body": f"row {number}"}))
    page = open_page(f"{sandbox.url}/#{RECIPIENT}")
    page.get_by_text("row 249").first.wait_for()
    page.locator("main .scroll").evaluate("node => (node.scrollTop = 0)")
    page.wait_for_timeout(100)
    for number in range(250, 370):
        wire.custom(message(text={"body": f"row {number}"}))
    newer = page.get_by_role("button", name="120 new")
    newer.wait_for()
    top = page.locator("article", has_text="row 150").bounding_box()["y"]
    page.get_by_role("button", name="Show earlier messages").click()
    expect(page.locator("article")).to_have_count(320)
    assert words(page) == [f"row {number}" for number in range(50, 370)]
    assert abs(page.locator("article", has_text="row 150").bounding_box()["y"] - top) <= 60
    expect(newer).to_be_visible()
    newer.click()
    assert page.evaluate("document.activeElement.querySelector('.words').textContent") == "row 369"
    page.locator("main .scroll").evaluate("node => (node.scrollTop = 0)")
    page.wait_for_timeout(100)
    page.get_by_role("button", name="Show earlier messages").click()
    expect(page.locator("article")).to_have_count(370)


def test_nothing_new_is_told_of_a_conversation_that_was_cleared(open_inbox, sandbox, send, message):
    for number in range(30):
        send(message(text={"body": f"row {number}"}))
    page = open_inbox()
    page.get_by_text("row 29").first.wait_for()
    page.locator("main .scroll").evaluate("node => (node.scrollTop = 0)")
    page.wait_for_timeout(100)
    send(message(text={"body": "below"}))
    page.get_by_role("button", name="1 new").wait_for()
    sandbox.clear()
    page.get_by_text("No messages yet").wait_for()
    assert page.locator(".newer").is_hidden()
    send(message(text={"body": "after"}))
    page.locator("article .words", has_text="after").wait_for()
    assert page.locator(".newer").is_hidden()


def test_what_failed_while_the_sandbox_was_away_is_no_news_once_it_is_back(
    open_page, start_sandbox, wire_to, message
):
    first = Sandbox()
    first.start()
    wire_to(first).custom(message())
    page = open_page(f"{first.url}/#{RECIPIENT}")
    page.locator("article").wait_for()
    first.stop()
    page.locator("#state.lost").wait_for()
    page.locator("textarea").fill("hello")
    page.locator("textarea").press("Enter")
    page.get_by_role("alert").get_by_text("That did not work: the sandbox does not answer").wait_for()
    assert page.locator("textarea").input_value() == "hello"
    start_sandbox(port=first.port)
    page.locator("#state.live").wait_for()
    expect(page.locator("#trouble")).to_be_hidden()


def test_who_reads_further_up_is_not_moved(open_inbox, send, message):
    for number in range(30):
        send(message(text={"body": f"row {number}"}))
    page = open_inbox()
    page.get_by_text("row 29").first.wait_for()
    scroll = page.locator("main .scroll")
    scroll.evaluate("node => (node.scrollTop = 0)")
    page.wait_for_timeout(100)
    send(message(text={"body": "below"}))
    newer = page.get_by_role("button", name="1 new")
    newer.wait_for()
    assert scroll.evaluate("node => node.scrollTop") == 0
    newer.click()
    expect(newer).to_be_hidden()
    end = "node => node.scrollHeight - node.scrollTop - node.clientHeight < 2"
    assert scroll.evaluate(end)

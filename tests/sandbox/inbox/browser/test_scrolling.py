"""Nothing that comes, loads or grows moves what is read."""

from __future__ import annotations

import threading
import time
from random import Random

import pytest

from tests.sandbox.inbox.browser.reading import (
    LINE,
    TALL_PICTURE,
    below_the_edge,
    bring_to_the_edge,
    expect,
    gap_below,
    until,
)

from .conftest import RECIPIENT


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


def test_who_reads_is_not_moved_when_the_oldest_go(open_inbox, keep, send, message):
    keep(40)
    for number in range(40):
        send(message(text={"body": f"row {number}\n" + "x\n" * (number % 5)}))
    page = open_inbox()
    page.locator("article").nth(39).wait_for()
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
        send(message(text={"body": f"new {number}"}))
    page.get_by_role("button", name="10 new", exact=True).wait_for()
    expect(page.locator("article")).to_have_count(40)
    still_read, now_at = scroll.evaluate(first_seen)
    assert still_read == read
    assert abs(now_at - top) < LINE
    # Who reads what goes sees what comes next.
    scroll.evaluate("node => (node.scrollTop = 0)")
    page.wait_for_timeout(100)
    send(message(text={"body": "one more"}))
    page.get_by_role("button", name="11 new", exact=True).wait_for()
    assert scroll.evaluate("node => node.scrollTop") == 0


@pytest.fixture
def late_pictures(open_inbox, send, message, files, monkeypatch, request):
    """Open a conversation of 30 pictures that load after the event is set, within 0.4 s."""
    may_load, late = threading.Event(), Random(3)
    monkeypatch.setattr(files, "wait", lambda: may_load.wait(20) and time.sleep(late.uniform(0, 0.4)))
    ids = []
    for number in range(30):
        name = f"late-{request.node.name}-{number}.svg"  # another test's would be there already
        files.add(name, "image/svg+xml", TALL_PICTURE.encode())
        image = {"link": files.link(name), "caption": f"row {number}"}
        ids.append(send(message(type="image", image=image)))
    page = open_inbox()
    page.locator("article").nth(29).wait_for()
    yield page, may_load, ids
    may_load.set()


@pytest.mark.parametrize(
    ("number", "at_the_edge", "into", "read"),
    [
        pytest.param(10, "", -2, "", id="before"),
        pytest.param(23, " .words", 0, " .words", id="words"),
        pytest.param(10, " .picture", 15, " .words", id="picture"),
        pytest.param(23, " > footer", 3, " > footer", id="footer"),
    ],
)
def test_pictures_that_load_late_do_not_move_what_is_read(late_pictures, at_the_edge, into, read, number):
    page, may_load, ids = late_pictures
    article = f'article[data-id="{ids[number]}"]'
    bring_to_the_edge(page, article + at_the_edge, into)
    before = below_the_edge(page, article + read)
    height = page.locator("main .scroll").evaluate("node => node.scrollHeight")
    may_load.set()
    scroll = page.locator("main .scroll")
    until(page, lambda: scroll.evaluate("node => node.scrollHeight") > height)
    until(page, lambda: abs(below_the_edge(page, article + read) - before) < LINE)


def test_pictures_that_load_late_and_what_one_types_leave_the_end_in_sight(late_pictures):
    page, may_load, _ = late_pictures
    until(page, lambda: gap_below(page) < LINE)
    height = page.locator("main .scroll").evaluate("node => node.scrollHeight")
    may_load.set()
    until(page, lambda: page.locator("main .scroll").evaluate("node => node.scrollHeight") > height)
    until(page, lambda: gap_below(page) < LINE)
    page.locator("textarea").fill("a\nb\nc\nd\ne")
    until(page, lambda: gap_below(page) < LINE)
    page.locator("textarea").fill("")
    until(page, lambda: gap_below(page) < LINE)
    page.locator("textarea").evaluate(A_SCROLL_COMES_WHILE_IT_GROWS)
    until(page, lambda: gap_below(page) < LINE)


A_SCROLL_COMES_WHILE_IT_GROWS = """node => {
  node.value = "a\\nb\\nc\\nd\\ne";
  node.dispatchEvent(new Event("input", { bubbles: true }));
  const scroll = document.querySelector("main .scroll");
  scroll.getBoundingClientRect();
  scroll.dispatchEvent(new Event("scroll"));
}"""


def test_who_scrolls_while_pictures_load_is_moved_by_that_alone(late_pictures):
    page, may_load, ids = late_pictures
    bring_to_the_edge(page, f'article[data-id="{ids[14]}"]', -2)
    page.locator("main .scroll").hover()
    may_load.set()
    for _ in range(10):
        page.mouse.wheel(0, 12)
        page.wait_for_timeout(60)
    page.wait_for_timeout(800)
    # What is scrolled past while it grows counts by its end, so its height is not known; no other row comes.
    edge = page.locator("main .scroll").bounding_box()["y"]
    first = page.evaluate(
        "edge => [...document.querySelectorAll('article')]"
        ".find((one) => one.getBoundingClientRect().bottom > edge).dataset.id",
        edge,
    )
    assert first in ids[14:16]


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


@pytest.fixture
def long_texts(open_inbox, send, message):
    """Open a conversation of texts of some lines; give their ids."""
    ids = [send(message(text={"body": f"row {number} " + "word " * 120})) for number in range(40)]
    page = open_inbox()
    page.locator("article").nth(39).wait_for()
    return page, ids


def test_what_grows_further_up_moves_nothing(long_texts):
    page, ids = long_texts
    # Also if one leaves the end just then,
    assert abs(page.evaluate(GROW_ABOVE, [-100, True]) - 100) < LINE
    # and just before the page is drawn.
    row = f"article[data-id='{ids[20]}']"
    bring_to_the_edge(page, row)
    before = below_the_edge(page, row)
    page.evaluate("""() => {
      document.querySelectorAll("article")[10].style.paddingTop = "300px";
      document.querySelector("#search").dispatchEvent(new Event("input"));
    }""")
    page.wait_for_timeout(300)
    until(page, lambda: abs(below_the_edge(page, row) - before) < LINE)


def test_who_comes_to_the_end_while_something_grows_is_at_the_end(long_texts, send, message):
    page, _ = long_texts
    scroll = page.locator("main .scroll")
    for grown in (12, 39):
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
        send(message(text={"body": f"new {grown}"}))
        expect(page.locator("article").last).to_contain_text(f"new {grown}")
        until(page, lambda: gap_below(page) < LINE)
        expect(page.locator(".newer")).to_be_hidden()

"""The list and the chat change while somebody reads, searches or is away."""

from __future__ import annotations

import re

from airflow_provider_itnio.sandbox import Sandbox
from tests.sandbox.inbox.browser.reading import (
    LINE,
    below_the_edge,
    bring_to_the_edge,
    expect,
    gap_below,
    until,
    words,
)

from .conftest import RECIPIENT, fill, message_id


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
    expect(page.locator("#search")).to_have_value("rows")


def test_an_answer_from_further_up_is_shown(open_inbox, sandbox, send, sample):
    buttons = send(sample("interactive-button"))
    fill(sandbox, range(40))
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
    expect(page.locator("#search")).to_have_value("")


def test_a_quote_that_is_shown_goes_with_its_message(open_inbox, sandbox, keep, send, message):
    keep(3)
    sandbox.reply(message_id=send(message(text={"body": "quoted words"})), text="answer")
    page = open_inbox()
    expect(page.locator(".quoted")).to_contain_text("quoted words")
    for number in range(3):
        send(message(text={"body": f"row {number}"}))
    expect(page.locator(".quoted")).to_contain_text("is not in this inbox")


def test_what_is_read_stays_while_another_list_is_looked_at(open_inbox, sandbox, send, wire, message):
    send(message(text={"body": "row 0"}))
    fill(sandbox, range(1, 60))
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
    row = f"article[data-id='{message_id(20)}']"
    bring_to_the_edge(page, row)
    before = below_the_edge(page, row)
    look_elsewhere()
    until(page, lambda: abs(below_the_edge(page, row) - before) < LINE)


def test_earlier_messages_come_without_taking_any_away(open_inbox, sandbox, send, message):
    send(message(text={"body": "row 0"}))
    fill(sandbox, range(1, 220))
    page = open_inbox()
    page.locator("article").nth(99).wait_for()
    page.locator("main .scroll").evaluate("node => (node.scrollTop = 0)")
    page.wait_for_timeout(100)
    fill(sandbox, range(220, 330))
    newer = page.locator(".newer")
    expect(newer).to_have_text("110 new")
    first = page.locator(f"article[data-id='{message_id(120)}']")
    top = first.bounding_box()["y"]
    page.locator(".more").click()
    expect(page.locator("article")).to_have_count(310)
    assert words(page).all_text_contents() == [f"row {number}" for number in range(20, 330)]
    assert abs(first.bounding_box()["y"] - top) <= 60
    expect(newer).to_be_visible()
    newer.click()
    assert page.evaluate("document.activeElement.querySelector('.words').textContent") == "row 329"
    page.locator("main .scroll").evaluate("node => (node.scrollTop = 0)")
    page.wait_for_timeout(100)
    page.locator(".more").click()
    expect(page.locator("article")).to_have_count(330)


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
    expect(page.locator("textarea")).to_have_value("hello")
    start_sandbox(port=first.port)
    page.locator("#state.live").wait_for()
    expect(page.locator("#trouble")).to_be_hidden()


def test_who_reads_further_up_is_not_moved_and_told_of_nothing_that_was_cleared(
    open_inbox, sandbox, send, message
):
    send(message(text={"body": "row 0"}))
    fill(sandbox, range(1, 30))
    page = open_inbox()
    page.locator("article").nth(29).wait_for()
    scroll = page.locator("main .scroll")
    newer = page.get_by_role("button", name="1 new", exact=True)
    for is_clicked in (True, False):
        scroll.evaluate("node => (node.scrollTop = 0)")
        page.wait_for_timeout(100)
        send(message(text={"body": "below"}))
        newer.wait_for()
        assert scroll.evaluate("node => node.scrollTop") == 0
        if is_clicked:
            newer.click()
            expect(page.locator(".newer")).to_be_hidden()
            assert gap_below(page) < 2
    sandbox.clear()
    page.get_by_text("No messages yet").wait_for()
    expect(page.locator(".newer")).to_be_hidden()
    send(message(text={"body": "after"}))
    page.locator("article .words", has_text="after").wait_for()
    expect(page.locator(".newer")).to_be_hidden()

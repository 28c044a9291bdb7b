"""What comes appears by itself, in every open page; search and clear."""

from __future__ import annotations

from airflow_provider_itnio.sandbox import Sandbox
from tests.sandbox.inbox.browser.reading import (
    expect,
    words,
)

from .conftest import RECIPIENT


def test_what_comes_and_what_is_cleared_shows_by_itself_in_every_open_page(
    open_inbox, sandbox, send, wire, message, bubble
):
    page, other = open_inbox(), open_inbox("")
    other.get_by_text("No messages yet").wait_for()
    expect(other).to_have_title("Inbox · itnio-sandbox")
    message_id = send(message())
    wire.custom(message(recipient="12"))
    bubble(page, message_id).wait_for()
    expect(other.locator(f"[data-number='{RECIPIENT}'] .last")).to_have_text("42 rows loaded")
    expect(other).to_have_title("(1) Inbox · itnio-sandbox")
    page.locator("#announcement", has_text="1 new message").wait_for(state="attached")
    page.get_by_role("button", name="Clear the inbox").click()
    page.get_by_role("button", name="Keep").click()
    assert (len(sandbox.messages), page.get_by_role("dialog").count()) == (1, 0)
    page.get_by_role("button", name="Clear the inbox").click()
    page.get_by_role("button", name="Clear", exact=True).click()
    for one in (page, other):
        one.get_by_text("No messages yet").wait_for()
    expect(page.locator("article")).to_have_count(0)
    assert sandbox.messages == sandbox.refused == []
    page.get_by_role("button", name="Send a test message").click()
    expect(page.locator("article")).to_have_count(1)


def test_search_shows_what_is_found_in_the_list_and_in_the_chat(open_inbox, send, wire, message):
    send(message(text={"body": "first row"}))
    second = send(message(text={"body": "Second row, wörter"}))
    wire.custom(message(recipient="12"))
    wire.control("POST", "replies", json={"recipient": "5511912345678", "text": "fine"})
    page = open_inbox()
    expect(words(page)).to_have_text(["first row", "Second row, wörter"])
    for query, in_list, in_chat in (
        ("second RO", ["+8614718004557"], ["Second row, wörter"]),
        ("fine", ["+5511912345678"], []),
        (second[4:20].upper(), ["+8614718004557"], ["Second row, wörter"]),
        ("-71", ["Failed requests", "+12"], []),
        ("+86 147-1800", ["+8614718004557"], ["first row", "Second row, wörter"]),
        ("no such row", [], []),
    ):
        page.locator("#search").fill(query)
        expect(page.locator(".conversation .name")).to_have_text(in_list)
        expect(words(page)).to_have_text(in_chat)
        expect(page.locator(".found")).to_contain_text(f"{len(in_chat)} of 2 found")
    expect(page.locator("nav")).to_have_text("Nothing found")
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("#search")).to_have_value("")
    expect(words(page)).to_have_text(["first row", "Second row, wörter"])


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
    page.locator("article").last.get_by_role("button", name="Reply to this message").click(force=True)
    first.stop()
    page.locator("#state.lost").wait_for()
    second = start_sandbox(port=first.port)
    # In one go, as of a page that was away: the events that it gets come together.
    second._vendor.store.clear()
    for number in range(40):
        wire_to(second).custom(message(text={"body": f"after {number}"}))
    wire_to(second).custom(message(recipient="123"))
    page.locator("article .words", has_text="after 39").wait_for()
    expect(words(page)).to_have_text([f"after {number}" for number in range(40)])
    assert page.locator(f".conversation[data-number='{RECIPIENT}'] .last").text_content() == "after 39"
    expect(page.locator(".pinned .last")).to_contain_text("recipient has 3 digits")
    expect(page.locator("textarea")).to_have_value("a draft")
    expect(page.locator(".quoting")).to_be_hidden()
    expect(page.locator(".newer")).to_be_hidden()


def test_a_page_that_was_away_gets_what_it_missed(open_inbox, send, message):
    page = open_inbox()
    send(message(text={"body": "seen"}))
    expect(words(page)).to_have_text(["seen"])
    hide = "Object.defineProperty(document, 'hidden', { value: %s, configurable: true });"
    tell = "document.dispatchEvent(new Event('visibilitychange'))"
    page.evaluate(hide % "true" + tell)
    send(message(text={"body": "missed"}))
    page.wait_for_timeout(300)
    expect(words(page)).to_have_text(["seen"])
    page.evaluate(hide % "false" + tell)
    expect(words(page)).to_have_text(["seen", "missed"])


def test_only_the_last_are_kept(open_inbox, keep, send, message):
    keep(5)
    page = open_inbox()
    send(message(recipient="5511912345678"))
    page.locator(".conversation").wait_for()
    for number in range(7):
        send(message(text={"body": str(number)}))
    expect(words(page)).to_have_text(["2", "3", "4", "5", "6"])
    expect(page.locator(".conversation .name")).to_have_text(["+8614718004557"])

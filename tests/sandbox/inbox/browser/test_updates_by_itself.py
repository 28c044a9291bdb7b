"""What comes appears by itself, in every open page; search and clear."""

from __future__ import annotations

from airflow_provider_itnio.sandbox import Sandbox
from tests.sandbox.inbox.browser.reading import (
    expect,
    words,
)

from .conftest import RECIPIENT


def test_a_new_message_appears_by_itself_in_every_open_page(open_inbox, send, message, bubble):
    pages = [open_inbox(), open_inbox(), open_inbox("")]
    pages[2].get_by_text("No messages yet").wait_for()
    expect(pages[2]).to_have_title("Inbox · itnio-sandbox")
    message_id = send(message())
    for page in pages[:2]:
        bubble(page, message_id).wait_for()
    expect(pages[2].locator(".conversation .last")).to_have_text("42 rows loaded")
    expect(pages[2]).to_have_title("(1) Inbox · itnio-sandbox")
    pages[0].locator("#announcement", has_text="1 new message").wait_for(state="attached")


def test_search_finds_text_and_id_in_any_letter_case(open_inbox, send, message):
    send(message(text={"body": "first row"}))
    second = send(message(text={"body": "Second row, wörter"}))
    page = open_inbox()
    for query in ("SECOND", "second ro", second[4:20].upper(), "Wörter"):
        expect(words(page)).to_have_text(["first row", "Second row, wörter"])
        page.locator("#search").fill(query)
        page.get_by_text("1 of 2 found").wait_for()
        expect(words(page)).to_have_text(["Second row, wörter"])
        page.get_by_role("button", name="Show all").click()
        expect(page.locator("#search")).to_have_value("")


def test_search_finds_numbers_as_people_write_them(open_inbox, send, message):
    send(message())
    send(message(recipient="5511912345678"))
    page = open_inbox("")
    for query in ("+86 147-1800", "8614718004557"):
        page.locator("#search").fill("")
        expect(page.locator(".conversation")).to_have_count(2)
        page.locator("#search").fill(query)
        expect(page.locator(".conversation .name")).to_have_text(["+8614718004557"])


def test_search_looks_at_what_a_message_says_and_not_at_its_envelope(open_inbox, send, wire, sample, message):
    send(sample("interactive-button"))
    wire.custom(message(recipient="12"))
    wire.control("POST", "replies", json={"recipient": "5511912345678", "text": "fine"})
    page = open_inbox("")
    page.locator(".conversation").nth(2).wait_for()
    for query, found in (
        ("two", ["+8614718004557"]),
        ("fine", ["+5511912345678"]),
        ("-71", ["Failed requests", "+12"]),
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
    expect(page.locator("article")).to_have_count(0)
    assert sandbox.messages == sandbox.refused == []
    send(message(text={"body": "after"}))
    page.get_by_text("after").first.wait_for()
    expect(words(page)).to_have_text(["after"])


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


def test_a_page_that_was_away_gets_what_it_missed(open_page, sandbox, send, message):
    page = open_page(f"{sandbox.url}/#{RECIPIENT}")
    send(message(text={"body": "seen"}))
    page.get_by_text("seen").first.wait_for()
    hide = "Object.defineProperty(document, 'hidden', { value: %s, configurable: true });"
    tell = "document.dispatchEvent(new Event('visibilitychange'))"
    page.evaluate(hide % "true" + tell)
    send(message(text={"body": "missed"}))
    page.wait_for_timeout(300)
    expect(words(page)).to_have_text(["seen"])
    page.evaluate(hide % "false" + tell)
    page.get_by_text("missed").first.wait_for()
    expect(words(page)).to_have_text(["seen", "missed"])


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
    expect(words(page)).to_have_text(["2", "3", "4", "5", "6"])
    expect(page.locator(".conversation .name")).to_have_text(["+8614718004557"])

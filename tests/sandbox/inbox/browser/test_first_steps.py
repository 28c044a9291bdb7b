"""An empty page says how to begin; faults are set on the page; replies say where they went."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.sandbox.receiving import Receiver

from .conftest import RECIPIENT, look_like
from .reading import expect, load_chat_anew, until


def test_an_empty_page_shows_the_connection_and_sends_a_test_message(open_page, start_sandbox):
    secret = "s'\"$"
    sandbox = start_sandbox(app_id=["other"], business_phone="4915112345678", api_key="k" * 20, secret=secret)
    page = open_page(sandbox.url)
    line = page.locator(".welcome code")
    expect(line).to_contain_text("AIRFLOW_CONN_ITNIO_DEFAULT=")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    command, assigned = shlex.split(page.evaluate("navigator.clipboard.readText()"))
    assert command == "export"
    assert json.loads(assigned.removeprefix("AIRFLOW_CONN_ITNIO_DEFAULT=")) == json.loads(
        sandbox.connection_json()
    )
    page.get_by_role("button", name="Send a test message").click()
    expect(page.locator("article")).to_contain_text("Hello from itnio-sandbox")
    (message,) = sandbox.messages
    (request,) = sandbox.requests
    assert (message.notes, request.sign_is_valid, request.path) == ([], True, "/wa/template/sendMsg")
    assert message.body["appId"] == "other"
    assert page.url.endswith(f"#{message.recipient}")
    assert secret not in page.content()


def test_a_test_message_that_fails_says_so_and_lets_clicks_through_to_what_it_covers(
    open_page, sandbox, send, message
):
    page = open_page(sandbox.url)
    sandbox.fail_next(status=-68)
    page.get_by_role("button", name="Send a test message").click()
    alert = page.get_by_role("alert")
    alert.get_by_text("the answer was -68: balance too low").wait_for()
    assert alert.evaluate("""it => {
        const box = it.getBoundingClientRect();
        return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2) !== it;
    }""")
    # The page opens the conversation by itself, and still says what went wrong.
    expect(page.locator("article.failed")).to_contain_text("balance too low")
    expect(alert).to_contain_text("the answer was -68")
    # Who leaves the only conversation stays outside.
    look_like(page, width=380)
    page.get_by_role("button", name="Back to the conversations").click()
    send(message(recipient=sandbox.requests[0].body["recipient"]))
    expect(page.get_by_label("1 message", exact=True)).to_be_visible()
    expect(page.locator("main")).to_be_hidden()


def test_the_only_conversation_opens_by_itself(open_page, sandbox, send, message):
    send(message())
    page = open_page(sandbox.url)
    expect(page.locator("article")).to_have_count(1)
    assert page.url.endswith(f"#{RECIPIENT}")
    send(message(recipient="5511912345678"))
    expect(page.locator(".conversation")).to_have_count(2)
    assert page.url.endswith(f"#{RECIPIENT}")
    page.goto("about:blank")
    page.goto(sandbox.url)
    expect(page.locator(".conversation")).to_have_count(2)
    page.get_by_text("Choose a conversation").wait_for()


@pytest.fixture
def faults_panel(open_inbox):
    """Open the panel of faults."""

    def faults_panel(chosen=RECIPIENT, **options):
        page = open_inbox(chosen, **options)
        page.get_by_role("button", name="Faults").click()
        page.get_by_role("complementary", name="Faults").wait_for()
        return page

    return faults_panel


def test_the_next_requests_are_made_to_fail(faults_panel, sandbox):
    page = faults_panel()
    page.get_by_label("Code or seconds").fill("12")
    page.get_by_role("button", name="Add fault").click()
    page.get_by_role("alert").get_by_text("status: a negative code").wait_for()
    assert sandbox.faults == []
    page.get_by_label("How many").fill("2")
    expected, shown = [], []
    for how, value, fault, words in (
        ("answered by HTTP", "429", {"http_status": 429}, "http_status 429"),
        ("refused with the code", "-68", {"status": -68}, "status -68"),
        ("dropped, not accepted", None, {"drop": "before_accepting"}, "drop before_accepting"),
        ("accepted, then dropped", None, {"drop": "after_accepting"}, "drop after_accepting"),
        ("late by seconds", "0.5", {"delay": 0.5}, "delay 0.5"),
    ):
        page.get_by_label("What happens").select_option(label=how)
        if value:
            page.get_by_label("Code or seconds").fill(value)
        else:
            expect(page.get_by_label("Code or seconds")).to_be_hidden()
        page.get_by_role("button", name="Add fault").click()
        expected.append({"count": 2, **fault})
        shown.append(f"The next 2 requests: {words}")
        until(page, lambda: sandbox.faults == expected)
    for words in shown:
        expect(page.locator(".set")).to_contain_text(words)
    page.get_by_role("button", name="Clear all faults").click()
    expect(page.locator(".set")).to_contain_text("No faults are set")
    assert sandbox.faults == []


def test_a_share_of_the_messages_is_made_to_fail(faults_panel, sandbox, wire, message):
    page = faults_panel()
    page.get_by_label("What happens").select_option(label="late by seconds")
    expect(page.get_by_label("Code or seconds")).to_have_value("5")
    page.get_by_label("Of what").select_option(label="% of all messages")
    expect(page.get_by_label("What happens")).to_have_value("status")
    page.get_by_label("How many").fill("100")
    page.get_by_label("Code or seconds").fill("-5")
    page.get_by_role("button", name="Add fault").click()
    expect(page.locator(".set")).to_have_text("100% of all messages: -5")
    assert wire.custom(message()).json()["status"] == "-5"
    page.get_by_role("button", name="Clear all faults").click()
    expect(page.locator(".set")).to_contain_text("No faults are set")
    assert wire.custom(message()).json()["status"] == "0"
    # What is used up goes from the panel.
    sandbox.fail_next(2, status=-12, recipient=RECIPIENT)
    for left in ("The next request to 8614718004557: status -12", "No faults are set"):
        wire.custom(message())
        expect(page.locator(".set")).to_contain_text(left)
    expect(page.get_by_role("button", name="Faults", exact=True)).to_be_visible()


def test_the_panel_fits_and_takes_turns_with_the_request(faults_panel, sandbox, send, message, bubble):
    message_id = send(message())
    sandbox.fail_next(1, status=-12)
    page = faults_panel()
    expect(page.locator(".set")).to_contain_text("The next request")
    expect(page.get_by_role("button", name="Faults: 1 active")).to_be_visible()
    bubble(page, message_id).click()
    expect(page.get_by_role("complementary", name="Request")).to_be_visible()
    page.get_by_role("button", name="Faults").click()
    expect(page.get_by_role("complementary", name="Faults")).to_be_visible()
    expect(page.locator("article[aria-current]")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Faults")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="Faults")).to_be_visible()
    for width in (380, 900):
        look_like(page, width=width)
        for part in ("html", "aside .content"):
            assert page.locator(part).evaluate("node => node.scrollWidth <= node.clientWidth"), (width, part)


def test_a_reply_says_where_it_went(open_inbox, sandbox, send, sample):
    send(sample("interactive-button"))
    page = open_inbox()
    page.get_by_role("button", name="one", exact=True).click()
    expect(page.get_by_text("Kept: no webhook set")).to_be_visible()
    with Receiver() as receiver:
        sandbox.push_to(receiver.url)
        page.get_by_role("textbox", name="Reply as").fill("and this")
        page.keyboard.press("Enter")
        expect(page.locator(".went")).to_have_text(f"Pushed to {receiver.url.partition('/push')[0]}")
        assert [one["message"]["text"]["body"] for one in receiver.wait(1)] == ["and this"]


def test_a_button_can_be_pressed_once(open_inbox, sandbox, send, sample, wire):
    first, second = send(sample("interactive-button")), send(sample("interactive-button"))
    page = open_inbox()
    of = {
        message_id: page.locator(f"article[data-id='{message_id}'] .choice") for message_id in (first, second)
    }
    of[first].first.focus()
    page.keyboard.press("Enter")
    page.locator("article.reply").wait_for()
    expect(of[first].first).to_be_focused()
    for one in of[first].all():
        expect(one).to_have_attribute("aria-disabled", "true")
        one.dispatch_event("click")
    expect(page.locator(".chosen")).to_have_text("one")
    page.wait_for_timeout(300)
    assert len(sandbox.replies) == 1
    of[second].last.click()
    expect(page.locator("article.reply")).to_have_count(2)
    load_chat_anew(page, RECIPIENT)
    expect(of[first].last).to_have_attribute("aria-disabled", "true")
    expect(page.locator(".choice.chosen")).to_have_text(["one", "two"])


def test_what_was_pressed_is_marked_where_the_reply_is_not_loaded(open_inbox, sandbox, send, sample, bubble):
    first, second = send(sample("interactive-button")), send(sample("interactive-button"))
    for number in range(60):
        sandbox.reply(recipient=RECIPIENT, text=str(number))
    sandbox.reply(message_id=first, button="22")
    page = open_inbox(f"{RECIPIENT}/{first}")
    expect(page.get_by_role("button", name="Show later messages")).to_be_visible()
    expect(bubble(page, first).locator(".chosen")).to_have_text("one")
    sandbox.reply(message_id=second, button="33")
    expect(bubble(page, second).locator(".chosen")).to_have_text("two")

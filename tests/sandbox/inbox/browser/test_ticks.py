"""Ticks say what became of a message; the head of a chat says whether the 24-hour window is open."""

from __future__ import annotations

import pytest

from airflow_provider_itnio.sandbox import Sandbox

from .conftest import look_like
from .reading import expect

RECIPIENT = "8614718004557"
CLOSED = "24-hour window closed: only WhatsApp templates arrive"


@pytest.fixture(scope="module")
def closed_sandbox():
    """A sandbox as it starts: windows are closed."""
    with Sandbox(push_scale=0) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(closed_sandbox, as_new):
    as_new(closed_sandbox)
    return closed_sandbox


def head(page):
    return page.locator("main header .window")


def test_a_message_that_would_not_arrive_says_so_in_red(open_inbox, bubble, send, message):
    message_id = send(message())
    page = open_inbox()
    shown = bubble(page, message_id)
    expect(shown.locator(".note")).to_contain_text("would not arrive: outside the 24-hour window")
    expect(shown.locator(".undelivered")).to_have_text("Not delivered: 131047: Re-engagement message")
    expect(shown).to_have_attribute("aria-description", "Not delivered: 131047: Re-engagement message")
    expect(head(page)).to_have_text(CLOSED)
    shown.locator(".stamp").click()
    request = page.get_by_role("complementary", name="Request")
    for pushed in (
        '"eventType": "message-status-event"',
        '"failure": "131047: Re-engagement message"',
        "failed: 131047: Re-engagement message",
    ):
        expect(request).to_contain_text(pushed)
    page.keyboard.press("Escape")
    for colours, width in (("light", 1200), ("dark", 390)):
        look_like(page, colours=colours, width=width)
        red, green, blue = shown.locator(".status").evaluate(
            "node => getComputedStyle(node).color.match(/\\d+/g).map(Number)"
        )
        assert red > max(green, blue) + 50
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert head(page).evaluate("node => node.scrollWidth <= node.clientWidth")


def test_ticks_say_how_far_a_message_came(open_inbox, bubble, send, message):
    page = open_inbox("")
    for number, words in {
        "99970000001": "Sent",
        "99970000002": "Delivered",
        "99970000003": "Accepted",
        "99960000026": "Not delivered",
    }.items():
        message_id = send(message(recipient=number))
        page.evaluate("number => { location.hash = number; }", number)
        expect(bubble(page, message_id).locator(".status")).to_have_attribute("title", words)


def test_ticks_change_while_the_page_is_open_and_a_page_that_opens_later_shows_the_same(
    open_inbox, bubble, sandbox, send, template_message
):
    message_id = send(template_message() | {"recipient": "99970000003"})
    page = open_inbox("99970000003")
    shown = bubble(page, message_id)
    for status, words in [
        ("sent", "Sent"),
        ("delivered", "Delivered"),
        ("sent", "Delivered"),
        ("read", "Read"),
    ]:
        sandbox.push(message_id, status)
        expect(shown.locator(".status")).to_have_attribute("title", words)
    expect(shown).to_have_attribute("aria-description", "Read")
    expect(shown.locator(".status")).to_have_count(1)
    sandbox.window_open("99970000003")
    later = open_inbox("99970000003")
    expect(bubble(later, message_id).locator(".status")).to_have_attribute("title", "Read")
    expect(head(later)).to_contain_text("open until")


def test_what_plays_goes_on_when_its_ticks_change(open_inbox, bubble, sandbox, send, message):
    sandbox.window_open("99970000003")
    page = open_inbox("99970000003")
    page.route("**/tour.webm", lambda route: None)  # neither there nor missing
    link = {"link": "http://127.0.0.1:9/tour.webm"}
    message_id = send(message(recipient="99970000003", type="video", video=link))
    video = bubble(page, message_id).locator("video")
    video.evaluate("node => { window.shown = node; }")
    sandbox.push(message_id, "read")
    expect(bubble(page, message_id).locator(".status")).to_have_attribute("title", "Read")
    assert video.evaluate("node => node === window.shown")


def test_a_message_that_fails_later_says_why_and_marks_its_conversation(
    open_inbox, bubble, sandbox, send, template_message
):
    message_id = send(template_message() | {"recipient": "99970000001"})
    page = open_inbox("99970000001")
    mark = page.locator("[data-number='99970000001'] .mark")
    shown = bubble(page, message_id)
    shown.wait_for()
    expect(mark).to_have_count(0)
    sandbox.push(message_id, "failed", failure="131049: <b>not</b> now")
    expect(shown.locator(".undelivered")).to_have_text("Not delivered: 131049: <b>not</b> now")
    expect(mark).to_be_visible()
    sandbox.push(message_id, "read")
    expect(shown.locator(".undelivered")).to_have_count(0)
    expect(shown.locator(".status")).to_have_attribute("title", "Read")


def test_a_typed_answer_opens_the_window_and_clear_closes_it(open_inbox, bubble, sandbox, send, message):
    send(message())
    page = open_inbox()
    expect(head(page)).to_have_text(CLOSED)
    page.get_by_placeholder("Type a reply").fill("what happened?")
    page.keyboard.press("Enter")
    expect(head(page)).to_contain_text("24-hour window open until ")
    shown = bubble(page, send(message(text={"body": "answered"})))
    expect(shown.locator(".status")).to_have_attribute("title", "Read")
    expect(shown.locator(".note")).to_have_count(0)
    sandbox.window_open(RECIPIENT, is_open=False)
    expect(head(page)).to_have_text(CLOSED)
    sandbox.window_open(RECIPIENT)
    expect(head(page)).to_contain_text("open until")
    sandbox.clear()
    send(message())
    expect(head(page)).to_have_text(CLOSED)


def test_a_window_closes_while_the_page_is_open(browser, sandbox, send, message):
    send(message())
    page = browser.new_page()  # its clock stays wrong
    page.clock.install()
    page.goto(f"{sandbox.url}/#{RECIPIENT}")
    sandbox.window_open(RECIPIENT)
    expect(head(page)).to_contain_text("open until")
    page.clock.fast_forward("24:00:01")
    expect(head(page)).to_have_text(CLOSED)
    page.context.close()


def test_in_arabic_the_ticks_stand_at_the_end(open_inbox, bubble, send, message):
    message_id = send(message(text={"body": "تم التحميل"}))
    page = open_inbox()
    shown = bubble(page, message_id)
    shown.wait_for()
    page.evaluate("document.documentElement.dir = 'rtl'")
    stamp, status = (shown.locator(one).bounding_box() for one in (".stamp", ".status"))
    assert status["x"] < stamp["x"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.evaluate("document.documentElement.removeAttribute('dir')")

"""What a person presses, chooses or types becomes the recipient's reply."""

from __future__ import annotations

import pytest

from .conftest import BUSINESS_PHONE, RECIPIENT

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect


@pytest.fixture
def only_reply(wire):
    def read():
        (reply,) = wire.control("GET", "replies").json()
        return reply

    return read


def test_pressing_a_button_is_a_reply(open_inbox, send, sample, bubble, only_reply):
    message_id = send(sample("interactive-button"))
    page = open_inbox()
    bubble(page, message_id).get_by_role("button", name="two").click()
    shown = page.locator("article.reply")
    shown.wait_for()
    assert shown.locator(".quoted").text_content() == "BusinessBUTTON_TEXT"
    assert shown.locator(".words").text_content() == "two"
    reply = only_reply()
    assert bubble(page, reply["id"]).count() == 1
    told = (reply["type"], reply["sender"], reply["choice"], reply["text"], reply["answers"])
    assert told == ("button_reply", RECIPIENT, "33", "two", message_id)
    assert reply["body"]["businessPhone"] == BUSINESS_PHONE


def test_choosing_a_row_is_a_reply(open_inbox, send, sample, only_reply):
    message_id = send(sample("interactive-list"))
    page = open_inbox()
    page.get_by_role("button", name="BUTTON_TEXT").click()
    dialog = page.get_by_role("dialog")
    assert dialog.get_by_role("button", name="Send").is_disabled()
    dialog.get_by_text("SECTION_2_ROW_1_TITLE").click()
    dialog.get_by_role("button", name="Send").click()
    page.locator("article.reply").wait_for()
    assert page.get_by_role("dialog").count() == 0
    reply = only_reply()
    told = (reply["type"], reply["choice"], reply["text"], reply["answers"])
    assert told == ("list_reply", "SECTION_2_ROW_1_ID", "SECTION_2_ROW_1_TITLE", message_id)


def test_typing_an_answer_is_a_reply(open_inbox, send, message, only_reply):
    send(message())
    page = open_inbox()
    field = page.get_by_role("textbox", name="Answer as +8614718004557")
    field.fill("好的 👍")
    field.press("Shift+Enter")
    field.press_sequentially("*done*")
    field.press("Enter")
    shown = page.locator("article.reply .words")
    shown.wait_for()
    assert shown.locator("strong").text_content() == "done"
    expect(field).to_have_value("")
    reply = only_reply()
    assert (reply["type"], reply["text"], reply["answers"]) == ("text", "好的 👍\n*done*", None)


def test_enter_that_ends_a_chinese_word_sends_nothing(open_inbox, send, message, wire):
    send(message())
    field = open_inbox().get_by_role("textbox", name="Answer as")
    field.fill("ni hao")
    field.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True})
    field.page.wait_for_timeout(200)
    assert (wire.control("GET", "replies").json(), field.input_value()) == ([], "ni hao")


def test_an_answer_can_name_the_message_it_answers(open_inbox, send, message, bubble, only_reply):
    send(message(text={"body": "first"}))
    message_id = send(message(text={"body": "second"}))
    page = open_inbox()
    shown = bubble(page, message_id)
    shown.hover()
    shown.get_by_role("button", name="Answer this message").click()
    assert page.locator(".quoting").text_content() == "second"
    page.keyboard.type("yes")
    page.keyboard.press("Enter")
    page.locator("article.reply .quoted", has_text="second").wait_for()
    assert only_reply()["answers"] == message_id
    assert page.locator(".quoting").is_hidden()


def test_a_location_request_is_answered_by_a_place(open_inbox, send, sample, only_reply):
    message_id = send(sample("interactive-location_request_message"))
    page = open_inbox()
    page.get_by_role("button", name="Send location").click()
    page.get_by_role("textbox", name="latitude").fill("-33.9")
    page.get_by_role("button", name="Send", exact=True).click()
    page.locator("article.reply .place").wait_for()
    reply = only_reply()
    assert (reply["type"], reply["answers"]) == ("location", message_id)
    assert reply["body"]["message"]["location"] == {"latitude": "-33.9", "longitude": "114.0579"}


def test_a_quick_reply_of_a_template_is_a_reply(open_inbox, send, template_message, only_reply):
    button = {
        "type": "button",
        "sub_type": "quick_reply",
        "index": "0",
        "parameters": [{"type": "payload", "payload": "acknowledge"}],
    }
    body = template_message(components=[button])
    send(body)
    page = open_inbox(body["recipient"])
    page.get_by_role("button", name="acknowledge", exact=True).click()
    page.locator("article.reply").wait_for()
    assert (only_reply()["type"], only_reply()["choice"]) == ("quick_reply", "acknowledge")


def test_a_reply_opens_as_what_the_vendor_could_push(open_inbox, send, sample):
    send(sample("interactive-button"))
    page = open_inbox()
    page.get_by_role("button", name="one", exact=True).click()
    page.locator("article.reply .stamp").click()
    dialog = page.get_by_role("dialog", name="Reply")
    for words in ("up-message-event", '"button_reply"', '"phone": "8614718004557"'):
        assert words in dialog.locator("pre").text_content()


def test_a_reply_that_is_not_kept_says_why(open_inbox, sandbox, send, sample):
    send(sample("interactive-button"))
    page = open_inbox()
    page.get_by_role("button", name="one", exact=True).wait_for()
    page.route("**/sandbox/replies", lambda route: route.fulfill(status=400, json={"error": "button: none"}))
    page.get_by_role("button", name="one", exact=True).click()
    page.get_by_role("alert").get_by_text("That did not work: button: none").wait_for()

"""What a person presses, chooses or types becomes the recipient's reply."""

from __future__ import annotations

import pytest

from .conftest import BUSINESS_PHONE, RECIPIENT, look_like
from .reading import expect


@pytest.fixture
def only_reply(wire):
    def read():
        (reply,) = wire.control("GET", "replies").json()
        return reply

    return read


QUICK_REPLY = {
    "type": "button",
    "sub_type": "quick_reply",
    "index": "0",
    "parameters": [{"type": "payload", "payload": 'a "quote"'}],
}


def test_pressing_a_button_is_a_reply(open_inbox, send, sample, template_message, bubble, wire, only_reply):
    message_id = send(sample("interactive-button"))
    page = open_inbox()
    expect(bubble(page, message_id).locator(".choices button")).to_have_text(["one", "two"])
    bubble(page, message_id).get_by_role("button", name="two").click()
    shown = page.locator("article.reply")
    shown.wait_for()
    expect(shown.locator(".quoted")).to_have_text("BusinessBUTTON_TEXT")
    expect(shown.locator(".words")).to_have_text("two")
    reply = only_reply()
    expect(bubble(page, reply["id"])).to_have_count(1)
    told = (reply["type"], reply["sender"], reply["choice"], reply["text"], reply["answers"])
    assert told == ("button_reply", RECIPIENT, "33", "two", message_id)
    assert reply["body"]["businessPhone"] == BUSINESS_PHONE
    shown.locator(".stamp").click()
    for words in ("up-message-event", '"button_reply"', '"phone": "8614718004557"'):
        expect(page.get_by_role("complementary", name="Reply").locator("pre")).to_contain_text(words)
    send(template_message(components=[QUICK_REPLY]) | {"recipient": RECIPIENT})
    page.get_by_role("button", name='a "quote"', exact=True).click()
    expect(page.locator(".choice.chosen")).to_have_text(["two", 'a "quote"'])
    quick = wire.control("GET", "replies").json()[1]
    assert (quick["type"], quick["choice"]) == ("quick_reply", 'a "quote"')


def test_choosing_a_row_and_sending_a_place_are_replies(open_inbox, sandbox, send, sample, only_reply):
    message_id = send(sample("interactive-list"))
    page = open_inbox()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="BUTTON_TEXT").click()
    dialog = page.get_by_role("dialog", name="BUTTON_TEXT")
    expect(dialog.locator("legend")).to_have_text(["SECTION_1_TITLE", "SECTION_2_TITLE"])
    expect(dialog.get_by_role("radio")).to_have_count(4)
    expect(dialog).to_contain_text("SECTION_2_ROW_1_DESCRIPTION")
    assert dialog.get_by_role("button", name="Send").is_disabled()
    dialog.get_by_text("SECTION_2_ROW_1_TITLE").click()
    dialog.get_by_role("button", name="Send").click()
    page.locator("article.reply").wait_for()
    expect(page.get_by_role("dialog")).to_have_count(0)
    reply = only_reply()
    told = (reply["type"], reply["choice"], reply["text"], reply["answers"])
    assert told == ("list_reply", "SECTION_2_ROW_1_ID", "SECTION_2_ROW_1_TITLE", message_id)
    message_id = send(sample("interactive-location_request_message"))
    page.get_by_role("button", name="Send location").click()
    page.get_by_role("textbox", name="latitude").fill("-33.9")
    page.get_by_role("button", name="Send", exact=True).click()
    page.locator("article.reply .place").wait_for()
    place = sandbox.replies[1]
    assert (place.type, place.answers) == ("location", message_id)
    assert place.body["message"]["location"] == {"latitude": "-33.9", "longitude": "114.0579"}


def test_typing_an_answer_is_a_reply(open_inbox, send, message, only_reply):
    send(message())
    page = open_inbox()
    field = page.get_by_role("textbox", name="Reply as +8614718004557")
    field.fill("好的 👍")
    field.dispatch_event("keydown", {"key": "Enter", "isComposing": True, "bubbles": True})
    field.press("Shift+Enter")
    field.press_sequentially("*done*")
    field.press("Enter")
    shown = page.locator("article.reply .words")
    shown.wait_for()
    expect(shown.locator("strong")).to_have_text("done")
    expect(field).to_have_value("")
    reply = only_reply()
    assert (reply["type"], reply["text"], reply["answers"]) == ("text", "好的 👍\n*done*", None)


def test_an_answer_to_a_message_waits_for_its_conversation_until_it_is_sent(
    open_inbox, send, message, bubble, only_reply
):
    send(message(recipient="5511912345678", text={"body": "other"}))
    send(message(text={"body": "first"}))
    message_id = send(message())
    page = open_inbox()
    bubble(page, message_id).hover()
    bubble(page, message_id).get_by_role("button", name="Reply to this message").click()
    expect(page.locator(".quoting")).to_have_text("42 rows loaded")
    page.keyboard.type("half an answ")
    field = page.locator("textarea")
    page.locator(".conversation", has_text="+5511912345678").click()
    page.locator("article .words", has_text="other").wait_for()
    assert (field.input_value(), page.locator(".quoting").is_hidden()) == ("", True)
    field.fill("mine")
    page.locator(".conversation", has_text="+8614718004557").click()
    expect(field).to_have_value("half an answ")
    expect(page.locator(".quoting")).to_have_text("42 rows loaded")
    field.press("Enter")
    page.locator("article.reply .quoted", has_text="42 rows loaded").wait_for()
    assert only_reply()["answers"] == message_id
    expect(page.locator(".quoting")).to_be_hidden()
    page.locator(".conversation", has_text="+5511912345678").click()
    expect(field).to_have_value("mine")


@pytest.fixture
def slow(sandbox):
    """Let replies take their time."""

    def slow(page):
        def answer(route):
            page.wait_for_timeout(300)
            route.continue_()

        page.route("**/sandbox/replies", answer)

    return slow


def test_what_is_done_twice_while_the_sandbox_is_slow_is_one_reply(open_inbox, send, sample, slow, wire):
    send(sample("interactive-button"))
    page = open_inbox()
    slow(page)
    field = page.locator("textarea")
    field.fill("once")
    for key in ("Enter", "Enter"):
        field.press(key)
    field.press_sequentially(" more")
    page.locator("article.reply", has_text="once").wait_for()
    expect(field).to_have_value(" more")
    pressed = page.get_by_role("button", name="two")
    pressed.dblclick()
    page.locator("article.reply", has_text="two").wait_for()
    page.wait_for_timeout(500)
    assert [one["text"] for one in wire.control("GET", "replies").json()] == ["once", "two"]


def test_a_message_that_is_kept_no_more_is_answered_no_more(open_inbox, sandbox, keep, send, message):
    keep(3)
    send(message())
    page = open_inbox()
    page.locator("article").hover()
    page.get_by_role("button", name="Reply to this message").click()
    page.keyboard.type("fine")
    page.locator(".quoting").wait_for()
    for number in range(3):
        send(message(text={"body": f"row {number}"}))
    page.locator("article .words", has_text="row 2").wait_for()
    expect(page.locator(".quoting")).to_be_hidden()
    page.keyboard.press("Enter")
    page.locator("article.reply", has_text="fine").wait_for()
    assert sandbox.replies[0].answers is None


def test_an_answer_that_is_not_kept_says_why_and_comes_back_to_where_it_was_typed(
    open_inbox, send, message, sample
):
    send(message(recipient="5511912345678", text={"body": "other"}))
    send(sample("interactive-button"))
    page = open_inbox()
    held = []

    def hold(route):
        held.append(route)

    page.route("**/sandbox/replies", hold)
    field = page.locator("textarea")
    field.fill("first")
    with page.expect_request("**/sandbox/replies"):
        field.press("Enter")
    field.press_sequentially("second")
    held.pop().fulfill(status=400, json={"error": "text: no"})
    page.get_by_role("alert").get_by_text("That did not work: text: no").wait_for()
    expect(field).to_have_value("first\nsecond")
    with page.expect_request("**/sandbox/replies"):
        field.press("Enter")
    page.locator(".conversation", has_text="+5511912345678").click()
    page.locator("article .words", has_text="other").wait_for()
    with page.expect_response("**/sandbox/replies"):
        held.pop().fulfill(status=400, json={"error": "text: no"})
    page.wait_for_timeout(600)
    expect(field).to_have_value("")
    page.locator(".conversation", has_text="+8614718004557").click()
    expect(field).to_have_value("first\nsecond")
    with page.expect_request("**/sandbox/replies"):
        page.get_by_role("button", name="one", exact=True).click()
    held.pop().fulfill(status=400, json={"error": "button: none"})
    page.get_by_role("alert").get_by_text("That did not work: button: none").wait_for()


LONG_LIST = {
    "type": "list",
    "header": {"type": "text", "text": "W" * 60},
    "body": {"text": "Which?"},
    "action": {
        "button": "W" * 20,
        "sections": [
            {
                "title": "W" * 24,
                "rows": [
                    {"id": f"{section}-{row}", "title": "W" * 24, "description": "W" * 72} for row in range(5)
                ],
            }
            for section in range(2)
        ],
    },
}


def test_a_long_list_fits_and_its_button_and_the_row_with_the_keyboard_stay_in_sight(
    open_inbox, send, message, only_reply
):
    send(message(type="interactive", interactive=LONG_LIST))
    page = open_inbox(width=320, height=560)
    page.locator(".choice").click()
    dialog = page.get_by_role("dialog")
    radios = dialog.get_by_role("radio")
    send_button = dialog.get_by_role("button", name="Send")
    radios.first.focus()
    for number in range(1, 10):
        page.keyboard.press("ArrowDown")
        assert page.evaluate(ROW_WITH_THE_KEYBOARD) == [number, True]
    radios.first.check()
    for width in (320, 1200):
        look_like(page, width=width, height=640)
        for part in ("dialog", "dialog .content"):
            assert page.locator(part).evaluate("node => node.scrollWidth - node.clientWidth") == 0, part
        boxes = radios.evaluate_all("nodes => nodes.map((node) => node.getBoundingClientRect().toJSON())")
        assert all(0 < box["left"] < box["right"] <= width for box in boxes)
        expect(send_button).to_be_in_viewport(ratio=1)
        radios.last.check()
        expect(send_button).to_be_in_viewport(ratio=1)
        last, bar = radios.last.bounding_box(), dialog.locator(".send-bar").bounding_box()
        assert last["y"] + last["height"] <= bar["y"]
        radios.first.check()
    radios.last.check()
    send_button.click()
    page.locator("article.reply").wait_for()
    assert only_reply()["choice"] == "1-4"


ROW_WITH_THE_KEYBOARD = """async () => {
  await new Promise(requestAnimationFrame);
  const row = document.activeElement.closest(".row");
  const bar = document.querySelector(".send-bar").getBoundingClientRect();
  return [[...document.querySelectorAll(".row")].indexOf(row), row.getBoundingClientRect().bottom <= bar.top];
}"""

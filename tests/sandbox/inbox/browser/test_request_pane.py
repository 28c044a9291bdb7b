"""The request of a message in a pane beside the chat, its address, and what can be copied of it."""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess

import pytest

from .conftest import RECIPIENT, fill, look_like
from .conftest import message_id as id_of
from .reading import expect

CHOOSE = "Choose a message to see its request"
OTHER = "5511912345678"


def pane(page):
    return page.get_by_role("complementary")


@pytest.fixture
def copied(browser):
    """Press a button and give what it copied."""

    def copied(page, name):
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        pressed = page.get_by_role("button", name=name, exact=True).element_handle()
        pressed.click()
        page.wait_for_function("node => node.textContent === 'Copied'", arg=pressed)
        return page.evaluate("navigator.clipboard.readText()")

    return copied


def test_a_click_anywhere_on_a_bubble_or_enter_shows_its_request_beside_the_chat(
    open_inbox, send, message, bubble
):
    first, second = (send(message(text={"body": words})) for words in ("first", "second"))
    page = open_inbox(width=1280)
    for message_id, words in ((first, "first"), (second, "second")):
        page.set_viewport_size({"width": 900 if words == "second" else 1280, "height": 800})
        bubble(page, message_id).locator(".words").click()
        expect(pane(page).locator("pre").first).to_contain_text(f'"body": "{words}"')
        expect(bubble(page, message_id)).to_have_attribute("aria-current", "true")
        expect(page.locator("article[aria-current]")).to_have_count(1)
        assert page.url.endswith(f"#{RECIPIENT}/{message_id}")
        boxes = [page.locator(one).bounding_box() for one in ("main", "aside")]
        assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"] + 1
    # Arrows and Enter look at one after the other.
    bubble(page, second).focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(pane(page).locator("pre").first).to_contain_text('"body": "first"')
    expect(bubble(page, first)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(pane(page).locator("pre").first).to_contain_text('"body": "second"')
    page.locator("textarea").fill("still here")
    expect(pane(page).locator("pre").first).to_contain_text('"body": "second"')
    page.get_by_role("button", name="Close: Request").click()
    expect(page.locator("article[aria-current]")).to_have_count(0)
    assert page.url.endswith(f"#{RECIPIENT}")
    assert page.evaluate("document.documentElement.scrollWidth") == 900


def test_a_click_on_a_link_or_the_end_of_a_selection_opens_nothing(open_inbox, send, message, bubble):
    shown = bubble(
        page := open_inbox(), send(message(text={"body": "see http://127.0.0.1:9/a for more words"}))
    )
    with page.context.expect_page() as opened:
        shown.locator("a").click()
    opened.value.close()
    box = shown.locator(".words").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] - 60, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 5, middle, steps=4)
    page.mouse.up()
    assert page.evaluate("String(getSelection())")
    page.wait_for_timeout(300)
    expect(pane(page)).to_contain_text(CHOOSE)
    page.mouse.click(box["x"] + 10, middle)
    expect(pane(page)).to_contain_text("POST /wa/custom/sendMsg")


def test_on_a_phone_it_is_a_sheet_that_has_the_keyboard_until_it_is_closed(open_inbox, send, message, bubble):
    message_id = send(message())
    page = open_inbox(width=380)
    shown = bubble(page, message_id)
    close = page.get_by_role("button", name="Close: Request")
    closes = (
        lambda: page.keyboard.press("Escape"),
        close.click,
        lambda: page.mouse.click(190, 20),
    )
    for closed in closes:
        shown.focus()
        page.keyboard.press("Enter")
        expect(close).to_be_focused()
        assert page.locator("main").evaluate("node => node.inert")
        assert page.evaluate("document.documentElement.scrollWidth") == 380
        closed()
        expect(pane(page)).to_be_hidden()
        expect(shown).to_be_focused()
    shown.click()
    expect(close).to_be_visible()
    page.go_back()
    expect(close).to_be_hidden()
    expect(shown).to_be_visible()


def test_an_address_leads_to_its_message_however_old_it_is(open_inbox, sandbox, send, message, bubble):
    send(message(text={"body": "row 0"}))
    fill(sandbox, range(1, 130))
    page = open_inbox(f"/{id_of(15)}")
    shown = bubble(page, id_of(15))
    expect(shown).to_be_in_viewport(ratio=1)
    expect(shown).to_have_attribute("aria-current", "true")
    expect(pane(page).locator("pre").first).to_contain_text("row 15")
    assert page.url.endswith(f"#{RECIPIENT}/{id_of(15)}")
    send(message(text={"body": "new"}))
    expect(page.locator(".newer")).to_be_visible()
    expect(shown).to_be_in_viewport(ratio=1)
    page.keyboard.press("Escape")
    expect(pane(page)).to_contain_text(CHOOSE)
    # On a phone the request stays closed.
    look_like(page, width=380)
    page.evaluate("chosen => { location.hash = chosen; }", f"{RECIPIENT}/{id_of(110)}")
    expect(bubble(page, id_of(110))).to_be_in_viewport(ratio=1)
    expect(pane(page)).to_be_hidden()


def test_an_address_of_what_is_not_kept_shows_the_chat_and_what_is_pushed_later_comes_into_the_pane(
    open_inbox, sandbox, send, message, bubble
):
    message_id = send(message(recipient="99970000003"))
    page = open_inbox(f"99970000003/{'0' * 32}")
    expect(page.locator("article")).to_have_count(1)
    expect(pane(page)).to_contain_text(CHOOSE)
    bubble(page, message_id).click()
    expect(pane(page)).to_contain_text("Pushesnone")
    sandbox.push(message_id, "delivered")
    expect(pane(page)).to_contain_text('"status": "delivered"')


AWKWARD = (
    "-X DELETE @/etc/passwd "
    'it\'s "quoted" $HOME `id` $(id) \\ \\n !! 数据 🎉 %41 {a,b} [1-3] ; & | < > # * ? ~'
    "\ntwo\nlines\tand\r\nmore \u2028 \u202e \ufeff"
)


def test_the_copied_command_sends_the_same_again(open_inbox, sandbox, send, message, bubble, copied):
    body = message(text={"body": AWKWARD})
    page = open_inbox()
    bubble(page, send(body)).click()
    assert json.loads(copied(page, "Copy")) == body
    command = copied(page, "Copy as curl")
    signed = f"{sandbox.api_key}{sandbox.secret}{sandbox.requests[0].timestamp}".encode()
    for secret in (sandbox.api_key, sandbox.secret, hashlib.md5(signed).hexdigest()):
        assert secret not in command
    arguments = shlex.split(command)
    assert f"{sandbox.url}/wa/custom/sendMsg" in arguments
    assert json.loads(arguments[arguments.index("--data-raw") + 1]) == body
    command = command.replace("your Api-Key", sandbox.api_key).replace("your secret", sandbox.secret)
    ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(ran.stdout)["status"] == "0"
    first, again = sandbox.requests
    assert (again.raw_body, again.path, again.sign_is_valid) == (first.raw_body, first.path, True)
    assert again.headers["content-type"] == first.headers["content-type"]


def test_the_command_of_a_request_to_a_wrong_path_is_one_too(open_inbox, sandbox, wire, copied):
    path = "/wa/it's $(id)?#/sendMsg"
    wire.session.post(
        sandbox.url + "/wa/it's%20$(id)%3F%23/sendMsg",
        data=b"'no' JSON\0",
        headers={"X-Odd": 'it\'s; "x"', "X-Empty": ""},
        timeout=5,
    )
    (seen,) = sandbox.requests
    assert seen.path == path
    page = open_inbox("refused")
    page.locator(".failure").click()
    command = copied(page, "Copy as curl")
    subprocess.run(["sh", "-c", command], capture_output=True, check=True, timeout=60)
    again = sandbox.requests[1]
    assert (again.path, again.method, again.raw_body) == (path, "POST", "'no' JSON\ufffd".encode())
    assert (again.headers["x-odd"], again.headers["x-empty"]) == ('it\'s; "x"', "")
    assert "sign" not in again.headers


def test_without_a_clipboard_it_is_copied_all_the_same(open_inbox, send, message, bubble):
    page = open_inbox()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    read = "navigator.clipboard.readText()"
    page.evaluate("window.clipboard = navigator.clipboard")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true })")
    bubble(page, send(message(text={"body": "by hand"}))).click()
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert "by hand" in page.evaluate(read.replace("navigator", "window"))
    page.evaluate("delete navigator.clipboard")

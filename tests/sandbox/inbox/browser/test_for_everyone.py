"""The page by keyboard alone, in light and dark, on a phone's width."""

from __future__ import annotations

import pytest

from .conftest import RECIPIENT, fill, look_like
from .reading import expect

FOCUSED = "document.activeElement"
LUMINANCE = """(node) => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d");
  const fill = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
  };
  const light = () => {
    const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map((one) => one / 255)
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const layers = [];
  for (let one = node; one; one = one.parentElement) layers.unshift(getComputedStyle(one).backgroundColor);
  layers.forEach(fill);
  const back = light();
  fill(getComputedStyle(node).color);
  return [light(), back];
}"""


@pytest.fixture
def full(send, wire, sample, message, template_message):
    """Something of each kind is there."""
    for name in (
        "text-reply",
        "image",
        "document",
        "location",
        "contacts",
        "interactive-button",
        "interactive-list",
    ):
        send(sample(name))
    send(template_message() | {"recipient": RECIPIENT})
    send(message(recipient="5511912345678", text={"body": "x" * 300}))
    send(message(text={"body": "https://example.com/" + "long" * 60}, extra=1))
    wire.custom(message(recipient="12"))
    wire.control("POST", "replies", json={"recipient": RECIPIENT, "text": "y" * 300})
    wire.control("POST", "replies", json={"message_id": send(message()), "text": "see `x`\n> said"})
    send(sample("sticker"))


def focused(page, selector):
    return page.evaluate(f"{FOCUSED}.matches({selector!r})")


def test_everything_can_be_done_by_keyboard(open_inbox, sandbox, send, sample, message, wire):
    send(message(recipient="5511912345678"))
    buttons = send(sample("interactive-button"))
    page = open_inbox("")
    page.locator(".conversation").nth(1).wait_for()
    press = page.keyboard.press
    press("/")
    assert focused(page, "#search")
    press("Tab")
    assert focused(page, f".conversation[data-number='{RECIPIENT}']")
    press("ArrowDown")
    assert focused(page, ".conversation[data-number='5511912345678']")
    press("ArrowUp")
    press("Enter")
    page.locator("article").wait_for()
    press("Tab")
    while not focused(page, "article, textarea"):
        press("Tab")
    assert focused(page, f"article[data-id='{buttons}']")
    press("Enter")
    request = page.get_by_role("complementary", name="Request")
    expect(request).to_contain_text("POST /wa/custom/sendMsg")
    press("Escape")
    expect(request).to_contain_text("Choose a message")
    assert focused(page, f"article[data-id='{buttons}']")
    while not focused(page, ".choice"):
        press("Tab")
    press("Enter")
    page.locator("article.reply").wait_for()
    while not focused(page, "textarea"):
        press("Tab")
    page.keyboard.type("typed")
    press("Enter")
    page.locator("article.reply", has_text="typed").wait_for()
    send(sample("interactive-list"))
    page.get_by_role("button", name="BUTTON_TEXT").focus()
    press("Enter")
    page.get_by_role("dialog").wait_for()
    press("Tab")
    press("Space")
    press("ArrowDown")
    press("Enter")
    page.locator("article.reply").nth(2).wait_for()
    assert focused(page, ".choice")
    replies = wire.control("GET", "replies").json()
    assert [one["text"] for one in replies[:2]] == ["one", "typed"]
    assert replies[2]["choice"] == "SECTION_1_ROW_2_ID"


def test_bubbles_and_what_is_in_them_are_walked_through_by_arrow_keys_and_answered_by_r(
    open_inbox, send, message, wire
):
    for number in range(4):
        send(message(text={"body": f"row {number} https://example.com/a"}))
    wire.control("POST", "replies", json={"recipient": RECIPIENT, "text": "fine"})
    page = open_inbox()
    articles = page.locator("article")
    articles.nth(4).wait_for()
    press = page.keyboard.press

    def at():
        return page.evaluate(f"[...document.querySelectorAll('article')].indexOf({FOCUSED})")

    articles.nth(3).focus()
    for key, expected in (("ArrowUp", 2), ("Home", 0), ("ArrowUp", 0), ("ArrowDown", 1), ("End", 4)):
        press(key)
        assert at() == expected, key
    for part in ("a[href]", ".stamp", ".quote"):
        for key, expected in (("ArrowUp", 0), ("ArrowDown", 2), ("Home", 0), ("End", 4)):
            articles.nth(1).locator(part).focus()
            press(key)
            assert at() == expected, (part, key)
        articles.nth(1).locator(part).focus()
        press("r")
        assert page.locator(".quoting").text_content().startswith("row 1")
        assert focused(page, "textarea")
        expect(page.locator("textarea")).to_have_value("")
        press("Escape")
        expect(page.locator(".quoting")).to_be_hidden()
    # The browser's own keys stay its own.
    page.evaluate("addEventListener('keydown', (event) => (window.taken = event.defaultPrevented))")
    for keys in ("Meta+r", "Control+/", "Control+r"):
        articles.nth(1).focus()
        page.evaluate("window.taken = undefined")
        press(keys)
        if page.evaluate("window.taken") is not None:  # undefined: the browser has loaded the page anew
            assert page.evaluate("window.taken") is False, keys
            expect(page.locator(".quoting")).to_be_hidden()
    # A reply cannot be answered, and takes no quote away.
    articles.nth(3).hover()
    articles.nth(3).get_by_role("button", name="Reply to this message").click()
    expect(articles.nth(4).get_by_role("button", name="Reply to this message")).to_have_count(0)
    articles.nth(4).focus()
    press("r")
    expect(page.locator(".quoting")).to_contain_text("row 3")


def test_tab_reaches_one_bubble_and_what_is_in_it(open_inbox, send, message, sample):
    send(message(text={"body": "see https://example.com/a"}))
    send(sample("interactive-button"))
    send(message(type="image", image={"link": "http://127.0.0.1:9/chart.png"}))
    last = send(message(text={"body": "last https://example.com/b"}))
    page = open_inbox()
    page.locator("article").nth(3).wait_for()
    page.locator(".missing").wait_for()
    page.locator("body").focus()
    page.locator(f".conversation[data-number='{RECIPIENT}']").focus()
    page.keyboard.press("Tab")
    while not focused(page, "main *, body"):
        page.keyboard.press("Tab")
    reached = []
    while not focused(page, "textarea"):
        reached.append(page.evaluate(f"{FOCUSED}.closest('article')?.dataset.id ?? ''"))
        page.keyboard.press("Tab")
    assert set(reached) == {last}
    assert len(reached) == 4


def test_the_keyboard_goes_on_where_what_had_it_goes_away(open_inbox, sandbox, send, message):
    send(message(text={"body": "row 0"}))
    fill(sandbox, range(1, 120))
    page = open_inbox()
    page.locator(".more").wait_for()  # there once all 120 have come, in two parts
    page.locator(".more").focus()
    page.keyboard.press("Enter")
    page.locator("article").nth(119).wait_for()
    assert focused(page, "article")
    page.locator("main .scroll").evaluate("node => (node.scrollTop = 0)")
    page.wait_for_timeout(100)
    send(message(text={"body": "new"}))
    page.locator(".newer").focus()
    page.locator("main .scroll").evaluate("node => (node.scrollTop = node.scrollHeight)")
    expect(page.locator(".newer")).to_be_hidden()
    assert focused(page, "article:last-of-type")
    page.keyboard.press("r")
    page.get_by_role("button", name="Reply to no message").focus()
    page.keyboard.press("Enter")
    assert focused(page, "textarea")
    page.locator("article").last.focus()
    page.keyboard.press("r")
    page.get_by_role("button", name="Reply to no message").focus()
    sandbox.clear()
    expect(page.locator(".quoting")).to_be_hidden()
    assert focused(page, "textarea")
    send(message(text={"body": "row"}))
    send(message(text={"body": "other"}))
    page.locator("article").nth(1).wait_for()
    page.locator("#search").fill("row")
    page.get_by_role("button", name="Show all").focus()
    page.keyboard.press("Enter")
    expect(page.locator("article").last).to_be_focused()
    page.evaluate("""() => {
      const search = document.querySelector("#search");
      search.value = "row";
      search.dispatchEvent(new Event("input"));
    }""")
    expect(page.locator("article", has_text="row")).to_be_focused()
    sandbox.clear()
    expect(page.locator("article")).to_have_count(0)
    expect(page.locator("textarea")).to_be_focused()


def test_on_a_phone_the_keyboard_goes_along(open_inbox, send, wire, message):
    send(message())
    wire.custom(message(recipient="12"))
    page = open_inbox("", width=380)
    for number, part in ((RECIPIENT, "article"), ("refused", "button.open")):
        page.locator(f".conversation[data-number='{number}']").focus()
        page.keyboard.press("Enter")
        expect(page.locator(f"main {part}").last).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator(f".conversation[data-number='{number}']")).to_be_focused()


def test_the_keyboard_stays_where_it_is_when_messages_come_and_opens_one_request_once(
    open_inbox, send, message
):
    send(message())
    send(message(recipient="5511912345678"))
    page = open_inbox("")
    row = page.locator(f".conversation[data-number='{RECIPIENT}']")
    row.focus()
    send(message())
    expect(page.locator(".conversation .count").first).to_have_text("2")
    assert focused(page, f".conversation[data-number='{RECIPIENT}']")
    page.route("**/exchanges/*", lambda route: (page.wait_for_timeout(100), route.continue_()))
    page.evaluate(f"location.hash = '{RECIPIENT}'")
    page.locator("article").first.focus()
    for _ in range(3):
        page.keyboard.press("Enter")
    page.get_by_text("POST /wa/custom/sendMsg").wait_for()
    page.wait_for_timeout(300)
    expect(page.get_by_text("POST /wa/custom/sendMsg")).to_have_count(1)


def test_everything_has_a_name_and_can_be_read_and_what_has_the_keyboard_can_be_seen(open_inbox, full):
    page = open_inbox()
    page.locator("article.message").first.wait_for()
    looks_named(page)
    for colours in ("light", "dark"):
        look_like(page, colours=colours)
        page.evaluate("location.hash = 'refused'")
        page.locator("article.failure").first.wait_for()
        looks_readable(page, colours, 15)
        page.evaluate(f"location.hash = '{RECIPIENT}'")
        page.locator("article.message").first.wait_for()
        looks_readable(page, colours, 60)
        page.keyboard.press("/")  # which begins at the search
        outlines = []
        while page.keyboard.press("Tab") or len(outlines) < 200:
            outline, at = page.evaluate(f"[getComputedStyle({FOCUSED}).outlineStyle, {FOCUSED}.outerHTML]")
            if at.startswith("<body"):
                break
            outlines.append((outline, at))
        assert [at for outline, at in outlines if outline != "solid"] == []
        assert 5 < len(outlines) < 200


def looks_named(page):
    for role, name in (
        ("navigation", "Conversations"),
        ("main", "Conversation"),
        ("log", "Messages"),
        ("searchbox", "Search text, number or id"),
        ("textbox", "Reply as +8614718004557"),
        ("button", "Send the reply"),
        ("button", "Clear the inbox"),
        ("link", "Save the inbox as one file"),
    ):
        expect(page.get_by_role(role, name=name)).to_have_count(1)
    unnamed = """[...document.querySelectorAll("button, a, input, textarea")]
      .filter((node) => !(node.getAttribute("aria-label") || node.textContent.trim() || node.labels?.length))
      .map((node) => node.outerHTML)"""
    assert page.evaluate(unnamed) == []
    assert page.evaluate("new Set([...document.querySelectorAll('[id]')].map((n) => n.id)).size") == (
        page.evaluate("document.querySelectorAll('[id]').length")
    )


def looks_readable(page, colours, least):
    back = page.locator("body").evaluate(LUMINANCE)[1]
    assert (back > 0.7) if colours == "light" else (back < 0.05)
    texts = (
        "h1, h2, .who p, .conversation .name, .conversation .last, .conversation time, .conversation .count,"
        " .words, .words code, .words blockquote, .stamp, .stamp .id,"
        " .note, .choice, .quoted p, .quoted b, .day span, .footer, dt, dd, .contact small,"
        " .about small, .failure *, .avatar"
    )
    looked_at = page.evaluate(
        f"""texts => [...document.querySelectorAll(texts)].filter((node) => node.checkVisibility())
        .map((node) => [node.outerHTML, ...({LUMINANCE})(node).sort((one, other) => other - one)])""",
        texts,
    )
    for shown, light, dark in looked_at:
        assert (light + 0.05) / (dark + 0.05) >= 4.5, shown
    assert len(looked_at) > least


def test_a_phone_shows_one_pane_at_a_time_with_a_way_back_and_nothing_wider(open_inbox, full):
    page = open_inbox("", width=360, height=640)
    side, main = page.locator(".side"), page.locator("main")

    def shows_alone(pane, other):
        # The page follows its address, which changes a moment later; without the change this times out.
        pane.wait_for(state="visible")
        other.wait_for(state="hidden")

    def nothing_is_wider(scroll):
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert page.locator(scroll).evaluate("node => node.scrollWidth - node.clientWidth") == 0

    page.locator(".conversation").first.wait_for()
    shows_alone(side, main)
    nothing_is_wider("nav")
    for chosen in (RECIPIENT, "5511912345678", "refused"):
        page.locator(f".conversation[data-number='{chosen}']").click()
        shows_alone(main, side)
        page.locator(f"article.{'failure' if chosen == 'refused' else 'bubble'}").first.wait_for()
        nothing_is_wider("main .scroll")
        page.get_by_role("button", name="Back to the conversations").click()
        shows_alone(side, main)
    page.go_back()
    shows_alone(main, side)
    page.locator("main").press("Escape")
    shows_alone(side, main)

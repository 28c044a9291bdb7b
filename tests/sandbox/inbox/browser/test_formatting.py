"""Formatting as WhatsApp renders it in texts, captions and the words of interactive messages."""

from __future__ import annotations

import pytest

from tests.tables import for_each

from .reading import expect

FORMATTED = {
    "*bold*": "<p><strong>bold</strong></p>",
    "_italic_": "<p><em>italic</em></p>",
    "~gone~": "<p><s>gone</s></p>",
    "`a *b*`": "<p><code>a *b*</code></p>",
    "*bold _both_*": "<p><strong>bold <em>both</em></strong></p>",
    "say *a*, *b*!": "<p>say <strong>a</strong>, <strong>b</strong>!</p>",
    "```\nselect *\n```": "<pre>select *</pre>",
    "a ```b``` c": "<p>a </p><pre>b</pre><p> c</p>",
    "- one\n* two\nrest": '<ul dir="auto"><li>one</li><li>two</li></ul><p>rest</p>',
    "3. three\n4. *four*": (
        '<ol dir="auto"><li value="3">three</li><li value="4"><strong>four</strong></li></ol>'
    ),
    "> said\n> _twice_\nrest": '<blockquote dir="auto">said\n<em>twice</em></blockquote><p>rest</p>',
    "two\nlines": "<p>two\nlines</p>",
}

PLAIN = [
    "**not bold**",
    "snake_case_name and an_other",
    "2*3*4",
    "* spaces *".strip("* "),
    "*ends on\nanother line*",
    "# no heading",
    "[no](link)",
    "a ` b",
    "*",
    "javascript:alert(1)",
    "https://",
    "www.",
    "awww.example.com",
    "wow",
]

LINKS = {
    "see https://example.com/a_b_c.": "https://example.com/a_b_c",
    "*https://example.com/x*": "https://example.com/x",
    "HTTP://EXAMPLE.COM/?q=_1_&r=2": "http://example.com/?q=_1_&r=2",
    "at www.example.com/x, or": "http://www.example.com/x",
    "WWW.Example.com": "http://www.example.com/",
    "（https://example.com/报告）": "https://example.com/%E6%8A%A5%E5%91%8A",
}


@pytest.fixture(scope="module")
def render(any_page):
    return lambda text: any_page.evaluate(
        """async (text) => {
          const { draw } = await import("/static/lib/dom.js");
          const { formatted } = await import("/static/lib/formatting.js");
          const shown = document.createElement("div");
          draw(shown, formatted(text));
          return [shown.innerHTML, shown.textContent, [...shown.querySelectorAll("a")].map((a) => a.href)];
        }""",
        text,
    )


@for_each("text", FORMATTED)
def test_marks_are_rendered(render, text):
    assert render(text)[0] == FORMATTED[text]


@for_each("text", PLAIN)
def test_other_text_stays_as_it_is(render, text):
    html, shown, links = render(text)
    assert (html, shown, links) == (f"<p>{text}</p>", text, [])


@for_each("text", LINKS)
def test_addresses_become_links(render, text):
    html, shown, links = render(text)
    assert links == [LINKS[text]]
    assert 'rel="noopener noreferrer"' in html
    assert shown == text.strip("*")


MIXED = "The DAG ended.\nانتهى التقرير (42).\n- نقطة أولى!\n- second\n> اقتباس!"


def test_each_line_runs_in_its_own_direction_and_each_entry_of_a_list_stands_beside_its_number(
    open_inbox, send, message, bubble
):
    page = open_inbox()
    shown = bubble(page, send(message(text={"body": MIXED})))
    shown.locator(".words").wait_for()
    # Where the last mark of a line stands: on the left of a line that runs to the left.
    last_mark = """(node, [start, end]) => {
      const range = document.createRange();
      const text = node.firstChild;
      const at = (index) => {
        range.setStart(text, index);
        range.setEnd(text, index + 1);
        return range.getBoundingClientRect().left;
      };
      return at(end) < at(start);
    }"""
    first, second = MIXED.split("\n")[:2]
    words = shown.locator(".words")
    assert not words.locator("p").evaluate(last_mark, [0, len(first) - 1])
    assert words.locator("p").evaluate(last_mark, [len(first) + 1, len(first) + len(second)])
    assert words.locator("li").first.evaluate(last_mark, [0, len("نقطة أولى!") - 1])
    assert not words.locator("li").last.evaluate(last_mark, [0, 5])
    assert words.locator("blockquote").evaluate(last_mark, [0, len("اقتباس!") - 1])
    beside = """node => {
      const range = document.createRange();
      range.selectNodeContents(node);
      const [words, item] = [range.getBoundingClientRect(), node.getBoundingClientRect()];
      const rtl = getComputedStyle(node).direction === "rtl";
      return Math.abs(rtl ? item.right - words.right : item.left - words.left);
    }"""
    for text in ("1. أولاً done\n2. second ثانياً", "1. first أولاً\n2. ثانياً done"):
        items = bubble(page, send(message(text={"body": text}))).locator("li")
        items.first.wait_for()
        assert [item.evaluate(beside) < 2 for item in items.all()] == [True, True]


def test_a_few_emoji_alone_are_large_and_the_list_keeps_entries_apart(open_inbox, send, message, bubble):
    texts = {
        "👍": True,
        "👨‍👩‍👧 🇩🇪\n👍🏽": True,
        "1️⃣": True,
        "👍👍👍👍": False,
        "👍 ok": False,
        "12": False,
    }
    page = open_inbox()
    ids = {text: send(message(text={"body": text})) for text in texts}
    size = "node => parseFloat(getComputedStyle(node).fontSize)"
    sizes = {text: bubble(page, one).locator(".words").evaluate(size) for text, one in ids.items()}
    assert {text: found > 30 for text, found in sizes.items()} == texts
    send(message(text={"body": "- *one*\n- two\n1. three"}))
    expect(page.locator(".conversation .last")).to_have_text("one two three")


def test_a_text_that_no_phone_would_show_is_shown_as_it_is(render):
    text = "*a " * 100_000
    assert render(text)[:2] == [f"<p>{text}</p>", text]


def test_a_text_of_marks_alone_is_quick(render):
    for text in ("*a " * 1300, "*_~" * 1300, "`" * 4000, "```" * 1300, "> " * 2000, "http" * 1000):
        assert render(text)[1].replace(" ", "").replace("`", "").replace(">", "") is not None


def test_captions_and_interactive_words_are_formatted_titles_are_not(open_inbox, send, message, bubble):
    interactive = {
        "type": "button",
        "header": {"type": "text", "text": "*header*"},
        "body": {"text": "*body*"},
        "footer": {"text": "_footer_"},
        "action": {"buttons": [{"type": "reply", "reply": {"id": "1", "title": "*title*"}}]},
    }
    page = open_inbox()
    shown = bubble(page, send(message(type="interactive", interactive=interactive)))
    shown.get_by_text("body", exact=True).wait_for()
    expect(shown.locator("strong")).to_have_text(["body"])
    for words in ("*header*", "_footer_", "*title*"):
        shown.get_by_text(words).wait_for()
    image = {"link": "http://127.0.0.1:9/x.png", "caption": "*caption*"}
    assert (
        bubble(page, send(message(type="image", image=image))).locator("strong").text_content() == "caption"
    )

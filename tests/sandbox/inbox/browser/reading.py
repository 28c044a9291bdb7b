"""Waiting for what the page shows, and where its reader stands."""

from __future__ import annotations

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
playwright.expect.set_options(timeout=30_000)

TALL_PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="600"/>'


class expect:  # noqa: N801 - it is written as playwright's
    """
    Wait for what the page is to show: a page changes by itself, its list before its chat.

    Each time that Playwright's own finds no element, or another text, it describes the whole page or all of
    the element; on a large page that takes half a second. It does not so for a list of texts.
    """

    def __init__(self, found):
        self.found, self.of_playwright = found, playwright.expect(found)

    def __getattr__(self, name):
        return getattr(self.of_playwright, name)

    def to_have_text(self, text):
        self.of_playwright.to_have_text(text if isinstance(text, list) else [text])

    def to_contain_text(self, text):
        self.of_playwright.to_contain_text(text if isinstance(text, list) else [text])

    def to_have_attribute(self, name, value):
        self.found.wait_for(state="attached")
        self.of_playwright.to_have_attribute(name, value)

    def to_have_title(self, title):
        until(self.found, lambda: self.found.title() == title)

    def to_be_visible(self, *, visible=True):
        self.found.wait_for(state="visible" if visible else "hidden")

    def to_be_hidden(self):
        self.found.wait_for(state="hidden")


LINE = 24
"""Pixels of a line of text: what is read stays in sight if it moves by less."""


def until(page, condition):
    """Wait for the page to come to rest in a state; a busy machine may take long."""
    for _ in range(300):
        if condition():
            return
        page.wait_for_timeout(100)
    assert condition()


def load_chat_anew(page, number):
    """Let the page forget a chat, and load its end."""
    for chosen in ("0", number):
        page.evaluate("chosen => { location.hash = chosen; }", chosen)
        expect(page.locator("h2")).to_have_text(f"+{chosen}")


def words(page):
    return page.locator("article .words")


def bring_to_the_edge(page, selector, into=0):
    page.locator("main .scroll").evaluate(
        """(node, [selector, into]) => {
          const found = document.querySelector(selector).getBoundingClientRect();
          node.scrollTop += found.top - node.getBoundingClientRect().top + into;
        }""",
        [selector, into],
    )
    page.wait_for_timeout(200)


def below_the_edge(page, selector):
    """Give how far below the edge something begins."""
    return page.locator("main .scroll").evaluate(
        """(node, selector) => Math.round(
          document.querySelector(selector).getBoundingClientRect().top - node.getBoundingClientRect().top
        )""",
        selector,
    )


def gap_below(page):
    return page.locator("main .scroll").evaluate(
        "node => Math.round(node.scrollHeight - node.scrollTop - node.clientHeight)"
    )

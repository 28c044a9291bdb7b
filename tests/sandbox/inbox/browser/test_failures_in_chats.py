"""Failures stand in the chat of whom they concern; a message that comes twice says so."""

from __future__ import annotations

from .conftest import RECIPIENT
from .reading import expect

OTHER = "5511912345678"


FAULTS = {
    "-12network exception on the platform": {"status": -12},
    "the connection was closed without an answer": {"drop": "before_accepting"},
    "the answer was HTTP 503": {"http_status": 503},
    "the answer was a success without a message id": {"answer": {"status": "0"}},
}


def test_a_failure_stands_in_red_in_its_chat_and_in_the_list(open_inbox, sandbox, wire, message):
    page = open_inbox()
    wire.custom(message(recipient=OTHER))
    for count, fault in enumerate(FAULTS.values(), 1):
        sandbox.fail_next(**fault)
        try:
            wire.custom(message(text={"body": f"*lost* <b> {count}"}))
        except OSError:
            assert "drop" in fault
        if count == 1:
            expect(page.locator("main header")).to_contain_text("0 messages · 1 failed request")
    shown = page.locator("article.failed")
    expect(shown.locator(".words")).to_have_text([f"lost <b> {count}" for count in range(1, 5)])
    expect(shown.locator(".meaning")).to_have_text([*FAULTS])
    expect(page.locator("main header")).to_contain_text("0 messages · 4 failed requests")
    colours = shown.locator(".meaning strong").evaluate_all(
        "nodes => nodes.map((node) => getComputedStyle(node).color.match(/\\d+/g).map(Number))"
    )
    assert [red > max(others) + 50 for red, *others in colours] == [True] * 4
    for count in (1, 2):
        shown.nth(count - 1).click()
        pane = page.get_by_role("complementary", name="Request")
        expect(pane).to_contain_text(f'"body": "*lost* <b> {count}"')
    expect(page.locator(f"[data-number='{RECIPIENT}'] .mark")).to_be_visible()
    expect(page.locator(f"[data-number='{OTHER}'] .mark")).to_have_count(0)
    page.locator("[data-number='refused']").click()
    expect(page.locator("article.failure .meaning")).to_have_text([*FAULTS][::-1])


def test_a_recipient_that_is_no_number_is_in_the_list_alone(open_inbox, wire, message):
    for recipient in ("nobody", "9" * 400, None, {"a": 1}):
        wire.custom(message(recipient=recipient))
    page = open_inbox("refused")
    expect(page.locator("article.failure")).to_have_count(4)
    expect(page.locator(".conversation .name")).to_have_text(["Failed requests"])

"""Failures stand in the chat of whom they concern; a message that comes twice says so."""

from __future__ import annotations

import pytest

from .conftest import RECIPIENT
from .reading import expect

OTHER = "5511912345678"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"status": -12}, "-12network exception on the platform"),
        ({"drop": "before_accepting"}, "the connection was closed without an answer"),
        ({"http_status": 503}, "the answer was HTTP 503"),
        ({"answer": {"status": "0"}}, "the answer was a success without a message id"),
    ],
)
def test_a_failure_stands_in_red_in_its_chat_and_in_the_list(
    open_inbox, sandbox, wire, message, fault, words
):
    sandbox.fail_next(**fault)
    try:
        wire.custom(message(text={"body": "*lost* <b>"}))
    except OSError:
        assert "drop" in fault
    wire.custom(message(recipient=OTHER))
    page = open_inbox()
    shown = page.locator("article.failed")
    expect(shown.locator(".words")).to_have_text("lost <b>")
    expect(shown.locator(".meaning")).to_have_text(words)
    red, green, blue = shown.locator(".meaning strong").evaluate(
        "node => getComputedStyle(node).color.match(/\\d+/g).map(Number)"
    )
    assert red > max(green, blue) + 50
    expect(page.locator(f"[data-number='{RECIPIENT}'] .mark")).to_be_visible()
    expect(page.locator(f"[data-number='{OTHER}'] .mark")).to_have_count(0)
    expect(page.locator("main header")).to_contain_text("0 messages · 1 failed request")
    shown.click()
    expect(page.get_by_role("complementary", name="Request")).to_contain_text('"body": "*lost* <b>"')
    page.locator("[data-number='refused']").click()
    expect(page.locator("article.failure .meaning")).to_have_text(words)


def test_a_recipient_that_is_no_number_is_in_the_list_alone(open_inbox, wire, message):
    for recipient in ("nobody", "9" * 400, None, {"a": 1}):
        wire.custom(message(recipient=recipient))
    page = open_inbox("refused")
    expect(page.locator("article.failure")).to_have_count(4)
    expect(page.locator(".conversation .name")).to_have_text(["Failed requests"])


def test_a_message_that_failed_after_acceptance_marks_its_conversation(open_inbox, sandbox, send, message):
    message_id = send(message(recipient="99970000003"))
    page = open_inbox("99970000003")
    mark = page.locator("[data-number='99970000003'] .mark")
    expect(page.locator("article")).to_have_count(1)
    expect(mark).to_have_count(0)
    sandbox.push(message_id, "failed")
    expect(mark).to_be_visible()

"""The request behind each message, and the requests that were refused."""

from __future__ import annotations

import json

import pytest

from .reading import expect

FAULT = "a fault was asked for, by fail_next or POST /sandbox/faults"


@pytest.fixture
def refusals(open_inbox):
    """Open the list of failed requests."""

    def refusals():
        page = open_inbox("refused")
        page.locator(".failure").first.wait_for()
        return page

    return refusals


def test_a_message_opens_its_request(open_inbox, sandbox, wire, message, bubble):
    headers = wire.headers()
    body = message(text={"body": "数据 loaded"}, extra=1)
    wire.custom(body, headers)
    page = open_inbox()
    bubble(page, sandbox.messages[0].id).locator(".stamp").click()
    dialog = page.get_by_role("complementary", name="Request")
    expect(dialog).to_contain_text("POST /wa/custom/sendMsg")
    text = dialog.text_content()
    assert "Answer · HTTP 200" in text
    assert f"timestamp{headers['Timestamp']}" in text
    assert "api-key***" in text
    assert "sign***" in text
    assert "fits key, secret and timestamp" in text
    for secret in (headers["Sign"], sandbox.api_key, sandbox.secret):
        assert secret not in page.content()
    sent, answered, *pushes = (json.loads(one) for one in dialog.locator("pre").all_text_contents())
    assert sent == body
    assert answered["data"]["messageId"] == sandbox.messages[0].id
    assert [(one["messageId"], one["status"]) for one in pushes] == [
        (sandbox.messages[0].id, status) for status in ("sent", "delivered", "read")
    ]
    page.keyboard.press("Escape")
    expect(dialog).to_contain_text("Choose a message")
    # One that is forgotten meanwhile says so.
    page.route("**/sandbox/exchanges/*", lambda route: route.fulfill(status=404, json={"error": "gone"}))
    page.locator(".stamp").click()
    page.get_by_role("alert").get_by_text("That did not work: gone").wait_for()


def test_a_refused_request_says_what_the_code_means_and_what_to_change_the_newest_first(
    refusals, wire, message
):
    wire.custom(message(recipient="12", text={"body": "lost"}))
    page = refusals()
    shown = page.locator(".failure")
    expect(shown.locator(".code")).to_have_text("-71")
    for words in (
        "recipient number is shorter than 7 digits",
        "recipient has 2 digits, at least 7",
        "What to change: give the recipient with country code, 7 to 14 digits",
        "to 12",
        "/wa/custom/sendMsg",
    ):
        expect(shown).to_contain_text(words)
    page.get_by_role("button", name="Open the request").click()
    dialog = page.get_by_role("complementary", name="Request")
    assert '"body": "lost"' in dialog.locator("pre").first.text_content()
    assert '"status": "-71"' in dialog.locator("pre").last.text_content()
    expect(dialog).to_contain_text("What to change")
    # What is no JSON is shown as it came.
    wire.custom(b"text=<b>42 rows</b>")
    expect(page.locator(".failure")).to_have_count(2)
    expect(page.locator(".failure .code").last).to_have_text("-71")
    expect(page.locator("main header")).to_have_text("Failed requests2 requests")
    page.get_by_role("button", name="Open the request").first.click()
    expect(dialog.locator("pre").first).to_have_text("text=<b>42 rows</b>")


def test_a_wrong_sign_says_which_part_does_not_fit_and_a_wrong_clock_how_wrong(refusals, wire, message):
    key = "check the connection's Api-Key"
    wrong = [
        ({"secret": "another"}, "the Sign does not match this key's secret", key),
        ({"api_key": "unknown"}, "the Api-Key is not known; it has 7 characters", key),
        ({"Sign": None}, "the Sign header is missing", "send Api-Key, Timestamp and Sign"),
        ({"Sign": "a" * 40}, "the Sign has the length of SHA-1; the vendor asks for MD5", "make the Sign of"),
        ({"Timestamp": "1"}, "the Sign does not match", key),
        ({"timestamp": "1700000000"}, "behind the server's clock; 300 s are accepted", "set the clock"),
    ]
    for spoil, *_ in wrong:
        wire.custom(message(), wire.headers(**spoil))
    page = refusals()
    expect(page.locator(".failure .code")).to_have_text(["-4", *["-1"] * 5])
    for shown, (spoil, why, advice) in zip(page.locator(".failure").all()[::-1], wrong, strict=True):
        expect(shown.locator(".why")).to_contain_text(why)
        expect(shown.locator(".advice")).to_contain_text(f"What to change: {advice}")
        if {"Timestamp", "timestamp"} & spoil.keys():
            shown.get_by_role("button", name="Open the request").click()
            expect(shown).to_have_attribute("aria-current", "true")
            fits = "fits" if "timestamp" in spoil else "does not fit"
            expect(page.get_by_role("complementary")).to_contain_text(f"(Sign){fits}")


def test_faults_are_listed_with_what_was_answered_and_what_they_would_need_in_production(
    refusals, sandbox, wire, message
):
    sandbox.fail_next(http_status=503, body="<h1>busy</h1>")
    wire.custom(message())
    sandbox.fail_next(drop="before_accepting")
    with pytest.raises(OSError, match=r"(?i)connection"):
        wire.custom(message())
    wire.custom(message(recipient="99910000068"))
    wire.custom(message(recipient="99950000002"))
    page = refusals()
    expect(page.locator(".failure")).to_have_count(4)
    without_id, refused, *asked_for = page.locator(".failure").all_text_contents()
    assert "the answer was a success without a message id" in without_id
    assert "-68balance too low" in refused
    assert "test number +999 1 000 NNNN: refused with the code -NNNN" in refused
    assert "In production: top up the account" in refused
    assert "What to change" not in without_id + refused
    for shown, meaning in zip(
        asked_for, ("the connection was closed without an answer", "the answer was HTTP 503"), strict=True
    ):
        assert meaning + FAULT in shown
    page.get_by_role("button", name="Open the request").last.click()
    expect(page.get_by_role("complementary").locator("pre").last).to_have_text("<h1>busy</h1>")

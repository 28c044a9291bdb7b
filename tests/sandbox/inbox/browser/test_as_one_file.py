"""The inbox saved as one file shows the same without the sandbox."""

from __future__ import annotations

import pytest

from airflow_provider_itnio.sandbox import Sandbox

from .reading import expect

ATTACK = "</script><script>hacked=1</script><!--"


@pytest.fixture
def saved(wire_to, message, tmp_path):
    """A file of a sandbox that is no more."""
    with Sandbox(push_scale=0) as sandbox:
        wire = wire_to(sandbox)
        wire.custom(message(text={"body": f"*kept* {ATTACK}"}))
        buttons = [{"type": "reply", "reply": {"id": "1", "title": "one"}}]
        interactive = {"type": "button", "body": {"text": "Again?"}, "action": {"buttons": buttons}}
        wire.custom(message(type="interactive", interactive=interactive))
        wire.control("POST", "replies", json={"message_id": sandbox.messages[1].id, "button": "1"})
        wire.custom(message(recipient="12"))
        answer = wire.control("GET", "inbox.html")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="inbox.html"'
        for secret in (sandbox.api_key, sandbox.secret):
            assert secret not in answer.text
    file = tmp_path / "inbox.html"
    file.write_bytes(answer.content)
    return file


def test_it_shows_the_same_loads_nothing_and_can_change_nothing(open_page, saved):
    page = open_page("about:blank")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{saved.as_uri()}#8614718004557")
    page.locator("article.reply").wait_for()
    expect(page.locator("article .words")).to_have_text([f"kept {ATTACK}", "Again?", "one"])
    expect(page.locator("#state")).to_have_text("Saved")
    expect(page.locator(".undelivered").first).to_contain_text("131047")
    assert page.evaluate("window.hacked") is None
    assert page.locator("article").first.evaluate("node => getComputedStyle(node).borderRadius") != "0px"
    assert page.get_by_role("button", name="one", exact=True).is_disabled()
    for name in ("#clear", "#save", "textarea", ".quote", ".window"):
        expect(page.locator(name)).to_have_count(0)
    for article in (page.locator("article.message").first, page.locator("article.reply")):
        article.focus()
        page.keyboard.press("Enter")
        page.wait_for_timeout(100)
        expect(page.get_by_role("complementary").locator("pre").first).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("complementary").locator("pre")).to_have_count(0)
        expect(article).to_be_focused()
    page.locator(".stamp").first.click()
    expect(page.get_by_role("complementary")).to_contain_text("POST /wa/custom/sendMsg")
    page.keyboard.press("Escape")
    page.locator("[data-number=refused]").click()
    expect(page.locator(".failure .code")).to_have_text("-71")
    page.locator("#search").fill("kept")
    expect(page.locator(".conversation")).to_have_count(1)
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []

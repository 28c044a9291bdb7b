"""Files behind links: shown or played, and named where they cannot be loaded."""

from __future__ import annotations

import base64

from .reading import expect, until

RECORD_A_VIDEO = """async () => {
  const canvas = document.createElement("canvas");
  const stream = canvas.captureStream(10);
  const recorder = new MediaRecorder(stream, { mimeType: "video/webm" });
  const done = new Promise((resolve) => (recorder.ondataavailable = (event) => resolve(event.data)));
  recorder.start();
  for (let frame = 0; frame < 5; frame++) {
    canvas.getContext("2d").fillRect(frame, 0, 9, 9);
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  recorder.stop();
  const bytes = new Uint8Array(await (await done).arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}"""


def test_pictures_are_shown_and_sound_and_video_have_a_player(open_inbox, send, message, files, bubble):
    page = open_inbox()
    files.add("tour.webm", "video/webm", base64.b64decode(page.evaluate(RECORD_A_VIDEO)))
    image = {"link": files.link("chart.png"), "caption": "Rows per hour"}
    shown = bubble(page, send(message(type="image", image=image)))
    expect(shown.get_by_role("img", name="Rows per hour")).to_have_js_property("naturalWidth", 40)
    expect(shown.locator(".words")).to_have_text("Rows per hour")
    expect(shown.locator(".missing")).to_have_count(0)
    shown = bubble(page, send(message(type="sticker", sticker={"link": files.link("chart.png")})))
    expect(shown.locator("img")).to_have_js_property("naturalWidth", 40)
    assert shown.evaluate("node => getComputedStyle(node).backgroundColor") == "rgba(0, 0, 0, 0)"
    for kind, name in (("audio", "tone.wav"), ("video", "tour.webm")):
        player = bubble(page, send(message(**{"type": kind, kind: {"link": files.link(name)}}))).locator(kind)
        expect(player).not_to_have_js_property("readyState", 0)
        assert player.get_attribute("controls") is not None
        assert player.evaluate("node => node.duration") > 0


def test_a_document_is_a_card_with_name_and_size_unless_no_page_may_read_its_length(
    open_inbox, send, message, files, bubble
):
    page = open_inbox()
    document = {"link": files.link("Sales%202026.pdf"), "filename": "Sales.pdf", "caption": "October"}
    shown = bubble(page, send(message(type="document", document=document)))
    shown.get_by_text("PDF · 1.2 MB").wait_for()
    card = shown.get_by_role("link")
    expect(card.locator(".name")).to_have_text("Sales.pdf")
    assert card.get_attribute("href") == files.link("Sales%202026.pdf")
    for name, asked in (("private", 2), ("signed", 1)):
        document = {"link": files.link(f"{name}.pdf"), "filename": name}
        files.asked.clear()
        shown = bubble(page, send(message(type="document", document=document)))
        shown.wait_for()
        # What must not be read is asked for again without reading it; a refusal has another length.
        until(page, lambda asked=asked: len(files.asked) >= asked)
        page.wait_for_timeout(200)
        assert files.asked == [("HEAD", f"/{name}.pdf")] * asked
        expect(shown.locator("small")).to_have_text("PDF")
        expect(shown.locator(".missing")).to_have_count(0)


def test_a_dead_link_is_a_named_placeholder(open_inbox, send, message, files, bubble, closed_port):
    sent = []
    for link in (files.link("Gone%20away.bin"), f"http://127.0.0.1:{closed_port}/Gone%20away.bin"):
        for kind in ("image", "sticker", "audio", "video", "document"):
            content = {"link": link} | ({"filename": "Gone away.bin"} if kind == "document" else {})
            sent.append((kind, send(message(**{"type": kind, kind: content}))))
    page = open_inbox()
    for kind, message_id in sent:
        shown = bubble(page, message_id)
        shown.scroll_into_view_if_needed()
        name = f"{kind.capitalize()} “Gone away.bin” could not be loaded"
        expect(shown.get_by_role("img", name=name)).to_be_visible()
        expect(shown.locator("img, audio, video, a")).to_have_count(0)
        expect(shown).to_contain_text("Gone away.bin")


def test_a_note_on_a_file_comes_while_the_page_is_open(
    open_page, start_sandbox, wire_to, message, files, bubble
):
    sandbox = start_sandbox(fetch_files=True, open_windows=True)
    page = open_page(f"{sandbox.url}/#8614718004557")
    image = {"link": files.link("chart.png")}
    answer = wire_to(sandbox).custom(message(type="image", image=image)).json()
    shown = bubble(page, answer["data"]["messageId"])
    expect(shown.locator(".note").last).to_contain_text("fetched as WhatsApp would: image/png")
    expect(shown.locator("img")).to_have_js_property("naturalWidth", 40)

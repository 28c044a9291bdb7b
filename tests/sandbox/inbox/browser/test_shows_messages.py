"""Each type of message as the phone would show it, read back from the page."""

from __future__ import annotations

import re

from . import conftest
from .reading import expect

FOLDER = conftest.SAMPLES

SAMPLES = {
    "text": ["this is body content"],
    "text-reply": ["An earlier message", "Message 1 is not in this inbox", "this is body content"],
    "image": ["log.png", "Image could not be loaded", "title"],
    "sticker": ["log.webp", "Sticker could not be loaded"],
    "audio": ["log.png", "Audio could not be loaded"],
    "video": ["log.png", "Video could not be loaded", "title"],
    "document": ["123", "Document could not be loaded", "title"],
    "location": ["深圳", "深圳市龙岗区", "62.636152267456, 104.056640625", "unknown key location.link"],
    "contacts": ["NAME", "TITLE, DEPARTMENT, COMPANY", "PHONE_NUMBER", "home", "EMAIL", "work", "1995-01-11"],
    "interactive-button": ["BUTTON_TEXT", "one", "two"],
    "interactive-list": ["HEADER_TEXT", "BODY_TEXT", "FOOTER_TEXT", "BUTTON_TEXT"],
    "interactive-location_request_message": ["广东省深圳市龙岗区", "Send location"],
}


def test_each_sample_of_the_vendor_is_shown(open_inbox, send, sample, bubble):
    sent = {send(sample(name)): shown for name, shown in SAMPLES.items()}
    page = open_inbox()
    for message_id, shown in sent.items():
        made = bubble(page, message_id)
        made.scroll_into_view_if_needed()
        for words in shown:
            made = made.filter(has=page.get_by_text(words))
        made.wait_for()


def test_every_sample_is_looked_at():
    assert {file.stem for file in FOLDER.glob("*.json")} == set(SAMPLES)


def test_what_stands_under_a_name_is_in_the_conversation_of_that_name(
    open_inbox, sandbox, send, message, bubble
):
    message_id = send(message(text={"body": "first of *two*"}))
    send(message(text={"body": "second of *two*"}))
    send(message(recipient="5511912345678", text={"body": "another"}))
    page = open_inbox("")
    rows = page.locator("nav .conversation")
    expect(rows.locator(".name")).to_have_text(["+5511912345678", "+8614718004557"])
    expect(rows.locator(".last")).to_have_text(["another", "second of two"])
    expect(rows.locator(".count")).to_have_text(["1", "2"])
    assert re.fullmatch(r"\d\d:\d\d", rows.locator("time").first.text_content())
    rows.nth(1).click()
    page.locator("article").first.wait_for()
    expect(page.locator("article .words")).to_have_text(["first of two", "second of two"])
    expect(page.locator("main h2")).to_have_text("+8614718004557")
    expect(page.locator("main header")).to_contain_text("2 messages · from +91856321321")
    expect(page.locator("main header .window")).to_have_text("24-hour window open")
    shown = bubble(page, message_id)
    expect(shown.locator(".id")).to_have_text(message_id)
    at = sandbox.messages[0].at
    expect(shown.locator("time")).to_have_text(at.strftime("%H:%M"))
    assert shown.locator("time").get_attribute("datetime")[:19] == at.isoformat()[:19]


def test_a_location_leads_to_a_map_unless_it_is_no_place(open_inbox, send, sample, message, bubble):
    page = open_inbox()
    link = bubble(page, send(sample("location"))).get_by_role("link", name="Map of 深圳")
    assert link.get_attribute("href") == (
        "https://www.openstreetmap.org/?mlat=62.636152267456&mlon=104.056640625"
        "#map=15/62.636152267456/104.056640625"
    )
    assert link.get_attribute("rel") == "noopener noreferrer"
    location = {"longitude": "x&y", "latitude": "1", "name": "Nowhere", "address": "-"}
    shown = bubble(page, send(message(type="location", location=location)))
    shown.get_by_text("Nowhere").wait_for()
    expect(shown.get_by_role("link")).to_have_count(0)


def test_a_whatsapp_template_shows_its_parameters(open_inbox, send, template_message, files, bubble):
    components = [
        {"type": "header", "parameters": [{"type": "image", "image": {"link": files.link("chart.png")}}]},
        {
            "type": "body",
            "parameters": [
                {"type": "text", "text": "load_sales"},
                {"type": "currency", "currency": {"fallback_value": "$100.99", "code": "USD"}},
                {"type": "date_time", "date_time": {"fallback_value": "25 February"}},
            ],
        },
        {
            "type": "button",
            "sub_type": "url",
            "index": "0",
            "parameters": [{"type": "text", "text": "runs/12"}],
        },
    ]
    body = template_message(name="pipeline_alert", language={"code": "en_GB"}, components=components)
    shown = bubble(open_inbox(body["recipient"]), send(body))
    shown.get_by_text("pipeline_alert").wait_for()
    expect(shown).to_contain_text("WhatsApp template · en_GB")
    expect(shown.locator("dt")).to_have_text(["{{1}}", "{{2}}", "{{3}}"])
    expect(shown.locator("dd")).to_have_text(["load_sales", "$100.99", "25 February"])
    assert shown.locator("img").get_attribute("src") == files.link("chart.png")
    expect(shown).to_contain_text("…/runs/12")


def test_a_reply_quotes_what_it_answers_and_what_is_out_of_the_ordinary_stands_below_the_message(
    open_inbox, sandbox, wire, send, message, bubble
):
    send(message(text={"body": "Load again?"}))
    reply = wire.control("POST", "replies", json={"recipient": "8614718004557", "text": "Yes, *please*"})
    answered = send(message(text={"body": "Done"}, context={"refMessageId": reply.json()["id"]}))
    sandbox.fail_next(http_status=503, accept=True)
    wire.custom(message(extra=1))
    page = open_inbox()
    expect(bubble(page, answered).locator(".quoted")).to_have_text("RecipientYes, please")
    expect(bubble(page, sandbox.messages[-1].id).locator(".note")).to_have_text(
        [
            "unknown key extra",
            "The sender does not know that it was accepted: the answer was HTTP 503",
        ]
    )


def test_any_json_and_any_text_is_shown_somehow(open_inbox, sandbox, send, wire, message, bubble):
    odd = {"body": {"text": ["not", "a text"]}, "type": "button", "action": {"buttons": "none"}}
    first = send(message(type="interactive", interactive=odd))
    second = send(message(type="contacts", contacts=[{"name": 5}, 7]))
    texts = {"zh": "数据已加载 🎉", "ar": "تم تحميل *42* صفا 👩‍👩‍👧", "mixed": "🇨🇳 42 rows"}
    ids = {name: send(message(text={"body": text})) for name, text in texts.items()}
    raw = b'{"appId":"DGziZf5u","businessPhone":"91856321321","recipient":"8614718004557","channelType":0,'
    assert wire.custom(raw + rb'"type":"text","text":{"body":"half \ud83d"}}').json()["status"] == "0"
    page = open_inbox()
    bubble(page, first).locator(".note").first.wait_for()
    bubble(page, second).get_by_text("Contact without a name").first.wait_for()
    shown = {name: bubble(page, message_id).locator(".words") for name, message_id in ids.items()}
    for name, text in texts.items():
        expect(shown[name]).to_have_text(text.replace("*", ""))
    direction = "node => getComputedStyle(node).direction"
    assert shown["ar"].evaluate(direction) == "rtl"
    assert shown["zh"].evaluate(direction) == "ltr"
    expect(shown["ar"].locator("strong")).to_have_text("42")
    half = bubble(page, sandbox.messages[-1].id).locator(".words")
    assert half.text_content().startswith("half ")

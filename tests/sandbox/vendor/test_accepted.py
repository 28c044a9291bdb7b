"""What the sandbox accepts, and what it stores."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from airflow_provider_itnio.sandbox import Sandbox
from tests.tables import for_each

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.json"))
TOO_LONG = "interactive-location_request_message"


def sample(name):
    return json.loads((Path(__file__).parents[2] / "samples" / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def open_sandbox():
    """A sandbox that accepts any app id and business phone, since the samples have several."""
    with Sandbox(app_id=None, business_phone=None) as sandbox:
        yield sandbox


@pytest.fixture
def anyone(open_sandbox, wire_to):
    open_sandbox.clear()
    return wire_to(open_sandbox)


def test_all_samples_are_there():
    assert len(SAMPLES) == 12


@pytest.mark.parametrize(
    "path", [path for path in SAMPLES if path.stem != TOO_LONG], ids=lambda path: path.stem
)
def test_a_sample_of_the_vendors_page_is_accepted_and_stored_unchanged(anyone, path):
    answer = anyone.custom(path.read_bytes())
    assert answer.json()["status"] == "0", answer.text
    (message,) = anyone.sandbox.messages
    assert message.body == json.loads(path.read_bytes())
    assert message.type == path.stem.split("-")[0]
    assert message.recipient == message.body["recipient"]
    assert anyone.sandbox.requests[0].raw_body == path.read_bytes()


def test_the_sample_with_too_long_numbers_is_refused_as_documented(anyone):
    body = sample(TOO_LONG)
    assert anyone.custom(body).json()["status"] == "-70"
    body["recipient"] = body["recipient"][:13]
    assert anyone.custom(body).json()["status"] == "-93"
    body["businessPhone"] = int(str(body["businessPhone"])[:13])
    assert anyone.custom(body).json()["status"] == "0"


def test_an_acceptance_has_the_form_of_the_vendors_page(wire, message):
    before = int(time.time())
    answer = wire.custom(message())
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    whole = answer.json()
    assert list(whole) == ["status", "reason", "data"]
    assert (whole["status"], whole["reason"]) == ("0", "success")
    assert whole["data"]["channelType"] == 0
    assert re.fullmatch("[0-9a-f]{32}", whole["data"]["messageId"])
    assert before <= whole["data"]["timestamp"] <= time.time()


def test_a_stored_message_has_the_requests_values(wire, sandbox, message):
    given = wire.custom(message()).json()["data"]
    (kept,) = sandbox.messages
    assert kept.id == given["messageId"]
    assert (kept.type, kept.recipient, kept.text) == ("text", "91856321322", "42 rows loaded")
    assert kept.path == "/wa/custom/sendMsg"
    assert kept.body == message()
    assert kept.at.tzinfo is UTC
    assert abs((datetime.now(UTC) - kept.at).total_seconds()) < 10
    assert kept.notes == []


def test_every_message_has_a_unique_id(wire, sandbox, message):
    for _ in range(3):
        wire.custom(message())
    assert len({one.id for one in sandbox.messages}) == 3


WORDS = [
    ("text", {"body": "hello"}, "hello"),
    ("image", {"link": "https://a.b/c.png", "caption": "a chart"}, "a chart"),
    ("image", {"link": "https://a.b/c.png"}, "https://a.b/c.png"),
    ("audio", {"link": "https://a.b/c.ogg"}, "https://a.b/c.ogg"),
    ("video", {"link": "https://a.b/c.mp4", "caption": "a film"}, "a film"),
    ("sticker", {"link": "https://a.b/c.webp"}, "https://a.b/c.webp"),
    ("document", {"link": "https://a.b/c.pdf", "filename": "c.pdf"}, "c.pdf"),
    ("location", {"longitude": "1", "latitude": "2", "name": "深圳", "address": "龙岗区"}, "深圳, 龙岗区"),
    ("location", {"longitude": "1", "latitude": "2"}, "2, 1"),
    ("interactive", {"type": "button", "body": {"text": "Restart it?"}}, "Restart it?"),
    ("contacts", [{"name": {"formatted_name": "Ada"}}, {"name": {"formatted_name": "Li"}}], "Ada, Li"),
]


@for_each(("kind", "content", "words"), WORDS)
def test_the_text_of_a_message_is_its_main_content(wire, message, kind, content, words):
    assert wire.custom(message(type=kind, **{kind: content})).json()["status"] == "0"
    assert wire.sandbox.messages[0].text == words


TEMPLATE_WORDS = [
    ([], "new_shop"),
    (
        [{"type": "body", "parameters": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
        "new_shop: a, b",
    ),
    (
        [
            {"type": "header", "parameters": [{"type": "image", "image": {"link": "https://a.b/c.png"}}]},
            {
                "type": "body",
                "parameters": [
                    {
                        "type": "currency",
                        "currency": {"fallback_value": "$5", "code": "USD", "amount_1000": 5000},
                    },
                    {"type": "date_time", "date_time": {"fallback_value": "May 4"}},
                ],
            },
            {
                "type": "button",
                "sub_type": "quick_reply",
                "index": "0",
                "parameters": [{"type": "payload", "payload": "yes"}],
            },
        ],
        "new_shop: https://a.b/c.png, $5, May 4, yes",
    ),
    (
        [
            {
                "type": "header",
                "parameters": [{"type": "location", "location": {"latitude": "1", "longitude": "2"}}],
            }
        ],
        "new_shop: 1, 2",
    ),
]


@for_each(("components", "words"), TEMPLATE_WORDS)
def test_the_text_of_a_template_message_is_its_name_and_parameters(
    wire, sandbox, template_message, components, words
):
    assert wire.template(template_message(components=components)).json()["status"] == "0"
    (kept,) = sandbox.messages
    assert (kept.type, kept.text, kept.notes) == ("template", words, [])
    assert kept.path == "/wa/template/sendMsg"


def test_a_document_in_a_template_needs_no_file_name(wire, template_message):
    header = {
        "type": "header",
        "parameters": [{"type": "document", "document": {"link": "https://a.b/c.pdf"}}],
    }
    assert wire.template(template_message(components=[header])).json()["status"] == "0"


def test_the_balance_consists_of_strings_and_is_unlimited_by_default(wire, sandbox, message):
    before = wire.balance().json()
    wire.custom(message())
    assert before == {"status": "0", "reason": "success", "balance": "1000.00", "gift": "0", "credit": "0"}
    assert wire.balance().json() == before
    assert sandbox.balance is None


def test_a_finite_balance_is_reduced_by_accepted_messages(start_sandbox, wire_to, message):
    wire = wire_to(start_sandbox(balance="0.12", price="0.05"))
    assert [wire.custom(message()).json()["status"] for _ in range(3)] == ["0", "0", "-68"]
    assert wire.balance().json()["balance"] == "0.02"
    assert len(wire.sandbox.messages) == 2
    assert "0.02" in wire.sandbox.refused[0].why


def test_text_in_any_script_is_stored_unchanged(wire, sandbox, message):
    text = "深圳 ✅ مرحبا \U0001f680 \x00"
    wire.custom(message(text={"body": text}))
    assert sandbox.messages[0].text == text
    assert wire.control("GET", "messages").json()[0]["text"] == text

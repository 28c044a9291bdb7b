"""The vendor's samples, given as the operator's parameters, are sent unchanged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tables import for_each

SAMPLES = Path(__file__).parent.parent / "samples"
# A mistake of the page: this sample's numbers are longer than the page allows.
NUMBERS = {"interactive-location_request_message": ("91856321321", "91856321322")}


@pytest.fixture
def any_account(sandbox, monkeypatch):
    """A sandbox account with every app id and number in the samples."""
    monkeypatch.setattr(sandbox._vendor.account, "app_ids", None)
    monkeypatch.setattr(sandbox._vendor.account, "business_phones", None)


@for_each("name", sorted(file.stem for file in SAMPLES.glob("*.json")))
@pytest.mark.usefixtures("connection", "any_account")
def test_a_sample_is_sent_unchanged(name, send, sandbox):
    sample = json.loads((SAMPLES / f"{name}.json").read_text())
    kind = sample.setdefault("type", "location")
    sample["businessPhone"] = str(sample["businessPhone"])
    if name in NUMBERS:
        sample["businessPhone"], sample["recipient"] = NUMBERS[name]
    receipt = send(
        recipient=sample["recipient"],
        business_phone=sample["businessPhone"],
        app_id=sample["appId"],
        reply_to=sample.get("context", {}).get("refMessageId"),
        **{kind: sample[kind]},
    )
    (request,) = sandbox.requests
    assert json.loads(request.raw_body) == sample
    assert receipt["type"] == kind


@pytest.mark.usefixtures("connection")
def test_a_whatsapp_template_goes_to_its_own_endpoint_without_a_type(send, sandbox):
    template = {"name": "daily_report", "language": {"code": "en"}}
    send(template=template)
    (request,) = sandbox.requests
    assert request.path == "/wa/template/sendMsg"
    assert "type" not in request.body
    assert request.body["template"] == template

"""The request samples of the vendor's page, each sent as the fields a DAG author writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from airflow_provider_itnio.api.models import Message, message_from
from airflow_provider_itnio.api.protocol import Protocol
from airflow_provider_itnio.api.signing import Credentials
from tests.tables import for_each

SAMPLES = sorted((Path(__file__).parents[1] / "samples").glob("*.json"))


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


def kind_of(sample: dict[str, Any]) -> str:
    return sample.get("type", "location")  # the location sample lacks its type


def message_of(sample: dict[str, Any]) -> Message:
    kind = kind_of(sample)
    return message_from({kind: sample[kind], "reply_to": sample.get("context", {}).get("refMessageId")})


def test_there_is_a_sample_of_each_type() -> None:
    names = {path.stem for path in SAMPLES}
    assert names == {
        "text", "text-reply", "image", "audio", "video", "document", "sticker", "location",
        "interactive-list", "interactive-button", "interactive-location_request_message", "contacts",
    }  # fmt: skip


@for_each("path", SAMPLES)
def test_a_samples_content_is_sent_byte_for_byte(path: Path) -> None:
    sample = read(path)
    written = json.dumps(sample[kind_of(sample)], ensure_ascii=False, separators=(",", ":")).encode()
    assert to_json(message_of(sample).content, exclude_none=True) == written


@for_each("path", SAMPLES)
def test_a_samples_body_is_sent_unchanged_except_for_the_pages_mistakes(path: Path) -> None:
    sample = read(path)
    request = Protocol(Credentials("key", "secret")).message_request(
        message_of(sample),
        recipient=str(sample["recipient"]),
        app_id=sample["appId"],
        business_phone=str(sample["businessPhone"]),
    )
    slips = {"type": kind_of(sample), "businessPhone": str(sample["businessPhone"])}
    assert json.loads(request.body or b"") == sample | slips
    assert (request.method, request.path) == ("POST", "wa/custom/sendMsg")


def test_the_sample_of_the_template_page_is_sent_unchanged() -> None:
    sample = {
        "appId": "xJdRmKR3",
        "channelType": 0,
        "recipient": "91856321432",
        "businessPhone": "91856321412",
        "template": {
            "components": [{"type": "body", "parameters": [{"type": "text", "text": "9.1日开业大吉"}]}],
            "language": {"code": "zh_TW"},
            "name": "new_shop",
        },
    }
    request = Protocol(Credentials("key", "secret")).message_request(
        message_from({"template": sample["template"]}),
        recipient="91856321432",
        app_id="xJdRmKR3",
        business_phone="91856321412",
    )
    assert json.loads(request.body or b"") == sample
    assert request.path == "wa/template/sendMsg"

# ruff: noqa: E501 - in tables a row is a line
from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic_core import to_json

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.api.models import message_from
from tests.api.fields import (
    LINK,
    currency,
    header,
    interactive,
    list_action,
    list_row,
    location,
    reply_button,
    row,
    template,
    url_button,
)


def content(fields: dict[str, Any], **options: Any) -> Any:
    """The message's content as the JSON that is sent."""
    return json.loads(to_json(message_from(fields, **options).content, exclude_none=True))


def problems(fields: Any, **options: Any) -> list[str]:
    with pytest.raises(InvalidMessageError) as caught:
        message_from(fields, **options)
    assert str(caught.value) == "; ".join(caught.value.problems)
    return list(caught.value.problems)


PARAMETERS = "template.components[0].parameters"
ONE_LINE = "must not contain line breaks, tabs or more than four spaces in a row, as WhatsApp requires"
KNOWN = "text, image, audio, video, document, sticker, location, interactive, contacts, template"
DEGREES = "must be decimal degrees from -180 to 180"
NO_LINK = "must be an http:// or https:// link"
FETCHED = (
    "; WhatsApp fetches the link itself and can't read your files or buckets: "
    "give a public https:// link, or give a file in object storage as "
    '{"object": "s3://conn@bucket/report.pdf"}, which is signed before it is sent'
)


# --- keys: required, unknown, optional ------------------------------------------------------------------

WHOLE_CONTACT = {
    "addresses": [
        {"street": "S", "city": "C", "state": "T", "zip": "Z", "country": "L", "country_code": "LL", "type": "HOME"}
    ],
    "birthday": "1995-01-11",
    "emails": [{"email": "a@b.example", "type": "WORK"}],
    "name": {
        "formatted_name": "A",
        "first_name": "B",
        "last_name": "C",
        "middle_name": "D",
        "suffix": "E",
        "prefix": "F",
    },
    "org": {"company": "A", "department": "B", "title": "C"},
    "phones": [{"phone": "1", "type": "WORK", "wa_id": "2"}],
    "urls": [{"url": "https://a.example", "type": "WORK"}],
}  # fmt: skip
WHOLE_DATE = {
    "fallback_value": "F",
    "day_of_week": 5,
    "year": 1977,
    "month": 2,
    "day_of_month": 25,
    "hour": 15,
    "minute": 33,
    "calendar": "GREGORIAN",
}
PLACE = {"latitude": "1", "longitude": "2", "name": "N", "address": "A"}

WHOLE = {
    "text": {"text": {"body": "a"}},
    "image": {"image": {"link": LINK, "caption": "a"}},
    "audio": {"audio": {"link": LINK}},
    "video": {"video": {"link": LINK, "caption": "a"}},
    "document": {"document": {"link": LINK, "filename": "a", "caption": "a"}},
    "sticker": {"sticker": {"link": LINK}},
    "location": location(link="https://a.example"),
    "buttons": interactive(header={"type": "text", "text": "H"}, footer={"text": "F"}),
    "list": list_row(description="D")
    | interactive(
        "list",
        header={"type": "text", "text": "H"},
        footer={"text": "F"},
        action=list_action(sections=[{"title": "S", "rows": [row(description="D")]}]),
    ),
    "location request": interactive("location_request_message", action={"name": "send_location"}),
    "contacts": {"contacts": [WHOLE_CONTACT]},
    "template with texts": template(
        {"type": "header", "parameters": [{"type": "text", "text": "a"}]},
        {"type": "body", "parameters": [{"type": "text", "text": "a"}, currency(), {"type": "date_time", "date_time": WHOLE_DATE}]},
        url_button(),
        reply_button(),
    ),
    "template with an image": header(type="image", image={"link": LINK}),
    "template with a video": header(type="video", video={"link": LINK}),
    "template with a document": header(type="document", document={"link": LINK, "filename": "a.pdf"}),
    "template with a place": header(type="location", location=PLACE),
}  # fmt: skip

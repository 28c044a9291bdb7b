"""The sandbox answers any JSON."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_itnio.sandbox.api_models import PushGiven, ReplyGiven, WebhookGiven, WindowGiven, read
from airflow_provider_itnio.sandbox.faults.fault import Fault
from airflow_provider_itnio.sandbox.responses import json_bytes
from airflow_provider_itnio.sandbox.status_codes import CODES, SEND_CODES
from airflow_provider_itnio.sandbox.summary import summary_of
from airflow_provider_itnio.sandbox.vendor.account import Account
from airflow_provider_itnio.sandbox.vendor.schema import CUSTOM, INTERACTIVE
from airflow_provider_itnio.sandbox.vendor.validation import check_message
from tests.tables import for_each

KEYS = [
    *(
        "body",
        "text",
        "link",
        "type",
        "action",
        "header",
        "footer",
        "sections",
        "rows",
        "buttons",
        "reply",
        "id",
    ),
    *("title", "name", "formatted_name", "language", "code", "components", "parameters", "sub_type", "index"),
    *("longitude", "latitude", "image", "location", "currency", "fallback_value", "payload", "refMessageId"),
]
WORDS = [
    *CUSTOM,
    *INTERACTIVE,
    "header",
    "body",
    "button",
    "url",
    "quick_reply",
    "currency",
    "https://a.b/c",
    "reply",
]

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
anything = st.recursive(
    scalars | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=25,
)
ACCOUNT = Account("k", "s", None, None, None, Decimal(1))
SOUND = {"appId": "a", "businessPhone": "1234567", "recipient": "1234567", "channelType": 0}


@given(st.sampled_from(list(CUSTOM)), anything, anything)
def test_any_content_gets_a_documented_code_and_a_text(kind, content, context):
    body = SOUND | {"type": kind, kind: content, "context": context}
    verdict = check_message("/wa/custom/sendMsg", body, ACCOUNT)
    assert verdict.status in SEND_CODES
    assert bool(verdict.why) == (verdict.status != 0)
    assert isinstance(summary_of(kind, body), str)
    assert json_bytes(body)


@given(anything, st.lists(anything, max_size=3))
def test_any_template_gets_a_documented_code_and_a_text(template, components):
    if isinstance(template, dict):
        template = {"name": "n", "language": {"code": "en"}} | template | {"components": components}
    body = SOUND | {"template": template}
    assert check_message("/wa/template/sendMsg", body, ACCOUNT).status in SEND_CODES
    assert isinstance(summary_of("template", body), str)


@given(
    st.dictionaries(st.sampled_from([*SOUND, "type", "text", "template"]), anything),
    st.sampled_from(list(CODES)[:2]),
)
def test_any_other_fields_get_a_documented_code(body, path):
    assert check_message(path, body, ACCOUNT).status in SEND_CODES


@given(st.dictionaries(st.sampled_from(list(Fault.model_fields)), anything, max_size=4) | anything)
def test_any_fault_is_parsed_or_refused_with_a_value_error(given_json):
    with suppress(ValueError):
        assert isinstance(read(Fault, given_json), Fault)


@pytest.mark.parametrize("model", [PushGiven, ReplyGiven, WebhookGiven, WindowGiven])
@given(data=st.data())
def test_any_input_of_the_json_api_is_parsed_or_refused_naming_the_field(model, data):
    names = [field.alias or name for name, field in model.model_fields.items()]
    given_json = data.draw(st.dictionaries(st.sampled_from([*names, "other"]), anything) | anything)
    refused = ""
    try:
        read(model, given_json)
    except ValueError as wrong:
        refused = str(wrong)
    begins = (*names, "give an object with ", "reply: give exactly one of ")
    assert not refused or refused.startswith(begins) or ": unknown field; there are " in refused


@for_each("opening", ["[", '{"a":'])
@for_each(("levels", "status"), [(98, "0"), (99, "-7"), (965, "-7"), (970, "-7"), (100_000, "-7")])
def test_deeply_nested_json_is_refused(wire, sandbox, message, opening, levels, status):
    closing = {"[": "]", '{"a":': "}"}[opening]
    extra = opening * levels + "1" + closing * levels
    raw = json.dumps(message()).replace('"42 rows loaded"', f'"42", "extra": {extra}').encode()
    assert wire.custom(raw).json()["status"] == status
    for path in ("messages", "requests", "refused", "inbox.html"):
        assert wire.control("GET", path).status_code == 200

"""Every documented status code that a server can decide."""

from __future__ import annotations

import json

import pytest

from airflow_provider_itnio.sandbox.status_codes import BALANCE_CODES, CODES, SEND_CODES
from tests.tables import for_each

CUSTOM = "/wa/custom/sendMsg"
TEMPLATE = "/wa/template/sendMsg"
BALANCE = "/sms/getBalance"

LINKED = {
    "image": (-116, -117),
    "audio": (-118, -119),
    "video": (-120, -121),
    "sticker": (-122, -123),
    "document": (-124, -125),
}

CUSTOM_REFUSALS = [
    (-10, {"appId": None}, "appId is missing"),
    (-10, {"appId": ""}, "appId is missing"),
    (-10, {"appId": "other"}, "appId is none of the account's applications"),
    (-7, {"appId": {}}, "appId is an object, a text is needed"),
    (-70, {"recipient": "918563213221234"}, "recipient has 15 digits, at most 14"),
    (-71, {"recipient": "123456"}, "recipient has 6 digits, at least 7"),
    (-71, {"recipient": None}, "recipient is missing"),
    (-71, {"recipient": ""}, "recipient is missing"),
    (
        -72,
        {"recipient": "+91 8563-21"},
        "recipient contains ' ', '+', '-'; only the digits 0 to 9 may be sent",
    ),
    (-72, {"recipient": "٩١٨٥٦٣٢١٣٢٢"}, "only the digits 0 to 9"),
    (-72, {"recipient": 9185632132.5}, "recipient contains '.'"),
    (-7, {"recipient": ["91856321322"]}, "recipient is a list, a text is needed"),
    (-93, {"businessPhone": "918563213211234"}, "businessPhone has 15 digits, at most 14"),
    (-94, {"businessPhone": 123456}, "businessPhone has 6 digits, at least 7"),
    (-94, {"businessPhone": None}, "businessPhone is missing"),
    (-95, {"businessPhone": "+91856321321"}, "businessPhone contains '+'"),
    (-96, {"businessPhone": "91856321320"}, "businessPhone is none of the account's numbers"),
    (-112, {"channelType": 1}, "channelType is not 0"),
    (-112, {"channelType": None}, "channelType is missing"),
    (-112, {"channelType": False}, "channelType is not 0"),
    (-114, {"text": None}, "text is missing or empty"),
    (-115, {"text": {}}, "text.body is missing or empty"),
    (-115, {"text": {"body": ""}}, "text.body is missing or empty"),
    (-7, {"text": "hello"}, "text is a text, an object is needed"),
    (-7, {"text": {"body": ["hello"]}}, "text.body is a list, a text is needed"),
    *((code, {"type": kind}, f"{kind} is missing") for kind, (code, _) in LINKED.items()),
    *(
        (code, {"type": kind, kind: {"link": ""}}, f"{kind}.link is missing")
        for kind, (_, code) in LINKED.items()
    ),
    *((-133, {"type": kind, kind: {"link": "abc.com/a"}}, f"{kind}.link is not an http") for kind in LINKED),
    (-127, {"type": "location"}, "location is missing or empty"),
    (-128, {"type": "location", "location": {"latitude": "1"}}, "location.longitude is missing"),
    (-129, {"type": "location", "location": {"longitude": "1"}}, "location.latitude is missing"),
    (
        -7,
        {"type": "location", "location": {"longitude": []}},
        "location.longitude is a list, a text is needed",
    ),
    (-132, {"type": "poll"}, "type is none of text, image"),
    (-132, {"type": ""}, "type is none of text, image"),
    (-132, {"type": 7}, "type is none of text, image"),
    (-132, {"type": None, "text": None}, "type is missing; it is one of text, image"),
    (-132, {"type": None, "image": {"link": "https://a.b"}}, "type is missing; it is one of"),
    (-132, {"type": None}, "type is missing; it is one of"),
    (-132, {"type": None, "location": {"longitude": "1", "latitude": "2"}}, "type is missing; it is one of"),
    (
        -132,
        {"type": "template", "template": {"name": "x"}},
        "a WhatsApp template goes to /wa/template/sendMsg",
    ),
]

TEMPLATE_REFUSALS = [
    (-8, {"name": None}, "template.name is missing"),
    (-8, {"language": None}, "template.language is missing"),
    (-8, {"language": {}}, "template.language.code is missing"),
    (-7, {"language": "en"}, "template.language is a text, an object is needed"),
    (
        -134,
        {"components": [{"type": "body", "parameters": [{"text": "a"}]}]},
        "parameters[0].type is none of text",
    ),
    (-134, {"components": [{"type": "body", "parameters": ["a"]}]}, "components[0].parameters[0].type"),
    (
        -134,
        {"components": [{"type": "body", "parameters": [{"type": "image"}]}]},
        "text, currency, date_time",
    ),
    (-134, {"components": [{"type": "header", "parameters": [{"type": "payload"}]}]}, "text, image, video"),
    (
        -134,
        {
            "components": [
                {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "payload"}]}
            ]
        },
        "type is none of text",
    ),
    (
        -135,
        {"components": [{"type": "body", "parameters": [{"type": "text", "text": ""}]}]},
        "parameters[0].text",
    ),
    (
        -135,
        {"components": [{"type": "body", "parameters": [{"type": "currency"}]}]},
        "parameters[0].currency",
    ),
    (
        -135,
        {"components": [{"type": "header", "parameters": [{"type": "image", "image": {}}]}]},
        "image.link",
    ),
    (
        -133,
        {"components": [{"type": "header", "parameters": [{"type": "video", "video": {"link": "x"}}]}]},
        "video.link is not an http or https address",
    ),
]


@for_each(("code", "changes", "why"), CUSTOM_REFUSALS)
def test_an_invalid_custom_message_is_refused_with_the_documented_code(wire, message, code, changes, why):
    check_refusal(wire.custom(message(**changes)), wire.sandbox, code, why)


@for_each(("code", "changes", "why"), TEMPLATE_REFUSALS)
def test_an_invalid_template_is_refused_with_the_documented_code(wire, template_message, code, changes, why):
    check_refusal(wire.template(template_message(**changes)), wire.sandbox, code, why)


def check_refusal(answer, sandbox, code, why):
    assert answer.status_code == 200
    assert answer.json() == {"status": str(code), "reason": SEND_CODES[code].meaning}
    (refused,) = sandbox.refused
    assert (refused.status, refused.meaning) == (code, SEND_CODES[code].meaning)
    assert refused.path == sandbox.requests[0].path
    assert why in refused.why
    assert refused.body == sandbox.requests[0].body
    assert sandbox.messages == []


@for_each(
    "link",
    [
        "ftp://a.b/c",
        "https://",
        "https:///c",
        "https://a b/c",
        "http://[::1",
        "http://a:x/",
        "//a.b/c",
        "https://a.b/c\nd",
    ],
)
def test_a_link_without_an_http_url_is_refused(wire, message, link):
    assert wire.custom(message(type="image", image={"link": link})).json()["status"] == "-133"


@for_each("link", ["http://a.b", "https://a.b:8443/c?d=e#f", "https://深圳.cn/图.png", "HTTPS://A.B/C"])
def test_a_link_with_an_http_url_is_accepted(wire, message, link):
    assert wire.custom(message(type="image", image={"link": link})).json()["status"] == "0"


def test_a_custom_message_on_the_templates_path_is_refused_with_the_right_path(wire, sandbox, message):
    assert wire.template(message()).json()["status"] == "-8"
    assert "a custom message goes to /wa/custom/sendMsg" in sandbox.refused[0].why


@for_each(
    ("raw", "why"),
    [
        (b"", "the body is empty"),
        (b"{", "the body is not JSON: Expecting property name"),
        (b'{"a": 1 // sample\n}', "line 1, column 9"),
        (b"[1]", "the JSON is not an object"),
        (b'"hi"', "the JSON is not an object"),
        (b'{"a": NaN}', "NaN is no number of JSON"),
        (b'{"a": 1e999}', "1e999 is no number of JSON"),
        (b'{"a": ' + b"1" * 5000 + b"}", "the body is not JSON"),
        (b'{"a": "\xff"}', "the body is not UTF-8"),
        (b"[" * 200_000, "the JSON is nested too deeply"),
    ],
)
def test_a_body_that_is_not_a_json_object_is_refused(wire, sandbox, raw, why):
    assert wire.custom(raw).json()["status"] == "-7"
    assert why in sandbox.refused[0].why


def test_a_refusal_contains_no_whole_phone_number(wire, sandbox, message):
    wire.custom(message(recipient="918563213221234"))
    wire.custom(message(businessPhone="91856321320"))
    assert not any("9185632132" in one.why for one in sandbox.refused)


def test_the_first_failing_check_decides_the_code(wire, message):
    everything_wrong = {"appId": "x", "recipient": "1", "businessPhone": "1", "channelType": 9, "type": "x"}
    for name, code in [
        ("appId", -10),
        ("recipient", -71),
        ("businessPhone", -94),
        ("channelType", -112),
        ("type", -132),
    ]:
        assert wire.custom(message(**everything_wrong)).json()["status"] == str(code)
        del everything_wrong[name]


BY_FAULT_ONLY = {
    *(0, -1, -2, -4, -5, -6, -12, -13, -14, -16, -18, -30, -31, -32, -38, -44, -68, -69, -74, -76, -83, -97)
}


def test_every_code_of_the_send_page_is_tested_or_needs_a_fault():
    decided = {code for code, _, _ in CUSTOM_REFUSALS + TEMPLATE_REFUSALS}
    assert decided | BY_FAULT_ONLY == set(SEND_CODES)


@for_each(("path", "code"), [(path, code) for path, codes in CODES.items() for code in codes if code < 0])
def test_every_code_can_be_requested_with_a_fault(wire, sandbox, message, path, code):
    sandbox.fail_next(status=code)
    answer = wire.balance() if path == BALANCE else wire.post(path, message())
    meaning = (BALANCE_CODES if path == BALANCE else SEND_CODES)[code].meaning
    assert answer.json() == {"status": str(code), "reason": meaning}
    (refused,) = sandbox.refused
    assert (refused.status, refused.meaning) == (code, meaning)
    assert refused.why == "a fault was asked for, by fail_next or POST /sandbox/faults"


def test_an_account_may_have_several_app_ids_and_business_phones(start_sandbox, wire_to, message):
    wire = wire_to(start_sandbox(app_id=["one", "two"], business_phone=[17376111187, "91856321321"]))
    for app, phone, status in [
        ("one", "17376111187", "0"),
        ("two", 91856321321, "0"),
        ("DGziZf5u", "17376111187", "-10"),
        ("two", "17376111188", "-96"),
    ]:
        assert wire.custom(message(appId=app, businessPhone=phone)).json()["status"] == status
    assert (wire.sandbox.app_id, wire.sandbox.business_phone) == ("one", "17376111187")


def test_an_account_without_an_app_id_is_refused(start_sandbox):
    with pytest.raises(ValueError, match="at least one"):
        start_sandbox(app_id=[])


def test_json_with_any_whitespace_is_read(wire, message):
    assert wire.custom(json.dumps(message(), indent=4).encode()).json()["status"] == "0"

"""Api-Key, Sign and Timestamp: what is checked, and how a failure is explained."""

from __future__ import annotations

import hashlib
import time

import pytest

from airflow_provider_itnio.sandbox import Sandbox
from airflow_provider_itnio.sandbox.vendor.signature import problem_of_sign, sign_of
from tests.tables import for_each

KEY, SECRET = "bDqJFiq9", "7bz1lzh9"


TIMESTAMP = "1700000000"


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def wrong_headers(**wrong):
    headers = {"Api-Key": KEY, "Timestamp": TIMESTAMP, "Sign": md5(f"{KEY}{SECRET}{TIMESTAMP}")}
    return {name: value for name, value in (headers | wrong).items() if value is not None}


def now():
    return str(int(time.time()))


def test_the_documentations_example_gives_the_documented_sign():
    assert sign_of(KEY, SECRET, "1630468800") == "05d7a50893e22a5c4bb3216ae3396c7c"


def test_the_sign_is_case_insensitive(wire):
    headers = wire.headers()
    headers["Sign"] = headers["Sign"].upper()
    assert wire.balance(headers).json()["status"] == "0"


@pytest.mark.parametrize("path", ["/wa/custom/sendMsg", "/wa/template/sendMsg", "/sms/getBalance"])
def test_every_endpoint_checks_the_sign(wire, sandbox, message, path):
    headers = wire.headers(Sign="0" * 32)
    answer = wire.balance(headers) if path == "/sms/getBalance" else wire.post(path, message(), headers)
    assert answer.json() == {"status": "-1", "reason": "authentication failed"}
    assert sandbox.messages == []


@pytest.mark.parametrize("name", ["Api_Key", "Sign", "Timestamp"])
def test_a_missing_header_is_named(wire, sandbox, name):
    assert wire.balance(wire.headers(**{name: None})).json()["status"] == "-1"
    assert sandbox.refused[0].why == f"the {name.replace('_', '-')} header is missing"


WRONG_KEYS = [
    ("someone", "the Api-Key is not known; it has 7 characters, the known one has 8"),
    (KEY.lower(), "letter case, blanks or quotation marks differ"),
    (f'"{KEY}"', "letter case, blanks or quotation marks differ"),
    (SECRET, "key and secret are swapped"),
]


@for_each(("key", "why"), WRONG_KEYS)
def test_a_wrong_key_is_explained(wire, sandbox, key, why):
    assert wire.balance(wire.headers(api_key=key)).json()["status"] == "-1"
    assert why in sandbox.refused[0].why


WRONG_SIGNS = [
    (lambda t: md5(KEY + "other" + t), "that is another one, or the Sign is made in another way"),
    (
        lambda t: md5(SECRET + KEY + t),
        "over secret + Api-Key + timestamp; the vendor asks for Api-Key + secret",
    ),
    (lambda t: md5(t + KEY + SECRET), "over timestamp + Api-Key + secret"),
    (lambda t: md5(f"{KEY}:{SECRET}:{t}"), "joined with ':'"),
    (lambda t: md5(f"{KEY}\n{SECRET}\n{t}"), r"joined with '\n'"),
    (lambda t: md5(KEY + SECRET), "without the timestamp"),
    (lambda t: md5(SECRET + t), "without the Api-Key"),
    (lambda t: md5(KEY + t), "without the secret"),
    (lambda t: md5(KEY + SECRET + "\n" + t), "a line break or quotation marks around the secret"),
    (lambda t: md5(f"{KEY}{SECRET}{t}123"), "not the text that was hashed: that was in milliseconds"),
    (lambda t: md5(f"{KEY}{SECRET}{t}.0"), "with a decimal point"),
    (lambda t: md5(f"{KEY}{SECRET}{int(t) - 1}"), "not the text that was hashed: that was 1 s away"),
    (lambda t: md5(f"{KEY}{SECRET}{int(t) + 40}"), "that was 40 s away; read the clock once per request"),
    (lambda t: hashlib.sha256(t.encode()).hexdigest(), "the Sign has the length of SHA-256"),
    (lambda t: "z" * 32, "the Sign is not 32 hex digits"),
    (lambda t: "é" * 32, "the Sign is not 32 hex digits"),
    (lambda t: "Z" * 64, "the Sign is not 32 hex digits"),
]


@for_each(("sign", "why"), WRONG_SIGNS)
def test_a_wrong_sign_is_explained(wire, sandbox, sign, why):
    timestamp = now()
    headers = wire.headers(timestamp)
    headers["Sign"] = sign(timestamp).encode("latin-1")
    assert wire.balance(headers).json()["status"] == "-1"
    assert why in sandbox.refused[0].why


ADVICE = [
    (wrong_headers(Sign=None), "send Api-Key, Timestamp and Sign with each request"),
    (wrong_headers(**{"Api-Key": SECRET}), "swap login and password"),
    (wrong_headers(**{"Api-Key": KEY.lower()}), "exactly as the account has its Api-Key"),
    (wrong_headers(**{"Api-Key": "someone"}), "check the connection's Api-Key (login)"),
    (wrong_headers(Sign="0" * 32), "check the connection's Api-Key (login)"),
    (wrong_headers(Sign="0" * 64), "make the Sign of Api-Key + secret + timestamp, unseparated"),
    (wrong_headers(Sign="x"), "make the Sign of Api-Key + secret + timestamp, unseparated"),
    (wrong_headers(Sign=md5(f"{KEY}{TIMESTAMP}{SECRET}")), "make the Sign of Api-Key + secret + timestamp"),
    (wrong_headers(Sign=md5(f"{KEY}{TIMESTAMP}")), "make the Sign of Api-Key + secret + timestamp"),
    (wrong_headers(Sign=md5(f"{KEY}{SECRET} {TIMESTAMP}")), "take off what stands around the password"),
    (wrong_headers(Sign=md5(f"{KEY}{SECRET}1700000009")), "read the clock once for each request"),
]


@for_each(("headers", "advice"), ADVICE)
def test_the_advice_matches_the_mistake(wire, sandbox, headers, advice):
    assert wire.balance(headers).json()["status"] == "-1"
    assert advice in sandbox.refused[0].advice
    assert wire.control("GET", "refused").json()[0]["advice"] == sandbox.refused[0].advice


def test_seconds_hashed_under_a_timestamp_in_milliseconds_are_explained(wire, sandbox):
    seconds = now()
    assert (
        wire.balance(wire.headers(f"{seconds}000", Sign=md5(KEY + SECRET + seconds))).json()["status"] == "-1"
    )
    assert "that was in seconds, the header is in milliseconds" in sandbox.refused[0].why


def test_a_wrong_sign_with_an_invalid_timestamp_is_a_wrong_sign():
    headers = {"Api-Key": KEY, "Sign": "0" * 32, "Timestamp": "noon"}
    assert "does not match" in problem_of_sign(headers, KEY, SECRET).why


def test_no_explanation_contains_key_secret_or_sign(wire, sandbox):
    for headers in [
        *(wire.headers(api_key=key) for key, _ in WRONG_KEYS),
        *(wire.headers(now(), Sign=sign(now()).encode("latin-1")) for sign, _ in WRONG_SIGNS),
    ]:
        wire.balance(headers)
    whole = repr(sandbox.refused) + repr(sandbox.requests)
    assert len(sandbox.refused) == len(WRONG_KEYS) + len(WRONG_SIGNS)
    assert KEY not in whole
    assert SECRET not in whole
    assert md5(f"{KEY}other{sandbox.requests[-1].timestamp}") not in whole


CLOCKS = [
    (300_000_000, "300000000 s ahead of the server's clock; 300 s are accepted"),
    (-1_700_000_000, "1700000000 s behind the server's clock; 300 s are accepted"),
    (-301, "301 s behind the server's clock; 300 s are accepted"),
    (301, "301 s ahead of the server's clock; 300 s are accepted"),
    (-3600, "3600 s behind"),
]


@pytest.fixture(scope="module")
def noon():
    with Sandbox(clock=lambda: 1_700_000_000.0) as sandbox:
        yield sandbox


@pytest.mark.parametrize(("shift", "why"), CLOCKS)
def test_an_expired_timestamp_is_4_when_sending_and_16_for_the_balance(noon, wire_to, message, shift, why):
    noon.clear()
    wire = wire_to(noon)
    headers = wire.headers(str(1_700_000_000 + shift))
    assert wire.custom(message(), headers).json() == {"status": "-4", "reason": "timestamp expired"}
    assert wire.template(message(), headers).json() == {"status": "-4", "reason": "timestamp expired"}
    assert wire.balance(headers).json() == {"status": "-16", "reason": "timestamp expired"}
    assert all(why in one.why for one in noon.refused)
    assert all(one.sign_is_valid for one in noon.requests)
    assert all(one.advice.startswith("set the clock of the machine") for one in noon.refused)


@pytest.mark.parametrize("shift", [-300, 0, 300])
def test_a_timestamp_within_the_tolerance_is_accepted(noon, wire_to, shift):
    wire = wire_to(noon)
    assert wire.balance(wire.headers(str(1_700_000_000 + shift))).json()["status"] == "0"


@pytest.mark.parametrize(
    ("timestamp", "why"),
    [
        ("1700000000000", "the Timestamp header is in milliseconds; the vendor asks for seconds"),
        ("1700003600123", "the Timestamp header is in milliseconds; the vendor asks for seconds"),
        ("1700000000000000", "the Timestamp header is in microseconds; the vendor asks for seconds"),
        ("1700000000000000000", "the Timestamp header is in nanoseconds; the vendor asks for seconds"),
        ("28333333", "the Timestamp header is in minutes; the vendor asks for seconds"),
        ("20231114221320", "the Timestamp header is no count of Unix seconds, which has 10 digits"),
        ("1700000000.5", "the Timestamp header is not whole Unix seconds"),
        ("2023-11-14T22:13:20Z", "the Timestamp header is not whole Unix seconds"),
        ("9" * 30, "the Timestamp header is not whole Unix seconds"),
    ],
)
def test_a_timestamp_in_another_unit_is_explained(noon, wire_to, timestamp, why):
    noon.clear()
    wire = wire_to(noon)
    assert wire.balance(wire.headers(timestamp)).json()["status"] == "-16"
    assert noon.refused[0].why == why
    assert noon.refused[0].advice == "send whole Unix seconds as Timestamp, and hash the same text"


def test_the_tolerance_can_be_set(start_sandbox, wire_to):
    wire = wire_to(start_sandbox(clock_tolerance=5))
    assert wire.balance(wire.headers(str(int(time.time()) - 10))).json()["status"] == "-16"
    assert "5 s are accepted" in wire.sandbox.refused[0].why


def test_the_date_header_follows_the_sandboxs_clock(noon, wire_to, message):
    wire = wire_to(noon)
    for answer in (wire.balance(), wire.custom(message()), wire.control("GET", "messages")):
        assert answer.headers["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT"


def test_a_message_is_dated_by_the_sandboxs_clock(noon, wire_to, message):
    noon.clear()
    wire = wire_to(noon)
    answer = wire.custom(message(), wire.headers("1700000000")).json()
    assert answer["data"]["timestamp"] == 1_700_000_000
    assert noon.messages[0].at.isoformat() == "2023-11-14T22:13:20+00:00"


def test_the_order_of_checks_is_key_then_sign_then_clock_then_json(noon, wire_to):
    wire = wire_to(noon)
    for headers, status in [
        (wire.headers("1", api_key="x", Sign="x"), "-1"),
        (wire.headers("1", Sign="x"), "-1"),
        (wire.headers("1"), "-4"),
        (wire.headers("1700000000"), "-7"),
    ]:
        assert wire.custom(b"{", headers).json()["status"] == status

"""The JSON API under /sandbox/ and the log of requests."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from airflow_provider_itnio.sandbox.inbox.items import item
from tests.tables import for_each


def test_messages_are_listed_as_plain_json(wire, sandbox, message):
    wire.custom(message(extra=1))
    (kept,) = sandbox.messages
    assert wire.control("GET", "messages").json() == [
        {
            "id": kept.id,
            "type": "text",
            "recipient": "91856321322",
            "text": "42 rows loaded",
            "body": message(extra=1),
            "at": kept.at.isoformat(),
            "path": "/wa/custom/sendMsg",
            "notes": ["unknown key extra"],
            "statuses": [
                {"status": one.status, "at": one.at.isoformat(), "failure": ""} for one in kept.statuses
            ],
            "status": "read",
            "failure": "",
        }
    ]


def test_messages_can_be_filtered_by_recipient(wire, message):
    wire.custom(message())
    wire.custom(message(recipient="8614718004557"))
    found = wire.control("GET", "messages", params={"recipient": "+86 147-1800-4557"}).json()
    assert [one["recipient"] for one in found] == ["8614718004557"]
    assert wire.control("GET", "messages", params={"recipient": "5"}).json() == []


def test_clearing_messages_clears_refusals_and_requests_too(wire, sandbox, message):
    wire.custom(message())
    wire.custom(message(recipient="1"))
    sandbox.fail_next(status=-5)
    answer = wire.control("DELETE", "messages")
    assert (answer.status_code, answer.content) == (204, b"")
    for name in ("messages", "refused", "requests"):
        assert wire.control("GET", name).json() == []
    assert len(sandbox.faults) == 1


def test_refusals_are_listed_with_code_meaning_and_why(wire, message):
    wire.custom(message(recipient="123"))
    (refused,) = wire.control("GET", "refused").json()
    assert refused["status"] == -71
    assert refused["meaning"] == "recipient number is shorter than 7 digits"
    assert refused["why"] == "recipient has 3 digits, at least 7"
    assert refused["path"] == "/wa/custom/sendMsg"
    assert refused["body"]["recipient"] == "123"
    assert refused["headers"]["api-key"] == "***"


def test_requests_are_listed_with_what_was_received_and_answered(wire, sandbox, message):
    sandbox.fail_next(http_status=503, body="busy")
    headers = wire.headers()
    wire.custom(message(), headers)
    wire.balance()
    first, second = wire.control("GET", "requests").json()
    assert (first["method"], first["path"], first["http_status"]) == ("POST", "/wa/custom/sendMsg", 503)
    assert first["answer"] == "busy"
    assert first["cause"] == "a fault was asked for, by fail_next or POST /sandbox/faults"
    assert second["cause"] == ""
    assert json.loads(first["raw_body"]) == first["body"] == message()
    assert first["timestamp"] == headers["Timestamp"]
    assert (second["method"], second["answer"]["balance"], second["body"]) == ("GET", "1000.00", None)


def test_no_list_contains_key_secret_or_sign(wire, sandbox, message):
    headers = wire.headers(Authorization="Basic abc", Cookie="session=abc")
    wire.custom(message(), headers)
    wire.custom(message(), headers | {"Sign": "f" * 32})
    whole = repr(sandbox.messages) + repr(sandbox.requests) + repr(sandbox.refused)
    whole += "".join(wire.control("GET", name).text for name in ("messages", "requests", "refused"))
    whole += wire.session.get(sandbox.url).text
    for secret in (sandbox.api_key, sandbox.secret, headers["Sign"], "f" * 32, "Basic abc", "session=abc"):
        assert secret not in whole


def test_fingerprints_distinguish_signs_without_showing_them(wire, sandbox):
    once = wire.headers("1700000000")
    for headers in (once, once, wire.headers("1700000001"), wire.headers(Sign=None)):
        wire.balance(headers)
    one, same, other, missing = [seen.sign_fingerprint for seen in sandbox.requests]
    assert one == same != other
    assert (len(one), missing) == (12, "")


def test_sign_is_valid_is_set_even_if_a_fault_answered(wire, sandbox, message):
    sandbox.fail_next(2, http_status=503)
    wire.custom(message(), wire.headers("1"))
    wire.custom(message(), wire.headers(secret="other"))
    assert [(one.sign_is_valid, bool(one.cause)) for one in sandbox.requests] == [(True, True), (False, True)]


def test_headers_of_a_request_are_case_insensitive(wire, sandbox):
    wire.balance()
    headers = sandbox.requests[0].headers
    assert headers["Content-Type"] == headers["content-type"] == "application/json;charset=UTF-8"
    assert headers["Sign"] == headers["API-KEY"] == "***"


def test_a_body_over_1_mib_is_answered_with_413(wire, sandbox, message):
    room = (1 << 20) - len(json.dumps(message(text={"body": ""})))
    assert wire.custom(message(text={"body": "x" * room})).json()["status"] == "0"
    answer = wire.custom(message(text={"body": "x" * (room + 1)}))
    assert answer.status_code == 413
    assert "1048576 bytes" in answer.json()["error"]
    assert (sandbox.requests[1].http_status, sandbox.requests[1].raw_body) == (413, b"")
    assert wire.control("POST", "faults", data=b" " * (1 << 20) + b"{}").status_code == 413


def test_a_body_over_1_mib_without_content_length_is_answered_with_413(wire, sandbox):
    def parts():
        for _ in range(1025):
            yield b"x" * 1024

    answer = requests.post(
        sandbox.url + "/wa/custom/sendMsg", data=parts(), headers=wire.headers(), timeout=10
    )
    assert answer.status_code == 413


def test_a_client_that_disconnects_during_its_body_makes_no_request(wire, sandbox, message):
    leaving = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=5)
    leaving.putrequest("POST", "/wa/custom/sendMsg")
    leaving.putheader("Content-Length", "1000")
    leaving.endheaders(b"{")
    leaving.close()
    assert wire.custom(message()).json()["status"] == "0"
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/wa/custom/sendMsg", "POST"),
        ("PUT", "/wa/template/sendMsg", "POST"),
        ("POST", "/sms/getBalance", "GET"),
    ],
)
def test_a_wrong_method_is_answered_with_405_and_listed(wire, sandbox, method, path, allowed):
    sandbox.fail_next(status=-5)
    answer = wire.session.request(method, sandbox.url + path, headers=wire.headers(), timeout=5)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    assert (sandbox.requests[0].method, sandbox.requests[0].http_status) == (method, 405)
    assert len(sandbox.faults) == 1


@for_each(
    "path",
    [
        "/sandbox",
        "/sandbox/",
        "/favicon.ico",
        "/static/../app.py",
        "/static/inbox.html",
    ],
)
def test_other_paths_are_not_found(wire, sandbox, path):
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=5)
    connection.request("GET", path)
    assert connection.getresponse().status == 404
    connection.close()
    assert sandbox.requests == []


@for_each(
    ("method", "path"),
    [
        ("POST", "/v3/wa/custom/sendMsg"),
        ("POST", "/wa/custom/sendMsg/"),
        ("GET", "/v3/sms/getBalance"),
        ("POST", "/wa/custom/sendMessage"),
        ("POST", "/"),
    ],
)
def test_vendor_requests_to_a_wrong_path_are_listed(wire, sandbox, message, method, path):
    sandbox.fail_next(status=-5)
    body = message() if method == "POST" else None
    answer = wire.session.request(method, sandbox.url + path, headers=wire.headers(), json=body, timeout=5)
    assert answer.status_code == 404
    (seen,) = sandbox.requests
    assert (seen.method, seen.path, seen.http_status, seen.body) == (method, path, 404, body)
    assert seen.headers["Api-Key"] == "***"
    assert sandbox.messages == sandbox.refused == []
    assert len(sandbox.faults) == 1
    told = item(next(iter(sandbox._vendor.store.exchanges())))["failure"]
    assert told["meaning"] == "the answer was HTTP 404"
    assert told["advice"].startswith("write the host of the connection up to where the vendor's path begins")
    assert not told["by_fault"]


@pytest.mark.parametrize("path", ["/sandbox/nothing", "/sandbox", "/sandbox/wa/custom/sendMsg"])
def test_requests_to_unknown_sandbox_paths_are_not_listed(wire, sandbox, path):
    assert wire.session.post(sandbox.url + path, timeout=5).status_code == 404
    assert sandbox.requests == []


@for_each("name", ["messages", "replies"])
@for_each(
    ("query", "error"),
    [
        ("recpient=1", "recpient: unknown field; there are limit, after, recipient"),
        ("recipient=abc", "recipient: a phone number, 'abc' given"),
        ("recipient=", "recipient: a phone number, '' given"),
    ],
)
def test_an_invalid_filter_is_an_error(wire, name, query, error):
    answer = wire.control("GET", f"{name}?{query}")
    error += ", wait, timeout" if name == "messages" and "unknown" in error else ""
    assert (answer.status_code, answer.json()) == (400, {"error": error})


@pytest.mark.parametrize(("method", "name"), [("POST", "messages"), ("DELETE", "refused"), ("PUT", "faults")])
def test_other_methods_of_the_json_api_get_405(wire, method, name):
    assert wire.control(method, name).status_code == 405


def test_surrogates_do_not_break_a_list(wire, sandbox, message):
    raw = json.dumps(message()).replace("42 rows loaded", r"\ud83d").encode()
    assert wire.custom(raw).json()["status"] == "0"
    assert json.loads(wire.control("GET", "messages").content)[0]["text"] == "\ud83d"
    assert wire.session.get(sandbox.url).status_code == 200


def test_a_header_sent_twice_is_listed_twice(wire, sandbox):
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=5)
    connection.putrequest("GET", "/sms/getBalance")
    for name, value in [*wire.headers().items(), ("X-Trace", "1"), ("X-Trace", "2")]:
        connection.putheader(name, value)
    connection.endheaders()
    connection.getresponse().read()
    connection.close()
    assert sandbox.requests[0].headers.getlist("X-Trace") == ["1", "2"]
    assert wire.control("GET", "requests").json()[0]["headers"]["x-trace"] in ("1", "2", "1, 2")


def test_a_short_secret_does_not_mask_other_headers(start_sandbox, wire_to, message):
    sandbox = start_sandbox(api_key="k", secret="it's")
    wire_to(sandbox).custom(message(), {"ApiKey": "k", "Secret": "it's", "X-Trace": "kept, it's mine"})
    seen = sandbox.requests[0].headers
    assert [seen[name] for name in ("ApiKey", "Secret", "X-Trace")] == ["***", "***", "kept, it's mine"]


def test_key_secret_and_sign_are_masked_in_wrong_headers_too(wire, sandbox, message):
    headers = wire.headers()
    wrong = {
        "ApiKey": sandbox.api_key,
        "X-Secret": f"Bearer {sandbox.secret}",
        "Signature": headers["Sign"].upper(),
        "Timestamp": headers["Timestamp"],
        "X-Trace": "7",
    }
    wire.custom(message(), wrong)
    seen = sandbox.requests[0].headers
    assert [seen[name] for name in ("ApiKey", "X-Secret", "Signature", "X-Trace")] == [
        "***",
        "***",
        "***",
        "7",
    ]
    assert seen["timestamp"] == headers["Timestamp"]
    assert sandbox.secret not in repr(vars(sandbox)["_vendor"])


def test_a_list_of_messages_with_wait_returns_once_they_arrive(wire, message):
    with ThreadPoolExecutor(1) as beside:
        waiting = beside.submit(wire.control, "GET", "messages?wait=2&timeout=60")
        for number in range(2):
            wire.custom(message(text={"body": str(number)}))
        answer = waiting.result()
    assert [one["body"]["text"]["body"] for one in answer.json()] == ["0", "1"]
    assert wire.control("GET", "messages?wait=2&limit=1").links["next"]["url"]


def test_a_timeout_of_wait_is_an_error_that_lists_the_messages(wire, message):
    wire.custom(message())
    answer = wire.control("GET", "messages?wait=2&timeout=2")
    assert answer.status_code == 408
    assert answer.json()["error"].startswith("2 accepted messages were expected within 2 s, 1 came\n")


@for_each("query", ["wait=-1", "wait=two", "wait=1&timeout=61", "wait=1&timeout=x"])
def test_the_error_of_a_wait_out_of_range_gives_the_range(wire, query):
    answer = wire.control("GET", f"messages?{query}")
    assert answer.status_code == 400
    assert "a whole number from 0" in answer.json()["error"]

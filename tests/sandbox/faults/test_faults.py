"""Faults: the answers a test requests, in order."""

from __future__ import annotations

import threading
import time

import pytest
import requests

from airflow_provider_itnio.sandbox.api_models import read
from airflow_provider_itnio.sandbox.faults.fault import Fault, FaultQueue
from tests.tables import for_each

CUSTOM = "/wa/custom/sendMsg"
TEMPLATE = "/wa/template/sendMsg"
BALANCE = "/sms/getBalance"


def test_a_status_is_answered_like_the_vendor_count_times(wire, sandbox, message):
    sandbox.fail_next(2, status="-68")
    got = [wire.custom(message()).json() for _ in range(3)]
    assert got[0] == got[1] == {"status": "-68", "reason": "balance too low"}
    assert got[2]["status"] == "0"
    assert len(sandbox.messages) == 1


def test_a_reason_and_an_undocumented_code_can_be_requested(wire, sandbox, message):
    sandbox.fail_next(status=-999, reason="DST_LIMIT")
    assert wire.custom(message()).json() == {"status": "-999", "reason": "DST_LIMIT"}
    assert sandbox.refused[0].meaning == "a code that the vendor's page does not list"


def test_an_http_status_is_answered_with_its_headers_and_without_a_body(wire, sandbox, message):
    sandbox.fail_next(http_status=503, headers={"Retry-After": "1"})
    answer = wire.custom(message())
    assert (answer.status_code, answer.headers["Retry-After"], answer.content) == (503, "1", b"")
    assert (sandbox.messages, sandbox.refused) == ([], [])


def test_an_http_status_may_have_a_body_of_any_type(wire, sandbox, message):
    sandbox.fail_next(http_status=502, body="<h1>Bad gateway</h1>")
    sandbox.fail_next(http_status=429, body="slow", headers={"content-type": "text/plain"})
    page, text = wire.custom(message()), wire.custom(message())
    assert (page.status_code, page.text) == (502, "<h1>Bad gateway</h1>")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert (text.status_code, text.headers["Content-Type"]) == (429, "text/plain")


def test_an_http_status_may_have_a_vendor_status(wire, sandbox, message):
    sandbox.fail_next(http_status=400, status=-1)
    answer = wire.custom(message())
    assert (answer.status_code, answer.json()["status"]) == (400, "-1")


@pytest.mark.parametrize("http_status", [204, 304])
def test_an_http_status_without_a_body_gets_none(wire, sandbox, message, http_status):
    sandbox.fail_next(http_status=http_status, body="x")
    answer = wire.custom(message())
    assert (answer.status_code, answer.content) == (http_status, b"")
    assert wire.custom(message()).json()["status"] == "0"


def test_a_redirect_can_be_answered(wire, sandbox, message):
    sandbox.fail_next(http_status=302, headers={"Location": "https://other.example/"})
    assert wire.custom(message(), allow_redirects=False).headers["Location"] == "https://other.example/"


def test_a_body_that_is_not_json_has_http_200(wire, sandbox, message):
    sandbox.fail_next(body="<html>Please log in</html>")
    answer = wire.custom(message())
    assert (answer.status_code, answer.text) == (200, "<html>Please log in</html>")
    assert sandbox.requests[0].answer == "<html>Please log in</html>"


def test_a_body_may_be_bytes_and_larger_than_the_limit_for_requests(wire, sandbox, message):
    sandbox.fail_next(body=b"\xff" * (2 << 20))
    assert len(wire.custom(message()).content) == 2 << 20


@for_each("answer", [{"status": "0", "reason": "success"}, {"status": 200}, [], "ok", 0])
def test_any_json_can_be_answered(wire, sandbox, message, answer):
    sandbox.fail_next(answer=answer)
    assert wire.custom(message()).json() == answer
    assert sandbox.requests[0].answer == answer
    assert sandbox.messages == []


def test_null_can_be_requested_as_the_answer_through_the_json_api(wire, message):
    wire.fault(answer=None)
    assert wire.custom(message()).text == "null"


def test_a_delay_delays_the_answer_and_the_message_counts_at_once(wire, sandbox, message):
    sandbox.fail_next(delay=0.4)
    began = time.monotonic()
    with pytest.raises(requests.ReadTimeout):
        wire.session.post(sandbox.url + CUSTOM, json=message(), headers=wire.headers(), timeout=0.1)
    assert len(sandbox.messages) == len(sandbox.requests) == 1
    sandbox.fail_next(delay=0.3)
    assert wire.custom(message()).json()["status"] == "0"
    assert time.monotonic() - began >= 0.4


def test_a_delay_can_be_combined_with_a_failure(wire, sandbox, message):
    sandbox.fail_next(delay=0.2, status=-5)
    began = time.monotonic()
    assert wire.custom(message()).json()["status"] == "-5"
    assert time.monotonic() - began >= 0.2


def test_a_delayed_request_does_not_delay_others(wire, sandbox, message, wire_to):
    sandbox.fail_next(delay=3, recipient="8614718004557")
    late = threading.Thread(target=lambda: wire_to(sandbox).custom(message(recipient="8614718004557")))
    late.start()
    sandbox.wait_for(1)
    assert wire.custom(message()).json()["status"] == "0"
    assert late.is_alive()
    late.join()


@pytest.mark.parametrize(("drop", "kept"), [("before_accepting", 0), ("after_accepting", 1)])
def test_a_dropped_connection_has_no_answer_but_its_request_is_listed(wire, sandbox, message, drop, kept):
    sandbox.fail_next(drop=drop)
    with pytest.raises(requests.ConnectionError, match=r"without response|aborted|reset"):
        wire.custom(message())
    assert len(sandbox.messages) == kept
    (seen,) = sandbox.requests
    assert (seen.body, seen.answer, seen.http_status, bool(seen.cause)) == (message(), None, None, True)
    assert wire.custom(message()).json()["status"] == "0"


def test_a_connection_can_be_dropped_late(wire, sandbox, message):
    sandbox.fail_next(drop="after_accepting", delay=0.2)
    began = time.monotonic()
    with pytest.raises(requests.ConnectionError):
        wire.custom(message())
    assert time.monotonic() - began >= 0.2


def test_a_dropped_invalid_message_is_not_stored(wire, sandbox, message):
    sandbox.fail_next(drop="after_accepting")
    with pytest.raises(requests.ConnectionError):
        wire.custom(message(recipient="1"))
    assert sandbox.messages == []


@for_each("fault", [{"http_status": 500}, {"body": "x"}, {"status": -12}, {"answer": {"status": "0"}}])
def test_with_accept_a_message_is_stored_although_its_answer_is_a_failure(wire, sandbox, message, fault):
    sandbox.fail_next(**fault)
    sandbox.fail_next(**fault, accept=True)
    wire.custom(message())
    assert sandbox.messages == []
    wire.custom(message())
    assert len(sandbox.messages) == 1


def test_headers_only_are_added_to_the_usual_answer(wire, sandbox, message):
    sandbox.fail_next(headers={"Date": "Tue, 14 Nov 2023 22:13:20 GMT"})
    answer = wire.custom(message())
    assert answer.json()["status"] == "0"
    assert answer.headers["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert len(sandbox.messages) == 1


def test_faults_are_used_up_in_order(wire, sandbox, message):
    sandbox.fail_next(http_status=503)
    sandbox.fail_next(2, status=-5)
    sandbox.fail_next(status=-12)
    got = [wire.custom(message()) for _ in range(5)]
    assert [one.status_code for one in got] == [503, 200, 200, 200, 200]
    assert [one.json()["status"] for one in got[1:]] == ["-5", "-5", "-12", "0"]


def test_a_fault_can_be_for_one_endpoint(wire, sandbox, message, template_message):
    sandbox.fail_next(status=-18, path=BALANCE)
    sandbox.fail_next(status=-5, path=TEMPLATE)
    assert wire.custom(message()).json()["status"] == "0"
    assert wire.template(template_message()).json()["status"] == "-5"
    assert wire.balance().json()["status"] == "-18"


def test_a_fault_can_be_for_one_recipient_in_any_spelling(wire, sandbox, message):
    sandbox.fail_next(status=-69, recipient="+86 147-1800-4557")
    assert wire.balance().json()["status"] == "0"
    assert wire.custom(message()).json()["status"] == "0"
    assert wire.custom(b"[]").json()["status"] == "-7"
    assert wire.custom(message(recipient=8614718004557)).json()["status"] == "-69"


def test_a_fault_applies_to_a_request_that_would_be_refused_too(wire, sandbox, message):
    sandbox.fail_next(http_status=503)
    sandbox.fail_next(delay=0.01)
    assert wire.custom(message(recipient="1")).status_code == 503
    assert sandbox.refused == []
    assert wire.custom(message(recipient="1")).json()["status"] == "-71"
    assert len(sandbox.refused) == 1


def test_pending_faults_can_be_listed_and_deleted(wire, sandbox, message):
    sandbox.fail_next(3, status=-5, recipient="+91 85632 1322")
    wire.fault(http_status=503, headers={"Retry-After": 2}, body="busy", delay=0.5, accept=False)
    wire.fault(answer=[], path=CUSTOM)
    sandbox.fail_next(drop="before_accepting")
    waiting = [
        {"count": 3, "status": -5, "recipient": "9185632 1322".replace(" ", "")},
        {
            "count": 1,
            "http_status": 503,
            "headers": {"Retry-After": "2"},
            "body": "busy",
            "delay": 0.5,
            "accept": False,
        },
        {"count": 1, "answer": [], "path": CUSTOM},
        {"count": 1, "drop": "before_accepting"},
    ]
    assert sandbox.faults == wire.control("GET", "faults").json() == waiting
    assert wire.control("DELETE", "faults").status_code == 204
    assert sandbox.faults == wire.control("GET", "faults").json() == []
    assert wire.custom(message()).json()["status"] == "0"


def test_a_listed_fault_can_be_requested_again():
    fault = read(Fault, {"count": 2, "status": "-5", "reason": "r", "http_status": 500, "delay": 1})
    assert read(Fault, fault.as_json()) == fault


def test_a_list_of_faults_is_accepted_completely_or_not_at_all(wire, sandbox):
    answer = wire.control("POST", "faults", json=[{"status": -5}, {"status": -12, "count": 2}])
    assert (answer.status_code, answer.json()) == (201, sandbox.faults)
    assert [one["status"] for one in sandbox.faults] == [-5, -12]
    answer = wire.control("POST", "faults", json=[{"status": -5}, {"status": 1}])
    assert answer.status_code == 400
    assert len(sandbox.faults) == 2


BAD = [
    ({}, "fault: give at least one of status"),
    ({"count": 2}, "fault: give at least one of"),
    ("x", "give an object with count, status"),
    ([[]], "give an object with count, status"),
    ({"statuss": -5}, "statuss: unknown field; there are count, status"),
    *(({"count": value, "delay": 1}, "count: a whole number from 1") for value in (0, "2", True, 1.5, None)),
    *(({"status": value}, "status: a negative code") for value in (0, "0", 5, True, "abc", -1.5, None)),
    ({"reason": "r", "delay": 1}, "reason: only together with status"),
    ({"reason": 5, "status": -5}, "reason: a text"),
    *(({"http_status": value}, "http_status: a whole number from 200 to 599") for value in (199, 600, "503")),
    ({"headers": "x"}, "headers: an object"),
    ({"headers": {"a b": "x"}}, "headers: 'a b' is not a header name"),
    *(
        ({"headers": {"X": value}}, "headers: X needs a value of one line")
        for value in ("a\r\nb", " a", "深")
    ),
    ({"headers": {"Content-Length": "5"}}, "headers: the sandbox sets Content-Length itself"),
    ({"body": {"status": "0"}}, "body: a text"),
    ({"body": "x", "status": -5}, "body: not together with status"),
    ({"body": "x", "answer": {}}, "answer: not together with body"),
    *(({"delay": value}, "delay: seconds") for value in (0, -1, 601, "1", True)),
    ({"drop": "now"}, "drop: one of before_accepting, after_accepting"),
    ({"drop": "before_accepting", "status": -5}, "drop: not together with status"),
    ({"drop": "before_accepting", "http_status": 503}, "drop: not together with http_status"),
    ({"drop": "before_accepting", "headers": {"a": "b"}}, "drop: not together with headers"),
    ({"drop": "before_accepting", "accept": True}, "accept: contradicts drop before_accepting"),
    ({"drop": "after_accepting", "accept": False}, "accept: contradicts drop after_accepting"),
    ({"delay": 1, "accept": False}, "accept: only together with status, http_status, body, answer or drop"),
    ({"accept": 1, "status": -5}, "accept: true or false"),
    ({"path": "/wa", "status": -5}, "path: one of /wa/custom/sendMsg, /wa/template/sendMsg, /sms/getBalance"),
    ({"path": ["/wa"], "status": -5}, "path: one of"),
    *(({"recipient": value, "status": -5}, "recipient: a phone number") for value in ("", "abc", None, [])),
]


@for_each(("fault", "text"), BAD)
def test_the_error_of_an_invalid_fault_names_the_field(wire, sandbox, fault, text):
    answer = wire.control("POST", "faults", json=fault)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(text)
    assert sandbox.faults == []


@for_each("raw", [b"", b"{", b"\xff", b"[" * 200_000, b'{"delay": 1e999}'])
def test_a_fault_that_is_not_json_is_answered_with_400(wire, raw):
    assert wire.control("POST", "faults", data=raw).status_code == 400


def test_an_invalid_fault_in_fail_next_raises_at_once(sandbox):
    with pytest.raises(ValueError, match="status: a negative code"):
        sandbox.fail_next(status=5)


def test_many_threads_use_exactly_the_requested_faults():
    queue = FaultQueue()
    queue.add(Fault(count=300, status=-5), Fault(count=100, status=-6))
    taken = []

    def take():
        taken.extend(queue.take(CUSTOM, "") for _ in range(100))

    threads = [threading.Thread(target=take) for _ in range(5)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sum(one is not None for one in taken) == 400
    assert sum(one is not None and one.status == -5 for one in taken) == 300
    assert queue.waiting == []


@for_each("answer", [{1, 2}, object(), float("nan"), [float("inf")]])
def test_an_answer_that_is_not_valid_json_is_refused(sandbox, answer):
    with pytest.raises(ValueError, match="answer: must be valid as JSON"):
        sandbox.fail_next(answer=answer)
    assert sandbox.faults == []


def test_with_a_delay_only_a_test_number_decides_the_answer(wire, sandbox, message):
    sandbox.fail_next(delay=0.2, headers={"X-Trace": "7"})
    began = time.monotonic()
    answer = wire.custom(message(recipient="99910000068"))
    assert time.monotonic() - began >= 0.2
    assert (answer.json()["status"], answer.headers["X-Trace"]) == ("-68", "7")
    assert (sandbox.messages, sandbox.faults) == ([], [])


def test_with_a_delay_only_the_failing_share_decides_the_answer(start_sandbox, wire_to, message):
    sandbox = start_sandbox(fail=1.0)
    sandbox.fail_next(delay=0.01)
    assert wire_to(sandbox).custom(message()).json()["status"] == "-12"

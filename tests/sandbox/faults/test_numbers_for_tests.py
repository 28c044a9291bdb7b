"""Test numbers, over HTTP."""

from __future__ import annotations

import re
import time

import pytest
import requests

from airflow_provider_itnio.sandbox.faults.test_numbers import (
    TABLE,
    fault_of_number,
    meaning_of_number,
    outcome_of_number,
)
from tests.tables import for_each

BALANCE = "/sms/getBalance"


@pytest.mark.parametrize(("number", "status"), [("99910000068", "-68"), ("99910000005", "-5")])
def test_a_test_number_is_always_refused_with_its_code(
    wire, sandbox, message, template_message, number, status
):
    for _ in range(2):
        assert wire.custom(message(recipient=number)).json()["status"] == status
    template = template_message() | {"recipient": number}
    assert wire.template(template).json()["status"] == status
    assert sandbox.messages == []
    why = "test number +999 1 000 NNNN: refused with the code -NNNN"
    assert {one.why for one in sandbox.refused} == {one.cause for one in sandbox.requests} == {why}
    assert {str(one.status) for one in sandbox.refused} == {status}


def test_a_test_number_is_answered_late(wire, sandbox, message):
    began = time.monotonic()
    assert wire.custom(message(recipient="99920000001")).json()["status"] == "0"
    assert time.monotonic() - began >= 1
    assert len(sandbox.messages) == 1


@pytest.mark.parametrize(("number", "kept"), [("99930000001", 0), ("99930000002", 1)])
def test_a_test_number_drops_the_connection(wire, sandbox, message, number, kept):
    with pytest.raises(requests.ConnectionError):
        wire.custom(message(recipient=number))
    assert len(sandbox.messages) == kept


@for_each(("http_status", "retry_after"), [(400, None), (429, "1"), (500, None), (503, "1"), (599, None)])
def test_a_test_number_is_answered_with_an_http_status(wire, sandbox, message, http_status, retry_after):
    answer = wire.custom(message(recipient=f"99940000{http_status}"))
    assert (answer.status_code, answer.headers.get("Retry-After")) == (http_status, retry_after)
    assert sandbox.messages == []


def test_a_test_number_is_answered_with_a_web_page(wire, sandbox, message):
    answer = wire.custom(message(recipient="99950000001"))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert sandbox.messages == []


def test_a_test_number_is_answered_without_a_message_id(wire, sandbox, message):
    answer = wire.custom(message(recipient="99950000002"))
    assert answer.json() == {"status": "0", "reason": "success"}
    assert sandbox.messages == []


@for_each(
    "number",
    [
        "99910000000",
        "99920000000",
        "99920000601",
        "99930000003",
        "99940000399",
        "99940000600",
        "99950000003",
        "99960001000",
        "99970000000",
        "99970000004",
        "99910010001",
        "9991000006",
        "999100000681",
        "8614718004557",
        "",
    ],
)
def test_other_numbers_are_not_test_numbers(number):
    assert fault_of_number(number) is outcome_of_number(number) is None


@for_each("number", TABLE)
def test_each_test_number_has_its_meaning(number):
    example = re.sub("[A-Z]", "1", re.sub("[+ ]", "", number))
    assert meaning_of_number(example) == f"test number {number}: {TABLE[number]}"


def test_the_cause_of_an_answer_is_the_test_numbers_meaning(wire, sandbox, message):
    with pytest.raises(requests.ConnectionError):
        wire.custom(message(recipient="99930000001"))
    wire.custom(message(recipient="99940000503"))
    assert [one.cause for one in sandbox.requests] == [
        "test number +999 3 000 0001: the connection is dropped before the message is accepted",
        "test number +999 4 000 0HHH: answered HTTP HHH, 400 to 599; 429 and 503 with Retry-After: 1",
    ]


@pytest.mark.parametrize("number", ["99920000600", "99910009999"])
def test_the_limits_of_the_ranges_are_test_numbers(number):
    assert fault_of_number(number) is not None


def test_an_invalid_message_has_precedence_over_a_test_number(wire, sandbox, message):
    wrong_sign = wire.headers(secret="wrong")
    assert wire.custom(message(recipient="99910000068"), wrong_sign).json()["status"] == "-1"
    assert wire.custom(message(recipient="99940000503", text={"body": ""})).json()["status"] == "-115"


def test_a_requested_fault_has_precedence_over_a_test_number(wire, sandbox, message):
    sandbox.fail_next(status=-5)
    assert wire.custom(message(recipient="99910000068")).json()["status"] == "-5"
    assert wire.custom(message(recipient="99910000068")).json()["status"] == "-68"

"""Each code that the sandbox knows comes with what to change."""

from __future__ import annotations

import pytest

from airflow_provider_itnio.sandbox.advice import OF_BALANCE, OF_SEND, advice_on
from airflow_provider_itnio.sandbox.vendor_codes import BALANCE_PATH, CODES, CUSTOM_PATH, TEMPLATE_PATH


@pytest.mark.parametrize("path", CODES)
def test_every_code_has_advice(path):
    for status in CODES[path]:
        assert bool(advice_on(path, status)) == (status != 0), status


def test_no_advice_is_for_a_code_that_is_not_there():
    assert set(OF_SEND) == set(CODES[CUSTOM_PATH]) - {0} == set(CODES[TEMPLATE_PATH]) - {0}
    assert set(OF_BALANCE) == set(CODES[BALANCE_PATH]) - {0}


def test_a_code_that_is_not_listed_has_none():
    assert advice_on(CUSTOM_PATH, -9999) == ""


def test_refusals_are_listed_with_advice(wire, message):
    wire.custom(message(appId="unknown"))
    (refused,) = wire.control("GET", "refused").json()
    assert (refused["status"], refused["advice"]) == (-10, advice_on(CUSTOM_PATH, -10))
    assert "app_id of the connection" in refused["advice"]

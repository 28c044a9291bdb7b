"""A refusal contains advice."""

from __future__ import annotations

from airflow_provider_itnio.sandbox.status_codes import CUSTOM_PATH, text_of


def test_refusals_are_listed_with_advice(wire, message):
    wire.custom(message(appId="unknown"))
    (refused,) = wire.control("GET", "refused").json()
    assert (refused["status"], refused["advice"]) == (-10, text_of(CUSTOM_PATH, -10).advice)
    assert "app_id of the connection" in refused["advice"]


def test_an_unlisted_code_has_no_advice():
    assert text_of(CUSTOM_PATH, -9999) == ("a code that the vendor's page does not list", "")

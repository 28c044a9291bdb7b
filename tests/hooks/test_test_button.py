"""The Test button of a connection."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import Connection

from airflow_provider_itnio.api.errors import ConfigurationError
from airflow_provider_itnio.hooks.itnio import ItnioHook
from tests.tables import for_each


class TestConnection:
    @pytest.mark.usefixtures("connection")
    def test_it_checks_the_credentials_and_sends_no_message(self, sandbox):
        works, text = ItnioHook().test_connection()
        assert works
        assert text == "Itniotech accepted the Api-Key, secret and time; the balance is 1000.00."
        assert [request.path for request in sandbox.requests] == ["/sms/getBalance"]
        assert sandbox.messages == []

    def test_the_hook_works_with_only_a_random_connection_id(self, connect):
        connect("x7f3_random")
        assert ItnioHook("x7f3_random").test_connection()[0]

    @for_each(
        ("lacks", "words"),
        [
            ({"app_id": None}, "no app_id:"),
            ({"business_phone": None}, "no business_phone:"),
            ({"app_id": None, "business_phone": None}, "no app_id and no business_phone:"),
        ],
    )
    def test_it_succeeds_without_a_sender_and_says_that_tasks_must_set_it(self, lacks, words, connect):
        connect(extra=lacks)
        works, text = ItnioHook().test_connection()
        assert works
        assert f"The connection has {words} tasks must set it." in text

    @for_each(
        ("code", "advice"),
        [
            (-1, "check the connection's Api-Key"),
            (-2, "ask Itniotech to allow the IP address"),
            (-12, "send it again later"),
            (-13, "account locked"),
            (-15, "wait a minute"),
            (-16, "set the clock of the machine that sends"),
            (-18, "send it again later"),
            (-29, "workspace disabled"),
            (-30, "Api-Key disabled"),
            (-31, "ask Itniotech to allow the IP address"),
            (-32, "set app_id of the connection"),
            (-99, "not a documented code"),
        ],
    )
    @pytest.mark.usefixtures("connection")
    def test_each_failing_code_says_what_to_do(self, code, advice, sandbox):
        sandbox.fail_next(2, status=code, reason="machine word")
        works, text = ItnioHook().test_connection()
        assert not works
        assert f"status {code}," in text
        assert advice in text
        assert "machine word" in text
        assert sandbox.messages == []

    def test_a_wrong_secret_is_reported(self, connect, sandbox):
        connect(password="wrong")
        works, text = ItnioHook().test_connection()
        assert not works
        assert "check the connection's Api-Key (login) and secret (password)" in text
        assert len(sandbox.requests) == 1

    def test_an_unreachable_host_is_reported_and_does_not_raise(self, connect, closed_port):
        connect(host=f"http://127.0.0.1:{closed_port}", extra={"max_attempts": 1})
        works, text = ItnioHook().test_connection()
        assert not works
        assert "no connection" in text

    @for_each(("missing", "named"), [("login", "login"), ("password", "password")])
    def test_a_missing_field_is_named(self, missing, named, connect, sandbox):
        connect(**{missing: None})
        works, text = ItnioHook().test_connection()
        assert not works
        assert f"'itnio_default', {named}" in text
        assert sandbox.requests == []

    @for_each(
        ("extra", "problem"),
        [
            (
                {"alert_template": "Alert 1"},
                "alert_template: lower-case letters, digits and underscores only",
            ),
            ({"alert_language": "English"}, "alert_language: must be a code such as en or zh_TW, 'English'"),
            ({"receiver_url": "http://r:8026"}, "receiver_token (a read token of the receiver): is missing"),
            ({"receiver_token": "t"}, "receiver_url: is missing"),
            (
                {"receiver_url": "r:8026", "receiver_token": "t"},
                "receiver_url: must be an address such as http://itnio-receiver:8026, 'r:8026' given",
            ),
        ],
    )
    def test_an_invalid_extra_field_that_only_alerts_or_the_receiver_use_is_named(
        self, extra, problem, connect, sandbox
    ):
        connect(extra=extra)
        works, text = ItnioHook().test_connection()
        assert not works
        assert f"Connection 'itnio_default', extra.{problem}" in text
        assert sandbox.requests == []

    @pytest.mark.usefixtures("connection")
    def test_a_page_of_another_server_is_reported(self, sandbox):
        sandbox.fail_next(body="<html>welcome</html>", headers={"Content-Type": "text/html"})
        works, text = ItnioHook().test_connection()
        assert not works
        assert "text/html" in text


def test_a_port_without_a_host_is_the_default_address(connect):
    """The Test button of Airflow 3.3 requires a port; 443 changes nothing."""
    connect(host=None, port=443)
    assert ItnioHook().account().settings.base_url == "https://api.itniotech.com"


@for_each(
    "host", ['"https://api.itniotech.com"', "`https://api.itniotech.com`", "<https://api.itniotech.com>"]
)
def test_a_host_in_quotes_is_named_when_the_connection_comes_from_a_uri(host, monkeypatch):
    fields = {"conn_type": "itnio", "login": "KEY", "password": "SEC-1", "host": host, "port": 443}
    monkeypatch.setenv("AIRFLOW_CONN_ITNIO_DEFAULT", Connection(conn_id="x", **fields).get_uri())
    worked, said = ItnioHook().test_connection()
    assert not worked
    assert "'itnio_default', host: must b" in said
    assert "SEC-1" not in said


def test_a_test_without_the_secret_says_to_type_it_again(connect):
    connect(password=None)
    worked, said = ItnioHook().test_connection()
    assert not worked
    assert "password (the secret): is missing; fill it in. On an Edit page, type the secret again" in said


def test_a_test_with_a_wrong_secret_does_not_say_to_type_it_again(connect):
    connect(password="not-the-secret")
    worked, said = ItnioHook().test_connection()
    assert not worked
    assert "type the secret again" not in said


@for_each("conn_id", ["itnio_nowhere", "Nowhere"])
def test_an_unknown_connection_says_where_to_define_it(conn_id):
    with pytest.raises(ConfigurationError) as caught:
        ItnioHook(conn_id).account()
    assert f"Connection '{conn_id}' is not defined. Add it in Airflow, under Admin, Connections" in str(
        caught.value
    )
    assert f"set AIRFLOW_CONN_{conn_id.upper()} in the environment" in str(caught.value)


@for_each("value", ['{"conn_type": "itnio", "login": ', "{'login': 'x'}", '{"port": "x"}'])
def test_a_connection_variable_that_cannot_be_read_is_named(value, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ITNIO_BROKEN", value)
    with pytest.raises(ConfigurationError, match="ITNIO_BROKEN must hold a JSON object") as caught:
        ItnioHook("itnio_broken").account()
    assert str(caught.value).endswith("whose port, if any, is a whole number")

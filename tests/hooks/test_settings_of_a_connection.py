"""Settings from a connection, a hook and the environment."""

from __future__ import annotations

import pytest

from airflow_provider_itnio.api.errors import ConfigurationError
from airflow_provider_itnio.hooks.itnio import ItnioHook
from tests.hooks.conftest import NUMBER, settings_of
from tests.tables import for_each


def test_null_in_the_extra_as_the_form_saves_it_means_the_default(connect, sandbox):
    names = ("timeout", "connect_timeout", "max_attempts", "proxy", "allow_http")
    connect(extra=dict.fromkeys(names))
    ItnioHook().send(NUMBER, text="x")
    assert len(sandbox.messages) == 1
    settings = settings_of(ItnioHook())
    assert (settings.timeout, settings.connect_timeout, settings.max_attempts, settings.proxy) == (
        30,
        5,
        4,
        None,
    )


def test_an_empty_string_in_the_extra_means_the_default(connect):
    connect(extra={"timeout": "", "max_attempts": "", "proxy": "", "allow_http": ""})
    settings = settings_of(ItnioHook())
    assert (settings.timeout, settings.max_attempts, settings.proxy) == (30, 4, None)


def test_extra_values_may_be_numbers_or_strings(connect, sandbox):
    connect(extra={"business_phone": 91856321321, "timeout": "12"})
    ItnioHook().send(NUMBER, text="x")
    assert sandbox.messages[0].body["businessPhone"] == "91856321321"


@for_each("allowed", [True, "true", "True"])
def test_plain_http_to_another_host_is_accepted_with_allow_http(allowed, connect):
    connect(host="http://gateway.example.com", extra={"allow_http": allowed})
    assert settings_of(ItnioHook()).base_url == "http://gateway.example.com"


@for_each("allowed", [False, "false", "no", None, "", 0])
def test_plain_http_to_another_host_is_refused_without_allow_http(allowed, connect):
    connect(host="http://gateway.example.com", extra={"allow_http": allowed})
    with pytest.raises(ConfigurationError, match="allow_http"):
        ItnioHook().get_conn()


@for_each("host", ["http://127.0.0.1:9", "http://127.8.8.8", "http://[::1]:9", "http://localhost"])
def test_plain_http_to_loopback_is_accepted(host, connect):
    connect(host=host)
    assert settings_of(ItnioHook()).base_url == host


def test_hook_parameters_override_the_connection(connect):
    connect(extra={"timeout": 7, "connect_timeout": 6, "max_attempts": 5})
    settings = settings_of(ItnioHook(timeout=3, connect_timeout=2, max_attempts=1, max_retry_after=4))
    assert (settings.timeout, settings.connect_timeout) == (3, 2)
    assert (settings.max_attempts, settings.max_retry_after) == (1, 4)


@for_each("patience", [{"timeout": 0}, {"max_attempts": 11}, {"connect_timeout": -1}])
def test_hook_parameters_have_the_same_limits(patience, connect):
    connect()
    with pytest.raises(ConfigurationError, match=next(iter(patience))):
        ItnioHook(**patience).get_conn()


def test_a_proxy_is_used(connect, closed_port, sandbox):
    connect(extra={"proxy": f"http://127.0.0.1:{closed_port}", "max_attempts": 1})
    works, text = ItnioHook().test_connection()
    assert not works
    assert "was not sent" in text
    assert sandbox.requests == []


def test_unknown_extra_keys_are_ignored(connect, sandbox):
    connect(
        extra={
            "business_name": "ACME",
            "language": "de",
            "no_proxy": "intranet.example",
            "read_timeout": 5,
            "owner": "ana",
            "app_id_2": "other",
            "receiver_token_old": "before",
            "sock_connect_timeout": 5,
            "api_id": "also similar, but app_id is there",
        }
    )
    ItnioHook().send(NUMBER, text="x")
    assert len(sandbox.messages) == 1

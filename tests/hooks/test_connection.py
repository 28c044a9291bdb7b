"""Forms in which a connection can be defined."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from airflow_provider_itnio.hooks.itnio import ItnioHook
from tests.hooks.conftest import NUMBER, settings_of
from tests.tables import for_each

APP_AND_PHONE = "app_id=DGziZf5u&business_phone=91856321321"


@pytest.fixture
def by_uri(monkeypatch):
    def put(uri):
        monkeypatch.setenv("AIRFLOW_CONN_ITNIO_DEFAULT", uri)

    return put


def test_credentials_come_from_the_environment_as_json(sandbox, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ITNIO_DEFAULT", sandbox.connection_json())
    ItnioHook().send(NUMBER, text="x")
    assert len(sandbox.messages) == 1


@for_each("schema", ["http", "HTTP"])
def test_host_port_and_schema_may_be_separate_fields(schema, connect, sandbox):
    connect(host="127.0.0.1", port=sandbox.port, schema=schema)
    ItnioHook().send(NUMBER, text="x")
    assert len(sandbox.messages) == 1


@for_each(
    "uri",
    [
        "itnio://bDqJFiq9:7bz1lzh9@http%3A%2F%2F127.0.0.1%3A{port}/?{extra}",
        "itnio://bDqJFiq9:7bz1lzh9@http%3A%2F%2F127.0.0.1%3A{port}?{extra}",
        "itnio://bDqJFiq9:7bz1lzh9@http%3A%2F%2F127.0.0.1%3A{port}%2F/?{extra}",
        "itnio://bDqJFiq9:7bz1lzh9@127.0.0.1:{port}/http?{extra}",
        "itnio://bDqJFiq9:7bz1lzh9@127.0.0.1:{port}/?{extra}",
        "itnio://bDqJFiq9:7bz1lzh9@http%3A%2F%2F127.0.0.1:{port}/?{extra}",
        "itnio://bDqJFiq9:7bz1lzh9@http%3A%2F%2Flocalhost%3A{port}/?__extra__={json}",
    ],
)
def test_credentials_come_from_the_environment_as_uri(uri, by_uri, sandbox):
    extra = {"app_id": "DGziZf5u", "business_phone": "91856321321"}
    by_uri(uri.format(port=sandbox.port, extra=APP_AND_PHONE, json=quote(json.dumps(extra))))
    ItnioHook().send(NUMBER, text="x")
    assert len(sandbox.messages) == 1


def test_the_sandboxs_airflow_uri_is_accepted(by_uri, sandbox):
    by_uri(sandbox.connection_uri())
    ItnioHook().send(NUMBER, text="x")
    assert len(sandbox.messages) == 1


def test_percent_encoded_characters_of_key_and_secret_in_a_uri_are_decoded(by_uri):
    by_uri(f"itnio://{quote('k@y:/', safe='')}:{quote('s?cr/t#%', safe='')}@http%3A%2F%2F127.0.0.1%3A9/")
    credentials = ItnioHook().get_conn()._protocol._credentials
    assert (credentials.api_key, credentials.secret) == ("k@y:/", "s?cr/t#%")


@for_each(
    ("fields", "base_url"),
    [
        ({"host": None}, "https://api.itniotech.com"),
        ({"host": "  "}, "https://api.itniotech.com"),
        ({"host": "gateway.example.com"}, "https://gateway.example.com"),
        ({"host": "https://gateway.example.com/"}, "https://gateway.example.com"),
        ({"host": "https://gateway.example.com/itniotech/"}, "https://gateway.example.com/itniotech"),
        ({"host": "gateway.example.com", "port": 8443}, "https://gateway.example.com:8443"),
        ({"host": "https://gateway.example.com", "port": 8443}, "https://gateway.example.com:8443"),
        ({"host": "https://gateway.example.com:8443", "port": 9}, "https://gateway.example.com:8443"),
        (
            {"host": "https://gateway.example.com/api/v3", "port": 8443},
            "https://gateway.example.com:8443/api/v3",
        ),
        ({"host": "https://gateway.example.com/v:3", "port": 8443}, "https://gateway.example.com:8443/v:3"),
        ({"host": "https://gateway.example.com", "port": 0}, "https://gateway.example.com"),
        ({"host": "http://[::1]", "port": 8080}, "http://[::1]:8080"),
        ({"host": "http://localhost:8080"}, "http://localhost:8080"),
    ],
)
def test_the_base_url_is_built_from_host_port_and_schema(fields, base_url, connect):
    connect(**fields)
    assert settings_of(ItnioHook()).base_url == base_url


def test_a_uri_with_a_bare_host_means_https(by_uri):
    by_uri(f"itnio://0neKey:0neSecret@gateway.example.com?{APP_AND_PHONE}")
    assert settings_of(ItnioHook()).base_url == "https://gateway.example.com"


def test_a_percent_encoded_base_url_in_a_uri_is_decoded(by_uri):
    by_uri(
        f"itnio://0neKey:0neSecret@https%3A%2F%2Fgateway.example.com/?{APP_AND_PHONE}&max_attempts=2&timeout=7.5"
    )
    settings = settings_of(ItnioHook())
    assert (settings.base_url, settings.max_attempts, settings.timeout) == (
        "https://gateway.example.com",
        2,
        7.5,
    )

"""Errors name the missing or unusable field of a connection."""

from __future__ import annotations

import asyncio
import json
from itertools import cycle

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_2_PLUS

from airflow_provider_itnio.api.errors import ConfigurationError, NotSentError, RefusedError
from airflow_provider_itnio.hooks.itnio import ItnioHook
from tests.frames import assert_shows_no_secret
from tests.hooks.conftest import NUMBER, settings_of
from tests.tables import for_each

UNUSABLE = [
    ({"login": None}, "login"),
    ({"login": "  "}, "login"),
    ({"login": "two words"}, "login"),
    ({"login": "schlüssel"}, "login"),
    ({"login": "line\nbreak"}, "login"),
    ({"password": None}, "password"),
    ({"password": ""}, "password"),
    ({"password": "geheimnis-ß"}, "password"),
    ({"conn_type": "http"}, "conn_type"),
    ({"host": "ftp://example.com"}, "host"),
    ({"host": "https://"}, "host"),
    ({"host": "https://api.itniotech.com/wa/custom/sendMsg"}, "host: must be the API's address, without"),
    ({"host": "gateway.example.com/api/sms//getBalance/"}, "host: must be the API's address, without"),
    ({"extra": {"appId": "a"}}, "extra.appId: is not known; write app_id"),
    ({"extra": {"app_id": "a", "Business-Phone": "9"}}, "extra.Business-Phone: is not known; write busi"),
    ({"extra": {"alert_tempalte": "a"}}, "extra.alert_tempalte: is not known; write alert_template"),
    ({"extra": {"app-id": "a"}}, "extra.app-id: is not known; write app_id"),
    ({"extra": {"timout": 5}}, "extra.timout: is not known; write timeout"),
    ({"host": "https://https://example.com"}, "host: must be an address such as"),
    ({"host": "https:/example.com"}, "host: must be an address such as"),
    ({"extra": {"receiverUrl": "https://r.example"}}, "extra.receiverUrl: is not known; write receiver_url"),
    ({"host": "https://example.com:99999"}, "host"),
    ({"host": "https://user@example.com"}, "host"),
    ({"host": "https://example.com/?x=1"}, "host"),
    ({"host": "http://gateway.example.com"}, "host"),
    ({"host": "gateway.example.com", "schema": "http"}, "host"),
    ({"extra": {"business_phone": "12"}}, "extra.business_phone"),
    ({"extra": {"business_phone": "my phone"}}, "extra.business_phone"),
    ({"extra": {"timeout": 0}}, "extra.timeout"),
    ({"extra": {"timeout": -1}}, "extra.timeout"),
    ({"extra": {"timeout": 3601}}, "extra.timeout"),
    ({"extra": {"timeout": "soon"}}, "extra.timeout"),
    ({"extra": {"timeout": "nan"}}, "extra.timeout"),
    ({"extra": {"timeout": "inf"}}, "extra.timeout"),
    ({"extra": {"timeout": [5]}}, "extra.timeout"),
    ({"extra": {"connect_timeout": 0}}, "extra.connect_timeout"),
    ({"extra": {"connect_timeout": 3601}}, "extra.connect_timeout"),
    ({"extra": {"max_attempts": 0}}, "extra.max_attempts"),
    ({"extra": {"max_attempts": 11}}, "extra.max_attempts"),
    ({"extra": {"max_attempts": 2.5}}, "extra.max_attempts"),
    ({"extra": {"proxy": "proxy.example.com"}}, "extra.proxy"),
    ({"extra": {"proxy": "socks5://proxy.example.com"}}, "extra.proxy"),
    ({"extra": {"proxy": "http://proxy.example.com:99999"}}, "extra.proxy"),
    ({"host": "2130706433"}, "host"),
    ({"host": "https://0x7f000001"}, "host"),
    ({"host": "https://127.1"}, "host"),
    ({"host": "https://10.0.0.256"}, "host"),
    ({"host": "https://a\u200b.invalid"}, "host"),
    ({"host": "https://a.inv\u00adalid"}, "host"),
    ({"host": "https://a\u2028.example"}, "host"),
    ({"host": "https://a.ex\nample"}, "host"),
    ({"host": "https://a.example/b c"}, "host"),
    ({"host": "https://a..example"}, "host"),
    ({"host": f"https://{'a' * 64}.example"}, "host"),
    ({"host": "https://a%zz.example"}, "host"),
    ({"extra": {"timeout": 1e400}}, "extra.timeout"),
    ({"extra": {"timeout": 10**400}}, "extra.timeout"),
    ({"extra": {"timeout": -(10**400)}}, "extra.timeout"),
    ({"extra": {"timeout": "1e400"}}, "extra.timeout"),
    ({"extra": {"timeout": float("nan")}}, "extra.timeout"),
    ({"extra": {"timeout": True}}, "extra.timeout"),
    ({"extra": {"timeout": {"seconds": 5}}}, "extra.timeout"),
    ({"extra": {"connect_timeout": 10**4000}}, "extra.connect_timeout"),
    ({"extra": {"max_attempts": float("inf")}}, "extra.max_attempts"),
    ({"extra": {"proxy": "http://pro\nxy.example:1"}}, "extra.proxy"),
    ({"extra": {"proxy": "http://proxy.example:1\r\nX: y"}}, "extra.proxy"),
    ({"extra": {"proxy": "http://proxy\u200b.example:1"}}, "extra.proxy"),
    ({"extra": {"proxy": "http://me:пароль@proxy.example:1"}}, "extra.proxy"),
    ({"extra": {"proxy": "http://me:%D0%BF%D0%B0@proxy.example:1"}}, "extra.proxy"),
    ({"extra": {"proxy": "http://me:%FF%FE@proxy.example:1"}}, "extra.proxy"),
    ({"extra": {"proxy": "http://me:密码@proxy.example:1"}}, "extra.proxy"),
    ({"extra": {"proxy": "http://2130706433:1"}}, "extra.proxy"),
    ({"extra": {"proxy": "http://:80"}}, "extra.proxy"),
    ({"extra": {"proxy": ["http://proxy.example:1"]}}, "extra.proxy"),
    ({"extra": {"proxy": 7}}, "extra.proxy"),
    ({"host": "https://ann:密码@gateway.example.com"}, "host"),
    ({"host": "ann:密码@gateway.example.com", "port": 8443}, "host"),
    ({"host": "http://ann:密码@gateway.example.com/v3"}, "host"),
    ({"host": "ftp://gateway.example.com?key=密码"}, "host"),
    ({"host": "https://ann:密码"}, "host"),
    ({"host": "https://gateway.example.com#密码"}, "host"),
]


@for_each(("way", "row"), zip(cycle(["send", "asend", "prepare"]), UNUSABLE))
def test_an_unusable_field_is_named_with_its_connection(way, row, connect, sandbox):
    fields, names = row
    connect("itnio_of_finance", **fields)
    with pytest.raises(ConfigurationError) as caught:
        done_by(way, ItnioHook("itnio_of_finance"))
    assert str(caught.value).startswith(f"Connection 'itnio_of_finance', {names}")
    assert len(str(caught.value)) < 300
    assert "密码" not in str(caught.value)
    assert sandbox.requests == []
    assert_shows_no_secret(caught.value, "bDqJFiq9", "7bz1lzh9", "пароль", "密码", "%FF%FE")


def done_by(way, hook):
    """Send a message, or only prepare it."""
    sent = getattr(hook, way)(NUMBER, text="x")
    return asyncio.run(sent) if way == "asend" else sent


@for_each("way", ["send", "asend", "prepare"])
@for_each(
    ("variables", "words"),
    [
        (
            {"REQUESTS_CA_BUNDLE": "/nowhere"},
            "'/nowhere' of the environment variable REQUESTS_CA_BUNDLE can't be read",
        ),
        (
            {"CURL_CA_BUNDLE": "/nowhere"},
            "'/nowhere' of the environment variable CURL_CA_BUNDLE can't be read",
        ),
        ({"REQUESTS_CA_BUNDLE": __file__}, "REQUESTS_CA_BUNDLE can't be read"),
        ({"https_proxy": "socks5://p.example:1"}, "the environment's proxy"),
        ({"https_proxy": "http://p.exam\nple:1"}, "the environment's proxy"),
        ({"https_proxy": "http://me:пароль@p.example:1"}, "the environment's proxy"),
        ({"all_proxy": "http://p.example:0"}, "the environment's proxy"),
    ],
)
def test_an_unusable_environment_variable_is_reported_before_any_request(
    way, variables, words, connect, monkeypatch
):
    connect(host="https://api.example")
    with monkeypatch.context() as patch:
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            patch.delenv(name, raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        with pytest.raises(ConfigurationError) as caught:
            done_by(way, ItnioHook())
    assert words in str(caught.value)
    assert "пароль" not in str(caught.value)


@for_each("way", ["send", "asend"])
def test_a_non_ascii_host_is_looked_up_in_its_idna_form(way, connect):
    connect(host="https://☃.example.invalid", extra={"max_attempts": 1})
    assert settings_of(ItnioHook()).base_url == "https://xn--n3h.example.invalid"
    with pytest.raises(NotSentError, match=r"no connection: .*xn--n3h\.example\.invalid"):
        done_by(way, ItnioHook())


@for_each("way", ["send", "asend"])
def test_a_non_ascii_path_is_percent_encoded(way, connect, sandbox):
    connect(host=f"{sandbox.url}/gäteway", extra={"max_attempts": 1})
    with pytest.raises(RefusedError, match="HTTP 404"):
        done_by(way, ItnioHook())
    assert [request.path for request in sandbox.requests] in (
        ["/g%C3%A4teway/wa/custom/sendMsg"],
        ["/gäteway/wa/custom/sendMsg"],
        [],
    )


@for_each("way", ["send", "asend"])
def test_the_hooks_proxy_overrides_the_connections(way, connect, closed_port, sandbox):
    connect(extra={"max_attempts": 1, "proxy": "http://proxy.invalid:1"})
    with pytest.raises(NotSentError, match=f"127.0.0.1:{closed_port}|Connect call failed"):
        done_by(way, ItnioHook(proxy=f"http://127.0.0.1:{closed_port}"))
    with pytest.raises(ConfigurationError, match=r"^proxy: must be an address such as"):
        done_by(way, ItnioHook(proxy="socks5://me:s3cret@proxy.example"))
    assert sandbox.requests == []


@pytest.mark.skipif(
    AIRFLOW_V_3_0_PLUS and not AIRFLOW_V_3_2_PLUS,
    reason="Airflow 3.0 and 3.1 take it for no connection at all",
)
@for_each("extra", ["[1]", '"an extra that is no object"', "7", "app_id=a", "{app_id: a}"])
def test_an_extra_that_is_not_a_json_object_is_reported(extra, monkeypatch):
    fields = {"conn_type": "itnio", "login": "0neKey", "password": "0neSecret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_ITNIO_DEFAULT", json.dumps(fields))
    with pytest.raises(ConfigurationError, match="'itnio_default', extra: must be a JSON object"):
        ItnioHook().send(NUMBER, text="x")


@for_each(
    "fields", [{"password": "s3cret-ß"}, {"login": "s3cret key"}, {"host": "https://u:s3cret@example.com"}]
)
def test_no_error_shows_a_secret(fields, connect):
    connect(**fields)
    with pytest.raises(ConfigurationError) as caught:
        ItnioHook().get_conn()
    assert "s3cret" not in str(caught.value)


@for_each(
    "extra",
    [
        {"timeout": 0.001},
        {"timeout": 3600},
        {"connect_timeout": "0.5"},
        {"max_attempts": 1},
        {"max_attempts": "10"},
    ],
)
def test_timeouts_and_max_attempts_at_their_limits_are_accepted(extra, connect):
    connect(extra=extra)
    ((name, value),) = extra.items()
    assert getattr(settings_of(ItnioHook()), name) == float(value)

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote

import pytest
from airflow.providers.common.compat.sdk import redact
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_2_PLUS

from airflow_provider_itnio.api.errors import ConfigurationError, NotSentError, RefusedError
from airflow_provider_itnio.hooks.itnio import ItnioHook
from tests.frames import assert_shows_no_secret

NUMBER = "+86 147-1800-4557"
APP_AND_PHONE = "app_id=DGziZf5u&business_phone=91856321321"


def settings_of(hook):
    return hook.get_conn()._settings


@pytest.fixture
def by_uri(monkeypatch):
    def put(uri):
        monkeypatch.setenv("AIRFLOW_CONN_ITNIO_DEFAULT", uri)

    return put


# --- spellings --------------------------------------------------------------------------------------------


def test_credentials_come_from_the_environment_as_json(sandbox, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ITNIO_DEFAULT", sandbox.connection_json())
    ItnioHook().send(NUMBER, text="x")
    assert len(sandbox.messages) == 1


@pytest.mark.parametrize("schema", ["http", "HTTP"])
def test_host_port_and_schema_may_stand_in_fields_of_their_own(schema, connect, sandbox):
    connect(host="127.0.0.1", port=sandbox.port, schema=schema)
    ItnioHook().send(NUMBER, text="x")
    assert len(sandbox.messages) == 1


@pytest.mark.parametrize(
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


def test_the_sandboxs_own_uri_is_taken(by_uri, sandbox):
    by_uri(sandbox.connection_uri())
    ItnioHook().send(NUMBER, text="x")
    assert len(sandbox.messages) == 1


def test_marks_in_key_and_secret_are_percent_encoded_in_a_uri(by_uri):
    by_uri(f"itnio://{quote('k@y:/', safe='')}:{quote('s?cr/t#%', safe='')}@http%3A%2F%2F127.0.0.1%3A9/")
    credentials = ItnioHook().get_conn()._protocol._credentials
    assert (credentials.api_key, credentials.secret) == ("k@y:/", "s?cr/t#%")


@pytest.mark.parametrize(
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
def test_the_base_url_is_made_of_host_port_and_schema(fields, base_url, connect):
    connect(**fields)
    assert settings_of(ItnioHook()).base_url == base_url


def test_a_uri_with_a_bare_host_means_https(by_uri):
    by_uri(f"itnio://0neKey:0neSecret@gateway.example.com?{APP_AND_PHONE}")
    assert settings_of(ItnioHook()).base_url == "https://gateway.example.com"


def test_a_base_url_in_a_uri_is_percent_encoded(by_uri):
    by_uri(
        f"itnio://0neKey:0neSecret@https%3A%2F%2Fgateway.example.com/?{APP_AND_PHONE}&max_attempts=2&timeout=7.5"
    )
    settings = settings_of(ItnioHook())
    assert (settings.base_url, settings.max_attempts, settings.timeout) == (
        "https://gateway.example.com",
        2,
        7.5,
    )


# --- what is missing or unusable --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "names"),
    [
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
    ],
)
@pytest.mark.parametrize("way", ["send", "asend", "prepare"])
def test_an_unusable_field_is_named_with_its_connection(way, fields, names, connect, sandbox):
    connect("itnio_of_finance", **fields)
    with pytest.raises(ConfigurationError) as caught:
        done_by(way, ItnioHook("itnio_of_finance"))
    assert str(caught.value).startswith(f"Connection 'itnio_of_finance', {names}")
    assert len(str(caught.value)) < 300
    assert "密码" not in str(caught.value)
    assert sandbox.requests == []
    assert_shows_no_secret(caught.value, "bDqJFiq9", "7bz1lzh9", "пароль", "密码", "%FF%FE")


def done_by(way, hook):
    """Send, or get as far as one can without sending."""
    sent = getattr(hook, way)(NUMBER, text="x")
    return asyncio.run(sent) if way == "asend" else sent


@pytest.mark.parametrize("way", ["send", "asend", "prepare"])
@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"REQUESTS_CA_BUNDLE": "/nowhere"}, "'/nowhere' of the environment: REQUESTS_CA_BUNDLE names it"),
        ({"CURL_CA_BUNDLE": "/nowhere"}, "'/nowhere' of the environment: CURL_CA_BUNDLE names it"),
        ({"REQUESTS_CA_BUNDLE": __file__}, "REQUESTS_CA_BUNDLE names it, and it can't be read"),
        ({"https_proxy": "socks5://p.example:1"}, "the environment's proxy"),
        ({"https_proxy": "http://p.exam\nple:1"}, "the environment's proxy"),
        ({"https_proxy": "http://me:пароль@p.example:1"}, "the environment's proxy"),
        ({"all_proxy": "http://p.example:0"}, "the environment's proxy"),
    ],
)
def test_an_unusable_environment_is_named_before_anything_is_sent(
    way, variables, words, connect, monkeypatch
):
    connect(host="https://api.example")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        done_by(way, ItnioHook())
    assert words in str(caught.value)
    assert "пароль" not in str(caught.value)


@pytest.mark.parametrize("way", ["send", "asend"])
def test_a_host_in_any_script_is_looked_up_as_name_servers_know_it(way, connect):
    connect(host="https://☃.example.invalid", extra={"max_attempts": 1})
    assert settings_of(ItnioHook()).base_url == "https://xn--n3h.example.invalid"
    with pytest.raises(NotSentError, match=r"no connection: .*xn--n3h\.example\.invalid"):
        done_by(way, ItnioHook())


@pytest.mark.parametrize("way", ["send", "asend"])
def test_a_path_in_any_script_is_percent_encoded(way, connect, sandbox):
    connect(host=f"{sandbox.url}/gäteway", extra={"max_attempts": 1})
    with pytest.raises(RefusedError, match="HTTP 404"):
        done_by(way, ItnioHook())
    assert [request.path for request in sandbox.requests] in (
        ["/g%C3%A4teway/wa/custom/sendMsg"],
        ["/gäteway/wa/custom/sendMsg"],
        [],
    )


@pytest.mark.parametrize("way", ["send", "asend"])
def test_the_hooks_proxy_goes_before_the_connections(way, connect, closed_port, sandbox):
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
@pytest.mark.parametrize("extra", ["[1]", '"an extra that is no object"', "7"])
def test_an_extra_that_is_no_object_is_named(extra, monkeypatch):
    fields = {"conn_type": "itnio", "login": "0neKey", "password": "0neSecret", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_ITNIO_DEFAULT", json.dumps(fields))
    with pytest.raises(ConfigurationError, match="'itnio_default', extra: "):
        ItnioHook().send(NUMBER, text="x")


@pytest.mark.parametrize(
    "fields", [{"password": "s3cret-ß"}, {"login": "s3cret key"}, {"host": "https://u:s3cret@example.com"}]
)
def test_no_error_shows_what_is_secret(fields, connect):
    connect(**fields)
    with pytest.raises(ConfigurationError) as caught:
        ItnioHook().get_conn()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "extra",
    [
        {"timeout": 0.001},
        {"timeout": 3600},
        {"connect_timeout": "0.5"},
        {"max_attempts": 1},
        {"max_attempts": "10"},
    ],
)
def test_patience_at_its_limits_is_taken(extra, connect):
    connect(extra=extra)
    ((name, value),) = extra.items()
    assert getattr(settings_of(ItnioHook()), name) == float(value)


def test_what_the_form_left_empty_is_saved_as_null_and_means_the_default(connect, sandbox):
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


def test_an_empty_text_means_the_default_too(connect):
    connect(extra={"timeout": "", "max_attempts": "", "proxy": "", "allow_http": ""})
    settings = settings_of(ItnioHook())
    assert (settings.timeout, settings.max_attempts, settings.proxy) == (30, 4, None)


def test_numbers_may_stand_where_the_extra_has_a_text(connect, sandbox):
    connect(extra={"business_phone": 91856321321, "timeout": "12"})
    ItnioHook().send(NUMBER, text="x")
    assert sandbox.messages[0].body["businessPhone"] == "91856321321"


@pytest.mark.parametrize("allowed", [True, "true", "True"])
def test_plain_http_to_another_machine_must_be_allowed(allowed, connect):
    connect(host="http://gateway.example.com", extra={"allow_http": allowed})
    assert settings_of(ItnioHook()).base_url == "http://gateway.example.com"


@pytest.mark.parametrize("allowed", [False, "false", "no", None, "", 0])
def test_plain_http_to_another_machine_is_else_refused(allowed, connect):
    connect(host="http://gateway.example.com", extra={"allow_http": allowed})
    with pytest.raises(ConfigurationError, match="allow_http"):
        ItnioHook().get_conn()


@pytest.mark.parametrize(
    "host", ["http://127.0.0.1:9", "http://127.8.8.8", "http://[::1]:9", "http://localhost"]
)
def test_plain_http_to_this_machine_is_fine(host, connect):
    connect(host=host)
    assert settings_of(ItnioHook()).base_url == host


def test_hook_parameters_go_before_the_connection(connect):
    connect(extra={"timeout": 7, "connect_timeout": 6, "max_attempts": 5})
    settings = settings_of(ItnioHook(timeout=3, connect_timeout=2, max_attempts=1, max_retry_after=4))
    assert (settings.timeout, settings.connect_timeout) == (3, 2)
    assert (settings.max_attempts, settings.max_retry_after) == (1, 4)


@pytest.mark.parametrize("patience", [{"timeout": 0}, {"max_attempts": 11}, {"connect_timeout": -1}])
def test_hook_parameters_keep_the_same_limits(patience, connect):
    connect()
    with pytest.raises(ConfigurationError, match=next(iter(patience))):
        ItnioHook(**patience).get_conn()


def test_a_proxy_is_used(connect, closed_port, sandbox):
    connect(extra={"proxy": f"http://127.0.0.1:{closed_port}", "max_attempts": 1})
    works, text = ItnioHook().test_connection()
    assert not works
    assert "was not sent" in text
    assert sandbox.requests == []


# --- masks ------------------------------------------------------------------------------------------------


def test_airflow_masks_key_secret_and_proxy_password_once_the_hook_has_read_them(connect):
    fields = {"login": "keyOf9Finance", "password": "secretOf9Finance"}
    connect(**fields, extra={"proxy": "http://me:proxyOf9Finance@proxy.example.com"})
    ItnioHook().get_conn()
    line = redact("keyOf9Finance and secretOf9Finance and proxyOf9Finance, 9Finance")
    assert line == "*** and *** and ***, 9Finance"


def test_a_proxy_password_is_masked_as_it_is_and_as_it_is_written(connect):
    connect(extra={"proxy": f"http://me:{quote('pass@7Finance', safe='')}@proxy.example.com"})
    ItnioHook().get_conn()
    assert "7Finance" not in str(redact("pass@7Finance pass%407Finance"))


def test_neither_hook_nor_client_shows_a_secret(connect):
    connect(
        login="keyOf8Finance", password="secretOf8Finance", extra={"proxy": "http://me:Of8Finance@p.example"}
    )
    hook = ItnioHook()
    client = hook.get_conn()
    shown = f"{hook!r} {vars(hook)} {client!r} {client._settings!r} {client._protocol._credentials!r}"
    assert "Of8Finance" not in shown


# --- the Test button --------------------------------------------------------------------------------------


class TestConnection:
    @pytest.mark.usefixtures("connection")
    def test_it_proves_the_credentials_and_messages_no_one(self, sandbox):
        works, text = ItnioHook().test_connection()
        assert works
        assert text == "Itniotech takes Api-Key, secret and clock; the balance is 1000.00."
        assert [request.path for request in sandbox.requests] == ["/sms/getBalance"]
        assert sandbox.messages == []

    def test_the_hook_is_built_with_nothing_but_a_random_connection_id(self, connect):
        connect("x7f3_random")
        assert ItnioHook("x7f3_random").test_connection()[0]

    @pytest.mark.parametrize(
        ("lacks", "words"),
        [
            ({"app_id": None}, "no app_id:"),
            ({"business_phone": None}, "no business_phone:"),
            ({"app_id": None, "business_phone": None}, "no app_id and no business_phone:"),
        ],
    )
    def test_it_works_without_app_or_number_and_says_that_tasks_must_give_them(self, lacks, words, connect):
        connect(extra=lacks)
        works, text = ItnioHook().test_connection()
        assert works
        assert f"The connection has {words} tasks must give it." in text

    @pytest.mark.parametrize(
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

    def test_a_wrong_secret_is_found(self, connect, sandbox):
        connect(password="wrong")
        works, text = ItnioHook().test_connection()
        assert not works
        assert "check the connection's Api-Key (login) and secret (password)" in text
        assert len(sandbox.requests) == 1

    def test_an_unreachable_host_is_no_exception(self, connect, closed_port):
        connect(host=f"http://127.0.0.1:{closed_port}", extra={"max_attempts": 1})
        works, text = ItnioHook().test_connection()
        assert not works
        assert "no connection" in text

    @pytest.mark.parametrize(("missing", "named"), [("login", "login"), ("password", "password")])
    def test_a_missing_field_is_named(self, missing, named, connect, sandbox):
        connect(**{missing: None})
        works, text = ItnioHook().test_connection()
        assert not works
        assert f"'itnio_default', {named}" in text
        assert sandbox.requests == []

    @pytest.mark.usefixtures("connection")
    def test_a_page_of_another_server_is_not_taken_for_itniotech(self, sandbox):
        sandbox.fail_next(body="<html>welcome</html>", headers={"Content-Type": "text/html"})
        works, text = ItnioHook().test_connection()
        assert not works
        assert "text/html" in text


def test_a_port_without_a_host_is_the_default_address(connect):
    """443, which Airflow 3.3's Test wants, changes nothing."""
    connect(host=None, port=443)
    assert ItnioHook().account().settings.base_url == "https://api.itniotech.com"


def test_a_test_without_the_secret_says_what_to_type(connect):
    connect(password=None)
    worked, said = ItnioHook().test_connection()
    assert not worked
    assert "password (the secret): is missing; fill it in. On an Edit page, type the secret again" in said


def test_another_failed_test_does_not(connect):
    connect(password="not-the-secret")
    worked, said = ItnioHook().test_connection()
    assert not worked
    assert "type the secret again" not in said


@pytest.mark.parametrize("conn_id", ["itnio_nowhere", "Nowhere"])
def test_an_unknown_connection_says_where_to_define_it(conn_id):
    with pytest.raises(ConfigurationError) as caught:
        ItnioHook(conn_id).account()
    assert f"Connection '{conn_id}' is not defined. Add it in Airflow, under Admin, Connections" in str(
        caught.value
    )
    assert f"set AIRFLOW_CONN_{conn_id.upper()} in the environment" in str(caught.value)

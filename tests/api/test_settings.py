from __future__ import annotations

import pytest

from airflow_provider_itnio.api.errors import ConfigurationError
from airflow_provider_itnio.api.settings import DEFAULT_BASE_URL, ClientSettings, check_base_url
from tests.tables import for_each


@for_each(
    ("url", "checked"),
    [
        (DEFAULT_BASE_URL, "https://api.itniotech.com"),
        ("https://api.itniotech.com/", "https://api.itniotech.com"),
        (" https://api.itniotech.com:8443/gate/ ", "https://api.itniotech.com:8443/gate"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_https_and_http_to_loopback_are_accepted(url: str, checked: str) -> None:
    assert check_base_url(url) == checked


@for_each(
    "url", ["http://api.itniotech.com", "http://10.0.0.1", "http://localhost.example", "http://0.0.0.0:8080"]
)
def test_plain_http_is_accepted_only_with_allow_http(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_base_url(url)
    assert str(caught.value) == (
        f"must be https://, {url!r} given: plain http would send the Api-Key unencrypted; "
        'the extra {"allow_http": true} allows it'
    )
    assert check_base_url(url, allow_http=True) == url


@for_each(
    "url", ["", "api.itniotech.com", "ftp://api.itniotech.com", "https://", "https:///path", "://a", "/path"]
)
def test_a_base_url_without_an_http_scheme_or_host_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_base_url(url, allow_http=True)
    assert str(caught.value) == f"must be an address such as https://api.itniotech.com, {url!r} given"


@for_each("url", ["https://[::1", "https://a:port", "https://a:99999"])
def test_a_base_url_that_cannot_be_parsed_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"with a number as its port, if any$"):
        check_base_url(url)


@for_each(
    "url", ["https://ann:5ecret@a.example", "https://ann@a", "https://a/?b=5ecret", "https://a/#5ecret"]
)
def test_a_user_a_query_and_a_fragment_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_base_url(url)
    assert str(caught.value) == "must not contain a user name, query or fragment"


def test_a_password_is_not_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_base_url("ftp://ann:5ecret@a.example")
    assert "5ecret" not in str(caught.value)


def test_settings_have_the_documented_defaults() -> None:
    settings = ClientSettings()
    assert settings.base_url == "https://api.itniotech.com"
    assert (settings.connect_timeout, settings.timeout, settings.max_attempts) == (5, 30, 4)
    assert (settings.max_retry_after, settings.proxy) == (60, None)


def test_the_settings_repr_does_not_show_the_proxy() -> None:
    assert "5ecret" not in repr(ClientSettings(proxy="http://ann:5ecret@proxy.example"))


@for_each("host", ["api itniotech.com", "a..b", ".x", "*.example", "x" * 64])
def test_a_host_name_that_is_not_valid_in_dns_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^must be an address such as"):
        check_base_url(f"https://{host}")

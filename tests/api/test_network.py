from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_itnio.api.async_client import ItnioAsyncClient
from airflow_provider_itnio.api.client import ItnioClient
from airflow_provider_itnio.api.errors import ConfigurationError
from airflow_provider_itnio.api.network import Route, tls_context
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.signing import Credentials
from tests.api.conftest import Authority
from tests.tables import for_each

pytestmark = pytest.mark.usefixtures("own_contexts")

API = "https://api.itniotech.com"
Environment = Callable[..., None]


def proxy_for(url: str) -> str | None:
    proxy = Route.of(ClientSettings(url)).proxy
    return proxy and proxy.geturl()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    def put(**variables: object) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))

    return put


def names(context: ssl.SSLContext) -> set[str]:
    """The names of the authorities that a context trusts."""
    return {str(dict(part[0] for part in one["subject"])) for one in context.get_ca_certs()}


def test_without_proxy_variables_the_connection_is_direct() -> None:
    assert proxy_for(API) is None


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"https_proxy": "http://p:1"}, "http://p:1"),
        ({"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "ALL_PROXY": "http://q:1"}, "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "api.itniotech.com"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.example, .itniotech.com"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.example"}, "http://p:1"),
    ],
)
def test_the_proxy_is_read_from_the_environment(
    environment: Environment, variables: dict[str, str], proxy: str | None
) -> None:
    environment(**variables)
    assert proxy_for(API) == proxy


def test_http_uses_http_proxy_except_for_no_proxy(environment: Environment) -> None:
    environment(HTTP_PROXY="http://p:1", NO_PROXY="127.0.0.1")
    assert proxy_for("http://api.example") == "http://p:1"
    assert proxy_for("http://127.0.0.1:8080") is None


def test_every_context_verifies_the_certificate_and_the_host_name(
    environment: Environment, authority: Authority
) -> None:
    contexts = [tls_context()]
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(name, str(authority.bundle))
            contexts.append(tls_context())
    assert len(set(map(id, contexts))) == 4 - (contexts[1] is contexts[2])
    for context in contexts:
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname


def test_without_variables_the_well_known_authorities_are_trusted(authority: Authority) -> None:
    assert len(names(tls_context())) > 50
    assert not any("trustme" in name for name in names(tls_context()))


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_only_the_environments_ca_bundle_is_trusted(
    environment: Environment, authority: Authority, name: str
) -> None:
    environment(**{name: authority.bundle})
    (trusted,) = names(tls_context())
    assert "trustme" in trusted


def test_the_ca_bundle_may_be_a_folder(environment: Environment, authority: Authority) -> None:
    environment(REQUESTS_CA_BUNDLE=authority.bundle.parent)
    assert names(tls_context()) == set()  # a folder's certificates are read on demand


def test_requests_ca_bundle_has_precedence(
    environment: Environment, authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path)
    environment(REQUESTS_CA_BUNDLE=authority.bundle, CURL_CA_BUNDLE=other.bundle, SSL_CERT_FILE=other.bundle)
    first = tls_context()
    environment(REQUESTS_CA_BUNDLE="")
    assert first.get_ca_certs() != tls_context().get_ca_certs()


def test_a_context_is_built_once_for_each_setting(environment: Environment, authority: Authority) -> None:
    plain = tls_context()
    assert tls_context() is plain
    found: list[ssl.SSLContext] = []
    thread = threading.Thread(target=lambda: found.append(tls_context()))
    thread.start()
    thread.join()
    assert found == [plain]
    environment(SSL_CERT_FILE=authority.bundle)
    assert tls_context() is not plain


BROKEN = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
BUNDLES = {"none.pem": None, "empty.pem": "", "bad.pem": "no certificate", "broken.pem": BROKEN}


@for_each("client", [ItnioClient, ItnioAsyncClient])
@for_each("bundle", BUNDLES)
@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_an_unreadable_ca_bundle_prevents_a_client_from_being_made(
    environment: Environment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    bundle: str,
    client: Callable[[Credentials], object],
) -> None:
    monkeypatch.chdir(tmp_path)
    if (content := BUNDLES[bundle]) is not None:
        Path(bundle).write_text(content)
    environment(**{name: bundle})
    with pytest.raises(
        ConfigurationError, match=f"^certificate bundle '{bundle}' of the environment variable {name} "
    ):
        client(Credentials("key", "secret"))


def test_a_folder_in_ssl_cert_file_is_refused(environment: Environment, tmp_path: Path) -> None:
    environment(SSL_CERT_FILE=tmp_path)
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE can't be read"):
        tls_context()


def test_one_existing_folder_in_ssl_cert_dir_is_enough(environment: Environment, tmp_path: Path) -> None:
    environment(SSL_CERT_DIR=f"/nowhere:{tmp_path}")
    assert tls_context().verify_mode == ssl.CERT_REQUIRED


def test_a_proxy_in_the_environment_that_is_not_an_http_proxy_is_refused(monkeypatch):
    monkeypatch.setenv("https_proxy", "socks5://user:word@proxy.example:1080")
    with pytest.raises(ConfigurationError) as refused:
        proxy_for("https://api.example")
    assert str(refused.value).endswith("an address that begins with socks5:// given")
    assert "word" not in str(refused.value)


def test_a_proxy_in_the_environment_needs_no_scheme(monkeypatch):
    monkeypatch.setenv("https_proxy", "proxy.example:3128")
    assert proxy_for("https://api.example") == "http://proxy.example:3128"


def test_loopback_addresses_use_no_proxy(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    assert proxy_for("http://127.0.0.1:8025") is None
    assert proxy_for("http://[::1]:8025") is None
    assert proxy_for("http://localhost:8025") is None

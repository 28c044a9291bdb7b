from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme

from airflow_provider_itnio.api import network
from airflow_provider_itnio.api.async_client import ItnioAsyncClient
from airflow_provider_itnio.api.client import ItnioClient
from airflow_provider_itnio.api.errors import ItnioError
from airflow_provider_itnio.api.models import message_from
from airflow_provider_itnio.api.protocol import Protocol, Request
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.signing import Credentials
from airflow_provider_itnio.sandbox import Sandbox

API_KEY = "bDqJFiq9"
SECRET = "7bz1lzh9"
RECIPIENT = "8614718004557"
APP_ID = "DGziZf5u"
BUSINESS_PHONE = "91856321321"

NOW = 1_700_000_000.0

ENVIRONMENT = [
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    """An empty sandbox: no requests, messages or faults."""
    running_sandbox.clear()
    running_sandbox.clear_faults()
    return running_sandbox


class Sender:
    """One of the two clients, behind one blocking interface.

    :param client: the client.
    :param run: waits for what the client's methods give.
    """

    def __init__(self, client: Any, run: Callable[[Any], Any]) -> None:
        self.client = client
        self._run = run

    def send(self, text: str = "42 rows loaded", **changes: Any) -> Any:
        addressed = {"recipient": RECIPIENT, "app_id": APP_ID, "business_phone": BUSINESS_PHONE} | changes
        return self._run(self.client.send(message_from({"text": text}), **addressed))

    def get_balance(self) -> Any:
        return self._run(self.client.get_balance())

    def close(self) -> None:
        self._run(self.client.close())


Make = Callable[..., Sender]
"""Makes a client for a base URL, with settings."""


def failure(send: Callable[[], Any]) -> ItnioError:
    """The error that a call ends with."""
    with pytest.raises(ItnioError) as caught:
        send()
    return caught.value


CLIENTS = {"http.client": ItnioClient, "aiohttp": ItnioAsyncClient}


@pytest.fixture(params=CLIENTS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which client is tried."""
    return str(request.param)


@pytest.fixture
def sender(kind: str) -> Iterator[Callable[..., Sender]]:
    """Make a client for a base URL that waits only a short time between tries."""
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())

        def make(
            url: str,
            *,
            credentials: Credentials | None = None,
            now: Callable[[], float] | None = None,
            **settings: Any,
        ) -> Sender:
            quick: dict[str, Any] = {
                "connect_timeout": 2.0,
                "timeout": 5.0,
                "first_wait": 0.01,
                "jitter": 0.01,
            }
            client = CLIENTS[kind](
                credentials or Credentials(API_KEY, SECRET),
                ClientSettings(base_url=url, **(quick | settings)),
                **({"now": now} if now else {}),
            )
            made = Sender(client, runner.run if kind == "aiohttp" else lambda result: result)
            stack.callback(made.close)
            return made

        yield make


class Authority:
    """A certificate authority that the machine does not know."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self._folder = folder
        self.bundle = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.bundle))

    def certificate(self, name: str = "127.0.0.1") -> Path:
        """A certificate with its key, in one file."""
        path = self._folder / f"{name}.pem"
        self._ca.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(path))
        return path

    def server_context(self, name: str = "127.0.0.1") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate(name))
        return context


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """The authority, trusted through the environment's CA bundle."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.bundle))
    return authority


@pytest.fixture
def own_contexts() -> Iterator[None]:
    """Clear cached TLS contexts before and after the test."""
    network._context.cache_clear()
    yield
    network._context.cache_clear()


@pytest.fixture
def exchange() -> Protocol:
    """Requests and answers without a server."""
    return Protocol(Credentials(API_KEY, SECRET), lambda: NOW)


@pytest.fixture
def message(exchange: Protocol) -> Request[Receipt]:
    """The request of a text message."""
    return exchange.message_request(
        message_from({"text": "a"}), recipient=RECIPIENT, app_id=APP_ID, business_phone=BUSINESS_PHONE
    )

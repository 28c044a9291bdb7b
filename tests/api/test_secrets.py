"""No log line or error contains a secret, an Api-Key, a Sign or a whole phone number."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_itnio.api.errors import ItnioError
from airflow_provider_itnio.api.response import MAX_BODY_SIZE
from airflow_provider_itnio.api.signing import Credentials
from airflow_provider_itnio.sandbox import Sandbox
from tests.api.conftest import API_KEY, BUSINESS_PHONE, RECIPIENT, SECRET, Authority, Make
from tests.api.servers import Received, Server, TunnelProxy, answer, free_port
from tests.tables import for_each


class Watch:
    """Collects what is logged and raised during the test."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog
        self._raised: list[BaseException] = []
        self._since = int(time.time())

    def tries(self, action: Callable[[], Any]) -> BaseException | None:
        try:
            action()
        except Exception as error:
            self._raised.append(error)
            return error
        return None

    def everything(self) -> str:
        said = [record.getMessage() for record in self._caplog.records]
        said += [f"{record.args!r} {record.exc_text}" for record in self._caplog.records]
        for error in self._raised:
            said.append("".join(traceback.format_exception(error)))
            said += [f"{one} {one!r} {one.args!r} {vars(one)!r}" for one in self._chain(error)]
        return "\n".join(said)

    def _chain(self, error: BaseException | None) -> Iterator[BaseException]:
        """The error with its causes and contexts, also those a traceback hides."""
        waiting, seen = [error], set()
        while waiting:
            one = waiting.pop()
            if one is not None and id(one) not in seen:
                seen.add(id(one))
                yield one
                waiting += [one.__cause__, one.__context__]
                waiting += [inner for inner in one.args if isinstance(inner, BaseException)]

    def holds_nothing_secret(self) -> None:
        said = self.everything()
        credentials = Credentials(API_KEY, SECRET)
        for second in range(self._since - 5, int(time.time()) + 5):
            for stamp in (second, second + 3600):
                sign = credentials.sign(str(stamp))
                assert sign not in said
                assert sign.upper() not in said
        for secret in (API_KEY, SECRET, RECIPIENT, BUSINESS_PHONE):
            assert secret not in said


@pytest.fixture
def watch(caplog: pytest.LogCaptureFixture) -> Watch:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "aiohttp", "asyncio", "requests", "airflow_provider_itnio"):
        caplog.set_level(logging.DEBUG, logger=name)
    return Watch(caplog)


def test_a_success_shows_no_secret(sender: Make, sandbox: Sandbox, watch: Watch) -> None:
    one = sender(sandbox.url)
    assert watch.tries(one.send) is None
    assert watch.tries(one.get_balance) is None
    watch.holds_nothing_secret()


FAULTS: list[dict[str, Any]] = [
    {"status": -1, "reason": f"key {API_KEY} secret {SECRET} number {RECIPIENT} from {BUSINESS_PHONE}"},
    {"status": -4},
    {"status": -4711, "reason": f"{API_KEY}{SECRET}{RECIPIENT}"},
    {"answer": {"status": "-68", "reason": {"key": API_KEY, "to": RECIPIENT}}},
    {"answer": {"status": int(RECIPIENT)}},
    {"http_status": 429},
    {"http_status": 503, "headers": {"Retry-After": "99"}},
    {"http_status": 404, "body": f"{API_KEY} {RECIPIENT}"},
    {"http_status": 401, "headers": {"WWW-Authenticate": API_KEY}},
    {"http_status": 500, "body": f"{API_KEY} {RECIPIENT}", "headers": {"Content-Type": f"text/{API_KEY}"}},
    {"http_status": 302, "headers": {"Location": f"/?to={RECIPIENT}&key={API_KEY}"}},
    {"body": f"<html>{API_KEY} {SECRET} {RECIPIENT}"},
    {"body": RECIPIENT * (MAX_BODY_SIZE // 10)},
    {"drop": "before_accepting"},
    {"drop": "after_accepting"},
    {"delay": 1},
]


@for_each("fault", FAULTS)
def test_a_fault_shows_no_secret(sender: Make, sandbox: Sandbox, watch: Watch, fault: dict[str, Any]) -> None:
    sandbox.fail_next(9, **fault)
    one = sender(sandbox.url, max_attempts=2, timeout=0.3)
    assert isinstance(watch.tries(one.send), ItnioError)
    sandbox.clear_faults()
    watch.holds_nothing_secret()


def echo(received: Received) -> bytes:
    """Answer with the whole request as the reason."""
    return answer({"status": "-1", "reason": f"{received.headers} {received.body.decode()}"})


def sign_first(received: Received) -> bytes:
    return answer({"status": "-1", "reason": f"{received.headers['sign']} {received.headers['api-key']}"})


def no_http(received: Received) -> bytes:
    return f"{received.headers['api-key']} {received.headers['sign']}\r\nconnection: close\r\n\r\n".encode()


def bad_gzip(_: Received) -> bytes:
    return answer(b"no gzip", Content_Encoding="gzip")


@for_each("answering", [echo, sign_first, no_http, bad_gzip])
def test_a_server_that_echoes_the_request_makes_no_log_or_error_show_a_secret(
    sender: Make, watch: Watch, answering: Callable[[Received], bytes]
) -> None:
    with Server(answering) as server:
        assert isinstance(watch.tries(sender(server.url, timeout=1.0).send), ItnioError)
    assert len(server.requests) == 1
    watch.holds_nothing_secret()


def test_a_connection_error_shows_no_secret(sender: Make, watch: Watch, authority: Authority) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert isinstance(watch.tries(sender(nowhere, max_attempts=2).send), ItnioError)
    assert isinstance(watch.tries(sender("http://no-such-host.invalid", max_attempts=2).send), ItnioError)
    assert isinstance(
        watch.tries(sender("http://api.example", proxy=nowhere, max_attempts=1).send), ItnioError
    )
    with Server(tls=authority.server_context()) as server:
        assert isinstance(watch.tries(sender(server.url).send), ItnioError)
    with Server(lambda _: answer(b"", 407)) as proxy:
        assert isinstance(
            watch.tries(sender("https://api.example", proxy=proxy.url, max_attempts=1).send), ItnioError
        )
    watch.holds_nothing_secret()


def test_a_connection_lost_behind_a_proxy_shows_no_secret(
    sender: Make, watch: Watch, trusted: Authority
) -> None:
    with Server(lambda _: None, tls=trusted.server_context()) as server, TunnelProxy() as proxy:
        assert isinstance(watch.tries(sender(server.url, proxy=proxy.url).send), ItnioError)
    watch.holds_nothing_secret()


def test_a_clients_repr_does_not_show_its_credentials(sender: Make) -> None:
    one = sender("https://api.example").client
    assert API_KEY not in f"{one!r} {vars(one)!r}"
    assert SECRET not in f"{one!r} {vars(one)!r} {vars(one._protocol)!r}"

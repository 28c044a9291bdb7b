"""No frame of a traceback shows an Api-Key, a secret or a Sign: error collectors show frames' locals."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import pickle
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from airflow_provider_itnio.api.async_client import ItnioAsyncClient
from airflow_provider_itnio.api.client import ItnioClient
from airflow_provider_itnio.api.errors import (
    ConfigurationError,
    ItnioError,
    is_marked_as_not_sent,
)
from airflow_provider_itnio.api.models import message_from
from airflow_provider_itnio.api.protocol import Protocol
from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.api.response import Response
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.signing import Credentials, Secret
from tests.api.conftest import API_KEY, APP_ID, BUSINESS_PHONE, RECIPIENT, SECRET, Authority, Make, Sender
from tests.api.servers import Received, Server, TunnelProxy, answer, free_port, full_backlog
from tests.api.test_deadlines import PROXIES, SLOW, dripping, silent
from tests.frames import assert_shows_no_secret
from tests.tables import for_each


def holds_nothing(error: BaseException | None) -> None:
    assert error is not None
    assert_shows_no_secret(error, API_KEY, SECRET)


def ended(send: Callable[[], Any]) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - also a BaseException
        send()
    return caught.value


# --- every answer ---------------------------------------------------------------------------------------


def repeats_as_reason(received: Received) -> bytes:
    return answer({"status": "-1", "reason": f"{received.headers} {received.body.decode()}"})


def repeats_as_page(received: Received) -> bytes:
    return answer(f"<html>{received.headers}".encode(), 500, X_Sign=received.headers["sign"])


def repeats_as_keys(received: Received) -> bytes:
    return answer({"status": "-4", received.headers["sign"]: received.headers["api-key"]})


def repeats_as_status_line(received: Received) -> bytes:
    return f"HTTP/1.1 {received.headers['sign']}\r\nConnection: close\r\n\r\n".encode()


def repeats_as_header(received: Received) -> bytes:
    return f"HTTP/1.1 200 OK\r\n{received.headers['api-key']} {received.headers['sign']}\r\n\r\n".encode()


def repeats_and_turns_away(received: Received) -> bytes:
    return answer({"reason": received.headers["sign"]}, 503, Retry_After=received.headers["api-key"])


def repeats_as_part(received: Received) -> bytes:
    return answer(received.headers["sign"].encode(), Content_Length="999", Connection="close")


REPEATING = [
    repeats_as_reason,
    repeats_as_page,
    repeats_as_keys,
    repeats_as_status_line,
    repeats_as_header,
    repeats_and_turns_away,
    repeats_as_part,
]


@for_each("answering", REPEATING)
def test_no_frame_shows_a_secret_that_the_server_echoes(
    sender: Make, answering: Callable[[Received], bytes]
) -> None:
    with Server(answering) as server:
        error = ended(sender(server.url, timeout=1.0, max_attempts=2).send)
    assert isinstance(error, ItnioError)
    holds_nothing(error)


def test_no_frame_shows_a_secret_after_a_connection_error(sender: Make, authority: Authority) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    holds_nothing(ended(sender(nowhere, max_attempts=2).send))
    holds_nothing(ended(sender("http://no-such-host.invalid", max_attempts=1).send))
    holds_nothing(ended(sender("https://api.example", proxy=nowhere, max_attempts=1).send))
    with Server(lambda _: None) as server:
        holds_nothing(ended(sender(server.url).send))
    with Server(tls=authority.server_context()) as server:
        holds_nothing(ended(sender(server.url).send))
    with Server(lambda _: answer(b"", 407)) as proxy:
        holds_nothing(ended(sender("https://api.example", proxy=proxy.url, max_attempts=1).send))


def test_no_frame_shows_a_secret_after_a_connection_lost_in_a_tunnel(
    sender: Make, trusted: Authority
) -> None:
    with Server(lambda _: None, tls=trusted.server_context()) as server, TunnelProxy() as proxy:
        holds_nothing(ended(sender(server.url, proxy=proxy.url).send))


# --- timeouts and cancellations -------------------------------------------------------------------------


class TimedOut(BaseException):
    """What Airflow's execution_timeout raises at any line of the task."""


@contextlib.contextmanager
def timed_out(requests: Sequence[Received] | None) -> Iterator[None]:
    def time_out(*_: object) -> None:
        raise TimedOut

    def watch() -> None:
        while not requests and not is_over.wait(0.005):
            pass
        signal.setitimer(signal.ITIMER_REAL, 0.1)

    before, is_over = signal.signal(signal.SIGALRM, time_out), threading.Event()
    watching = threading.Thread(target=watch)
    if requests is None:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
    else:
        watching.start()
    try:
        yield
    finally:
        is_over.set()
        if requests is not None:
            watching.join()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def blocking(url: str, **settings: Any) -> Sender:
    client = ItnioClient(Credentials(API_KEY, SECRET), ClientSettings(base_url=url, **settings))
    return Sender(client, lambda result: result)


def cut_off(url: str, requests: Sequence[Received] | None = None, **settings: Any) -> BaseException:
    """Let the task time out: soon, or, if a server's requests are given, soon after the first."""
    one = blocking(url, **settings)
    with timed_out(requests):
        error = ended(one.send)
    assert type(error) is TimedOut
    holds_nothing(error)
    return error


@for_each("name", SLOW)
def test_a_task_timeout_during_an_answer_shows_no_secret(name: str) -> None:
    with dripping(*SLOW[name])() as server:
        assert not is_marked_as_not_sent(cut_off(server.url, server.requests))


def test_a_task_timeout_during_an_answer_over_tls_shows_no_secret(trusted: Authority) -> None:
    slow = dripping(*SLOW["a byte of the body at a time"])
    with slow(tls=trusted.server_context()) as server:
        assert not is_marked_as_not_sent(cut_off(server.url, server.requests))
    with slow(tls=trusted.server_context()) as server, TunnelProxy() as proxy:
        assert not is_marked_as_not_sent(cut_off(server.url, server.requests, proxy=proxy.url))


@for_each("name", PROXIES)
def test_a_task_timeout_while_connecting_shows_no_secret_and_is_marked_as_not_sent(name: str) -> None:
    with silent(*PROXIES[name]) as url:
        assert is_marked_as_not_sent(cut_off("https://api.example", proxy=url))
        assert is_marked_as_not_sent(cut_off(url.replace("http:", "https:")))


def test_a_task_timeout_before_a_connection_shows_no_secret_and_is_marked_as_not_sent() -> None:
    with full_backlog() as url:
        assert is_marked_as_not_sent(cut_off(url))


def test_a_task_timeout_during_a_tls_handshake_leaves_no_socket_open() -> None:
    with silent() as url, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        cut_off(url.replace("http:", "https:"))
        gc.collect()
    assert not [one for one in warned if "TimedTlsSocket" in str(one.message)]


def test_a_task_timeout_between_two_tries_is_marked_as_not_sent() -> None:
    with Server(lambda _: answer(b"", 429, Retry_After="30")) as server:
        assert is_marked_as_not_sent(cut_off(server.url, server.requests))
    assert len(server.requests) == 1


def test_a_task_timeout_in_the_second_try_is_not_marked_as_not_sent() -> None:
    def turns_away_and_is_silent(received: Received) -> bytes:
        if len(server.requests) > 1:
            server.stopped.wait(9)
        return answer(b"", 429)

    with Server(turns_away_and_is_silent) as server:
        error = cut_off(server.url, first_wait=0.01, jitter=0.01)
    assert len(server.requests) == 2
    assert not is_marked_as_not_sent(error)


def cancelled(url: str, requests: Sequence[Received] | None = None, **settings: Any) -> BaseException:
    async def end_of(sent: Any) -> BaseException:
        try:
            await sent
        except BaseException as error:
            return error
        raise AssertionError("it was sent")

    async def send() -> BaseException:
        options = ClientSettings(base_url=url, **settings)
        async with ItnioAsyncClient(Credentials(API_KEY, SECRET), options) as client:
            message = message_from({"text": "a"})
            sending = client.send(message, recipient=RECIPIENT, app_id=APP_ID, business_phone=BUSINESS_PHONE)
            task = asyncio.create_task(end_of(sending))
            while requests is not None and not (requests or task.done()):
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.3 if requests is None else 0.1)
            task.cancel()
            return await task

    error = asyncio.run(send())
    assert type(error) is asyncio.CancelledError
    holds_nothing(error)
    return error


@for_each("name", SLOW)
def test_a_cancellation_during_an_answer_shows_no_secret(name: str) -> None:
    with dripping(*SLOW[name])() as server:
        assert not is_marked_as_not_sent(cancelled(server.url, server.requests))


@for_each("name", PROXIES)
def test_a_cancellation_while_connecting_shows_no_secret_and_is_marked_as_not_sent(name: str) -> None:
    with silent(*PROXIES[name]) as url:
        assert is_marked_as_not_sent(cancelled("https://api.example", proxy=url))
        assert is_marked_as_not_sent(cancelled(url.replace("http:", "https:")))


def test_asyncio_timeout_around_a_send_raises_timeout_error() -> None:
    """asyncio.timeout() recognises its cancellation by the exact class."""

    async def send(url: str) -> None:
        options = ClientSettings(base_url=url)
        async with ItnioAsyncClient(Credentials(API_KEY, SECRET), options) as client, asyncio.timeout(0.3):
            await client.get_balance()

    with Server(lambda _: answer(b"", 429, Retry_After="30")) as server, pytest.raises(TimeoutError):
        asyncio.run(send(server.url))
    with silent() as url, pytest.raises(TimeoutError):
        asyncio.run(send(url.replace("http:", "https:")))


# --- objects with secrets -------------------------------------------------------------------------------


@for_each("held", [Secret(SECRET), Credentials(API_KEY, SECRET)])
def test_a_secret_is_not_in_any_repr_pickle_or_attribute(held: Any) -> None:
    for text in (repr(held), str(held), f"{held}", f"{held!s:>20}", f"{[held]}", f"{ {held: held} }"):
        assert SECRET not in text
        assert API_KEY not in text
    with pytest.raises(TypeError, match="can't be pickled"):
        pickle.dumps(held)
    with pytest.raises(TypeError):
        vars(held)
    assert copy.deepcopy(held) == copy.copy(held) == held
    assert len({held, copy.deepcopy(held)}) == 1


def test_reveal_and_equality_use_the_secrets_text() -> None:
    assert Secret(SECRET).reveal() == Secret(Secret(SECRET)).reveal() == SECRET
    assert Secret(SECRET) == SECRET
    assert Secret(SECRET) != Secret(API_KEY)
    assert (bool(Secret("")), bool(Secret("x"))) == (False, True)


@for_each("api_key", [f"{API_KEY} ", f"{API_KEY}\n", f"{API_KEY}é"])
def test_no_frame_shows_a_refused_api_key(api_key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Credentials(api_key, SECRET)
    holds_nothing(caught.value)


def test_reprs_of_requests_and_answers_do_not_show_phone_numbers() -> None:
    protocol = Protocol(Credentials(API_KEY, SECRET))
    request = protocol.message_request(
        message_from({"text": "a"}), recipient=RECIPIENT, app_id=APP_ID, business_phone=BUSINESS_PHONE
    )
    response = Response(200, {"X": RECIPIENT}, f'{{"status": -1, "reason": "{RECIPIENT}"}}'.encode())
    receipt = Receipt("1", RECIPIENT, "text", None)
    for shown in (f"{request} {request!r}", f"{response} {response!r}", f"{receipt} {receipt!r}"):
        assert RECIPIENT not in shown
        assert BUSINESS_PHONE not in shown

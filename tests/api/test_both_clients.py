"""Both clients have the same methods and describe failures in the same words."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import socket
import time
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from airflow_provider_itnio.api.async_client import ItnioAsyncClient, _Deadlines, _Exchange
from airflow_provider_itnio.api.client import ItnioClient
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.signing import Credentials
from tests.api.conftest import (
    API_KEY,
    SECRET,
    Make,
    Sender,
    failure,
)
from tests.api.servers import (
    MESSAGE_ID,
    Received,
    Server,
    answer,
    free_port,
)
from tests.tables import for_each


def public(cls: type) -> dict[str, Any]:
    members = inspect.getmembers(cls, inspect.isfunction)
    return {name: member for name, member in members if not name.startswith("_")}


def test_both_clients_have_the_same_methods_and_docstrings() -> None:
    one, other = public(ItnioClient), public(ItnioAsyncClient)
    assert one.keys() == other.keys() == {"send", "get_balance", "perform", "close"}
    for name in ("send", "get_balance"):
        assert inspect.signature(one[name]) == inspect.signature(other[name])
        assert inspect.getdoc(one[name]) == inspect.getdoc(other[name])
        assert inspect.iscoroutinefunction(other[name])
    assert inspect.signature(ItnioClient) == inspect.signature(ItnioAsyncClient)


def test_both_clients_describe_a_failure_in_the_same_sentence() -> None:
    """The text after "connection:" is the HTTP library's; the sentence around it is ours."""
    import asyncio

    settings = ClientSettings(base_url=f"http://127.0.0.1:{free_port()}", max_attempts=1)
    credentials = Credentials(API_KEY, SECRET)
    sentences = [
        str(failure(ItnioClient(credentials, settings).get_balance)),
        str(failure(lambda: asyncio.run(ItnioAsyncClient(credentials, settings).get_balance()))),
    ]
    for one, other in pairwise(re.sub(r"connection: .*", "", sentence) for sentence in sentences):
        assert one == other == "The balance request was not sent, no "


@for_each("second", [answer({"status": "0", "data": {"messageId": "again"}}), b"\r\nHTTP/1.1 2"])
def test_bytes_after_an_answer_are_not_read_as_the_next_answer(sender: Make, second: bytes) -> None:
    class Twice(Server):
        def serve(self, received: Received, connection: socket.socket) -> None:
            super().serve(received, connection)
            self.stopped.wait(0.05)  # by then the connection is idle
            connection.sendall(second)

    with Twice() as server:
        one = sender(server.url, timeout=5)
        for recipient in ("8614718004557", "8614718004558", "8614718004559"):
            assert one.send(recipient=recipient).message_id == MESSAGE_ID
            one._run(_pause(one))
        assert [json.loads(one.body)["recipient"][-1] for one in server.requests] == ["7", "8", "9"]


def _pause(one: Sender) -> Any:
    if isinstance(one.client, ItnioAsyncClient):
        return asyncio.sleep(0.2)
    time.sleep(0.2)
    return None


def test_an_exchange_ends_at_its_deadline_at_every_stage() -> None:
    async def stuck() -> BaseException:
        deadlines, exchange = _Deadlines(0.05), _Exchange()
        exchange.connection = SimpleNamespace(transport=None)
        deadlines.start(exchange)
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            return exchange.error_for(error)
        raise AssertionError

    async def both() -> tuple[BaseException, int]:
        ended = await stuck()
        return ended, asyncio.current_task().cancelling()

    ended, still_cancelled = asyncio.run(asyncio.wait_for(both(), 10))
    assert isinstance(ended, TimeoutError)
    assert still_cancelled == 0


def test_a_cancellation_from_outside_is_kept_when_an_exchange_is_late() -> None:
    async def cancelled() -> BaseException:
        exchange = _Exchange()
        exchange.connection = SimpleNamespace(transport=None)
        exchange.abort()
        exchange.task.cancel()
        try:
            await asyncio.sleep(10)
        except BaseException as error:
            return exchange.error_for(error)
        raise AssertionError

    async def aside() -> BaseException:
        return await asyncio.create_task(cancelled())

    assert isinstance(asyncio.run(aside()), asyncio.CancelledError)

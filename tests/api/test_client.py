"""The blocking client: threads, processes, one for each account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from airflow_provider_itnio.api import client
from airflow_provider_itnio.api.client import ItnioClient, shared_client
from airflow_provider_itnio.api.settings import ClientSettings
from airflow_provider_itnio.api.signing import Credentials
from tests.api.conftest import (
    API_KEY,
    SECRET,
    Sender,
)
from tests.api.servers import (
    Received,
    Server,
    answer,
)


def blocking(url: str) -> Sender:
    quick = ClientSettings(base_url=url, timeout=5.0, first_wait=0.01, jitter=0.01)
    return Sender(ItnioClient(Credentials(API_KEY, SECRET), quick), lambda result: result)


def test_threads_share_a_client_but_no_connection() -> None:
    arrived = threading.Barrier(4)

    def all_at_once(_: Received) -> bytes:
        arrived.wait(5)
        return answer()

    with Server(all_at_once) as server:
        one = blocking(server.url)

        def send_twice() -> None:
            one.send()
            one.send()

        threads = [threading.Thread(target=send_twice) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(request.connection for request in server.requests) == [1, 1, 2, 2, 3, 3, 4, 4]


def test_a_client_survives_a_fork(tmp_path: Path) -> None:
    """The child neither writes into its parent's socket nor breaks it."""
    program = textwrap.dedent("""
        import os, sys
        from airflow_provider_itnio.api.client import shared_client
        from airflow_provider_itnio.api.models import message_from
        from airflow_provider_itnio.api.settings import ClientSettings
        from airflow_provider_itnio.api.signing import Credentials

        addressed = {"recipient": "8614718004557", "app_id": "a", "business_phone": "91856321321"}

        def send(text):
            client = shared_client(Credentials("key", "secret"), ClientSettings(base_url=sys.argv[1]))
            client.send(message_from({"text": text}), **addressed)
            return client

        before = send("before")
        child = os.fork()
        if child == 0:
            try:
                before.send(message_from({"text": "child"}), **addressed)
                os._exit(0 if send("kept child") is not before else 3)
            except BaseException as error:
                print(repr(error), file=sys.stderr)
                os._exit(4)
        _, status = os.waitpid(child, 0)
        assert send("after") is before
        sys.exit(os.waitstatus_to_exitcode(status))
    """)
    with Server() as server:
        ran = subprocess.run(
            [sys.executable, "-c", program, server.url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    came = {json.loads(request.body)["text"]["body"]: request.connection for request in server.requests}
    assert came == {"before": 1, "child": 2, "kept child": 3, "after": 1}


def test_equal_accounts_and_settings_share_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_shared_clients", {})
    kept = shared_client(Credentials("key", "secret"), ClientSettings(base_url="https://a.example"))
    assert shared_client(Credentials("key", "secret"), ClientSettings(base_url="https://a.example")) is kept
    assert (
        shared_client(Credentials("key", "other"), ClientSettings(base_url="https://a.example")) is not kept
    )
    assert (
        shared_client(Credentials("key", "secret"), ClientSettings(base_url="https://b.example")) is not kept
    )
    assert (
        shared_client(Credentials("key", "secret"), ClientSettings(base_url="https://a.example", timeout=1))
        is not kept
    )
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert (
        shared_client(Credentials("key", "secret"), ClientSettings(base_url="https://a.example")) is not kept
    )


def test_only_so_many_clients_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_shared_clients", {})
    first = shared_client(Credentials("key", "0"), ClientSettings())
    for number in range(1, 40):
        shared_client(Credentials("key", f"{number}"), ClientSettings())
    assert len(client._shared_clients) == 32
    assert shared_client(Credentials("key", "0"), ClientSettings()) is not first

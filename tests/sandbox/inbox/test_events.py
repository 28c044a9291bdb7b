"""The stream of server-sent events of the inbox page."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

import pytest
import requests

from airflow_provider_itnio.sandbox import Sandbox
from airflow_provider_itnio.sandbox.inbox.events import ITEMS_AN_EVENT, Events
from airflow_provider_itnio.sandbox.inbox.items import item


class Stream:
    """Reads server-sent events one by one."""

    def __init__(self, answer):
        self.answer = answer
        self.lines = answer.iter_lines(chunk_size=None, decode_unicode=True)  # each part when it arrives
        self.last_id = ""

    def next(self):
        event = {}
        for line in self.lines:
            if not line and "data" in event:
                self.last_id = event.get("id", self.last_id)
                return event["event"], json.loads(event["data"])
            name, _, value = line.partition(": ")
            event[name] = value
        return None

    def items(self, count=1):
        found = []
        while len(found) < count:
            name, data = self.next()
            assert name == "items"
            found += data
        return found


@pytest.fixture
def follow(sandbox):
    """Follow the events of a sandbox, starting after ``after``."""

    @contextmanager
    def follow(after=None, *, at=None, **options):
        headers = {} if after is None else {"Last-Event-ID": after}
        url = f"{(at or sandbox).url}/sandbox/events"
        with requests.get(url, headers=headers, stream=True, timeout=5, **options) as answer:
            assert answer.status_code == 200
            yield Stream(answer)

    return follow


@pytest.fixture
def start(sandbox):
    """The cursor of the inbox before anything happened."""
    return sandbox._vendor.store.cursor


def test_a_new_reader_gets_clear_and_then_new_items(wire, follow, message):
    wire.custom(message())
    with follow() as events:
        assert events.answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert events.next() == ("clear", {})
        assert events.last_id == wire.control("GET", "conversations").json()["cursor"]
        wire.custom(message(text={"body": "new"}))
        assert events.items()[0]["message"] == wire.control("GET", "messages").json()[1]


def test_every_reader_gets_new_items(wire, sandbox, follow, message):
    with follow() as one, follow() as other:
        for events in (one, other):
            events.next()
        wire.custom(message())
        wire.custom(message(recipient="1"))
        wire.control("POST", "replies", json={"message_id": sandbox.messages[0].id, "text": "ok"})
        for events in (one, other):
            accepted, refused, replied, opened = events.items(4)
            assert accepted["message"]["id"] == sandbox.messages[0].id
            assert "failure" not in accepted
            assert refused["failure"]["status"] == -71
            assert replied["reply"]["text"] == "ok"
            assert opened["window"]["recipient"] == message()["recipient"]
            assert accepted["number"] < refused["number"] < replied["number"]


def test_an_item_is_serialized_once_for_all_readers(wire, start, follow, message, monkeypatch):
    written = []

    def counted(exchange):
        written.append(exchange.number)
        return item(exchange)

    monkeypatch.setattr("airflow_provider_itnio.sandbox.inbox.items.item", counted)
    for _ in range(3):
        wire.custom(message())
    for _ in range(2):
        with follow(start) as events:
            assert len([one for one in events.items(3) if "message" in one]) == 3
        assert len(wire.control("GET", f"conversations/{message()['recipient']}/items").json()["items"]) == 3
    assert len(written) == len(set(written)) == 3


def test_a_returning_reader_gets_missed_items(wire, follow, message):
    with follow() as events:
        events.next()
        wire.custom(message(text={"body": "seen"}))
        events.items()
        last_id = events.last_id
    wire.custom(message(text={"body": "missed"}))
    with follow(last_id) as events:
        assert [one["message"]["text"] for one in events.items()] == ["missed"]
    with follow(params={"after": last_id}) as events:
        assert [one["message"]["text"] for one in events.items()] == ["missed"]


def test_a_reader_that_returns_after_a_clear_gets_clear(wire, sandbox, follow, message):
    wire.custom(message(text={"body": "seen"}))
    last_id = sandbox._vendor.store.cursor
    sandbox.clear()
    wire.custom(message(text={"body": "new"}))
    with follow(last_id) as events:
        assert events.next() == ("clear", {})
        assert events.last_id == sandbox._vendor.store.cursor


@pytest.mark.parametrize("missed", [200, 201])
def test_a_reader_that_missed_too_many_items_gets_clear(wire, sandbox, follow, message, missed, monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.sandbox.inbox.events.MOST_MISSED", 200)
    wire.custom(message())
    store = sandbox._vendor.store
    last_id = store.cursor
    for _ in range(missed):
        store.add(store.messages[0])
    with follow(last_id) as events:
        name, told = events.next()
        assert (name, len(told)) == (("items", 100) if missed == 200 else ("clear", 0))


@pytest.mark.parametrize("after", ["", "5", "another.1", "{name}.x", "{name}.-1", "{name}.", "é.1"])
def test_a_reader_with_another_sandboxs_cursor_gets_clear(wire, sandbox, follow, message, after):
    wire.custom(message())
    with follow(params={"after": after.format(name=sandbox._vendor.store.name)}) as events:
        assert events.next()[0] == "clear"
        wire.custom(message(text={"body": "new"}))
        assert [one["message"]["text"] for one in events.items()] == ["new"]


def test_a_clear_is_sent_to_readers(wire, sandbox, follow, message):
    wire.custom(message())
    with follow() as events:
        events.next()
        wire.control("DELETE", "messages")
        assert events.next() == ("clear", {})
        wire.custom(message(text={"body": "after"}))
        assert events.items()[0]["message"]["text"] == "after"


def test_many_items_at_once_are_sent_in_parts_and_in_order(start, sandbox, wire, follow, message):
    wire.custom(message())
    store, (template,) = sandbox._vendor.store, sandbox.messages
    for number in range(250):
        store.add(replace(template, text=str(number), statuses=[]))
    with follow(start) as events:
        first = [one for one in events.items() if "status" not in one][1:]
        assert len(first) < 100
        rest = events.items(250 - len(first))
        texts = [one["message"]["text"] for one in [*first, *rest]]
        assert texts == [str(number) for number in range(250)]


def test_a_returning_reader_gets_messages_with_their_current_status(wire, start, sandbox, follow, message):
    wire.custom(message(recipient="99970000003"))
    with follow(start) as events:
        assert events.items()[0]["message"]["status"] == "accepted"
        sandbox.push(sandbox.messages[0], "read")
        assert events.items()[0]["status"]["status"] == "read"
    with follow(start) as events:
        assert events.items()[0]["message"]["status"] == "read"


def test_pages_that_open_at_once_take_turns(sandbox, wire, message):
    """In each pass of the event loop only one page writes one event."""
    store = sandbox._vendor.store
    start = store.cursor
    wire.custom(message())
    for _ in range(ITEMS_AN_EVENT):
        store.add(store.messages[0])

    async def open_many():
        passes, written, told = 0, [], 0
        stopping = asyncio.Event()
        events = Events(store, stopping)

        async def receive():
            await stopping.wait()
            return {"type": "http.disconnect"}

        async def send(event):
            nonlocal told
            if b"event: items" in event.get("body", b""):
                written.append(passes)
                told += event["body"].count(b'"message": {')

        query = f"after={start}".encode()
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": query, "headers": []}
        pages = [asyncio.ensure_future(events(scope, receive, send)) for _ in range(20)]
        while told < 20 * (ITEMS_AN_EVENT + 1):
            passes += 1
            await asyncio.sleep(0)
        stopping.set()
        await asyncio.gather(*pages)
        return Counter(written)

    assert max(asyncio.run(open_many()).values()) == 1


def test_the_stream_of_a_loading_page_ends_when_the_sandbox_stops(sandbox, wire, message):
    store = sandbox._vendor.store
    start = store.cursor
    wire.custom(message())
    for _ in range(5 * ITEMS_AN_EVENT):
        store.add(store.messages[0])

    async def stop_at_the_first():
        stopping, told = asyncio.Event(), []

        async def receive():
            await asyncio.Event().wait()

        async def send(event):
            if b"event: items" in event.get("body", b""):
                told.append(event)
                stopping.set()
                await asyncio.sleep(0.01)

        query = f"after={start}".encode()
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": query, "headers": []}
        await Events(store, stopping)(scope, receive, send)
        return len(told)

    assert asyncio.run(stop_at_the_first()) == 1


def test_refusals_do_not_displace_messages(start_sandbox, wire_to, follow, message):
    sandbox = start_sandbox(keep=3)
    wire = wire_to(sandbox)
    start = sandbox._vendor.store.cursor
    wire.custom(message())
    for _ in range(5):
        wire.custom(message(recipient="1"))
        wire.balance()
    with follow(start, at=sandbox) as events:
        items = [one for one in events.items(4) if "status" not in one]
        assert [bool(one.get("message")) for one in items] == [True, False, False, False]


def test_an_idle_stream_sends_keep_alives(follow, monkeypatch):
    monkeypatch.setattr("airflow_provider_itnio.sandbox.inbox.events.SIGN_OF_LIFE", 0.05)
    with follow() as events:
        events.next()
        assert next(line for line in events.lines if line) == ": still here"


def test_an_open_page_does_not_delay_the_stop(follow):
    with Sandbox() as sandbox, follow(at=sandbox):
        start = time.monotonic()
        sandbox.stop()
        assert time.monotonic() - start < 10  # a keep-alive is sent every 15 s


def test_a_closed_page_is_no_longer_a_listener(start_sandbox, follow):
    sandbox = start_sandbox()

    def wait_for_listeners(count):
        deadline = time.monotonic() + 5
        while len(sandbox._vendor.store._listeners) != count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(sandbox._vendor.store._listeners) == count

    with follow(at=sandbox):
        wait_for_listeners(1)
    wait_for_listeners(0)


def test_readers_in_threads_lose_nothing(start_sandbox, wire_to, follow, message):
    sandbox = start_sandbox()
    found, ready = [], threading.Barrier(4)

    def read():
        with follow(at=sandbox) as events:
            events.next()
            ready.wait()
            found.append([one["message"]["text"] for one in events.items(60)])

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    ready.wait(10)
    wire = wire_to(sandbox)
    for number in range(60):
        wire.custom(message(text={"body": str(number)}))
    for reader in readers:
        reader.join(10)
    assert found == [[str(number) for number in range(60)]] * 3

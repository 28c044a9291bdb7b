"""The store is limited in number and in memory."""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, datetime

from airflow_provider_itnio.sandbox.store.entries import Reply
from airflow_provider_itnio.sandbox.store.exchange import memory_of
from airflow_provider_itnio.sandbox.store.store import MIN_MEMORY, Store
from tests.tables import for_each

MIB = 1 << 20


def reply_of(size, number=0):
    """Make a reply of about this many bytes."""
    return Reply(str(number), "8614718004557", "text", "x" * (size // 16), None, None, datetime.now(UTC), {})


def kept_of(sizes, keep=1000, store=None):
    store = store or Store(keep)
    for number, size in enumerate(sizes):
        store.add(reply_of(size, number))
    assert len(store.kinds["reply"]) == len(store.all("reply")) == len(store.chats["8614718004557"])
    return [int(one.id) for one in store.all("reply")]


def test_the_latest_items_are_kept_up_to_a_number():
    assert kept_of([0] * 5, keep=3) == [2, 3, 4]


def test_large_items_displace_the_oldest():
    assert kept_of([MIN_MEMORY // 2] * 3) == [1, 2]
    assert kept_of([16, MIN_MEMORY - 16]) == [0, 1]
    assert kept_of([16, MIN_MEMORY]) == [1]


def test_the_newest_item_is_kept_whatever_its_size():
    assert kept_of([16, MIN_MEMORY * 2]) == [1]
    assert kept_of([MIN_MEMORY * 2, 16]) == [1]


def test_a_larger_keep_allows_more_memory():
    assert len(kept_of([MIB] * 200, keep=1000)) == 64
    assert len(kept_of([MIB] * 200, keep=2000)) == 125


def test_cleared_items_use_no_memory():
    store = Store(1000)
    store.add(reply_of(MIN_MEMORY))
    store.clear()
    assert kept_of([MIN_MEMORY // 2] * 2, store=store) == [0, 1]


@for_each(
    "value",
    [
        [[]] * 100_000,
        [{} for _ in range(100_000)],
        list(range(1000, 100_000)),
        [{"id": number, "title": f"title {number}"} for number in range(10_000)],
        {f"k{number}": number for number in range(50_000)},
        {"text": {"body": "x" * MIB}},
        {"text": {"body": "x" * MIB + "\U0001f600"}},
        {"text": {"body": "数" * MIB}},
    ],
)
def test_the_estimated_size_is_near_a_bodys_memory(value):
    raw = json.dumps(value, ensure_ascii=False).encode()
    tracemalloc.start()
    try:
        held = bytes(bytearray(raw)), json.loads(raw)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held[1] == value
    assert taken / 2 <= memory_of(raw) <= taken * 3


def test_huge_requests_displace_older_requests_but_no_messages(wire, sandbox, message):
    assert wire.custom(message()).json()["status"] == "0"
    huge = b"[" + b"[]," * 200_000 + b"[]]"
    for _ in range(4):
        assert wire.custom(huge, wire.headers(secret="another")).json()["status"] == "-1"
    assert len(sandbox.messages) == 1
    assert (len(sandbox.refused), len(sandbox.requests)) == (2, 3)
    assert sandbox.requests[-1].raw_body == huge


def test_answers_and_replies_are_counted_too(start_sandbox, wire_to, message):
    sandbox = start_sandbox()
    wire = wire_to(sandbox)
    sandbox.fail_next(40, body="数" * 300_000)
    for _ in range(40):
        wire.custom(message())
    assert 10 < len(sandbox.requests) < 30
    assert wire.control("POST", "replies", json={"recipient": "1" * 21, "text": "x"}).status_code == 400
    place = {"latitude": "0." + "0" * 30, "longitude": "1"}
    answer = wire.control("POST", "replies", json={"recipient": "4930123456", "location": place})
    assert "location.latitude: degrees" in answer.json()["error"]

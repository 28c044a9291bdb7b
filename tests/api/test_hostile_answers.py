"""Hostile answers give an outcome with little memory and CPU time, in both clients."""

from __future__ import annotations

import functools
import gzip
import json
import time
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_itnio.api.errors import (
    AuthenticationError,
    ItnioError,
    NotSentError,
    RefusedError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.api.receipt import Receipt
from tests.api.conftest import API_KEY, SECRET, Make
from tests.api.servers import MESSAGE_ID, Server, answer
from tests.frames import assert_shows_no_secret
from tests.tables import for_each

MIB = 1024 * 1024
ZEROS = b"\0" * (48 * MIB)


def refusal(reason: object) -> bytes:
    return json.dumps({"status": "-1", "reason": reason}).encode()


def accepted(message_id: object = MESSAGE_ID, **data: object) -> bytes:
    return json.dumps({"status": "0", "data": {"messageId": message_id, **data}}).encode()


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@functools.cache
def packed(body: bytes) -> bytes:
    return gzip.compress(body, 1)


HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
WHOLE = accepted()
NONE = UnknownOutcomeError
LARGE: dict[str, Callable[[], bytes]] = {
    "a bomb": lambda: answer(packed(ZEROS), Content_Encoding="gzip"),
    "a bomb in a bomb": lambda: answer(packed(packed(ZEROS)), Content_Encoding="gzip, gzip"),
    "a bomb in chunks": lambda: answer(
        chunked(packed(ZEROS)), Content_Encoding="gzip", Transfer_Encoding="chunked"
    ),
    "a bomb of deflate": lambda: answer(zlib.compress(ZEROS, 1), Content_Encoding="deflate"),
    "a bomb that is a refusal": lambda: answer(
        packed(b'{"status": "-1", "reason": "' + ZEROS + b'"}'), Content_Encoding="GZIP"
    ),
}

ANSWERS: dict[str, tuple[bytes, type]] = {
    # packed
    "packed as nobody knows": (answer(b"\x0b\x02\x80{}\x03", Content_Encoding="br"), NONE),
    "packed though asked not to": (answer(packed(WHOLE), Content_Encoding="gzip"), Receipt),
    "not packed though it says so": (answer(WHOLE, Content_Encoding="deflate"), NONE),
    # long
    "longer than it says": (answer(WHOLE + b" " * MIB, Content_Length=str(len(WHOLE))), object),
    "shorter than it says": (answer(WHOLE, Content_Length=str(10**15), Connection="close"), NONE),
    "a length below zero": (answer(WHOLE, Content_Length="-5", Connection="close"), object),
    "2 MiB": (answer(WHOLE.ljust(2 * MIB)), NONE),
    "2 MiB in chunks": (answer(chunked(*[b" " * 65536] * 32), Transfer_Encoding="chunked"), NONE),
    "100,000 chunks of a byte": (answer(chunked(*[b" "] * 100_000), Transfer_Encoding="chunked"), NONE),
    "a chunk without end": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 200_000 + b"\r\n", NONE),
    "a chunk's size with words": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nnone\r\n", NONE),
    "10,000 headers": (HEAD + b"X: y\r\n" * 10_000 + b"\r\n" + WHOLE, object),  # aiohttp < 3.13.4 takes them
    "24 MiB of headers": (HEAD + (b"X: " + b"y" * 8000 + b"\r\n") * 3072 + b"\r\n" + WHOLE, NONE),
    "24 MiB of trailers": (
        HEAD
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + chunked(WHOLE)[:-2]
        + (b"X: " + b"y" * 8000 + b"\r\n") * 3072
        + b"\r\n",
        object,  # http.client throws trailers away
    ),
    "a header of 1 MiB": (HEAD + b"X: " + b"y" * MIB + b"\r\n\r\n" + WHOLE, NONE),
    "a status line of 1 MiB": (b"HTTP/1.1 200 " + b"y" * MIB + b"\r\n\r\n" + WHOLE, NONE),
    "10,000 times 100 Continue": (b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000 + answer(WHOLE), Receipt),
    "switching protocols": (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: close\r\n\r\n", NONE),
    # texts that take a quadratic regular expression minutes
    "links": (answer(refusal("http://" * 20_000)), AuthenticationError),
    "links with marks": (answer(refusal("http://a?" * 20_000)), AuthenticationError),
    "slashes": (answer(refusal("/" * 140_000)), AuthenticationError),
    "users": (answer(refusal("//a:b" * 30_000)), AuthenticationError),
    "plus signs": (answer(refusal("+1 " * 50_000)), AuthenticationError),
    "brackets": (answer(refusal("+1" + "(" * 140_000)), AuthenticationError),
    "digits": (answer(refusal("1" * 140_000)), AuthenticationError),
    "digits with blanks": (answer(refusal("1 " * 70_000)), AuthenticationError),
    "digits with dashes": (answer(refusal("1-" * 70_000 + "x")), AuthenticationError),
    "hex": (answer(refusal("0f" * 70_000)), AuthenticationError),
    "blanks": (answer(refusal(" " * 140_000 + "x")), AuthenticationError),
    "a status of blanks": (answer(json.dumps({"status": " " * 500_000 + "x"}).encode()), NONE),
    "a status of zeros": (answer(json.dumps({"status": "0" * 500_000 + "x"}).encode()), NONE),
    "a type of content": (answer(b"x", Content_Type="http://" * 1000), NONE),
    "Retry-After of digits": (answer(WHOLE[:3], 429, Retry_After="1" * 8000), NotSentError),
    "Retry-After of blanks": (answer(b"", 429, Retry_After="1 " * 4000), NotSentError),
    "a Date of commas": (answer({"status": "-4"}, Date="Tue, " * 1500), AuthenticationError),
    # JSON of another shape
    "lists in lists": (answer(b"[" * MIB), NONE),
    "a reason of lists in lists": (
        answer(b'{"status": -1, "reason": ' + b"[" * 150 + b"]" * 150 + b"}"),
        AuthenticationError,
    ),
    "objects in objects": (answer(b'{"status":' * 100_000), NONE),
    "a status of 4,000 digits": (answer(b'{"status": -' + b"9" * 4000 + b"}"), NONE),
    "a reason of 4,000 digits": (answer(b'{"status": -1, "reason": ' + b"9" * 4000 + b"}"), RefusedError),
    "100,000 keys": (answer(json.dumps(dict.fromkeys(map(str, range(70_000)), 1)).encode()), NONE),
}

MEMORY = 40 * MIB
"""Bytes of memory that reading an answer of 1 MiB may use, with its chunks and JSON."""


def outcome(send: Callable[[], Any]) -> Any:
    try:
        return send()
    except ItnioError as error:
        return error


def spent(send: Callable[[], Any]) -> tuple[Any, float]:
    """The outcome of a send, and the CPU seconds this thread used for it."""
    before = time.thread_time()
    given = outcome(send)
    return given, time.thread_time() - before


@pytest.fixture
def quick(sender: Make) -> float:
    """The CPU seconds of a normal answer."""
    with Server() as friendly:
        one = sender(friendly.url)
        one.send()  # lazy imports are done
        return min(spent(one.send)[1] for _ in range(3))


def hostile(name: str) -> tuple[bytes, type]:
    return (LARGE[name](), NONE) if name in LARGE else ANSWERS[name]


@for_each("name", [*LARGE, *ANSWERS])
def test_a_hostile_answer_gives_an_outcome_cheaply_and_no_frame_shows_a_secret(
    sender: Make, quick: float, name: str
) -> None:
    given, expected = hostile(name)
    with Server(lambda _: given) as server:
        one = sender(server.url, max_attempts=1)
        came, took = spent(one.send)
    assert isinstance(came, expected), repr(came)
    assert isinstance(came, (Receipt, ItnioError))
    assert len(f"{came} {came!r}") < 1500
    assert f"{came} {came!r}".isprintable()
    assert len(server.requests) == 1
    assert took < 10_000 * max(quick, 0.001)  # a quadratic regular expression takes minutes
    # Refusals differ only in their text; "links" represents them.
    if name == "links" or expected in (UnknownOutcomeError, NotSentError):
        assert_shows_no_secret(came, API_KEY, SECRET)


@for_each("name", [*LARGE, *(name for name in ANSWERS if "MiB" in name)])
def test_a_hostile_answer_takes_little_memory(sender: Make, name: str) -> None:
    given, _ = hostile(name)
    with Server(lambda _: given) as server:
        one = sender(server.url, max_attempts=1)
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        try:
            outcome(one.send)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak - before < MEMORY


IDS: list[tuple[object, str]] = [
    ("x" * 128, "x" * 128),
    ("x" * 129, "(accepted; its id has 129 characters, more than 128)"),
    ("x" * 900_000, "(accepted; its id has 900,000 characters, more than 128)"),
    ("\ud800", "(accepted; its id can't be printed)"),
    ("a\ndelivered: yes", "(accepted; its id can't be printed)"),
    ("a\x1b[31mb", "(accepted; its id can't be printed)"),
    ("a\u202eb", "(accepted; its id can't be printed)"),
    ("a\x00b", "(accepted; its id can't be printed)"),
    ("消息-1", "消息-1"),
    (10**127, "1" + "0" * 127),
    (10**128, "(accepted; its id has 129 characters, more than 128)"),
    (-7, "-7"),
]


@for_each(("given", "kept"), IDS)
def test_a_message_id_of_any_kind_gives_a_receipt_that_can_be_logged_and_stored(
    sender: Make, given: object, kept: str
) -> None:
    with Server(lambda _: answer(accepted(given))) as server:
        receipt = sender(server.url).send()
    assert receipt.message_id == kept
    assert len(server.requests) == 1
    json.dumps(receipt.as_dict()).encode()
    assert receipt.message_id.encode().decode().isprintable()


def test_a_message_id_of_thousands_of_digits_gives_a_receipt(sender: Make) -> None:
    body = b'{"status": 0, "data": {"messageId": ' + b"7" * 4200 + b"}}"
    with Server(lambda _: answer(body)) as server:
        assert sender(server.url).send().message_id.startswith("(accepted; its id has")


@for_each("part", ["api-key", "sign"])
def test_a_message_id_that_contains_the_api_key_or_the_sign_is_not_kept(sender: Make, part: str) -> None:
    with Server(lambda received: answer(accepted(f"id-{received.headers[part]}"))) as server:
        receipt = sender(server.url).send()
    assert receipt.message_id == "(accepted; its id contains the Api-Key, the secret or a signature)"
    assert len(server.requests) == 1


@for_each(
    "timestamp", ["9" * 5000, 10**30, -(10**30), 1e300, "\ud800", "1e5", [1], {"a": 1}, "٣", 253402300800]
)
def test_an_invalid_timestamp_still_gives_a_receipt(sender: Make, timestamp: object) -> None:
    with Server(lambda _: answer(accepted(timestamp=timestamp))) as server:
        assert sender(server.url).send().timestamp is None


@for_each(
    "balance", ["9" * 5000, "1e999999", "-1e-999999", "9" * 500_000, "0." + "1" * 200, "\ud800", " " * 99_999]
)
def test_a_hostile_balance_is_a_short_decimal_or_an_unknown_outcome(sender: Make, balance: str) -> None:
    with Server(lambda _: answer({"status": 0, "balance": balance})) as server:
        came = outcome(sender(server.url).get_balance)
    assert isinstance(came, UnknownOutcomeError) or len(str(came.balance)) < 110


def test_a_reason_is_one_printable_line(sender: Make) -> None:
    reason = "no\r\nERROR forged line\x1b[31m\ud800 \u202e \u200b end"
    with Server(lambda _: answer(refusal(reason))) as server:
        came = outcome(sender(server.url).send)
    assert came.reason == "no ERROR forged line\ufffd[31m\ufffd \ufffd \ufffd end"
    str(came).encode()


@for_each("length", [1990, 1999, 2000, 2010, 100_000])
@for_each("part", ["sign", "api-key", "number"])
def test_a_secret_that_truncation_cuts_in_half_is_not_shown(sender: Make, length: int, part: str) -> None:
    """Links lose their query, so text after the first 2,000 characters may become visible."""

    def repeats(received: Any) -> bytes:
        secret = received.headers[part] if part != "number" else "8614718004557"
        return answer(refusal(f"http://a/?{'q' * length} {secret}"))

    with Server(repeats) as server:
        came = outcome(sender(server.url).send)
    (received,) = server.requests
    secret = received.headers[part] if part != "number" else "8614718004557"
    assert not any(secret[: len(secret) - cut] in str(came) for cut in range(len(secret) - 5))


def test_requests_ask_for_uncompressed_answers(sender: Make) -> None:
    with Server() as server:
        sender(server.url).send()
    assert server.requests[0].headers["accept-encoding"] == "identity"

"""A random share of failing messages, and a latency for all answers."""

from __future__ import annotations

import asyncio
import threading
import time

import aiohttp
import pytest

from airflow_provider_itnio.sandbox import Sandbox
from airflow_provider_itnio.sandbox.faults import random_failures
from airflow_provider_itnio.sandbox.faults.fault import Fault
from airflow_provider_itnio.sandbox.faults.random_failures import RandomFailures, share_from, shares_from
from tests.tables import for_each

PHONES = [str(number) for number in range(4930_100_0000, 4930_100_2000)]


def failing(given, seed=1, numbers=PHONES):
    share = RandomFailures(shares_from(given), seed)
    return [number for number in numbers if share.draw(number)]


def test_about_the_given_share_of_messages_fails():
    assert 60 <= len(failing(0.05)) <= 140
    assert failing(1.0) == PHONES
    assert failing(0) == failing(None) == []


def test_a_seed_makes_the_same_messages_fail_in_any_order():
    assert failing("5%") == failing(0.05)
    assert set(failing("5%", numbers=PHONES[::-1])) == set(failing("5%"))
    assert failing("5%", seed=2) != failing("5%")


def test_without_a_seed_different_messages_fail_each_time():
    assert failing("50%", seed=None) != failing("50%", seed=None)


def test_a_message_that_failed_may_be_accepted_the_next_time():
    share = RandomFailures(shares_from("50%"), seed=1)
    drawn = [share.draw("4930") is not None for _ in range(50)]
    assert {True, False} == set(drawn)
    share.restart_seed()
    assert [share.draw("4930") is not None for _ in range(50)] == drawn


def test_only_the_latest_recipients_are_remembered(monkeypatch):
    monkeypatch.setattr(random_failures, "MAX_RECIPIENTS", 3)
    share = RandomFailures(shares_from("50%"), seed=1)
    expected = [share.draw("4930") is not None for _ in range(20)]
    share.restart_seed()
    drawn = []
    for number in range(20):
        drawn.append(share.draw("4930") is not None)
        share.draw(f"49301{number}")
    assert drawn == expected
    for number in range(3):
        share.draw(f"49302{number}")
    assert [share.draw("4930") is not None for _ in range(20)] == expected


def test_many_threads_draw_the_same_results_as_one():
    share, drawn = RandomFailures(shares_from("50%"), seed=1), []
    expected = [share.draw("4930") is not None for _ in range(400)]
    share.restart_seed()

    def draw():
        drawn.extend(share.draw("4930") is not None for _ in range(100))

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(drawn) == sorted(expected)


def test_shares_of_several_kinds_add_up():
    share = RandomFailures(shares_from(["20%:-5", "30%:503", "50%:drop"]), seed=1)
    drawn = [share.draw(number) for number in PHONES]
    kinds = [Fault(status=-5), Fault(http_status=503), Fault(drop="before_accepting")]
    assert [round(drawn.count(kind) / len(PHONES), 1) for kind in kinds] == [0.2, 0.3, 0.5]


@for_each(
    ("text", "share", "fault"),
    [
        ("5%", 0.05, Fault(status=-12)),
        ("2.5%:-68", 0.025, Fault(status=-68)),
        (" 100%:429 ", 1.0, Fault(http_status=429)),
        ("1%:drop", 0.01, Fault(drop="before_accepting")),
    ],
)
def test_a_share_is_parsed(text, share, fault):
    assert share_from(text) == (pytest.approx(share), fault)


@for_each("text", ["", "5", "0%", "101%", "x%", "-5%", "5%:", "5%%", "nan%"])
def test_the_error_of_an_invalid_share_gives_an_example(text):
    with pytest.raises(ValueError, match="shares such as 5%"):
        share_from(text)


@for_each("how", ["0", "68", "200", "600", "late", "-0"])
def test_the_error_of_an_invalid_kind_of_failure_gives_an_example(how):
    with pytest.raises(ValueError, match="after the colon a code such as -12"):
        share_from(f"5%:{how}")


@for_each(
    ("options", "text"),
    [
        ({"fail": 1.5}, "fail: a number from 0 to 1"),
        ({"fail": True}, "fail: a number from 0 to 1"),
        ({"fail": ["60%", "50%"]}, "fail: at most 100% together"),
        ({"latency": -1}, "latency: seconds, from 0 to 600"),
        ({"latency": 601}, "latency: seconds, from 0 to 600"),
    ],
)
def test_invalid_options_of_the_sandbox_raise(options, text):
    with pytest.raises(ValueError, match=text):
        Sandbox(**options)


def test_a_share_of_the_valid_messages_fails_over_http(start_sandbox, wire_to, message):
    sandbox = start_sandbox(fail=["50%:-97", "50%:503"], seed=1)
    wire = wire_to(sandbox)
    answers = [wire.custom(message()) for _ in range(40)]
    refused = [answer for answer in answers if answer.status_code == 200]
    assert {answer.json()["status"] for answer in refused} == {"-97"}
    assert 0 < len(refused) < 40
    why = "it is one of the share that is to fail, by --fail or Sandbox(fail=…)"
    assert {one.why for one in sandbox.refused} == {one.cause for one in sandbox.requests} == {why}
    assert sandbox.messages == []
    assert wire.balance().json()["status"] == "0"
    assert wire.custom(message(recipient="1")).json()["status"] == "-71"


@pytest.mark.parametrize("by_api", [False, True])
def test_clear_restarts_the_seed(start_sandbox, wire_to, message, by_api):
    sandbox = start_sandbox(fail=0.5, seed=3)
    wire = wire_to(sandbox)

    def statuses():
        return [wire.custom(message()).json()["status"] for _ in range(20)]

    first = statuses()
    assert set(first) == {"0", "-12"}
    if by_api:
        wire.control("DELETE", "messages")
    else:
        sandbox.clear()
    assert statuses() == first


def test_every_answer_comes_late(start_sandbox, wire_to, message):
    sandbox = start_sandbox(latency=0.3)
    wire = wire_to(sandbox)
    for ask in (wire.balance, lambda: wire.custom(message()), lambda: wire.custom(message(recipient="1"))):
        began = time.monotonic()
        ask()
        assert time.monotonic() - began >= 0.3


def test_the_latency_does_not_apply_to_the_page(start_sandbox, wire_to):
    sandbox = start_sandbox(latency=300)
    assert wire_to(sandbox).session.get(sandbox.url, timeout=60).ok


def test_the_latency_holds_with_hundreds_in_flight(start_sandbox, wire_to, message):
    sandbox = start_sandbox(latency=2.0)
    headers = wire_to(sandbox).headers()

    async def send_all():
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(sandbox.url, headers=headers, connector=connector) as session:

            async def send(_):
                began = time.monotonic()
                async with session.post("/wa/custom/sendMsg", json=message()) as answer:
                    await answer.read()
                return time.monotonic() - began

            return await asyncio.gather(*(send(one) for one in range(400)))

    began = time.monotonic()
    taken = asyncio.run(send_all())
    assert len(sandbox.messages) == 400
    assert min(taken) >= 2.0
    # In a pool of 32 threads this would take 26 s, sequentially 800 s.
    assert time.monotonic() - began < 24

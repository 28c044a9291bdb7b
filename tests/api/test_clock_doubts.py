"""Answers that do not confirm a clock offset, and wrong Date headers."""

from __future__ import annotations

import time
from email.utils import formatdate

from airflow_provider_itnio.api.errors import AuthenticationError
from tests.api.conftest import Make, failure
from tests.api.servers import Received, Server, answer
from tests.tables import for_each

A_YEAR_AHEAD = 366 * 86400.0


def server_with_a_wrong_date(first: list[bytes | None]) -> Server:
    """Give the first answers, then check timestamps by the right time but send a wrong Date."""
    answers = iter(first)

    def judge(received: Received) -> bytes | None:
        try:
            return next(answers)
        except StopIteration:
            is_right = abs(int(received.headers["timestamp"]) - time.time()) < 300
            date = formatdate(time.time() + A_YEAR_AHEAD, usegmt=True)
            return answer() if is_right else answer({"status": "-4"}, Date=date)

    return Server(judge)


PROVES_NOTHING: dict[str, bytes | None] = {
    "429": answer(b"", 429, Retry_After="1"),
    "503": answer(b"", 503),
    "a gateway's page": answer(b"<html>", 502),
    "a gateway's status": answer({"status": 502}, 502),
    "not JSON": answer(b"ok"),
    "no answer": None,
}


@for_each("second", PROVES_NOTHING.values())
def test_an_answer_that_does_not_confirm_the_offset_does_not_keep_it(
    sender: Make, second: bytes | None
) -> None:
    spurious = answer({"status": "-4"}, Date=formatdate(time.time() + A_YEAR_AHEAD, usegmt=True))
    with server_with_a_wrong_date([spurious, second]) as server:
        one = sender(server.url, max_attempts=1)
        failure(one.send)
        assert isinstance(failure(one.send), AuthenticationError)  # which shows that the offset is wrong
        for _ in range(3):
            assert one.send().type == "text"


@for_each(
    "date",
    [
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 01 Jan 1900 00:00:00 GMT",
        "Mon, 01 Jan 2024 00:00:00 +9999",
        "Sat, 31 Dec 2016 23:59:60 GMT",
        "2026-11-25T18:31:02Z",
        "1795658155",
        "Mon, 01 Jan -2024 00:00:00 GMT",
        "",
    ],
)
def test_an_invalid_date_header_costs_one_message_at_most(sender: Make, date: str) -> None:
    with server_with_a_wrong_date([answer({"status": "-4"}, Date=date)]) as server:
        one = sender(server.url)
        assert isinstance(failure(one.send), AuthenticationError)
        assert [one.send().type, one.send().type] == ["text", "text"]
    assert len(server.requests) <= 4


@for_each("zone", ["+0800", "PST"])
def test_a_date_in_another_time_zone_is_read(sender: Make, zone: str) -> None:
    off = {"+0800": 8 * 3600, "PST": -8 * 3600}[zone]
    date = time.strftime(f"%a, %d %b %Y %H:%M:%S {zone}", time.gmtime(time.time() + off))
    with server_with_a_wrong_date([answer({"status": "-4"}, Date=date)]) as server:
        assert sender(server.url).send().type == "text"

"""Private values that a server echoes in headers and ids are in no log and no receipt."""

from __future__ import annotations

import logging

import pytest

from airflow_provider_itnio.api.models import message_from
from tests.api.conftest import API_KEY, BUSINESS_PHONE, RECIPIENT, Make, failure
from tests.api.servers import Received, Server, answer
from tests.tables import for_each

HEADERS = {
    "a line without a colon": "{}",
    "a name with a blank": "X {} : y",
    "a continued line": " {}",
    "a blank name": ": {}",
    "a name that is no ASCII": "X-\xe9: {}",
    "a cookie that is none": "Set-Cookie: {}=a; Expires={}; Max-Age={}",
    "a cookie with a bad name": "Set-Cookie: [{}]=a",
}


def repeating(line: str, received: Received) -> bytes:
    sent = f"{RECIPIENT} {BUSINESS_PHONE} {received.headers['sign']} {API_KEY}"
    first, _, rest = answer().partition(b"\r\n")
    return b"\r\n".join([first, line.replace("{}", sent).encode("latin-1"), rest])


@for_each("line", HEADERS.values())
def test_private_values_in_an_unreadable_header_are_not_logged(
    sender: Make, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("", "urllib3", "aiohttp", "asyncio", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    with Server(lambda received: repeating(line, received)) as server:
        try:
            said = repr(sender(server.url, max_attempts=1, timeout=0.5).send())
        except Exception as error:
            said = f"{error} {error!r}"
    said += "".join(f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records)
    for private in (RECIPIENT, BUSINESS_PHONE, API_KEY, server.requests[0].headers["sign"]):
        assert private not in said


@for_each("write", [str.upper, str.title, str.swapcase])
def test_an_id_that_contains_the_sign_in_another_case_is_not_kept(sender: Make, write) -> None:
    def repeat(received: Received) -> bytes:
        return answer({"status": 0, "data": {"messageId": write(received.headers["sign"])}})

    with Server(repeat) as server:
        assert (
            sender(server.url).send().message_id
            == "(accepted; its id contains the Api-Key, the secret or a signature)"
        )


def test_an_error_lists_the_first_of_many_problems_and_counts_the_rest() -> None:
    error = failure(lambda: message_from({"text": {"body": "x", **dict.fromkeys(map(str, range(5000)), 1)}}))
    assert len(str(error)) < 2000
    assert str(error).endswith("; and 4,980 more")


@for_each('fields', [
        {"text": f"call {RECIPIENT}"},
        {"contacts": [{"name": {"formatted_name": "A", "last_name": "A"}, "phones": [{"phone": RECIPIENT}]}]},
        {"template": {"name": "a", "language": {"code": "en"}, "components": [
            {"type": "body", "parameters": [{"type": "text", "text": RECIPIENT}]}]}},
        {"text": "x", "reply_to": f"wamid.{RECIPIENT}"},
    ])  # fmt: skip
def test_a_messages_repr_does_not_show_phone_numbers(fields) -> None:
    message = message_from(fields)
    assert RECIPIENT not in f"{message} {message!r} {message.content} {message.content!r}"

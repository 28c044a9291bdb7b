"""Accepted messages over a real socket: the request that is sent and the receipt that is read."""

from __future__ import annotations

import gzip
import json
import time

import pendulum

from airflow_provider_itnio.api.receipt import Receipt
from airflow_provider_itnio.api.signing import Credentials
from airflow_provider_itnio.sandbox import Sandbox
from tests.api.conftest import (
    API_KEY,
    APP_ID,
    BUSINESS_PHONE,
    RECIPIENT,
    SECRET,
    Make,
)
from tests.api.servers import (
    ACCEPTED,
    MESSAGE_ID,
    Server,
    answer,
)
from tests.tables import for_each


def test_a_message_is_accepted(sender: Make, sandbox: Sandbox) -> None:
    receipt = sender(sandbox.url).send("42 rows loaded")
    (message,) = sandbox.messages
    assert receipt == Receipt(
        message.id, RECIPIENT, "text", pendulum.instance(message.at).replace(microsecond=0)
    )
    assert message.body == {
        "appId": APP_ID,
        "businessPhone": BUSINESS_PHONE,
        "recipient": RECIPIENT,
        "channelType": 0,
        "type": "text",
        "text": {"body": "42 rows loaded"},
    }


def test_what_goes_over_the_wire(sender: Make) -> None:
    with Server() as server:
        assert sender(server.url).send("行 loaded").message_id == MESSAGE_ID
    (request,) = server.requests
    assert request.first_line == "POST /wa/custom/sendMsg HTTP/1.1"
    assert request.headers["content-type"] == "application/json;charset=UTF-8"
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"].startswith("airflow-provider-itnio/")
    assert request.headers["api-key"] == API_KEY
    assert request.headers["sign"] == Credentials(API_KEY, SECRET).sign(request.headers["timestamp"])
    assert abs(int(request.headers["timestamp"]) - time.time()) < 5
    assert "authorization" not in request.headers
    assert json.loads(request.body)["text"] == {"body": "行 loaded"}


def test_the_base_urls_path_is_put_before_the_endpoints_path(sender: Make) -> None:
    with Server() as server:
        sender(f"{server.url}/gate").send()
    assert server.requests[0].first_line == "POST /gate/wa/custom/sendMsg HTTP/1.1"


def test_the_balance_is_read(sender: Make, sandbox: Sandbox) -> None:
    assert str(sender(sandbox.url).get_balance().balance) == "1000.00"
    assert sandbox.messages == []


@for_each("status", [0, "0", " 0 "])
@for_each("http_status", [200, 202, 302, 404, 429, 500, 503])
def test_status_0_with_an_id_is_accepted_with_any_http_status(
    sender: Make, http_status: int, status: object
) -> None:
    with Server(lambda _: answer(ACCEPTED | {"status": status}, http_status)) as server:
        assert sender(server.url).send().message_id == MESSAGE_ID
    assert len(server.requests) == 1


def test_a_compressed_answer_is_read(sender: Make) -> None:
    with Server(
        lambda _: answer(gzip.compress(json.dumps(ACCEPTED).encode()), Content_Encoding="gzip")
    ) as server:
        assert sender(server.url).send().message_id == MESSAGE_ID


def test_a_chunked_answer_is_read(sender: Make) -> None:
    text = json.dumps(ACCEPTED).encode()
    parts = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (text[:10], text[10:])) + b"0\r\n\r\n"
    with Server(lambda _: answer(parts, Transfer_Encoding="chunked")) as server:
        assert sender(server.url).send().message_id == MESSAGE_ID


@for_each("early", ["100 Continue", "102 Processing", "103 Early Hints", "199 Soon"])
def test_1xx_responses_before_the_answer_are_skipped(sender: Make, early: str) -> None:
    first = f"HTTP/1.1 {early}\r\nLink: </x>\r\n\r\n".encode() * 2
    with Server(lambda _: first + answer()) as server:
        one = sender(server.url)
        assert one.send().message_id == one.send().message_id == MESSAGE_ID
    assert [request.connection for request in server.requests] == [1, 1]

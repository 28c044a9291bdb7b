"""Requests and answers without a server."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_itnio.api.errors import (
    ItnioError,
)
from airflow_provider_itnio.api.protocol import Protocol, Request
from airflow_provider_itnio.api.response import MAX_BODY_SIZE, Response
from airflow_provider_itnio.api.signing import Credentials
from tests.api.conftest import API_KEY, SECRET

CREDENTIALS = Credentials(API_KEY, SECRET)
ACCEPTED = {
    "status": "0",
    "reason": "success",
    "data": {"channelType": 0, "messageId": "10415e", "timestamp": 1693813991},
}
NO_ID = {"status": "0", "reason": "success"}
REFUSED = {"status": "-112", "reason": "no"}
PASSING = {"status": "-5", "reason": "busy"}


def answer(body: Any = None, http_status: int = 200, **headers: str) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(http_status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def outcome(
    exchange: Protocol, request: Request[Any], given: Response, delivery: Any = "at_least_once"
) -> Any:
    """The parsed result, or the error that was raised."""
    try:
        return exchange.result(request, given, delivery)
    except ItnioError as error:
        return error


JUNK = {
    "empty": b"",
    "not UTF-8": b"\xff\xfe\x00 \x80",
    "a number": b"17",
    "a text": b'"-68"',
    "null": b"null",
    "NaN": b"NaN",
    "a list": b'[{"status": "-68"}]',
    "no status": b'{"reason": "-68"}',
    "status null": b'{"status": null}',
    "status true": b'{"status": true}',
    "status a decimal": b'{"status": -68.0}',
    "status NaN": b'{"status": NaN}',
    "status a word": b'{"status": "failed"}',
    "status empty": b'{"status": ""}',
    "status an object": b'{"status": {"code": -68}}',
    "status in other digits": '{"status": "-٦٨"}'.encode(),
    "status of ten digits": b'{"status": -1000000000}',
    "status of ten digits in text": b'{"status": "-1000000000"}',
    "status of 5,000 digits": b'{"status": -' + b"1" * 5000 + b"}",
    "status of 4,000 digits": b'{"status": -' + b"1" * 4000 + b"}",
    "nested deeply": b'{"status": ' * 100_000,
    "lists nested deeply": b"[" * 100_000,
    "cut": b'{"status": "-68", "reas',
    "over 1 MiB": json.dumps(ACCEPTED).encode().ljust(MAX_BODY_SIZE + 1),
    "refused over 1 MiB": json.dumps(REFUSED).encode().ljust(MAX_BODY_SIZE + 1),
}

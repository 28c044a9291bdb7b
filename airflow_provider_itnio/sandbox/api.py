"""The JSON API by which tests read what came and ask for faults; requests to it are not signed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_itnio.sandbox.faults import fault as fault_json
from airflow_provider_itnio.sandbox.faults.fault import BadFaultError, fault_from
from airflow_provider_itnio.sandbox.inbox.items import opened
from airflow_provider_itnio.sandbox.inbox.replies import BadReplyError, reply_from
from airflow_provider_itnio.sandbox.phone_numbers import digits_of
from airflow_provider_itnio.sandbox.responses import json_answer
from airflow_provider_itnio.sandbox.store.store import ReceivedMessage, Reply, as_json
from airflow_provider_itnio.sandbox.vendor.endpoints import LARGEST_BODY, read_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from airflow_provider_itnio.sandbox.vendor.endpoints import Vendor


Kind = TypeVar("Kind", ReceivedMessage, Reply)


@dataclass(frozen=True)
class SandboxApi:
    """
    The endpoints under ``/sandbox/``, but for the stream of events.

    :param vendor: what the endpoints of the vendor share
    """

    vendor: Vendor

    def routes(self) -> list[Route]:
        """List the endpoints."""
        return [
            Route("/sandbox/messages", self.read_messages, methods=["GET"]),
            Route("/sandbox/messages", self.clear_messages, methods=["DELETE"]),
            Route("/sandbox/refused", self.read_refused, methods=["GET"]),
            Route("/sandbox/requests", self.read_requests, methods=["GET"]),
            Route("/sandbox/exchanges/{number:int}", self.read_exchange, methods=["GET"]),
            Route("/sandbox/replies", self.read_replies, methods=["GET"]),
            Route("/sandbox/replies", self.add_reply, methods=["POST"]),
            Route("/sandbox/faults", self.read_faults, methods=["GET"]),
            Route("/sandbox/faults", self.add_faults, methods=["POST"]),
            Route("/sandbox/faults", self.clear_faults, methods=["DELETE"]),
        ]

    async def read_messages(self, request: Request) -> Response:
        """List the accepted messages, with ``?recipient=`` only those to that number."""
        return _of_one(request, self.vendor.store.messages, lambda message: message.recipient)

    async def clear_messages(self, request: Request) -> Response:
        """Forget messages, refusals, requests and replies; faults stay, and a seed begins again."""
        self.vendor.clear()
        return Response(status_code=204)

    async def read_refused(self, request: Request) -> Response:
        """List the refused requests, each with what to change."""
        return _json([as_json(one) for one in self.vendor.store.refused])

    async def read_requests(self, request: Request) -> Response:
        """List all requests to the vendor."""
        return _json([as_json(one) for one in self.vendor.store.requests])

    async def read_exchange(self, request: Request) -> Response:
        """Give what the page shows under one number, with the request and its answer."""
        number = request.path_params["number"]
        for exchange in self.vendor.store.exchanges:
            if exchange.number == number:
                return _json(opened(exchange))
        return _json({"error": "nothing is kept under this number"}, 404)

    async def read_replies(self, request: Request) -> Response:
        """List the replies, with ``?recipient=`` only those of that recipient."""
        return _of_one(request, self.vendor.store.replies, lambda reply: reply.sender)

    async def add_reply(self, request: Request) -> Response:
        """Keep what a recipient answers."""
        given = await _given(request)
        if isinstance(given, Response):
            return given
        try:
            reply = reply_from(given, self.vendor.store, self.vendor.clock())
        except BadReplyError as wrong:
            return _json({"error": str(wrong)}, 400)
        self.vendor.store.add(reply)
        return _json(as_json(reply), 201)

    async def read_faults(self, request: Request) -> Response:
        """List the faults that still wait."""
        return _json(self._waiting())

    async def add_faults(self, request: Request) -> Response:
        """Append one fault or a list of them; if one is wrong, none."""
        given = await _given(request)
        if isinstance(given, Response):
            return given
        try:
            asked = [fault_from(one) for one in (given if isinstance(given, list) else [given])]
        except BadFaultError as wrong:
            return _json({"error": str(wrong)}, 400)
        self.vendor.faults.add(*asked)
        return _json(self._waiting(), 201)

    async def clear_faults(self, request: Request) -> Response:
        """Forget all faults."""
        self.vendor.faults.clear()
        return Response(status_code=204)

    def _waiting(self) -> list[dict[str, Any]]:
        return [fault_json.as_json(one) for one in self.vendor.faults.waiting]


def _of_one(request: Request, kept: list[Kind], number_of: Callable[[Kind], str]) -> Response:
    """List what is kept, with ``?recipient=`` only what is of that number."""
    for name, value in request.query_params.multi_items():
        if name != "recipient":
            return _json({"error": f"{name}: no parameter; there is recipient"}, 400)
        wanted = digits_of(value)
        if not wanted:
            return _json({"error": f"recipient: a number, {value!r:.60} given"}, 400)
        kept = [one for one in kept if number_of(one) == wanted]
    return _json([as_json(one) for one in kept])


async def _given(request: Request) -> Any | Response:
    """Read the JSON of a request; what cannot be read becomes the answer that says so."""
    try:
        body = await read_body(request)
    except ClientDisconnect:
        return Response(status_code=400)
    if body is None:
        return _json({"error": f"a request may hold {LARGEST_BODY} bytes"}, 413)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _json({"error": "the body is not JSON"}, 400)


def _json(value: Any, http_status: int = 200) -> Response:
    return json_answer(value, http_status).as_response()

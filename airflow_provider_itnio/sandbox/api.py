"""The JSON API by which tests read what came and ask for faults; requests to it are not signed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_itnio.sandbox.api_models import (
    ListAsked,
    Model,
    PageAsked,
    PageOfOneAsked,
    PartAsked,
    PushGiven,
    WebhookGiven,
    WindowGiven,
    read,
)
from airflow_provider_itnio.sandbox.faults import fault as fault_json
from airflow_provider_itnio.sandbox.faults.fault import BadFaultError, fault_from
from airflow_provider_itnio.sandbox.inbox.items import opened
from airflow_provider_itnio.sandbox.inbox.lists import Lists
from airflow_provider_itnio.sandbox.inbox.replies import BadReplyError, reply_from
from airflow_provider_itnio.sandbox.phone_numbers import digits_of
from airflow_provider_itnio.sandbox.responses import JSON_TYPE, json_answer, json_bytes, streamed
from airflow_provider_itnio.sandbox.store.entries import as_json
from airflow_provider_itnio.sandbox.vendor.request_reading import LARGEST_BODY, read_body
from airflow_provider_itnio.sandbox.vendor.webhook import webhook_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from starlette.requests import Request

    from airflow_provider_itnio.sandbox.store.entries import Entry, ReceivedMessage, Reply
    from airflow_provider_itnio.sandbox.store.store import EntryName
    from airflow_provider_itnio.sandbox.vendor.endpoints import Vendor


ENTRIES_A_PART = 50


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
            Route("/sandbox/messages/{message_id}", self.read_message, methods=["GET"]),
            Route("/sandbox/exchanges/{number:int}", self.read_exchange, methods=["GET"]),
            Route("/sandbox/conversations", self.read_conversations, methods=["GET"]),
            Route("/sandbox/conversations/{recipient}/items", self.read_chat, methods=["GET"]),
            Route("/sandbox/failures", self.read_failures, methods=["GET"]),
            Route("/sandbox/replies", self.read_replies, methods=["GET"]),
            Route("/sandbox/replies", self.add_reply, methods=["POST"]),
            Route("/sandbox/pushes", self.push, methods=["POST"]),
            Route("/sandbox/windows", self.set_window, methods=["POST"]),
            Route("/sandbox/webhook", self.read_webhook, methods=["GET"]),
            Route("/sandbox/webhook", self.set_webhook, methods=["POST"]),
            Route("/sandbox/webhook", self.clear_webhook, methods=["DELETE"]),
            Route("/sandbox/faults", self.read_faults, methods=["GET"]),
            Route("/sandbox/faults", self.add_faults, methods=["POST"]),
            Route("/sandbox/faults", self.clear_faults, methods=["DELETE"]),
        ]

    async def read_messages(self, request: Request) -> Response:
        """List the accepted messages, with ``?recipient=`` only those to that number."""
        return self._page(request, "message", PageOfOneAsked)

    async def clear_messages(self, request: Request) -> Response:
        """Forget messages, refusals, requests, replies and open windows; faults stay, a seed begins again."""
        self.vendor.clear()
        return Response(status_code=204)

    async def read_refused(self, request: Request) -> Response:
        """List the refused requests, each with what to change."""
        return self._page(request, "refused")

    async def read_requests(self, request: Request) -> Response:
        """List all requests to the vendor."""
        return self._page(request, "request")

    async def read_exchange(self, request: Request) -> Response:
        """Return what the page shows under one number, with the request and its answer."""
        exchange = self.vendor.store.exchange(request.path_params["number"])
        if exchange is None:
            return _json({"error": "nothing is kept under this number"}, 404)
        return _json(opened(exchange))

    async def read_message(self, request: Request) -> Response:
        """Return a message by its id, as the exchange that it is part of."""
        exchange = self.vendor.store.exchange_of(request.path_params["message_id"])
        if exchange is None:
            return _json({"error": "message_id: no message with this id is kept"}, 404)
        return _json(opened(exchange))

    async def read_conversations(self, request: Request) -> Response:
        """List the conversations in short, the one that was last written in first, 100 at a time."""
        return await self._list(request, ListAsked, self.lists.conversations)

    async def read_chat(self, request: Request) -> Response:
        """List what stands in the chat with one recipient, the latest 100 or those next to a number."""
        recipient = digits_of(request.path_params["recipient"])
        return await self._list(request, PartAsked, lambda asked: self.lists.chat(recipient, asked))

    async def read_failures(self, request: Request) -> Response:
        """List the requests that failed and left no message, the latest 100 or those next to a number."""
        return await self._list(request, PartAsked, self.lists.failures)

    async def _list(
        self, request: Request, model: type[Model], write: Callable[[Model], Awaitable[bytes]]
    ) -> Response:
        try:
            asked = read(model, dict(request.query_params))
        except ValueError as wrong:
            return _json({"error": str(wrong)}, 400)
        return Response(await write(asked), headers={"content-type": JSON_TYPE})

    @property
    def lists(self) -> Lists:
        """What the page shows."""
        return Lists(self.vendor.store)

    async def read_replies(self, request: Request) -> Response:
        """List the replies, with ``?recipient=`` only those of that recipient."""
        return self._page(request, "reply", PageOfOneAsked)

    async def add_reply(self, request: Request) -> Response:
        """Keep what a recipient answers."""
        given = await _given(request)
        if isinstance(given, Response):
            return given
        try:
            return _json(as_json(receive_reply(self.vendor, given)), 201)
        except BadReplyError as wrong:
            return _json({"error": str(wrong)}, 400)

    async def push(self, request: Request) -> Response:
        """Let a message reach a status now, push it, and give the message."""
        return await self._asked(request, PushGiven, lambda given: as_json(push_status(self.vendor, given)))

    async def set_window(self, request: Request) -> Response:
        """Open or close the 24-hour window of a recipient."""

        def do(given: WindowGiven) -> dict[str, Any]:
            self.vendor.delivery.set_window(given.recipient, is_open=given.is_open)
            return given.model_dump(by_alias=True)

        return await self._asked(request, WindowGiven, do)

    async def read_webhook(self, request: Request) -> Response:
        """Tell where pushes go, and how many got there."""
        return _json(self.vendor.delivery.webhook.state())

    async def set_webhook(self, request: Request) -> Response:
        """Push to another address from now on."""
        webhook = self.vendor.delivery.webhook

        def do(given: WebhookGiven) -> dict[str, Any]:
            webhook.configure(webhook_settings(**given.model_dump()))
            return webhook.state()

        return await self._asked(request, WebhookGiven, do)

    async def clear_webhook(self, request: Request) -> Response:
        """Push nothing more."""
        self.vendor.delivery.webhook.configure(webhook_settings(None))
        return Response(status_code=204)

    def _page(self, request: Request, kind: EntryName, model: type[PageAsked] = PageAsked) -> Response:
        """List a part of what is kept, ``?limit=`` and ``?after=`` say which; a Link header leads on."""
        try:
            asked = read(model, dict(request.query_params))
        except ValueError as wrong:
            return _json({"error": str(wrong)}, 400)
        entries, last = self.vendor.store.page(kind, asked.after, asked.limit, asked.of)
        rest = request.url.include_query_params(limit=asked.limit, after=last)
        link = {"link": f'<{rest.path}?{rest.query}>; rel="next"'} if last else {}
        return streamed(_written(entries), JSON_TYPE, link)

    async def _asked(
        self, request: Request, model: type[Model], do: Callable[[Model], dict[str, Any]]
    ) -> Response:
        """Read what is asked for, do it, and answer with what that gives."""
        given = await _given(request)
        if isinstance(given, Response):
            return given
        try:
            return _json(do(read(model, given)), 201)
        except ValueError as wrong:
            return _json({"error": str(wrong)}, 400)

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


def receive_reply(vendor: Vendor, given: object) -> Reply:
    """
    Take what a recipient answers: it is kept, opens the 24-hour window and is pushed.

    :param vendor: what the endpoints of the vendor share
    :param given: the reply as JSON
    :raises BadReplyError: if there can be no such reply; the text begins with the name of the field
    """
    account = vendor.account
    reply = reply_from(given, vendor.store, vendor.clock(), account.app_id, account.business_phone)
    vendor.delivery.receive(reply)
    return reply


def push_status(vendor: Vendor, given: PushGiven) -> ReceivedMessage:
    """
    Let a message reach a status now, and push it.

    :param vendor: what the endpoints of the vendor share
    :param given: which message and status
    :return: the message
    :raises ValueError: if no such message is kept
    """
    exchange = vendor.store.exchange_of(given.message_id)
    if exchange is None or exchange.message is None:
        raise ValueError("message_id: no message with this id is kept")
    vendor.delivery.push(exchange.message, given.status, given.reason, given.times)
    return exchange.message


def _written(entries: list[Entry]) -> Iterator[bytes]:
    """Write a JSON list in parts."""
    for start in range(0, len(entries), ENTRIES_A_PART):
        part = [json_bytes(as_json(one)) for one in entries[start : start + ENTRIES_A_PART]]
        yield (b", " if start else b"[") + b", ".join(part)
    yield b"]" if entries else b"[]"


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

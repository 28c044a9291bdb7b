"""The JSON API by which tests read what came and ask for faults; requests to it are not signed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_itnio.sandbox.api_models import (
    NOWHERE,
    ChatsAsked,
    PageAsked,
    PageOfOneAsked,
    PartAsked,
    PushGiven,
    ReplyGiven,
    WebhookGiven,
    WindowGiven,
)
from airflow_provider_itnio.sandbox.faults import fault as fault_json
from airflow_provider_itnio.sandbox.faults.fault import Fault
from airflow_provider_itnio.sandbox.faults.random_failures import RandomFailuresGiven
from airflow_provider_itnio.sandbox.inbox.items import opened
from airflow_provider_itnio.sandbox.inbox.lists import Lists
from airflow_provider_itnio.sandbox.inbox.replies import reply_from
from airflow_provider_itnio.sandbox.operations import NOTHING, Operation, UnfitRequestError, operation
from airflow_provider_itnio.sandbox.phone_numbers import digits_of
from airflow_provider_itnio.sandbox.responses import JSON_TYPE, json_bytes, streamed
from airflow_provider_itnio.sandbox.store.entries import (
    ReceivedMessage,
    RefusedRequest,
    Reply,
    SeenRequest,
    as_json,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from airflow_provider_itnio.sandbox.store.entries import Entry
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
            Route("/sandbox/random-failures", self.read_random_failures, methods=["GET"]),
            Route("/sandbox/random-failures", self.set_random_failures, methods=["POST"]),
            Route("/sandbox/reset", self.reset, methods=["POST"]),
        ]

    @operation(Operation(query=PageOfOneAsked, gives=list[ReceivedMessage]))
    async def read_messages(self, request: Request, asked: PageOfOneAsked) -> Response:
        """List the accepted messages, oldest first."""
        return self._page(request, "message", asked)

    @operation(NOTHING)
    async def clear_messages(self, request: Request) -> None:
        """Forget messages, refusals, requests, replies and open windows; faults stay, a seed begins again."""
        self.vendor.clear()

    @operation(Operation(query=PageAsked, gives=list[RefusedRequest]))
    async def read_refused(self, request: Request, asked: PageAsked) -> Response:
        """List the refused requests, each with what to change."""
        return self._page(request, "refused", asked)

    @operation(Operation(query=PageAsked, gives=list[SeenRequest]))
    async def read_requests(self, request: Request, asked: PageAsked) -> Response:
        """List all requests to the vendor."""
        return self._page(request, "request", asked)

    @operation(Operation(gives=dict[str, Any]))
    async def read_message(self, request: Request) -> dict[str, Any]:
        """Return a message or a reply by its id, with its request, answer and pushes."""
        exchange = self.vendor.store.exchange_of(request.path_params["message_id"])
        if exchange is None:
            raise UnfitRequestError("message_id: no message with this id is kept", 404)
        return opened(exchange)

    @operation(Operation(gives=dict[str, Any]))
    async def read_exchange(self, request: Request) -> dict[str, Any]:
        """Return what the page shows under one number, with the request and its answer."""
        exchange = self.vendor.store.exchange(request.path_params["number"])
        if exchange is None:
            raise UnfitRequestError("nothing is kept under this number", 404)
        return opened(exchange)

    @operation(Operation(query=ChatsAsked, gives=dict[str, Any]))
    async def read_conversations(self, request: Request, asked: ChatsAsked) -> Response:
        """List the conversations in short, the one that was last written in first, 100 at a time."""
        return _written(await self.lists.conversations(asked))

    @operation(Operation(query=PartAsked, gives=dict[str, Any]))
    async def read_chat(self, request: Request, asked: PartAsked) -> Response:
        """List what stands in the chat with one recipient, the latest 100 or those next to a number."""
        return _written(await self.lists.chat(digits_of(request.path_params["recipient"]), asked))

    @operation(Operation(query=PartAsked, gives=dict[str, Any]))
    async def read_failures(self, request: Request, asked: PartAsked) -> Response:
        """List the requests that failed and left no message, the latest 100 or those next to a number."""
        return _written(await self.lists.failures(asked))

    @operation(Operation(query=PageOfOneAsked, gives=list[Reply]))
    async def read_replies(self, request: Request, asked: PageOfOneAsked) -> Response:
        """List the replies, oldest first."""
        return self._page(request, "reply", asked)

    @operation(Operation(body=ReplyGiven, gives=Reply, http_status=201))
    async def add_reply(self, request: Request, given: ReplyGiven) -> dict[str, Any]:
        """Keep what a recipient answers."""
        return as_json(receive_reply(self.vendor, given))

    @operation(Operation(body=PushGiven, gives=ReceivedMessage, http_status=201))
    async def push(self, request: Request, given: PushGiven) -> dict[str, Any]:
        """Let a message reach a status now, push it, and give the message."""
        return as_json(push_status(self.vendor, given))

    @operation(Operation(body=WindowGiven, gives=WindowGiven, http_status=201))
    async def set_window(self, request: Request, given: WindowGiven) -> dict[str, Any]:
        """Open or close the 24-hour window of a recipient."""
        self.vendor.delivery.set_window(given.recipient, is_open=given.is_open)
        return given.model_dump(by_alias=True)

    @operation(Operation(gives=dict[str, Any]))
    async def read_webhook(self, request: Request) -> dict[str, Any]:
        """Tell where pushes go, and how many got there."""
        return self.vendor.delivery.webhook.state()

    @operation(Operation(body=WebhookGiven, gives=dict[str, Any], http_status=201))
    async def set_webhook(self, request: Request, given: WebhookGiven) -> dict[str, Any]:
        """Push to another address from now on."""
        webhook = self.vendor.delivery.webhook
        webhook.configure(given)
        return webhook.state()

    @operation(NOTHING)
    async def clear_webhook(self, request: Request) -> None:
        """Push nothing more."""
        self.vendor.delivery.webhook.configure(NOWHERE)

    @operation(Operation(gives=list[Fault]))
    async def read_faults(self, request: Request) -> list[dict[str, Any]]:
        """List the faults that still wait."""
        return self._waiting()

    @operation(Operation(body=Fault, several=True, gives=list[Fault], http_status=201))
    async def add_faults(self, request: Request, given: list[Fault]) -> list[dict[str, Any]]:
        """Append one fault or a list of them; if one is wrong, none."""
        self.vendor.faults.add(*given)
        return self._waiting()

    @operation(NOTHING)
    async def clear_faults(self, request: Request) -> None:
        """Forget all faults."""
        self.vendor.faults.clear()

    def _page(self, request: Request, name: EntryName, asked: PageAsked) -> Response:
        """List a part of what is kept, ``?limit=`` and ``?after=`` say which; a Link header leads on."""
        entries, last = self.vendor.store.page(name, asked.after, asked.limit, asked.of)
        rest = request.url.include_query_params(limit=asked.limit, after=last)
        link = {"link": f'<{rest.path}?{rest.query}>; rel="next"'} if last else {}
        return streamed(_parts(entries), JSON_TYPE, link)

    @cached_property
    def lists(self) -> Lists:
        """What the page shows."""
        return Lists(self.vendor.store)

    @operation(Operation(gives=RandomFailuresGiven))
    async def read_random_failures(self, request: Request) -> dict[str, Any]:
        """Tell what shares of all messages fail."""
        return self._failing()

    @operation(Operation(body=RandomFailuresGiven, gives=RandomFailuresGiven, http_status=201))
    async def set_random_failures(self, request: Request, given: RandomFailuresGiven) -> dict[str, Any]:
        """Let other shares of all messages fail from now on."""
        self.vendor.failing.shares = given.fail
        return self._failing()

    @operation(NOTHING)
    async def reset(self, request: Request) -> None:
        """Forget what came and all faults; random failures, pushes and balance are as at the start."""
        self.vendor.reset()

    def _failing(self) -> dict[str, Any]:
        return {"fail": [str(one) for one in self.vendor.failing.shares]}

    def _waiting(self) -> list[dict[str, Any]]:
        return [fault_json.as_json(one) for one in self.vendor.faults.waiting]


def receive_reply(vendor: Vendor, given: ReplyGiven) -> Reply:
    """
    Take what a recipient answers: it is kept, opens the 24-hour window and is pushed.

    :raises ValueError: if there can be no such reply; the text begins with the name of the field
    """
    account = vendor.account
    reply = reply_from(given, vendor.store, vendor.clock(), account.app_id, account.business_phone)
    vendor.delivery.receive(reply)
    return reply


def push_status(vendor: Vendor, given: PushGiven) -> ReceivedMessage:
    """
    Let a message reach a status now, and push it.

    :param given: which message and status
    :return: the message
    :raises ValueError: if no such message is kept
    """
    exchange = vendor.store.exchange_of(given.message_id)
    if exchange is None or exchange.message is None:
        raise ValueError("message_id: no message with this id is kept")
    vendor.delivery.push(exchange.message, given.status, given.reason, given.times)
    return exchange.message


def _parts(entries: list[Entry]) -> Iterator[bytes]:
    """Write a JSON list in parts."""
    for start in range(0, len(entries), ENTRIES_A_PART):
        part = [json_bytes(as_json(one)) for one in entries[start : start + ENTRIES_A_PART]]
        yield (b", " if start else b"[") + b", ".join(part)
    yield b"]" if entries else b"[]"


def _written(body: bytes) -> Response:
    return Response(body, headers={"content-type": JSON_TYPE})

"""The JSON API for tests, to read messages and to set faults. Requests to it are not signed."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from airflow_provider_itnio.sandbox.api_models import (
    NOWHERE,
    ChatsAsked,
    MessagesAsked,
    PageAsked,
    PageOfOneAsked,
    PartAsked,
    PushGiven,
    ReplyGiven,
    WaitAsked,
    WebhookGiven,
    WindowGiven,
)
from airflow_provider_itnio.sandbox.faults.fault import Fault
from airflow_provider_itnio.sandbox.faults.random_failures import RandomFailuresGiven
from airflow_provider_itnio.sandbox.inbox.items import opened
from airflow_provider_itnio.sandbox.inbox.lists import Lists
from airflow_provider_itnio.sandbox.operations import operation
from airflow_provider_itnio.sandbox.phone_numbers import digits_of
from airflow_provider_itnio.sandbox.responses import JSON_TYPE, json_bytes, streamed
from airflow_provider_itnio.sandbox.status_codes import TEMPLATE_PATH
from airflow_provider_itnio.sandbox.store.entries import (
    Entry,
    ReceivedMessage,
    RefusedRequest,
    Reply,
    SeenRequest,
    as_json,
)
from airflow_provider_itnio.sandbox.store.store import EntryName
from airflow_provider_itnio.sandbox.vendor.endpoints import CONTENT_TYPE, Vendor
from airflow_provider_itnio.sandbox.vendor.signature import sign_of

ENTRIES_PER_CHUNK = 50
TEST_RECIPIENT = "8614718004557"


@dataclass
class SandboxApi:
    """The endpoints under ``/sandbox/``, except the stream of events."""

    vendor: Vendor
    connection: Callable[[], str]

    def __post_init__(self) -> None:
        self.lists = Lists(self.vendor.store)

    @operation("GET", "/sandbox/messages", query=MessagesAsked, returns=list[ReceivedMessage])
    async def read_messages(self, request: Request, asked: MessagesAsked) -> Response:
        """List the accepted messages, oldest first; ``?wait=3&timeout=10`` waits for three."""
        if asked.wait:
            await self._wait_for(asked)
        return self._page(request, "message", asked)

    @operation("DELETE", "/sandbox/messages")
    async def clear_messages(self, request: Request) -> None:
        """Delete messages, refusals, requests, replies and open windows; faults stay, a seed restarts."""
        self.vendor.clear()

    @operation("GET", "/sandbox/refused", query=PageAsked, returns=list[RefusedRequest])
    async def read_refused(self, request: Request, asked: PageAsked) -> Response:
        """List the refused requests, each with what to change."""
        return self._page(request, "refused", asked)

    @operation("GET", "/sandbox/requests", query=PageAsked, returns=list[SeenRequest])
    async def read_requests(self, request: Request, asked: PageAsked) -> Response:
        """List all requests to the vendor."""
        return self._page(request, "request", asked)

    @operation("GET", "/sandbox/messages/{message_id}", returns=dict[str, Any])
    async def read_message(self, request: Request) -> dict[str, Any]:
        """Return a message or a reply by its id, with its request, answer and pushes."""
        exchange = self.vendor.store.exchange_of(request.path_params["message_id"])
        if exchange is None:
            raise HTTPException(404, "message_id: there is no message with this id")
        return opened(exchange)

    @operation("GET", "/sandbox/exchanges/{number:int}", returns=dict[str, Any])
    async def read_exchange(self, request: Request) -> dict[str, Any]:
        """Return one entry of the inbox page by its number, with the request and its answer."""
        exchange = self.vendor.store.exchange(request.path_params["number"])
        if exchange is None:
            raise HTTPException(404, "there is no entry with this number")
        return opened(exchange)

    @operation("GET", "/sandbox/conversations", query=ChatsAsked, returns=dict[str, Any])
    async def read_conversations(self, request: Request, asked: ChatsAsked) -> bytes:
        """List summaries of the conversations, the most recent first, 100 at a time."""
        return await self.lists.conversations(asked)

    @operation("GET", "/sandbox/conversations/{recipient}/items", query=PartAsked, returns=dict[str, Any])
    async def read_chat(self, request: Request, asked: PartAsked) -> bytes:
        """List the chat with one recipient, the latest 100 entries or those next to a number."""
        return await self.lists.chat(digits_of(request.path_params["recipient"]), asked)

    @operation("GET", "/sandbox/failures", query=PartAsked, returns=dict[str, Any])
    async def read_failures(self, request: Request, asked: PartAsked) -> bytes:
        """List the failed requests without a message, the latest 100 or those next to a number."""
        return await self.lists.failures(asked)

    @operation("GET", "/sandbox/replies", query=PageOfOneAsked, returns=list[Reply])
    async def read_replies(self, request: Request, asked: PageOfOneAsked) -> Response:
        """List the replies, oldest first."""
        return self._page(request, "reply", asked)

    @operation("POST", "/sandbox/replies", body=ReplyGiven, returns=Reply)
    async def add_reply(self, request: Request, given: ReplyGiven) -> dict[str, Any]:
        """Add a reply of a recipient."""
        return as_json(self.vendor.receive(given))

    @operation("POST", "/sandbox/pushes", body=PushGiven, returns=ReceivedMessage)
    async def push(self, request: Request, given: PushGiven) -> dict[str, Any]:
        """Set the status of a message, push it, and return the message."""
        return as_json(self.vendor.delivery.push(given))

    @operation("POST", "/sandbox/windows", body=WindowGiven, returns=WindowGiven)
    async def set_window(self, request: Request, given: WindowGiven) -> dict[str, Any]:
        """Open or close the 24-hour window of a recipient."""
        self.vendor.delivery.set_window(given.recipient, is_open=given.is_open)
        return given.model_dump(by_alias=True)

    @operation("GET", "/sandbox/webhook", returns=dict[str, Any])
    async def read_webhook(self, request: Request) -> dict[str, Any]:
        """Return the URL for pushes, and how many pushes succeeded."""
        return self.vendor.delivery.webhook.state()

    @operation("POST", "/sandbox/webhook", body=WebhookGiven, returns=dict[str, Any])
    async def set_webhook(self, request: Request, given: WebhookGiven) -> dict[str, Any]:
        """Push to another URL from now on."""
        webhook = self.vendor.delivery.webhook
        webhook.configure(given)
        return webhook.state()

    @operation("DELETE", "/sandbox/webhook")
    async def clear_webhook(self, request: Request) -> None:
        """Stop pushing."""
        self.vendor.delivery.webhook.configure(NOWHERE)

    @operation("GET", "/sandbox/faults", returns=list[Fault])
    async def read_faults(self, request: Request) -> list[dict[str, Any]]:
        """List the faults that are not used up."""
        return self.vendor.faults.waiting

    @operation("POST", "/sandbox/faults", body=Fault, several=True, returns=list[Fault])
    async def add_faults(self, request: Request, given: list[Fault]) -> list[dict[str, Any]]:
        """Add one fault or a list of faults; if one is invalid, none is added."""
        self.vendor.faults.add(*given)
        return self.vendor.faults.waiting

    @operation("DELETE", "/sandbox/faults")
    async def clear_faults(self, request: Request) -> None:
        """Delete all faults."""
        self.vendor.faults.clear()

    async def _wait_for(self, asked: MessagesAsked) -> None:
        wanted = WaitAsked(n=asked.wait, timeout=asked.timeout, recipient=asked.recipient, status=None)
        deadline = time.monotonic() + asked.timeout
        # No thread waits longer than a second, so that the sandbox can stop.
        store = self.vendor.store
        while not await run_in_threadpool(
            store.wait_for_count, wanted, min(1.0, deadline - time.monotonic())
        ):
            if time.monotonic() >= deadline:
                raise HTTPException(408, str(store.timeout_error(wanted)))

    def _page(self, request: Request, name: EntryName, asked: PageAsked) -> Response:
        """List entries by ``?limit=`` and ``?after=``; a Link header leads to the next ones."""
        entries, last = self.vendor.store.page(
            name, asked.after, asked.limit, getattr(asked, "recipient", None)
        )
        rest = request.url.include_query_params(limit=asked.limit, after=last)
        link = {"link": f'<{rest.path}?{rest.query}>; rel="next"'} if last else {}
        return streamed(_json_chunks(entries), JSON_TYPE, link)

    @operation("GET", "/sandbox/random-failures", returns=RandomFailuresGiven)
    async def read_random_failures(self, request: Request) -> dict[str, Any]:
        """Return the shares of messages that fail at random."""
        return {"fail": [str(one) for one in self.vendor.failing.shares]}

    @operation("POST", "/sandbox/random-failures", body=RandomFailuresGiven, returns=RandomFailuresGiven)
    async def set_random_failures(self, request: Request, given: RandomFailuresGiven) -> dict[str, Any]:
        """Set the shares of messages that fail at random."""
        self.vendor.failing.shares = given.fail
        return {"fail": [str(one) for one in self.vendor.failing.shares]}

    @operation("POST", "/sandbox/reset")
    async def reset(self, request: Request) -> None:
        """Delete all entries and faults; restore the initial random failures, pushes and balance."""
        self.vendor.reset()

    @operation("GET", "/sandbox/connection", returns=dict[str, str])
    async def read_connection(self, request: Request) -> dict[str, str]:
        """Return the shell command that sets Airflow's connection, including the sandbox's secret."""
        line = f"export AIRFLOW_CONN_ITNIO_DEFAULT={shlex.quote(self.connection())}"
        return {"line": line}

    @operation("GET", "/sandbox/test-message", returns=dict[str, Any])
    async def read_test_message(self, request: Request) -> dict[str, Any]:
        """Return a signed request to the vendor's endpoint, with a template, which reaches all recipients."""
        account, timestamp = self.vendor.account, str(int(self.vendor.clock()))
        sign = sign_of(account.api_key, account.secret, timestamp)
        text = {"type": "text", "text": "Hello from itnio-sandbox"}
        template = {
            "name": "test_message",
            "language": {"code": "en"},
            "components": [{"type": "body", "parameters": [text]}],
        }
        sent = {"appId": account.app_id, "businessPhone": account.business_phone, "recipient": TEST_RECIPIENT}
        signed = {"Api-Key": account.api_key, "Timestamp": timestamp, "Sign": sign}
        return {
            "path": TEMPLATE_PATH,
            "headers": {"Content-Type": CONTENT_TYPE, **signed},
            "body": {**sent, "channelType": 0, "template": template},
        }


def _json_chunks(entries: list[Entry]) -> Iterator[bytes]:
    """Write a JSON list in parts."""
    for start in range(0, len(entries), ENTRIES_PER_CHUNK):
        chunk = [json_bytes(as_json(one)) for one in entries[start : start + ENTRIES_PER_CHUNK]]
        yield (b", " if start else b"[") + b", ".join(chunk)
    yield b"]" if entries else b"[]"

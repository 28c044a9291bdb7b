"""The sandbox as one ASGI application."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from airflow_provider_itnio.sandbox.addresses import AllowedHosts
from airflow_provider_itnio.sandbox.api import SandboxApi
from airflow_provider_itnio.sandbox.inbox.events import Events
from airflow_provider_itnio.sandbox.inbox.page import Page
from airflow_provider_itnio.sandbox.operations import describe, routes_of
from airflow_provider_itnio.sandbox.responses import json_answer
from airflow_provider_itnio.sandbox.security import Security
from airflow_provider_itnio.sandbox.status_codes import BALANCE_PATH
from airflow_provider_itnio.sandbox.store.data_file import DataFileError
from airflow_provider_itnio.sandbox.vendor.endpoints import METHODS, Endpoint, Vendor


def sandbox_app(vendor: Vendor, hosts: AllowedHosts, connection: Callable[[], str]) -> Security:
    """Return the application with all endpoints; ``connection`` returns a connection to it as JSON."""

    async def describe_itself(request: Request) -> Response:
        """Describe this API as an OpenAPI document."""
        return json_answer(describe(routes)).as_response()

    async def unknown_path(scope: Scope, receive: Receive, send: Send) -> None:
        """Record requests to unknown paths of the vendor, so that they are shown."""
        path, method = scope["path"], scope["method"]
        is_own = re.match("/sandbox(/|$)", path)
        if not is_own and (method == "POST" or path.rstrip("/").endswith(tuple(METHODS))):
            await Endpoint(vendor, path, None)(scope, receive, send)
        else:
            await Response("Not Found", 404)(scope, receive, send)

    routes = [
        Route("/sandbox/openapi.json", describe_itself, methods=["GET"]),
        *(Route(path, Endpoint(vendor, path, method)) for path, method in METHODS.items()),
        # The vendor's Java sample builds its URL with this path.
        Route("/sms//getBalance", Endpoint(vendor, BALANCE_PATH, METHODS[BALANCE_PATH])),
        Route("/sandbox/events", Events(vendor.store, vendor.stopping), methods=["GET"]),
        *routes_of(SandboxApi(vendor, connection)),
        *Page(vendor.store).routes(),
        Route("/", Endpoint(vendor, "/", None), methods=["POST"]),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(SerializedReads)],
        exception_handlers={DataFileError: _storage_error},
    )
    app.router.redirect_slashes = False
    app.router.default = unknown_path
    return Security(app, hosts, vendor.clock)


@dataclass(frozen=True)
class SerializedReads:
    """
    Answers requests to the sandbox's own paths one at a time, and passes requests to the vendor's at once.

    So a send does not wait until all pages that open at the same time have their answers.
    """

    app: ASGIApp
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one ASGI request."""
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"] not in METHODS:
            async with self.turn:
                await asyncio.sleep(0)
        await self.app(scope, receive, send)


async def _storage_error(request: Request, error: Exception) -> Response:
    """Answer that the file of --data can't be written, so that the request's data is not stored."""
    logging.getLogger("airflow_provider_itnio.sandbox").error("%s", error)
    return json_answer({"error": str(error)}, 500).as_response()

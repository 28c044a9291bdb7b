"""The JSON API by which tests read what came and ask for faults; requests to it are not signed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from . import faults as fault_json
from .answers import json_answer
from .faults import BadFaultError, FaultQueue, fault_from
from .phone_numbers import digits_of
from .store import Store, as_json
from .vendor import LARGEST_BODY, read_body

if TYPE_CHECKING:
    from starlette.requests import Request


@dataclass(frozen=True)
class Control:
    """
    The endpoints under ``/sandbox/``.

    :param store: what the sandbox got
    :param faults: what shall go wrong
    """

    store: Store
    faults: FaultQueue

    def routes(self) -> list[Route]:
        """List the endpoints."""
        return [
            Route("/sandbox/messages", self.read_messages, methods=["GET"]),
            Route("/sandbox/messages", self.clear_messages, methods=["DELETE"]),
            Route("/sandbox/refused", self.read_refused, methods=["GET"]),
            Route("/sandbox/requests", self.read_requests, methods=["GET"]),
            Route("/sandbox/faults", self.read_faults, methods=["GET"]),
            Route("/sandbox/faults", self.add_faults, methods=["POST"]),
            Route("/sandbox/faults", self.clear_faults, methods=["DELETE"]),
        ]

    async def read_messages(self, request: Request) -> Response:
        """List the accepted messages, with ``?recipient=`` only those to that number."""
        messages = self.store.messages
        if "recipient" in request.query_params:
            wanted = digits_of(request.query_params["recipient"])
            messages = [one for one in messages if one.recipient == wanted]
        return _json([as_json(one) for one in messages])

    async def clear_messages(self, request: Request) -> Response:
        """Forget messages, refusals and requests."""
        self.store.clear()
        return Response(status_code=204)

    async def read_refused(self, request: Request) -> Response:
        """List the refused requests."""
        return _json([as_json(one) for one in self.store.refused])

    async def read_requests(self, request: Request) -> Response:
        """List all requests to the vendor's paths."""
        return _json([as_json(one) for one in self.store.requests])

    async def read_faults(self, request: Request) -> Response:
        """List the faults that still wait."""
        return _json(self._waiting())

    async def add_faults(self, request: Request) -> Response:
        """Append one fault or a list of them; if one is wrong, none."""
        try:
            body = await read_body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return _json({"error": f"a request may hold {LARGEST_BODY} bytes"}, 413)
        try:
            given = json.loads(body)
            self.faults.add(*[fault_from(one) for one in (given if isinstance(given, list) else [given])])
        except BadFaultError as wrong:
            return _json({"error": str(wrong)}, 400)
        except (ValueError, RecursionError):
            return _json({"error": "the body is not JSON"}, 400)
        return _json(self._waiting(), 201)

    async def clear_faults(self, request: Request) -> Response:
        """Forget all faults."""
        self.faults.clear()
        return Response(status_code=204)

    def _waiting(self) -> list[dict[str, Any]]:
        return [fault_json.as_json(one) for one in self.faults.waiting]


def _json(value: Any, http_status: int = 200) -> Response:
    return json_answer(value, http_status).as_response()

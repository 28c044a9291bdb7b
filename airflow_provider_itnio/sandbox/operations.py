"""What an endpoint of the sandbox's own API takes and gives: requests are read by it, and it is described."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_itnio.sandbox.api_models import Given, read
from airflow_provider_itnio.sandbox.http_protocol import LARGEST_BODY, read_body
from airflow_provider_itnio.sandbox.responses import JSON_TYPE, json_answer

Api = TypeVar("Api")
Endpoint = Callable[[Api, "Request"], Awaitable[Response]]


@dataclass(frozen=True)
class Operation:
    """
    What an endpoint takes and gives: the models of its query and its body, and the type of its answer.

    :param several: whether a list of bodies is taken too
    :param gives: None for nothing
    """

    method: str
    path: str
    query: type[Given] | None = None
    body: type[Given] | None = None
    several: bool = False
    gives: Any = None

    @property
    def http_status(self) -> int:
        """The HTTP code of an answer that is no error."""
        return 204 if self.gives is None else 201 if self.method == "POST" else 200


def operation(
    method: str, path: str, **what: Any
) -> Callable[[Callable[..., Awaitable[Any]]], Endpoint[Any]]:
    """
    Read what a request holds before an endpoint is called with its query and body, and answer errors by name.

    The endpoint returns JSON, as bytes if it is written already, or a response. A ``ValueError`` becomes HTTP
    400 with its text.

    :param what: see :class:`Operation`
    """
    told = Operation(method, path, **what)

    def decorate(endpoint: Callable[..., Awaitable[Any]]) -> Endpoint[Any]:
        @wraps(endpoint)
        async def read_first(api: Any, request: Request) -> Response:
            try:
                given = [read(told.query, dict(request.query_params))] if told.query else []
                if told.body:
                    given.append(_fitting(told.body, await _json_of(request), told.several))
                result = await endpoint(api, request, *given)
            except ClientDisconnect:
                return Response(status_code=400)
            except ValueError as wrong:
                return json_answer({"error": str(wrong)}, 400).as_response()
            except HTTPException as wrong:
                return json_answer({"error": wrong.detail}, wrong.status_code).as_response()
            if isinstance(result, Response):
                return result
            if isinstance(result, bytes):
                return Response(result, headers={"content-type": JSON_TYPE})
            if told.gives is None:
                return Response(status_code=told.http_status)
            return json_answer(result, told.http_status).as_response()

        read_first.operation = told  # type: ignore[attr-defined]
        return read_first

    return decorate


def routes_of(api: object) -> list[Route]:
    """List the endpoints among the methods of an object, in the order in which its class has them."""
    endpoints = [getattr(api, name) for name, one in vars(type(api)).items() if hasattr(one, "operation")]
    return [Route(one.operation.path, one, methods=[one.operation.method]) for one in endpoints]


def _fitting(model: type[Given], given: Any, several: bool) -> Any:
    if not several:
        return read(model, given)
    return [read(model, one) for one in (given if isinstance(given, list) else [given])]


async def _json_of(request: Request) -> Any:
    body = await read_body(request)
    if body is None:
        raise HTTPException(413, f"a request may hold {LARGEST_BODY} bytes")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON") from None

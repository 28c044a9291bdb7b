"""What an endpoint of the sandbox's own API takes and gives: requests are read by it, and it is described."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from airflow_provider_itnio.sandbox.api_models import Given, read
from airflow_provider_itnio.sandbox.request_body import LARGEST_BODY, read_body
from airflow_provider_itnio.sandbox.responses import json_answer

if TYPE_CHECKING:
    from starlette.requests import Request

Api = TypeVar("Api")
Endpoint = Callable[[Api, "Request"], Awaitable[Response]]


class UnfitRequestError(ValueError):
    """
    A request that cannot be answered as it is.

    :param text: what is wrong, beginning with the name of the field if it is one
    :param http_status: the HTTP code to answer
    """

    def __init__(self, text: str, http_status: int = 400) -> None:
        super().__init__(text)
        self.http_status = http_status


@dataclass(frozen=True)
class Operation:
    """
    What an endpoint takes and gives.

    :param query: the model of its query parameters
    :param body: the model of its JSON
    :param several: whether a list of these is taken too
    :param gives: the type of what it answers
    :param http_status: the HTTP code of an answer that is no error
    :param media_type: the Content-Type of the answer
    """

    query: type[Given] | None = None
    body: type[Given] | None = None
    several: bool = False
    gives: Any = None
    http_status: int = 200
    media_type: str = "application/json"


NOTHING = Operation(http_status=204)


def operation(what: Operation) -> Callable[[Callable[..., Awaitable[Any]]], Endpoint[Any]]:
    """
    Read what a request holds before an endpoint is called with it, and answer errors by name.

    The endpoint returns JSON or a response. A ``ValueError`` becomes HTTP 400 with its text.

    :param what: what the endpoint takes; its query comes first, then its body
    """

    def decorate(endpoint: Callable[..., Awaitable[Any]]) -> Endpoint[Any]:
        @wraps(endpoint)
        async def read_first(api: Any, request: Request) -> Response:
            try:
                given = [read(what.query, dict(request.query_params))] if what.query else []
                if what.body:
                    given.append(_fitting(what.body, await _json_of(request), what.several))
                result = await endpoint(api, request, *given)
            except ClientDisconnect:
                return Response(status_code=400)
            except ValueError as wrong:
                http_status = wrong.http_status if isinstance(wrong, UnfitRequestError) else 400
                return json_answer({"error": str(wrong)}, http_status).as_response()
            if isinstance(result, Response):
                return result
            if what.http_status == NOTHING.http_status:
                return Response(status_code=204)
            return json_answer(result, what.http_status).as_response()

        read_first.operation = what  # type: ignore[attr-defined]
        return read_first

    return decorate


def _fitting(model: type[Given], given: Any, several: bool) -> Any:
    if not several:
        return read(model, given)
    return [read(model, one) for one in (given if isinstance(given, list) else [given])]


async def _json_of(request: Request) -> Any:
    body = await read_body(request)
    if body is None:
        raise UnfitRequestError(f"a request may hold {LARGEST_BODY} bytes", 413)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise UnfitRequestError("the body is not JSON") from None

"""Describe the endpoints of the sandbox's API, to check requests and to build the OpenAPI document."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_itnio import __version__
from airflow_provider_itnio.sandbox.api_models import Given, read
from airflow_provider_itnio.sandbox.http_server import MAX_BODY_SIZE, read_body
from airflow_provider_itnio.sandbox.responses import JSON_TYPE, json_answer

Api = TypeVar("Api")
Endpoint = Callable[[Api, "Request"], Awaitable[Response]]

MEDIA_TYPES = {"/sandbox/events": "text/event-stream", "/sandbox/inbox.html": "text/html"}
"""Content types of answers that are not JSON."""

ERROR_SCHEMA = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
ERROR = {
    "description": "What is wrong with the request, beginning with the name of the field",
    "content": {"application/json": {"schema": ERROR_SCHEMA}},
}


@dataclass(frozen=True)
class Operation:
    """
    The models of an endpoint's query and body, and the type of its answer.

    :param several: whether a list of bodies is accepted too
    :param returns: the type of the answer; None for no content
    """

    method: str
    path: str
    query: type[Given] | None = None
    body: type[Given] | None = None
    several: bool = False
    returns: Any = None

    @property
    def http_status(self) -> int:
        """The HTTP code of a successful answer."""
        return 204 if self.returns is None else 201 if self.method == "POST" else 200


def operation(
    method: str, path: str, **what: Any
) -> Callable[[Callable[..., Awaitable[Any]]], Endpoint[Any]]:
    """
    Check a request, and call the endpoint with its query and body.

    The endpoint returns JSON, as bytes if it is already encoded, or a response. A ``ValueError`` becomes HTTP
    400 with its text.

    :param what: see :class:`Operation`
    """
    declared = Operation(method, path, **what)

    def decorate(endpoint: Callable[..., Awaitable[Any]]) -> Endpoint[Any]:
        @wraps(endpoint)
        async def read_first(api: Any, request: Request) -> Response:
            try:
                given = [read(declared.query, dict(request.query_params))] if declared.query else []
                if declared.body:
                    given.append(_read_bodies(declared.body, await _read_json(request), declared.several))
                result = await endpoint(api, request, *given)
            except ClientDisconnect:
                return Response(status_code=400)
            except ValueError as error:
                return json_answer({"error": str(error)}, 400).as_response()
            except HTTPException as error:
                return json_answer({"error": error.detail}, error.status_code).as_response()
            if isinstance(result, Response):
                return result
            if isinstance(result, bytes):
                return Response(result, headers={"content-type": JSON_TYPE})
            if declared.returns is None:
                return Response(status_code=declared.http_status)
            return json_answer(result, declared.http_status).as_response()

        read_first.operation = declared  # type: ignore[attr-defined]
        return read_first

    return decorate


def routes_of(api: object) -> list[Route]:
    """List the endpoints among the methods of an object, in the order in which its class has them."""
    endpoints = [getattr(api, name) for name, one in vars(type(api)).items() if hasattr(one, "operation")]
    return [Route(one.operation.path, one, methods=[one.operation.method]) for one in endpoints]


def _read_bodies(model: type[Given], given: Any, several: bool) -> Any:
    if not several:
        return read(model, given)
    return [read(model, one) for one in (given if isinstance(given, list) else [given])]


async def _read_json(request: Request) -> Any:
    body = await read_body(request)
    if body is None:
        raise HTTPException(413, f"a request may have at most {MAX_BODY_SIZE} bytes")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON") from None


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """Build the OpenAPI document of the routes under ``/sandbox/``."""
    endpoints = [
        (route, method, getattr(route.endpoint, "operation", Operation(method, route.path)))
        for route in routes
        if route.path.startswith("/sandbox/")
        for method in sorted(route.methods or ())
        if method != "HEAD"
    ]
    types = {one: None for _, _, what in endpoints for one in (what.body, what.returns) if one is not None}
    schemas, document = TypeAdapter.json_schemas(
        [(one, "serialization", TypeAdapter(one)) for one in types],
        ref_template="#/components/schemas/{model}",
    )
    definitions = document.get("$defs", {})
    for schema in definitions.values():
        schema["properties"] = _without_null_defaults(schema["properties"])
        # The fields have descriptions of their own.
        schema["description"] = _first_line(schema.get("description", ""))
    paths: dict[str, dict[str, Any]] = {}
    for route, method, what in endpoints:
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
        paths.setdefault(path, {})[method.lower()] = _operation(route, what, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "itnio-sandbox",
            "version": __version__,
            "description": "Read what the sandbox received, and set faults. Requests need no signature.",
        },
        "paths": paths,
        "components": {"schemas": definitions},
    }


def _operation(route: Route, what: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    name = getattr(route.endpoint, "__name__", type(route.endpoint).__name__)
    answer: dict[str, Any] = {"description": "What was asked for"}
    if media_type := MEDIA_TYPES.get(route.path):
        answer["content"] = {media_type: {"schema": {}}}
    elif what.returns is not None:
        answer["content"] = {"application/json": {"schema": schemas[what.returns, "serialization"]}}
    described: dict[str, Any] = {
        "operationId": name,
        "summary": _first_line(inspect.getdoc(route.endpoint) or ""),
        "parameters": [*_in_path(route), *_in_query(what)],
        "responses": {"200" if media_type else str(what.http_status): answer, "default": ERROR},
    }
    if what.body:
        schema = schemas[what.body, "serialization"]
        if what.several:
            schema = {"anyOf": [schema, {"type": "array", "items": schema}]}
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _in_path(route: Route) -> Iterator[dict[str, Any]]:
    for name, convertor in route.param_convertors.items():
        kind = "integer" if convertor.regex == "[0-9]+" else "string"
        yield {"name": name, "in": "path", "required": True, "schema": {"type": kind}}


def _in_query(what: Operation) -> Iterator[dict[str, Any]]:
    schema = what.query.model_json_schema() if what.query else {}
    for name, field in _without_null_defaults(schema.get("properties", {})).items():
        description = field.pop("description", "")
        yield {"name": name, "in": "query", "description": description, "schema": field}


def _without_null_defaults(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out defaults that only say that nothing was given."""
    return {
        name: {key: value for key, value in field.items() if (key, value) != ("default", None)}
        for name, field in fields.items()
    }


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]

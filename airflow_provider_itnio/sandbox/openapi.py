"""The sandbox's own API as an OpenAPI document, made from its routes and from what they read."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import TypeAdapter
from starlette.routing import Route

from airflow_provider_itnio import __version__
from airflow_provider_itnio.sandbox.operations import Operation

MEDIA_TYPES = {"/sandbox/events": "text/event-stream", "/sandbox/inbox.html": "text/html"}
"""What is answered in place of JSON."""

COMPUTED = {
    "ReceivedMessage": {
        "status": {"type": "string", "description": "the furthest of its statuses"},
        "failure": {"type": "string", "description": "why it failed; empty if it did not"},
    }
}
"""What entries have besides their fields."""

ERROR_SCHEMA = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
ERROR = {
    "description": "What is wrong with the request, beginning with the name of the field",
    "content": {"application/json": {"schema": ERROR_SCHEMA}},
}


def describe(routes: Iterable[Route]) -> dict[str, Any]:
    """Make the document of those routes that are under ``/sandbox/``."""
    endpoints = [
        (route, method, getattr(route.endpoint, "operation", Operation(method, route.path)))
        for route in routes
        if route.path.startswith("/sandbox/")
        for method in sorted(route.methods or ())
        if method != "HEAD"
    ]
    types = {one: None for _, _, what in endpoints for one in (what.body, what.gives) if one is not None}
    schemas, document = TypeAdapter.json_schemas(
        [(one, "validation", TypeAdapter(one)) for one in types], ref_template="#/components/schemas/{model}"
    )
    definitions = document.get("$defs", {})
    for name, schema in definitions.items():
        schema["properties"] = _without_null(schema["properties"]) | COMPUTED.get(name, {})
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
            "description": "What the sandbox got, and what shall go wrong. Requests need no signature.",
        },
        "paths": paths,
        "components": {"schemas": definitions},
    }


def _operation(route: Route, what: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    name = getattr(route.endpoint, "__name__", type(route.endpoint).__name__)
    answer: dict[str, Any] = {"description": "What was asked for"}
    if media_type := MEDIA_TYPES.get(route.path):
        answer["content"] = {media_type: {"schema": {}}}
    elif what.gives is not None:
        answer["content"] = {"application/json": {"schema": schemas[what.gives, "validation"]}}
    told: dict[str, Any] = {
        "operationId": name,
        "summary": _first_line(inspect.getdoc(route.endpoint) or ""),
        "parameters": [*_in_path(route), *_in_query(what)],
        "responses": {"200" if media_type else str(what.http_status): answer, "default": ERROR},
    }
    if what.body:
        schema = schemas[what.body, "validation"]
        if what.several:
            schema = {"anyOf": [schema, {"type": "array", "items": schema}]}
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return told


def _in_path(route: Route) -> Iterator[dict[str, Any]]:
    for name, convertor in route.param_convertors.items():
        kind = "integer" if convertor.regex == "[0-9]+" else "string"
        yield {"name": name, "in": "path", "required": True, "schema": {"type": kind}}


def _in_query(what: Operation) -> Iterator[dict[str, Any]]:
    schema = what.query.model_json_schema() if what.query else {}
    for name, field in _without_null(schema.get("properties", {})).items():
        description = field.pop("description", "")
        yield {"name": name, "in": "query", "description": description, "schema": field}


def _without_null(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out defaults that only say that nothing was given."""
    return {
        name: {key: value for key, value in field.items() if (key, value) != ("default", None)}
        for name, field in fields.items()
    }


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]

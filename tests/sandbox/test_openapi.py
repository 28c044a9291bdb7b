"""``GET /sandbox/openapi.json`` describes the sandbox's own API completely."""

from __future__ import annotations

import re

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from starlette.routing import Route

from airflow_provider_itnio.sandbox.api_models import Given
from airflow_provider_itnio.sandbox.app import sandbox_app


@pytest.fixture
def document(wire):
    answer = wire.control("GET", "openapi.json")
    assert answer.status_code == 200
    return answer.json()


@pytest.fixture
def routes(sandbox):
    """Return the server's routes under /sandbox/ by method and path."""
    app = sandbox_app(sandbox._vendor, (), sandbox.connection_json)
    return {
        (method.lower(), re.sub(r":\w+}", "}", route.path)): route
        for route in app.app.routes
        if isinstance(route, Route) and route.path.startswith("/sandbox/")
        for method in route.methods - {"HEAD"}
    }


def operations(document):
    return {(method, path): told for path, each in document["paths"].items() for method, told in each.items()}


def schema_of(document, schema):
    return {"$schema": Draft202012Validator.META_SCHEMA["$id"], "components": document["components"]} | schema


def test_it_is_valid_openapi(document):
    validate(document)


def test_it_has_every_route_and_no_other(document, routes):
    assert set(operations(document)) == set(routes)
    assert ("get", "/sandbox/openapi.json") in routes
    names = [told["operationId"] for told in operations(document).values()]
    assert len(set(names)) == len(names)
    assert all(told["summary"].endswith(".") for told in operations(document).values())


def test_it_has_all_parameters_of_each_route(document, routes):
    for key, told in operations(document).items():
        what = getattr(routes[key].endpoint, "operation", None)
        names = {one["name"] for one in told["parameters"] if one["in"] == "query"}
        assert names == (set(what.query.model_fields) if what and what.query else set())
        in_path = {one["name"] for one in told["parameters"] if one["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", key[1]))
        assert ("requestBody" in told) == bool(what and what.body)
        if what and what.body:
            schema = document["components"]["schemas"][what.body.__name__]
            fields = {field.alias or name for name, field in what.body.model_fields.items()}
            assert set(schema["properties"]) == fields
            assert schema["additionalProperties"] is False


def test_every_model_is_described(document):
    of_api = [one for one in _below(Given) if re.search("sandbox.(api_models|faults)", one.__module__)]
    kinds = {one.__name__ for one in of_api if not one.__name__.endswith("Asked")}
    assert kinds <= set(document["components"]["schemas"])
    assert not re.search(r":param", str(document))


def _below(kind):
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("faults", [{"status": -5, "headers": {"X": "1"}}, {"answer": [1]}, [{"body": "x"}]], {"count": 0}),
        ("replies", [{"text": "hello", "recipient": "+49 30 123456"}], {"texts": "x"}),
        ("replies", [{"location": {"latitude": 1, "longitude": "2"}, "recipient": 4930123456}], {"text": 5}),
        ("windows", [{"recipient": "4930123456"}, {"recipient": "4930123456", "open": False}], {"open": 1}),
        ("webhook", [{"url": "http://127.0.0.1:9/"}], {}),
    ],
)  # fmt: skip
def test_the_schema_and_the_sandbox_accept_and_refuse_the_same(wire, document, path, good, bad):
    told = document["paths"][f"/sandbox/{path}"]["post"]
    takes = Draft202012Validator(
        schema_of(document, told["requestBody"]["content"]["application/json"]["schema"])
    )
    gives = Draft202012Validator(
        schema_of(document, told["responses"]["201"]["content"]["application/json"]["schema"])
    )
    for given in good:
        assert takes.is_valid(given)
        answer = wire.control("POST", path, json=given)
        assert answer.status_code == 201, answer.text
        if path != "faults":
            gives.validate(answer.json())
    assert not takes.is_valid(bad)
    assert wire.control("POST", path, json=bad).status_code == 400


def test_the_lists_match_their_schemas(wire, sandbox, document, message):
    wire.custom(message())
    wire.custom(message(recipient="1"))
    sandbox.reply(recipient="4930123456", text="hello")
    for name in ("messages", "refused", "requests", "replies"):
        told = document["paths"][f"/sandbox/{name}"]["get"]["responses"]["200"]
        schema = schema_of(document, told["content"]["application/json"]["schema"])
        entries = wire.control("GET", name).json()
        Draft202012Validator(schema).validate(entries)
        fields = document["components"]["schemas"][schema["items"]["$ref"].rpartition("/")[2]]["properties"]
        assert entries
        assert all(set(one) == set(fields) for one in entries)


def test_each_required_field_has_a_description():
    """Otherwise the error of a missing field would not describe it."""
    undescribed = {
        f"{model.__name__}.{name}"
        for model in subclasses(Given)
        for name, field in model.model_fields.items()
        if field.is_required() and not field.description
    }
    assert undescribed == set()


def subclasses(of):
    return {one for below in of.__subclasses__() for one in (below, *subclasses(below))}

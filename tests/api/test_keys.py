from __future__ import annotations

import json
from typing import Any

from airflow_provider_itnio.api.models import message_from
from airflow_provider_itnio.messages import MESSAGE_FIELDS
from tests.api.model_cases import (
    KNOWN,
    WHOLE,
    content,
    problems,
)
from tests.tables import for_each

OPTIONAL = {
    "caption", "filename", "header", "footer", "description", "components", "org", "birthday", "addresses",
    "emails", "phones", "urls", "wa_id", "street", "city", "state", "zip", "country", "country_code",
    "first_name", "last_name", "middle_name", "suffix", "prefix", "company", "department",
    "day_of_week", "year", "month", "day_of_month", "hour", "minute", "calendar",
}  # fmt: skip
OPTIONAL_PATHS = {
    "location.link",
    "interactive.header.type",
    "contacts[0].org.title",
    *(f"contacts[0].{name}[0].type" for name in ("addresses", "emails", "phones", "urls")),
    "interactive.action.buttons[0].type",
    "interactive.action.name",
    *(f"template.components[1].parameters[{index}].type" for index in (1, 2)),
}


def keys(fields: Any) -> list[tuple[list[Any], str]]:
    """Every key in the fields: its steps (keys and indexes) and its path as text."""
    found: list[tuple[list[Any], str]] = []

    def walk(value: Any, steps: list[Any], path: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                inner_path = f"{path}.{key}" if path else key
                found.append(([*steps, key], inner_path))
                walk(inner, [*steps, key], inner_path)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                walk(inner, [*steps, index], f"{path}[{index}]")

    walk(fields, [], "")
    return [entry for entry in found if len(entry[0]) > 1]


def changed(fields: Any, steps: list[Any], change: Any) -> Any:
    copy = json.loads(json.dumps(fields))
    inner = copy
    for step in steps[:-1]:
        inner = inner[step]
    change(inner, steps[-1])
    return copy


KEYS = [(name, steps, path) for name, fields in WHOLE.items() for steps, path in keys(fields)]
REQUIRED = [
    entry
    for entry in KEYS
    if entry[2].rpartition(".")[2] not in OPTIONAL
    and entry[2] not in OPTIONAL_PATHS
    and (entry[0], entry[2]) != ("location request", "interactive.action")
]
REST = [entry for entry in KEYS if entry not in REQUIRED and not entry[2].endswith(("document.filename",))]


@for_each("name", WHOLE)
def test_a_message_with_every_key_is_sent_unchanged(name: str) -> None:
    (kind,) = WHOLE[name]
    assert content(WHOLE[name]) == WHOLE[name][kind]


@for_each(("name", "steps", "path"), REQUIRED)
def test_a_required_key_may_not_be_left_out(name: str, steps: list[Any], path: str) -> None:
    without = changed(WHOLE[name], steps, lambda inner, key: inner.pop(key))
    assert problems(without) == [f"{path}: required, not given"]


@for_each(("name", "steps", "path"), REST)
def test_an_optional_key_may_be_left_out(name: str, steps: list[Any], path: str) -> None:
    without = changed(WHOLE[name], steps, lambda inner, key: inner.pop(key))
    assert message_from(without).type in MESSAGE_FIELDS


@for_each(
    ("name", "steps", "path"),
    [
        (n, s, p)
        for n, s, p in REST
        if p.rpartition(".")[2] not in ("type", "name", "header", "footer", "org", "action")
    ],
)
def test_an_empty_optional_value_is_left_out(name: str, steps: list[Any], path: str) -> None:
    numbers = ("day_of_week", "year", "month", "day_of_month", "hour", "minute")
    lists = ("addresses", "emails", "phones", "urls", "components")
    key = path.rpartition(".")[2]
    without = content(changed(WHOLE[name], steps, lambda inner, key: inner.pop(key)))
    for empty in ([], None) if key in lists else (None,) if key in numbers else ("", " ", None):
        assert (
            content(changed(WHOLE[name], steps, lambda inner, key, empty=empty: inner.update({key: empty})))
            == without
        )


@for_each(("name", "steps", "path"), KEYS)
def test_an_unknown_key_is_refused_by_name_at_every_level(name: str, steps: list[Any], path: str) -> None:
    parent = path.rpartition(".")[0]
    beside = changed(WHOLE[name], steps, lambda inner, key: inner.update({"extra": "a"}))
    (problem,) = problems(beside)
    assert problem.startswith(f"{parent}.extra: unknown key; known are ")
    assert path.rpartition(".")[2] in problem.partition("known are ")[2].split(", ")


def test_the_error_shows_an_unknown_key_shortened_and_on_one_line() -> None:
    (problem,) = problems({"text": {"body": "a", "x\n" * 100: "b"}})
    shown = r"x\n" * 29
    assert problem == f"text.'{shown}x…': unknown key; known are body"
    assert problems({"a b": 1}) == [f"'a b': unknown field; known are {KNOWN}"]
    assert problems({"text": {"body": "a", "https://a.example/b?sig=5ecret": 1}}) == [
        "text.'https://a.example/b': unknown key; known are body"
    ]
    assert problems({"text": {"body": "a", "8614718004557": 1}}) == [
        "text.'86…57': unknown key; known are body"
    ]

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import DAG, XComArg, literal
from airflow.providers.standard.operators.empty import EmptyOperator

from airflow_provider_itnio.templating import (
    TEMPLATE_EXT,
    is_rendered_later,
    recipient_entries,
    references_in,
    unread_template_files,
)


@pytest.mark.parametrize(
    "value", ["{{ ds }}", "a {% if x %}b{% endif %}", "{# why #} a", "report.j2", "folder/report.txt.j2"]
)
def test_jinja_and_the_name_of_a_jinja_file_are_rendered_later(value):
    assert is_rendered_later(value)


def test_what_an_upstream_task_gives_is_rendered_later():
    with DAG("upstream", schedule=None):
        output = EmptyOperator(task_id="load").output
    assert isinstance(output, XComArg)
    assert is_rendered_later(output)
    assert is_rendered_later(output["rows"])


def test_a_literal_is_known_only_when_the_task_runs():
    assert is_rendered_later(literal("{{ as it stands }}"))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "text",
        "a { b } c",
        "j2",
        "read j2",
        "report.j2 ",
        "report.txt",
        "report.md",
        7,
        None,
        ["{{ x }}"],
        {},
    ],
)
def test_all_else_is_what_it_is(value):
    assert not is_rendered_later(value)


def test_what_an_upstream_task_gives_is_a_reference():
    with DAG("upstream", schedule=None):
        output = EmptyOperator(task_id="load").output
    for value in (output, output["rows"], output.map(str)):
        assert list(references_in(value, "text")) == ["text"]
    nested = {"a": [1, output, {"b": output["rows"]}], "c": literal("{{ x }}"), "d": ("x", output)}
    assert list(references_in(nested, "text")) == ["text.a[1]", "text.a[2].b", "text.d[1]"]


@pytest.mark.parametrize(
    "value", ["{{ ds }}", "report.j2", "text", None, 7, [], {}, literal("{{ x }}"), literal([1])]
)
def test_all_else_is_no_reference(value):
    assert list(references_in(value, "text")) == []


def test_only_j2_ends_the_name_of_a_file():
    assert TEMPLATE_EXT == (".j2",)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("report.j2", "text"),
        ({"body": "report.j2"}, "text.body"),
        ([{"text": "a"}, {"text": "report.j2"}], "text[1].text"),
        (("a", "report.j2"), "text[1]"),
    ],
)
def test_a_name_that_was_not_read_is_found_at_any_depth(value, path):
    (problem,) = unread_template_files(value, "text")
    assert problem == f"{path}: the Jinja file 'report.j2' was not found, or its name came from data"


def test_each_such_name_is_found_and_a_long_one_is_shortened():
    first, second = unread_template_files(
        {"a": "x.j2", "b": ["y" * 100 + ".j2"], "c": "z", "d": 1}, "message"
    )
    assert first.startswith("message.a: ")
    assert second.startswith("message.b[0]: ")
    assert "y" * 61 not in second


@pytest.mark.parametrize("value", [None, 7, "text", {"a": ["b"]}, b"report.j2"])
def test_what_was_read_has_no_problem(value):
    assert list(unread_template_files(value, "text")) == []


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("a, b;\nc,,", ["a", "b", "c"]),
        ("a, {{ f('x, y') }}, b", ["a", "{{ f('x, y') }}", "b"]),
        ("{% if x %}a, b{% endif %}", ["{% if x %}a, b{% endif %}"]),
        ("", []),
    ],
)
def test_recipients_are_not_taken_apart_inside_of_jinja(text, entries):
    assert recipient_entries(text) == entries


def test_no_number_in_the_name_of_a_file_is_told_whole():
    (problem,) = unread_template_files({"body": "+86 147-1800-4557.j2"}, "text")
    assert problem == "text.body: the Jinja file '+86…57.j2' was not found, or its name came from data"

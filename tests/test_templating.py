from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import DAG, XComArg, literal
from airflow.providers.standard.operators.empty import EmptyOperator

from airflow_provider_itnio.templating import (
    TEMPLATE_EXT,
    is_rendered_later,
    leaves,
    literal_unless_templated,
    recipient_entries,
    references_in,
    template_files,
)
from tests.tables import for_each


@for_each(
    "value", ["{{ ds }}", "a {% if x %}b{% endif %}", "{# why #} a", "report.j2", "folder/report.txt.j2"]
)
def test_jinja_and_jinja_file_names_are_rendered_later(value):
    assert is_rendered_later(value)


def test_an_upstream_output_is_rendered_later():
    with DAG("upstream", schedule=None):
        output = EmptyOperator(task_id="load").output
    assert isinstance(output, XComArg)
    assert is_rendered_later(output)
    assert is_rendered_later(output["rows"])


def test_a_literal_is_known_only_when_the_task_runs():
    assert is_rendered_later(literal("{{ as it stands }}"))


@for_each(
    "value",
    [
        "",
        "text",
        "a { b } c",
        "j2",
        "read j2",
        "report.j2 ",
        "please fix values.yaml.j2",
        "see\nreport.j2",
        "\u00a0report.j2",
        "report.txt",
        "report.md",
        7,
        None,
        ["{{ x }}"],
        {},
    ],
)
def test_other_values_are_not_rendered_later(value):
    assert not is_rendered_later(value)


def test_an_upstream_output_is_a_reference():
    with DAG("upstream", schedule=None):
        output = EmptyOperator(task_id="load").output
    for value in (output, output["rows"], output.map(str)):
        assert list(references_in(value, "text")) == ["text"]
    nested = {"a": [1, output, {"b": output["rows"]}], "c": literal("{{ x }}"), "d": ("x", output)}
    assert list(references_in(nested, "text")) == ["text.a[1]", "text.a[2].b", "text.d[1]"]


@for_each("value", ["{{ ds }}", "report.j2", "text", None, 7, [], {}, literal("{{ x }}"), literal([1])])
def test_other_values_are_not_references(value):
    assert list(references_in(value, "text")) == []


def test_template_ext_is_only_j2():
    assert TEMPLATE_EXT == (".j2",)


@for_each(
    ("value", "path"),
    [
        ("report.j2", "text"),
        ({"body": "report.j2"}, "text.body"),
        ([{"text": "a"}, {"text": "report.j2"}], "text[1].text"),
        (("a", "report.j2"), "text[1]"),
    ],
)
def test_a_jinja_file_name_is_found_at_any_depth(value, path):
    assert list(template_files(value, "text")) == [(path, "report.j2")]


@for_each("value", [None, 7, "text", {"a": ["b"]}, b"report.j2", "see report.j2"])
def test_other_values_are_not_jinja_file_names(value):
    assert list(template_files(value, "text")) == []


def test_a_function_is_rendered_later():
    assert is_rendered_later(lambda context, jinja_env: "x")


def nested(depth, inner="x"):
    for _ in range(depth):
        inner = {"a": [inner]}
    return inner


def test_deeply_nested_leaves_are_found_and_cycles_are_visited_once():
    circle = ["x"]
    circle.append(circle)
    assert [leaf for _, leaf in leaves(nested(2000))] == ["x"]
    assert list(leaves(circle, "text")) == [("text[0]", "x")]


class Hostile(dict):
    def items(self):
        raise ValueError

    __iter__ = items
    __eq__ = __bool__ = __str__ = __repr__ = __len__ = items


def test_data_whose_methods_raise_are_skipped():
    assert [leaf for _, leaf in leaves(["a", Hostile(), "b"])] == ["a", "b"]


JINJA = "{{ conn.itnio_default.password }}"


@for_each(
    "recipients",
    [
        ["12", {"phone": "12", "name": JINJA, "more": [{"name": JINJA}]}],
        ({"phone": "12", "name": "report.j2"},),
        {"phone": 12, "name": JINJA},
        [{"name": JINJA}, Hostile(), nested(2000, JINJA)],
        [],
    ],
)
def test_recipients_with_jinja_in_their_data_are_not_rendered(recipients):
    kept = literal_unless_templated(recipients)
    assert kept.resolve({}) is recipients


@for_each("recipients", [[JINJA], ["12", {"phone": JINJA}], {"phone": JINJA}, JINJA, None])
def test_recipients_with_jinja_as_their_number_are_rendered(recipients):
    assert literal_unless_templated(recipients) is recipients


def test_recipients_with_upstream_outputs_in_their_data_are_rendered():
    with DAG("upstream", schedule=None):
        output = EmptyOperator(task_id="load").output
    recipients = [{"phone": "12", "name": {"first": output}}]
    assert literal_unless_templated(recipients) is recipients


@for_each(
    ("text", "entries"),
    [
        ("a, b;\nc,,", ["a", "b", "c"]),
        ("a, {{ f('x, y') }}, b", ["a", "{{ f('x, y') }}", "b"]),
        ("{% if x %}a, b{% endif %}", ["{% if x %}a, b{% endif %}"]),
        ("", []),
    ],
)
def test_a_string_of_recipients_is_not_split_inside_jinja(text, entries):
    assert recipient_entries(text) == entries


@pytest.mark.parametrize("text", ["{{ " * 50_000, "}}" * 50_000 + "{{" * 50_000], ids=["open", "crossed"])
def test_unclosed_jinja_of_any_length_is_not_split(text):
    assert recipient_entries(text) == [text]

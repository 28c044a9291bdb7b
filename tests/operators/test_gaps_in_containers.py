"""Missing values in data frames, arrays, objects and other containers."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, UserDict, namedtuple
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.broadcast.recipients import Recipient
from airflow_provider_itnio.broadcast.rendering import PersonalMessage
from airflow_provider_itnio.rendering.fields import FieldRenderer
from tests.operators.broadcast_cases import LI
from tests.tables import for_each
from tests.task_runs import broadcast_run

pytestmark = pytest.mark.usefixtures("hasty")

FRAME = pd.DataFrame({"name": ["Li", None], "n": [1.5, None]})
Row = namedtuple("Row", "name n")


@dataclass
class Order:
    name: object = None


CONTAINERS = {
    "a data frame": FRAME,
    "a column": FRAME.n,
    "a row": FRAME.iloc[1],
    "a column of text": FRAME.name,
    "an index": pd.Index([1.0, math.nan]),
    "categories": pd.Categorical(["a", None]),
    "nullable numbers": pd.array([1, None], dtype="Int64"),
    "times": pd.Series([pd.Timestamp("2026-01-01"), pd.NaT]),
    "an array": np.array([1.5, math.nan]),
    "an array of rows": np.array([[1.5, math.nan]]),
    "an array of objects": np.array(["a", None], dtype=object),
    "an array of records": np.array([(1.0, math.nan)], dtype=[("a", "f8"), ("b", "f8")]),
    "a named tuple": Row("Li", None),
    "an ordered dict": OrderedDict(a=math.nan),
    "a read-only dict": MappingProxyType({"a": None}),
    "a dict of its own class": UserDict(a=math.nan),
    "values of a dict": {"a": None}.values(),
    "a long array": np.array([*range(5000), math.nan]),
    "a dataclass": Order(),
    "a namespace": SimpleNamespace(name=None),
}
WRITTEN_WHOLE = [
    "{{ X }}",
    "{{ '%s' | format(X) }}",
    "{{ '{}'.format(X) }}",
    "{{ 'x' ~ X }}",
    "{{ X | string }}",
    "{{ X | title }}",
    "{{ [X] }}",
    "{{ {'a': X} }}",
    "{{ [X] | join(', ') }}",
    "{% set y %}{{ X }}{% endset %}{{ y }}",
    "{% filter upper %}{{ X }}{% endfilter %}",
]


def rendered(text, value, where):
    """Render a text with a value of a recipient, of ``shared`` or of the task's context."""
    environment = SandboxedEnvironment(undefined=StrictUndefined)
    if where == "context":
        fields = FieldRenderer(environment, {"x": value}, jinja_env=environment, render=str)
        return fields.field("text", text.replace("X", "x"))
    data = {"x": value}
    shared, own = (data, {}) if where == "shared" else ({}, data)
    message = PersonalMessage({"text": text.replace("X", f"{where}.x")}, environment, {}, shared)
    return message.fields_for(Recipient(0, "8614718004557", 0, own))["text"]


WHERE = for_each("where", ["recipient", "shared", "context"])


@WHERE
@for_each("text", WRITTEN_WHOLE)
@for_each("value", CONTAINERS.values())
def test_a_container_with_a_missing_value_is_not_rendered_as_text(value, text, where):
    with pytest.raises(InvalidMessageError, match=r"a value is .*; give a default, as in|is no text: write"):
        rendered(text, value, where)


DICT = {"name": "Li", "n": 7}


@WHERE
@for_each("text", WRITTEN_WHOLE)
@for_each(
    "value",
    [DICT, OrderedDict(DICT), MappingProxyType(DICT), UserDict(DICT), {"a": [DICT]}, [DICT], (1, [DICT])],
)
def test_a_dict_is_not_rendered_as_its_python_repr(value, text, where):
    if text == "{{ X | string }}":  # explicitly requested
        assert "'name': 'Li'" in rendered(text, value, where)
        return
    with pytest.raises(InvalidMessageError, match="is no text: write its values one by one"):
        rendered(text, value, where)


def test_a_dict_rendered_for_an_object_field_hints_at_native_rendering():
    environment = SandboxedEnvironment(undefined=StrictUndefined)
    fields = FieldRenderer(environment, {"x": DICT}, jinja_env=environment, render=str)
    with pytest.raises(InvalidMessageError, match=r"x is no text.*render_template_as_native_obj=True"):
        fields.field("interactive", "{{ x }}")


@WHERE
@for_each(
    ("text", "value"),
    [
        ("{% for x in X %}{{ x | title }}{% endfor %}", FRAME.name),
        ("{% for x in X %}{{ '%s' % x }}{% endfor %}", np.array([math.nan])),
        ("{% for x in X %}{{ 'n: ' ~ x }}{% endfor %}", {"a": None}.values()),
        ("{% for key, x in X.items() %}{{ x | title }}{% endfor %}", OrderedDict(a=None)),
        ("{% for key, x in X | items %}{{ x | title }}{% endfor %}", MappingProxyType({"a": None})),
        ("{% for row in X.itertuples() %}{{ row.name | title }}{% endfor %}", FRAME),
        ("{% for index, row in X.iterrows() %}{{ '%.2f' % row.n }}{% endfor %}", FRAME),
        ("{{ X | map('string') | join }}", {"a": None}.values()),
        ("{{ X | attr('name') | title }}", SimpleNamespace(name=None)),
        ("{{ X.mean() }}", pd.Series([math.nan])),
        ("{{ X.values }}", FRAME),
        ("{{ X.to_string() }}", FRAME),
        ("{{ X.to_markdown() }}", FRAME),
        ("{{ X.to_json() }}", FRAME),
        ("{{ X | tojson }}", OrderedDict(a=None)),
        ("{{ X | tojson }}", Row(None, 1)),
        ("{{ X | tojson }}", np.array([math.nan])),
        ("{{ X + X }}", FRAME.n),
        ("{{ 2 * X }}", np.array([math.nan])),
        ("{{ '{a}'.format_map(X) }}", OrderedDict(a=None)),
        ("{{ {none: 1} }}", None),
        ("{{ [X, nobody] }}", 1),
    ],
)
def test_a_missing_value_taken_from_a_container_is_not_rendered(text, value, where):
    with pytest.raises(InvalidMessageError, match="could not be rendered: "):
        rendered(text, value, where)


@WHERE
@for_each(
    ("text", "value", "expected"),
    [
        ("{{ X.n.mean() }}", FRAME, "1.5"),
        ("{{ X | sum }} {{ X[0] }} {{ X | join('+') }}", np.array([1, 2]), "3 1 1+2"),
        ("{{ (2 * X + X).tolist() }} {{ X[X > 1].tolist() }}", np.array([1, 2]), "[3, 6] [2]"),
        ("{{ X | list }} {{ X | tojson }}", np.array([1, 2]), "[1, 2] [1, 2]"),
        ("{{ X }}", [np.int64(3), (np.float64(1.5),)], "[3, (1.5,)]"),
        ("{% for x in X %}{{ x or '-' }} {% endfor %}", FRAME.n, "1.5 - "),
        ("{% for row in X.to_dict('records') %}{{ row.name or '-' }}{% endfor %}", FRAME, "Li-"),
        ("{{ X[X.n > 1].name.iloc[0] }} {{ X.shape }}", FRAME, "Li (2, 2)"),
        ("{{ X.to_csv(index=False, header=False) }}", FRAME, "Li,1.5\n,\n"),
        ("{{ X.name.fillna('-').tolist() }}", FRAME, "['Li', '-']"),
        ("{{ '%s is %s' % X }} {{ X.name }} {{ X }}", Row("Li", 7), "Li is 7 Li Row(name='Li', n=7)"),
        ("{{ X | dictsort | first | first }} {{ X | tojson }}", Counter("aab"), 'a {"a": 2, "b": 1}'),
        ("{{ X.a }} {{ X | length }} {{ 'a' in X }} {{ X is mapping }}", UserDict(a=1), "1 1 True True"),
        ("{{ X }} {{ X.name }} {{ X.value }}", Enum("Size", "SMALL").SMALL, "Size.SMALL SMALL 1"),
        ("{{ X | tojson }} {{ X | pprint }}", DICT, "{\"n\": 7, \"name\": \"Li\"} {'n': 7, 'name': 'Li'}"),
        ("{{ X | string }}", (1, "a"), "(1, 'a')"),
        ("{{ X.items() | list }}", DICT, "[('name', 'Li'), ('n', 7)]"),
        ("{{ X | string | lower }}", SimpleNamespace(name="Li"), "namespace(name='li')"),
        ("{{ '%s %s' % X }}", ("a", "b"), "a b"),
    ],
)
def test_containers_can_be_used_in_expressions(text, value, expected, where):
    assert rendered(text, value, where) == expected


def test_the_dags_own_filters_and_macros_get_the_original_object(sandbox):
    own = {"user_defined_filters": {"kind": lambda value: type(value).__name__}}
    text = "{{ shared.frame | kind }} {{ name_of(shared.frame) }}"
    own["user_defined_macros"] = {"name_of": lambda value: type(value).__name__}
    broadcast_run([LI], text=text, shared={"frame": FRAME}, dag=own).once()
    assert sandbox.messages[0].text == "DataFrame DataFrame"

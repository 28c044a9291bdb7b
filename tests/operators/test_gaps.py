"""A value that data lack (``None``, NaN, ``NaT``, ``NA``) is an undefined name, and never becomes text."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, UserDict, namedtuple
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.broadcast.recipients import Recipient
from airflow_provider_itnio.broadcast.rendering import PersonalMessage
from airflow_provider_itnio.messages import template_message
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from airflow_provider_itnio.rendering.fields import FieldRenderer
from tests.task_runs import broadcast_run, counts_of, fails_at_once

LI, ANA = "+86 147-1800-4557", "+55 11 91234-5678"
GAPS = {
    "None": None,
    "nan": math.nan,
    "numpy's nan": np.float64("nan"),
    "float32": np.float32("nan"),
    "Decimal": Decimal("NaN"),
    "signalling": Decimal("sNaN"),
    "an array without a dimension": np.array(math.nan),
    "NaT": pd.NaT,
    "numpy's NaT": np.datetime64("NaT"),
    "NA": pd.NA,
}

pytestmark = pytest.mark.usefixtures("hasty")


def broadcast_of(text, data, **fields):
    """Give the broadcast of a text to Ana, whose data are whole, and to Li."""
    whole = {"name": "Ana", "n": 7, "deep": {"name": "Ana"}, "items": ["a"], "pair": ("a", "b"), "set": {"a"}}
    return broadcast_run([{"phone": ANA, **whole}, {"phone": LI, **data}], text=text, **fields)


# --- of a recipient ---------------------------------------------------------------------------------------

WRITTEN = {
    "alone": "Dear {{ recipient.name }}",
    "by subscript": "Dear {{ recipient['name'] }}",
    "by get": "Dear {{ recipient.get('name') }}",
    "a filter": "Dear {{ recipient.name | title }}",
    "several filters": "{{ recipient.name | string | upper }}!",
    "concatenated": "{{ 'Dear ' ~ recipient.name }}",
    "format": "{{ 'Dear {}'.format(recipient.name) }}",
    "format with a width": "{{ 'Dear {:>10}'.format(recipient.name) }}",
    "the filter format": "{{ 'Dear %s' | format(recipient.name) }}",
    "percent": "{{ 'Dear %s' % recipient.name }}",
    "a number's format": "{{ '%.2f' % recipient.n }}",
    "arithmetic": "{{ recipient.n + 1 }}",
    "arithmetic from behind": "{{ 1 - recipient.n }}",
    "a comparison": "{% if recipient.n > 3 %}many{% endif %}",
    "equality": "{% if recipient.name == 'Ana' %}you{% endif %}",
    "a number of it": "{{ recipient.n | int }}",
    "rounded": "{{ recipient.n | round }}",
    "its length": "{{ recipient.name | length }}",
    "a loop": "x{% for letter in recipient.name %}{{ letter }}{% endfor %}",
    "nested": "{{ recipient.deep.name | upper }}",
    "joined": "{{ recipient.items | join(', ') }}",
    "joined, by key": "{{ [recipient.deep] | join(', ', attribute='name') }}",
    "looped": "{% for item in recipient.items %}{{ item | upper }}{% endfor %}",
    "the first": "{{ recipient.items | first | upper }}",
    "as a list writes it": "{{ recipient.items }}",
    "a tuple's": "{{ recipient.pair | join }}",
    "a set's": "{{ recipient.set | join }}",
    "a variable": "{% set name = recipient.name %}Dear {{ name | title }}",
    "a macro of its own": "{% macro m(x) %}Dear {{ x | title }}{% endmacro %}{{ m(recipient.name) }}",
    "JSON": "{{ recipient.deep | tojson }}",
    "everything": "{{ recipient.values() | list }}",
    "a filter of the DAG's": "{{ recipient.name | loud }}",
    "a macro of the DAG's": "{{ greet(recipient.name) }}",
}
OF_THE_DAG = {
    "user_defined_filters": {"loud": lambda name: f"{name}!"},
    "user_defined_macros": {"greet": lambda name: f"Dear {name}"},
}


def lacking(gap):
    inside = {"deep": {"name": gap}, "items": [gap], "pair": (gap, "b"), "set": {gap}}
    return {"name": gap, "n": gap, **inside}


@pytest.mark.parametrize("gap", [None, math.nan, pd.NA], ids=["None", "nan", "NA"])
@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_wherever_it_would_become_text_is_an_error_of_that_message(text, gap, sandbox):
    run = broadcast_of(text, lacking(gap), dag=OF_THE_DAG)
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 1, "invalid": 1}
    assert run.summary["failures"][0]["position"] == 1
    assert run.summary["failures"][0]["reason"].startswith("text: could not be rendered: ")


@pytest.mark.parametrize("gap", GAPS.values(), ids=GAPS)
def test_a_gap_of_any_kind_is_one_and_the_error_says_what_to_do(gap, sandbox):
    run = broadcast_of("Dear {{ recipient.deep.name | title }}", {"deep": {"name": gap}})
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 1, "invalid": 1}
    reason = run.summary["failures"][0]["reason"]
    assert "(recipient.deep.name)" in reason
    assert "give a default, as in {{ recipient.deep.name or '-' }}" in reason


FILLED = {
    "or": "{{ recipient.name or 'customer' }}",
    "default, if false": "{{ recipient.name | default('customer', true) }}",
    "default": "{{ recipient.name | default('customer') }}",
    "default of a get": "{{ recipient.get('name') | d('customer') }}",
    "a condition": "{% if recipient.name %}{{ recipient.name }}{% else %}customer{% endif %}",
    "an inline condition": "{{ recipient.name if recipient.name else 'customer' }}",
    "not": "{% if not recipient.name %}customer{% endif %}",
    "is none": "{{ 'customer' if recipient.name is none else recipient.name }}",
    "is defined": "{{ recipient.name if recipient.name is defined else 'customer' }}",
    "== none": "{{ 'customer' if recipient.name == none else recipient.name }}",
    "selected": "{{ (recipient.items | select | list or ['customer']) | join(', ') }}",
    "nested": "{{ recipient.deep.name or 'customer' }}",
}


@pytest.mark.parametrize("gap", GAPS.values(), ids=GAPS)
@pytest.mark.parametrize("text", FILLED.values(), ids=FILLED)
def test_it_is_false_and_filled_as_an_undefined_name_is(text, gap, sandbox):
    run = broadcast_run([{"phone": LI, "name": gap, "deep": {"name": gap}, "items": [gap]}], text=text)
    assert counts_of(run.once()) == {"accepted": 1}
    assert sandbox.messages[0].text == "customer"


def test_rows_of_a_data_frame_with_a_gap(sandbox):
    frame = pd.DataFrame({"phone": [LI, ANA], "name": ["Li", None], "balance": [12.5, None]})
    text = "Dear {{ recipient.name }}, your balance is {{ recipient.balance }}"
    run = broadcast_run(frame.to_dict("records"), text=text)
    fails_at_once(run)
    assert [message.text for message in sandbox.messages] == ["Dear Li, your balance is 12.5"]


@pytest.mark.parametrize("value", [0, 0.0, False, "", "nan", "None", math.inf, Decimal(0), np.int64(0)])
def test_what_is_no_gap_stays_what_it_is(value, sandbox):
    broadcast_run([{"phone": LI, "x": value}], text="<{{ recipient.x }}>").once()
    assert sandbox.messages[0].text == f"<{value}>"


def test_a_gap_in_a_value_of_a_whatsapp_template_is_one_failure(sandbox):
    people = [{"phone": ANA, "name": "Ana"}, {"phone": LI, "name": math.nan}]
    template = template_message("a", "en", body=["{{ recipient.name }}"])
    run = broadcast_run(people, text=None, template=template)
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 1, "invalid": 1}


def test_what_a_finalize_of_the_dags_own_writes_for_a_gap_is_written(sandbox):
    own = {"jinja_environment_kwargs": {"finalize": lambda value: "-" if value is None else value}}
    broadcast_run([{"phone": LI, "name": None}], text="Dear {{ recipient.name }}", dag=own).once()
    assert sandbox.messages[0].text == "Dear -"


# --- of other expressions ---------------------------------------------------------------------------------

EXPRESSIONS = {
    "an XCom": "{{ ti.xcom_pull('load') }}",
    "a filter of it": "{{ ti.xcom_pull('load') | title }}",
    "format of it": "{{ '{}'.format(ti.xcom_pull('load')) }}",
    "a part of it": "{{ ti.xcom_pull('whole').name | title }}",
    "joined": "{{ ti.xcom_pull('rows') | join(', ') }}",
    "a loop": "{% for row in ti.xcom_pull('rows') %}{{ row | title }}{% endfor %}",
    "by key": "{{ [ti.xcom_pull('whole')] | map(attribute='name') | join(', ') }}",
    "a list": "{{ ti.xcom_pull('rows') }}",
    "params": "{{ params.name | title }}",
    "a name of the context": "{{ nothing }}",
    "a filter of a name": "{{ nothing | title }}",
    "a macro of the DAG's": "{{ none_of() | title }}",
    "a filter of the DAG's": "{{ 'x' | to_none | title }}",
    "concatenated": "{{ ti.xcom_pull('load') ~ ' rows' }}",
    "None": "{{ none }}",
}


@pytest.fixture(params=["send", "send, deep", "mapped", "broadcast", "shared"])
def sending(request, itnio_sandbox):
    """Let a task of each kind send a text that only its context tells."""

    def send(text, gap=None, **dag):
        own = {
            "user_defined_macros": {"none_of": lambda: gap},
            "user_defined_filters": {"to_none": lambda text: gap},
            "params": {"name": None},
        }
        many = {"task_id": "tell", "recipients": [LI]}
        with DAG("report", schedule=None, **own | dag):
            output = BaseOperator(task_id="to").output
            operator = {
                "send": lambda: WhatsAppSendOperator(task_id="tell", recipient=LI, text=text),
                "send, deep": lambda: WhatsAppSendOperator(
                    task_id="tell", recipient=LI, message={"text": {"body": text}}
                ),
                "mapped": lambda: WhatsAppSendOperator.partial(task_id="tell", text=text).expand(
                    recipient=output
                ),
                "broadcast": lambda: WhatsAppBroadcastOperator(text=text, **many),
                "shared": lambda: WhatsAppBroadcastOperator(
                    text="{{ shared.x }}", shared={"x": text}, **many
                ),
            }[request.param]()
        xcoms = {"load": gap, "whole": {"name": gap}, "rows": ["a", gap], "to": [LI]}
        return itnio_sandbox.execute(operator, xcoms=xcoms, nothing=gap)

    return send


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("text", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_a_gap_that_an_expression_gives_is_refused(text, native, sending, itnio_sandbox):
    with pytest.raises(AirflowFailException) as caught:
        sending(f"closed with {text} rows" if not native else text, render_template_as_native_obj=native)
    assert itnio_sandbox.requests == []
    if not native or text != EXPRESSIONS["a list"]:  # which is no text there
        assert "None" in str(caught.value)
        assert "give a default" in str(caught.value)


@pytest.mark.parametrize("gap", [math.nan, pd.NaT], ids=["nan", "NaT"])
def test_so_is_one_of_another_kind(gap, sending, itnio_sandbox):
    with pytest.raises(AirflowFailException, match=r"text|message|shared"):
        sending("closed with {{ ti.xcom_pull('load') | title }} rows", gap)
    assert itnio_sandbox.requests == []


@pytest.mark.parametrize("native", [False, True])
def test_what_stands_in_its_place_is_sent(native, sending, itnio_sandbox):
    text = "closed with {{ ti.xcom_pull('load') or 'no' }} rows{{ ti.xcom_pull('load') | d(', none') }}"
    sending(text, render_template_as_native_obj=native)
    assert itnio_sandbox.messages[0].text == "closed with no rows, none"


def test_a_gap_of_shared_is_an_error_of_whose_message_would_hold_it(sandbox):
    text = "{% if recipient.vip %}{{ shared.figures.n | title }}{% else %}x{% endif %}"
    people = [{"phone": LI, "vip": True}, {"phone": ANA, "vip": False}]
    run = broadcast_run(people, text=text, shared={"figures": {"n": math.nan}})
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 1, "invalid": 1}
    assert "(shared.figures.n)" in run.summary["failures"][0]["reason"]


@pytest.mark.parametrize("name", ["text", "message", "interactive", "contacts"])
@pytest.mark.parametrize("native", [False, True])
def test_a_whole_message_that_is_none_is_named(name, native, itnio_sandbox):
    with DAG("whole", schedule=None, render_template_as_native_obj=native):
        output = BaseOperator(task_id="load").output
        for value in (output, "{{ ti.xcom_pull('load') }}", lambda context, jinja_env: None):
            operator = WhatsAppSendOperator(task_id=f"tell{id(value)}", recipient=LI, **{name: value})
            with pytest.raises(AirflowFailException, match=f"{name}: .*None"):
                itnio_sandbox.execute(operator, xcoms={"load": None})
    assert itnio_sandbox.requests == []


@pytest.mark.parametrize("name", ["recipient", "reply_to", "business_phone", "app_id", "itnio_conn_id"])
def test_every_field_refuses_one(name, itnio_sandbox):
    fields = {"recipient": LI, "text": "x"} | {name: "{{ params.name }}"}
    with DAG("whole", schedule=None, params={"name": None}):
        operator = WhatsAppSendOperator(task_id="tell", **fields)
    with pytest.raises(AirflowFailException, match=rf"{name}: could not be rendered: a value is None"):
        itnio_sandbox.execute(operator)
    assert itnio_sandbox.requests == []


# --- in what is no dict, list or tuple --------------------------------------------------------------------

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
    """Render a text about a value of a recipient, of ``shared`` or of the task's context."""
    environment = SandboxedEnvironment(undefined=StrictUndefined)
    if where == "context":
        fields = FieldRenderer(environment, {"x": value}, native=False, jinja_env=environment, airflow=str)
        return fields.field("text", text.replace("X", "x"))
    data = {"x": value}
    shared, own = (data, {}) if where == "shared" else ({}, data)
    message = PersonalMessage({"text": text.replace("X", f"{where}.x")}, environment, {}, shared)
    return message.fields_for(Recipient(0, "8614718004557", 0, own))["text"]


WHERE = pytest.mark.parametrize("where", ["recipient", "shared", "context"])


@WHERE
@pytest.mark.parametrize("text", WRITTEN_WHOLE)
@pytest.mark.parametrize("value", CONTAINERS.values(), ids=CONTAINERS)
def test_no_container_is_written_with_a_gap_in_it(value, text, where):
    with pytest.raises(InvalidMessageError, match=r"a value is .*; give a default, as in"):
        rendered(text, value, where)


@WHERE
@pytest.mark.parametrize(
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
def test_nothing_that_is_taken_from_it_is_written_as_a_gap(text, value, where):
    with pytest.raises(InvalidMessageError, match="could not be rendered: "):
        rendered(text, value, where)


@WHERE
@pytest.mark.parametrize(
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
        ("{{ X | string | lower }}", SimpleNamespace(name="Li"), "namespace(name='li')"),
        ("{{ '%s %s' % X }}", ("a", "b"), "a b"),
    ],
)
def test_what_holds_values_may_be_used_as_before(text, value, expected, where):
    assert rendered(text, value, where) == expected


def test_a_function_of_the_dags_own_is_given_the_object_itself(sandbox):
    own = {"user_defined_filters": {"kind": lambda value: type(value).__name__}}
    text = "{{ shared.frame | kind }} {{ name_of(shared.frame) }}"
    own["user_defined_macros"] = {"name_of": lambda value: type(value).__name__}
    broadcast_run([LI], text=text, shared={"frame": FRAME}, dag=own).once()
    assert sandbox.messages[0].text == "DataFrame DataFrame"

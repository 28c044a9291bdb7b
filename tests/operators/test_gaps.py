"""A missing value (``None``, NaN, ``NaT``, ``NA``) is undefined, and never becomes text."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from airflow_provider_itnio.messages import template_message
from tests.any_data import ArrowScalar
from tests.operators.broadcast_cases import ANA, LI
from tests.tables import for_each
from tests.task_runs import broadcast_run, counts_of, fails_at_once, numbers

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
    "arrow's null": ArrowScalar(None),
}

pytestmark = pytest.mark.usefixtures("hasty")


def broadcast_of(text, *data, **fields):
    """Return the broadcast of a text to Ana with complete data and to recipients with these data."""
    whole = {"name": "Ana", "n": 7, "deep": {"name": "Ana"}, "items": ["a"], "pair": ("a", "b"), "set": {"a"}}
    others = [{"phone": number, **one} for number, one in zip(numbers(len(data)), data, strict=True)]
    return broadcast_run([{"phone": ANA, **whole}, *others], text=text, **fields)


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
    "everything": "{{ recipient.values() | list | string }}",
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


@for_each("text", WRITTEN.values())
def test_a_missing_value_that_would_become_text_fails_only_that_message(text, sandbox):
    run = broadcast_of(text, lacking(None), lacking(math.nan), lacking(pd.NA), dag=OF_THE_DAG)
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 1, "invalid": 3}
    failures = run.summary["failures"]
    assert [one["position"] for one in failures] == [1, 2, 3]
    assert all(one["reason"].startswith("text: could not be rendered: ") for one in failures)


@for_each("gap", GAPS.values())
def test_the_error_of_any_kind_of_missing_value_says_what_to_do(gap, sandbox):
    run = broadcast_of("Dear {{ recipient.deep.name | title }}", {"deep": {"name": gap}})
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 1, "invalid": 1}
    reason = run.summary["failures"][0]["reason"]
    assert "(recipient.deep.name)" in reason
    assert "give a default, as in {{ recipient.deep.name | default('-') }}" in reason


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


@for_each("text", FILLED.values())
def test_a_missing_value_is_false_and_replaced_by_jinja_defaults(text, sandbox):
    people = dict(zip(numbers(len(GAPS)), GAPS, strict=True))
    lacking = [
        {"phone": number, "name": gap, "deep": {"name": gap}, "items": [gap]}
        for number, gap in zip(people, GAPS.values(), strict=True)
    ]
    broadcast_run(lacking, text=text, if_some_fail="warn").once()
    written = {people[message.recipient]: message.text for message in sandbox.messages}
    assert written == dict.fromkeys(GAPS, "customer")


def test_a_missing_value_in_a_data_frames_row_fails_only_that_row(sandbox):
    frame = pd.DataFrame({"phone": [LI, ANA], "name": ["Li", None], "balance": [12.5, None]})
    text = "Dear {{ recipient.name }}, your balance is {{ recipient.balance }}"
    run = broadcast_run(frame.to_dict("records"), text=text)
    fails_at_once(run)
    assert [message.text for message in sandbox.messages] == ["Dear Li, your balance is 12.5"]


@for_each("value", [0, 0.0, False, "", "nan", "None", 1e300, Decimal(0), np.int64(0)])
def test_other_values_are_rendered_unchanged(value, sandbox):
    broadcast_run([{"phone": LI, "x": value}], text="<{{ recipient.x }}>").once()
    assert sandbox.messages[0].text == f"<{value}>"


def test_a_missing_value_in_a_whatsapp_template_fails_only_that_message(sandbox):
    people = [{"phone": ANA, "name": "Ana"}, {"phone": LI, "name": math.nan}]
    template = template_message("a", "en", body=["{{ recipient.name }}"])
    run = broadcast_run(people, text=None, template=template)
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 1, "invalid": 1}


def test_the_dags_own_jinja_finalize_may_replace_a_missing_value(sandbox):
    own = {"jinja_environment_kwargs": {"finalize": lambda value: "-" if value is None else value}}
    broadcast_run([{"phone": LI, "name": None}], text="Dear {{ recipient.name }}", dag=own).once()
    assert sandbox.messages[0].text == "Dear -"

"""The messages of a broadcast: Jinja rendered per recipient, lookups made once, data never rendered."""

from __future__ import annotations

import json
from importlib import import_module

import pytest
from airflow.providers.common.compat.sdk import literal

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.messages import reply_buttons, template_message
from tests.operators.broadcast_cases import AIRFLOW_2, ANA, BOTH, LI, texts
from tests.tables import for_each
from tests.task_runs import (
    broadcast_run,
    counts_of,
    fails_at_once,
)

MACROS = "airflow.macros" if AIRFLOW_2 else "airflow.sdk.execution_time.macros"
LI_DIGITS, ANA_DIGITS = "8614718004557", "5511912345678"

pytestmark = pytest.mark.usefixtures("hasty")


# --- personal texts -------------------------------------------------------------------------------------

WORDS = {
    "a name": ("Hi {{ recipient.name }}", ["Hi Li", "Hi Ana"]),
    "a subscript": ("{{ recipient['name'] }}", ["Li", "Ana"]),
    "digits only": ("{{ recipient.phone }}", [LI_DIGITS, ANA_DIGITS]),
    "a filter": ("{{ recipient.name | upper | replace('A', '4') }}", ["LI", "4N4"]),
    "a filter of the DAG's": ("{{ recipient.name | loud }}", ["Li!", "Ana!"]),
    "a macro of the DAG's": ("{{ greet(recipient.name) }}", ["hello Li", "hello Ana"]),
    "Airflow's macros": ("{{ macros.json.dumps(recipient.name) }}", ['"Li"', '"Ana"']),
    "a key that dicts have a method for": (
        "{{ recipient.items | join('+') or 'none' }}",
        ["tea+rice", "none"],
    ),
    "a loop": (
        "{% for item in recipient.items %}{{ loop.index }}{{ item }} {% else %}none{% endfor %}",
        ["1tea 2rice ", "none"],
    ),
    "a condition": ("{% if recipient.items %}yes{% else %}no{% endif %}", ["yes", "no"]),
    "nested": ("{{ recipient.address.city }}", ["Wuhan", "Recife"]),
    "nested, a key that dicts have a method for": ("{{ recipient.address.items }}", ["7", "8"]),
    "a default": ("{{ recipient.title | default('you') }}", ["you", "you"]),
    "a set variable": ("{% set x = recipient.name %}{{ x }}{{ x }}", ["LiLi", "AnaAna"]),
    "a macro of its own": (
        "{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(recipient.name) }}",
        ["<Li>", "<Ana>"],
    ),
    "params": ("{{ params.week }} {{ recipient.name }}", ["7 Li", "7 Ana"]),
    "shared": ("{{ shared.news }} {{ shared.figures.week }}", ["good 7", "good 7"]),
    "a comment": ("{# why #}{{ recipient.name }}", ["Li", "Ana"]),
    "no Jinja": ("hello", ["hello", "hello"]),
}


@for_each(("text", "expected"), WORDS.values())
def test_the_text_is_rendered_for_each_recipient(text, expected, sandbox):
    run = broadcast_run(
        BOTH,
        text=text,
        shared={"news": "good", "figures": {"week": 7}},
        context={"params": {"week": 7}, "macros": import_module(MACROS)},
        dag={
            "user_defined_filters": {"loud": lambda text: f"{text}!"},
            "user_defined_macros": {"greet": lambda name: f"hello {name}"},
        },
    )
    assert counts_of(run.once()) == {"accepted": 2}
    assert texts(sandbox) == expected


def test_data_in_a_list_of_dicts_have_precedence_over_the_methods_of_dict(sandbox):
    orders = [{"items": 3, "keys": "a"}, {"items": 5, "keys": "b"}]
    run = broadcast_run(
        [{"phone": LI, "orders": orders}],
        text="{% for order in recipient.orders %}{{ order.items }}{{ order.keys }} {% endfor %}",
    )
    run.once()
    assert sandbox.messages[0].text == "3a 5b "


def test_a_recipient_given_as_a_number_has_a_phone_in_templates(sandbox):
    broadcast_run([LI], text="{{ recipient.phone }} {{ recipient | length }}").once()
    assert sandbox.messages[0].text == f"{LI_DIGITS} 1"


def test_with_native_rendering_template_values_stay_text(sandbox):
    run = broadcast_run(
        [{"phone": LI, "code": "007"}],
        text=None,
        template=template_message("code", "en", body=["{{ recipient.code }}", "{{ 40 + 2 }}"]),
        dag={"render_template_as_native_obj": True},
    )
    assert counts_of(run.once()) == {"accepted": 1}
    (component,) = sandbox.messages[0].body["template"]["components"]
    assert [parameter["text"] for parameter in component["parameters"]] == ["007", "42"]


def test_with_native_rendering_recipients_and_shared_stay_objects(sandbox):
    run = broadcast_run(
        "{{ params.to }}",
        text="{{ shared.week }}",
        shared={"week": "{{ params.week }}"},
        context={"params": {"to": [{"phone": LI}, {"phone": ANA}], "week": 7}},
        dag={"render_template_as_native_obj": True},
    )
    assert counts_of(run.once()) == {"accepted": 2}


# --- rendering errors -----------------------------------------------------------------------------------


@for_each(
    ("text", "words"),
    [
        ("Hi {{ recipient.nmae }}", "text: could not be rendered: "),
        ("{{ recipient.address.zip }}", "text: could not be rendered: "),
        ("{{ 1 / recipient.divisor }}", "text: could not be rendered: "),
        ("{{ recipient.name.no_method() }}", "text: could not be rendered: "),
        ("{{ recipient.nothing }}", "text.body: must not be empty"),
        ("{{ recipient.long }}", "text.body: at most 4096 characters, 5000 given"),
    ],
)
def test_a_recipient_without_data_the_text_needs_is_one_failure_naming_the_field(text, words, sandbox):
    good = {"nmae": 1, "address": {"zip": 1}, "divisor": 1, "nothing": "x", "long": "x"}

    class Name(str):
        def no_method(self):
            return "x"

    whole = {"phone": ANA, "name": Name("Ana"), **good}
    lacking = {"phone": LI, "name": "Li", "address": {}, "divisor": 0, "nothing": ""}
    lacking |= {"long": "x" * 5000}
    run = broadcast_run(literal([whole, lacking]), text=text)
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 1, "invalid": 1}
    (failure,) = run.summary["failures"]
    assert (failure["position"], failure["last_digits"]) == (1, "4557")
    assert words in failure["reason"]
    assert "RecipientData" not in failure["reason"]


def test_a_rendering_error_names_the_field_at_any_depth(sandbox):
    menu = reply_buttons("Again?", {"a": "Yes", "b": "{{ recipient.no }}"})
    run = broadcast_run([LI], text=None, interactive=menu)
    fails_at_once(run)
    reason = run.summary["failures"][0]["reason"]
    assert reason.startswith("interactive.action.buttons[1].reply.title: could not be rendered: ")
    assert "'no'" in reason


def test_a_rendering_error_shows_no_whole_number(sandbox, logged):
    run = broadcast_run(
        [{"phone": LI, "n": LI_DIGITS}], text="{{ {}[recipient.n] + recipient.n | int(base=99) }}"
    )
    fails_at_once(run)
    assert LI_DIGITS not in json.dumps(run.summary) + logged()


@for_each("text", ["{{ recipient.name", "{% for x in y %}", "{{ recipient.name | no_such }}", "gone.j2"])
def test_jinja_that_cannot_be_compiled_fails_the_task_at_once(text, sandbox):
    error = fails_at_once(broadcast_run(BOTH, text=text), InvalidMessageError)
    assert str(error).startswith("InvalidMessageError: text: ")
    assert sandbox.requests == []


def test_an_error_in_every_message_fails_the_task_at_once(sandbox):
    operator_run = broadcast_run(BOTH, text="{{ x }}")
    context = operator_run.begin()
    operator_run.operator.text = ""
    with pytest.raises(Exception, match=r"text\.body: must not be empty"):
        operator_run.operator.execute(context)
    assert sandbox.requests == []


def test_jinja_is_sandboxed(sandbox):
    run = broadcast_run([LI], text="{{ recipient.__class__.__mro__ }}")
    fails_at_once(run)
    assert counts_of(run.summary) == {"invalid": 1}


def test_if_too_long_truncate_applies_to_each_recipients_text(sandbox):
    run = broadcast_run(
        [{"phone": LI, "t": "x" * 5000}, {"phone": ANA, "t": "y"}],
        text="{{ recipient.t }}",
        if_too_long="truncate",
    )
    assert counts_of(run.once()) == {"accepted": 2}
    assert texts(sandbox) == ["x" * 4095 + "…", "y"]

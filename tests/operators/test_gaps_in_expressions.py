"""Missing values from expressions, in each field and way of sending."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator

from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.operators.broadcast_cases import ANA, LI
from tests.tables import for_each
from tests.task_runs import broadcast_run, counts_of, fails_at_once

pytestmark = pytest.mark.usefixtures("hasty")

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


KINDS = ["send", "send, deep", "mapped", "broadcast", "shared"]


@pytest.fixture
def sending(itnio_sandbox):
    """Run a task of a kind whose text depends on its context."""

    def send(kind, text, gap=None, **dag):
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
            }[kind]()
        xcoms = {"load": gap, "whole": {"name": gap}, "rows": ["a", gap], "to": [LI]}
        return itnio_sandbox.execute(operator, xcoms=xcoms, nothing=gap)

    return send


@for_each(
    ("text", "kind", "native"),
    # All kinds use one renderer, with both of Jinja's environments.
    [
        (text, KINDS[place % len(KINDS)], native)
        for native in (False, True)
        for place, text in enumerate(EXPRESSIONS.values(), 2 * native)
    ],
)
def test_a_missing_value_from_an_expression_is_refused(text, kind, native, sending, itnio_sandbox):
    with pytest.raises(AirflowFailException) as caught:
        sending(
            kind, f"closed with {text} rows" if not native else text, render_template_as_native_obj=native
        )
    assert itnio_sandbox.requests == []
    if not native or text != EXPRESSIONS["a list"]:  # there it is not a text
        assert "None" in str(caught.value)
        assert "give a default" in str(caught.value)


@for_each("kind", KINDS)
@for_each(
    ("expression", "gap"),
    [("ti.xcom_pull('load')", math.nan), ("nothing", math.nan), ("nothing", pd.NaT)],  # an XCom can't be NaT
)
def test_nan_and_nat_from_an_expression_are_refused(expression, gap, kind, sending, itnio_sandbox):
    with pytest.raises(AirflowFailException, match=r"text|message|shared"):
        sending(kind, f"closed with {{{{ {expression} | title }}}} rows", gap)
    assert itnio_sandbox.requests == []


@for_each("kind", KINDS)
@for_each("native", [False, True])
def test_jinja_defaults_for_a_missing_value_are_sent(native, kind, sending, itnio_sandbox):
    text = "closed with {{ ti.xcom_pull('load') or 'no' }} rows{{ ti.xcom_pull('load') | d(', none') }}"
    sending(kind, text, render_template_as_native_obj=native)
    assert itnio_sandbox.messages[0].text == "closed with no rows, none"


def test_a_missing_value_in_shared_fails_only_messages_that_use_it(sandbox):
    text = "{% if recipient.vip %}{{ shared.figures.n | title }}{% else %}x{% endif %}"
    people = [{"phone": LI, "vip": True}, {"phone": ANA, "vip": False}]
    run = broadcast_run(people, text=text, shared={"figures": {"n": math.nan}})
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 1, "invalid": 1}
    assert "(shared.figures.n)" in run.summary["failures"][0]["reason"]


@for_each("name", ["text", "message", "interactive", "contacts"])
@for_each("native", [False, True])
def test_the_error_of_a_message_that_is_none_names_its_field(name, native, itnio_sandbox):
    with DAG("whole", schedule=None, render_template_as_native_obj=native):
        output = BaseOperator(task_id="load").output
        for value in (output, "{{ ti.xcom_pull('load') }}", lambda context, jinja_env: None):
            operator = WhatsAppSendOperator(task_id=f"tell{id(value)}", recipient=LI, **{name: value})
            with pytest.raises(AirflowFailException, match=f"{name}: .*None"):
                itnio_sandbox.execute(operator, xcoms={"load": None})
    assert itnio_sandbox.requests == []


@for_each("name", ["recipient", "reply_to", "business_phone", "app_id", "itnio_conn_id"])
def test_every_template_field_refuses_a_missing_value(name, itnio_sandbox):
    fields = {"recipient": LI, "text": "x"} | {name: "{{ params.name }}"}
    with DAG("whole", schedule=None, params={"name": None}):
        operator = WhatsAppSendOperator(task_id="tell", **fields)
    with pytest.raises(AirflowFailException, match=rf"{name}: could not be rendered: a value is None"):
        itnio_sandbox.execute(operator)
    assert itnio_sandbox.requests == []

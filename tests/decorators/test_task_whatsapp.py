"""``@task.whatsapp`` sends the message that a function returns."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    task,
)

from airflow_provider_itnio.api.errors import (
    InvalidMessageError,
    InvalidParameterError,
)
from airflow_provider_itnio.decorators.whatsapp import whatsapp_task
from airflow_provider_itnio.get_provider_info import get_provider_info
from airflow_provider_itnio.messages import MESSAGE_FIELDS, reply_buttons
from airflow_provider_itnio.operators.whatsapp import WhatsAppMessageOperator
from tests.decorators.decorated import NUMBER, VALUES, made, returns, run
from tests.tables import for_each

pytestmark = pytest.mark.usefixtures("connection")


def test_the_decorator_is_registered_in_the_provider_info():
    path = f"{whatsapp_task.__module__}.{whatsapp_task.__qualname__}"
    assert get_provider_info()["task-decorators"] == [{"name": "whatsapp", "class-name": path}]
    operator = made(returns("x"))
    assert isinstance(operator, WhatsAppMessageOperator)
    assert (operator.task_id, operator.custom_operator_name) == ("report", "@task.whatsapp")


def test_no_message_field_is_a_template_field():
    fields = made(returns("x")).template_fields
    assert {*MESSAGE_FIELDS, "message"} & set(fields) == set()
    others = set(WhatsAppMessageOperator.template_fields) - {*MESSAGE_FIELDS, "message"}
    assert set(fields) == {"op_args", "op_kwargs", "recipient", "fallback"} | others


@for_each("name", [*MESSAGE_FIELDS, "message"])
def test_a_message_field_is_an_error_when_the_dag_is_parsed(name):
    sentence = f"{name}: @task.whatsapp sends what its function returns, so it takes no message field"
    with pytest.raises(InvalidMessageError, match=sentence):
        made(returns("x"), **{name: VALUES.get(name, "https://example.com/a.png")})


@for_each(
    ("parameters", "sentence"),
    [
        ({"recipient": "12"}, "recipient: 7 to 14 digits"),
        ({"business_phone": "12"}, "business_phone: 7 to 14 digits"),
        ({"delivery": "twice"}, "delivery: must be one of"),
    ],
)
def test_an_invalid_parameter_is_an_error_when_the_dag_is_parsed(parameters, sentence):
    with pytest.raises((InvalidMessageError, InvalidParameterError), match=sentence):
        made(returns("x"), **parameters)


def test_a_recipient_is_required():
    with pytest.raises(Exception, match="recipient"), DAG("report", schedule=None):
        task.whatsapp()(returns("x"))()


def test_a_returned_text_is_sent_and_the_task_returns_its_receipt(sandbox):
    receipt = run(returns("42 rows"))
    (message,) = sandbox.messages
    assert (message.recipient, message.type, message.text) == ("8614718004557", "text", "42 rows")
    assert receipt["message_id"] == message.id
    assert json.loads(json.dumps(receipt)) == receipt


class Words(str):
    """A library's subclass of str."""


def test_a_returned_subclass_of_str_is_sent_as_a_text(sandbox):
    run(returns(Words("42 rows")))
    assert sandbox.messages[0].text == "42 rows"


@for_each(
    ("returned", "kind"),
    [
        ({"text": "42 rows"}, "text"),
        ({"text": {"body": "42 rows"}}, "text"),
        ({"type": "text", "text": "42 rows"}, "text"),
        (MappingProxyType({"text": "42 rows"}), "text"),
        ({"interactive": reply_buttons("42 rows", {"a": "Again"})}, "interactive"),
        ({"image": "https://example.com/a.png"}, "image"),
        ({"template": {"name": "daily", "language": {"code": "en"}}}, "template"),
    ],
)
def test_a_returned_dict_is_sent_as_a_message(returned, kind, sandbox):
    run(returns(returned))
    (message,) = sandbox.messages
    assert message.type == kind
    if kind != "image":
        assert message.text.startswith(("42 rows", "daily"))


def test_reply_to_may_be_in_the_dict_or_a_parameter(sandbox):
    run(returns({"text": "x", "reply_to": "wamid.1"}))
    run(returns({"text": "x"}), reply_to="wamid.{{ params.id }}", context={"params": {"id": 2}})
    run(returns("x"), reply_to="wamid.3")
    ids = [message.body["context"]["refMessageId"] for message in sandbox.messages]
    assert ids == ["wamid.1", "wamid.2", "wamid.3"]


@for_each("jinja", ["{{ 7 * 7 }}", "{% if %}", "{{ no_such_name }}", "{# x #}", "report.j2"])
def test_a_returned_message_is_never_rendered_as_jinja(jinja, sandbox):
    run(returns(jinja))
    run(returns({"text": jinja}))
    run(returns({"interactive": reply_buttons(jinja, {"a": "A"})}))
    assert [jinja in message.text for message in sandbox.messages] == [True] * 3


def test_nothing_is_sent_before_the_function_returns(sandbox):
    def fail():
        raise ValueError("no rows")

    with pytest.raises(ValueError, match="no rows"):
        run(fail)
    assert sandbox.requests == []


def test_the_functions_arguments_are_rendered(sandbox):
    def report(team, *, rows):
        return f"{team}: {rows}"

    run(report, "{{ params.team }}", called={"rows": "{{ 40 + 2 }}"}, context={"params": {"team": "finance"}})
    assert sandbox.messages[0].text == "finance: 42"


def test_the_function_gets_the_context_values_it_names(sandbox):
    def report(params, run_id=None, **context):
        return f"{params['team']} {run_id} {context['reached']}"

    context = {"params": {"team": "finance"}, "run_id": "first_run", "reached": True}
    run(report, context=context)
    assert sandbox.messages[0].text == "finance first_run True"


def test_a_mapped_task_sends_one_message_per_map_index(sandbox):
    def report(team):
        return f"hello {team}"

    with DAG("report", schedule=None):
        mapped = task.whatsapp(recipient=NUMBER)(report).expand(team=["finance", "sales"]).operator
    for team in ("finance", "sales"):
        mapped.unmap({"op_kwargs": {"team": team}}).execute({"params": {}})
    assert [message.text for message in sandbox.messages] == ["hello finance", "hello sales"]


def test_the_recipient_connection_and_sender_may_be_templated(connect, sandbox):
    connect("itnio_finance", extra={"app_id": None, "business_phone": None})
    context = {
        "params": {"phone": "+86 1000 0000 11", "team": "finance"},
        "app": sandbox.app_id,
        "own": sandbox.business_phone,
    }
    run(
        returns("x"),
        recipient="{{ params.phone }}",
        itnio_conn_id="itnio_{{ params.team }}",
        app_id="{{ app }}",
        business_phone="{{ own }}",
        context=context,
    )
    (message,) = sandbox.sent_to("+86 1000 0000 11")
    assert message.body["businessPhone"] == sandbox.business_phone


def test_default_args_apply_to_the_decorator(sandbox):
    run(returns("x" * 5000), default_args={"if_too_long": "truncate", "reply_to": "wamid.1"})
    (message,) = sandbox.messages
    assert message.text == "x" * 4095 + "…"
    assert message.body["context"] == {"refMessageId": "wamid.1"}


@for_each("to", [{"recipient": NUMBER}, {"recipient": None, "recipients": [NUMBER]}])
@for_each(
    ("returned", "is_told"),
    [
        ("{{ ds }}", True),
        ({"image": {"link": "https://a.example/b.png", "caption": "{{ ds }}"}}, True),
        ("x", False),
    ],
)
def test_jinja_in_a_returned_message_is_logged_and_sent_unrendered(to, returned, is_told, sandbox, caplog):
    run(returns(returned), **to)
    told = [
        record
        for record in caplog.records
        if "returned Jinja, which is sent without being rendered" in record.getMessage()
    ]
    assert bool(told) == is_told
    assert ("{{ ds }}" in json.dumps(sandbox.messages[0].body)) == is_told

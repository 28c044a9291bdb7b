"""Every parameter is in the signature and works in default_args and .partial."""

from __future__ import annotations

import inspect
import re
import typing

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator

from airflow_provider_itnio.messages import MESSAGE_FIELDS, MessageDict, MessageFields
from airflow_provider_itnio.operators._message import SETTINGS
from airflow_provider_itnio.operators._task_arguments import TaskArguments
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.tables import for_each

NUMBER = "+86 147-1800-4557"
OTHERS = (
    "message",
    "reply_to",
    "business_phone",
    "app_id",
    "itnio_conn_id",
    "delivery",
    "if_too_long",
    "timeout",
    "connect_timeout",
    "max_attempts",
    "proxy",
    "link_expires_in",
    "check_link",
)
OF_A_WAIT = ("wait_for", "wait_timeout", "deferrable")
OF_A_BROADCAST = (
    "exclude",
    "shared",
    "max_in_flight",
    "messages_per_second",
    "if_some_fail",
    "checkpoint_every",
    "keep_receipts",
)

VALUES = {
    "text": "hello",
    "image": {"link": "https://example.com/a.png"},
    "audio": "https://example.com/a.mp3",
    "video": "https://example.com/a.mp4",
    "document": "https://example.com/a.pdf",
    "sticker": "https://example.com/a.webp",
    "location": {"longitude": "1", "latitude": "2", "name": "a", "address": "b"},
    "interactive": {"type": "location_request_message", "body": {"text": "x"}},
    "contacts": [{"name": {"formatted_name": "Ana", "first_name": "Ana"}}],
    "template": {"name": "daily_report", "language": {"code": "en"}},
    "message": {"text": "hello"},
    "reply_to": "wamid.1",
    "business_phone": "+91 856-321-321",
    "app_id": "OtherApp",
    "itnio_conn_id": "itnio_other",
    "delivery": "at_most_once",
    "if_too_long": "truncate",
    "timeout": 7,
    "connect_timeout": 2.5,
    "max_attempts": 2,
    "proxy": "http://proxy.example:3128",
    "link_expires_in": 600,
    "check_link": True,
}


def own_parameters(operator):
    """Return the parameters in an operator class's signature, in order."""
    parameters = list(inspect.signature(operator.__init__).parameters.values())
    return [one.name for one in parameters if one.name != "self" and one.kind is not one.VAR_KEYWORD]


def with_a_text(name, value):
    """Return the fields of a valid message that include this one."""
    return {name: value} if name in (*MESSAGE_FIELDS, "message") else {"text": "hello", name: value}


def test_each_signature_has_every_parameter_in_its_order():
    assert (*MESSAGE_FIELDS, *OTHERS) == SETTINGS
    assert own_parameters(WhatsAppSendOperator) == [
        "recipient",
        *MESSAGE_FIELDS,
        *OTHERS[:7],
        *OF_A_WAIT,
        "fallback",
        *OTHERS[7:],
    ]
    broadcast = own_parameters(WhatsAppBroadcastOperator)
    waits = [*OF_A_WAIT[:2], "fallback"]
    assert broadcast == [
        *("recipients", *MESSAGE_FIELDS, *OTHERS[:2]),
        *(*OF_A_BROADCAST, *OTHERS[2:7], *waits, *OTHERS[7:]),
    ]


def test_inspect_signature_shows_all_parameters():
    for operator in (WhatsAppSendOperator, WhatsAppBroadcastOperator):
        names = [name for name in inspect.signature(operator).parameters if name != "kwargs"]
        assert names == own_parameters(operator)


def test_the_typed_dicts_have_the_same_fields():
    whole = set(typing.get_type_hints(MessageDict)) - {"type", "reply_to"}
    assert whole == set(MESSAGE_FIELDS)
    assert set(typing.get_type_hints(MessageFields)) == {*MESSAGE_FIELDS, "type", "reply_to", "message"}


def test_task_arguments_contains_all_arguments_of_base_operator():
    arguments = inspect.signature(BaseOperator.__init__).parameters
    assert set(arguments) - {"self", "kwargs"} <= set(TaskArguments.__annotations__)


@for_each("operator", [WhatsAppSendOperator, WhatsAppBroadcastOperator])
def test_every_parameter_is_documented_and_marked_as_templated_if_it_is(operator):
    described = dict(re.findall(r":param (\w+):(.*?)(?=\n:)", inspect.getdoc(operator), re.DOTALL))
    assert list(described) == own_parameters(operator)
    per_recipient = {"text", "fallback"} if operator is WhatsAppBroadcastOperator else set()
    templated = {name for name, words in described.items() if "(templated" in words}
    assert templated == {*operator.template_fields, *per_recipient}
    assert ".. code-block:: python" in operator.__doc__


def test_every_parameter_except_choices_and_hook_settings_is_templated():
    settings = {*OTHERS[5:], *OF_A_WAIT}
    assert set(WhatsAppSendOperator.template_fields) == {*own_parameters(WhatsAppSendOperator)} - settings
    assert WhatsAppSendOperator.template_ext == (".j2",)


def test_fields_that_may_be_objects_are_rendered_as_json_in_the_ui():
    shown = {*MESSAGE_FIELDS, "message", "fallback"} - {"text"}
    assert set(WhatsAppSendOperator.template_fields_renderers) == shown


@for_each(("name", "value"), VALUES.items())
def test_each_parameter_is_stored_on_the_operator(name, value):
    operator = WhatsAppSendOperator(task_id="tell", recipient=NUMBER, **with_a_text(name, value))
    assert getattr(operator, name) == value


@for_each(("name", "value"), [*VALUES.items(), ("recipient", NUMBER)])
def test_default_args_reach_every_parameter(name, value):
    fields = {"recipient": "+55 11 91234-5678"} | with_a_text(name, value)
    del fields[name]
    with DAG("defaults", schedule=None, default_args={name: value}):
        operator = WhatsAppSendOperator(task_id="tell", **fields)
    assert getattr(operator, name) == value


@for_each(("name", "value"), VALUES.items())
def test_partial_reaches_every_parameter(name, value):
    with DAG("mapped", schedule=None):
        mapped = WhatsAppSendOperator.partial(task_id="tell", **with_a_text(name, value)).expand(
            recipient=[NUMBER]
        )
    assert getattr(mapped.unmap({"recipient": NUMBER}), name) == value


@for_each(("name", "value"), VALUES.items())
def test_every_parameter_can_be_expanded(name, value):
    rest = with_a_text(name, value)
    del rest[name]
    with DAG("mapped", schedule=None):
        mapped = WhatsAppSendOperator.partial(task_id="tell", recipient=NUMBER, **rest).expand(
            **{name: [value]}
        )
    assert getattr(mapped.unmap({name: value}), name) == value


@for_each(("name", "value"), VALUES.items())
def test_default_args_reach_every_parameter_of_a_mapped_task(name, value):
    rest = with_a_text(name, value)
    del rest[name]
    with DAG("mapped", schedule=None, default_args={name: value}):
        mapped = WhatsAppSendOperator.partial(task_id="tell", **rest).expand(recipient=[NUMBER])
    assert getattr(mapped.unmap({"recipient": NUMBER}), name) == value


def test_an_unknown_parameter_in_partial_is_an_error():
    with pytest.raises(TypeError, match="txt"), DAG("mapped", schedule=None):
        WhatsAppSendOperator.partial(task_id="tell", txt="x")


@pytest.mark.usefixtures("connection")
def test_a_mapped_task_is_checked_when_it_runs(sandbox):
    with DAG("mapped", schedule=None):
        mapped = WhatsAppSendOperator.partial(task_id="tell", text="x" * 5000, delivery="twice").expand(
            recipient=["12"]
        )
    operator = mapped.unmap({"recipient": "12"})
    with pytest.raises(AirflowFailException, match=r"delivery: must be one of"):
        operator.execute({})
    assert sandbox.requests == []


@for_each("proxy", [["http://proxy.example:3128"], 3128, b"http://proxy.example:3128"])
def test_a_proxy_that_is_not_a_string_is_a_configuration_error(proxy, itnio_sandbox):
    with DAG("proxy", schedule=None):
        mapped = WhatsAppSendOperator.partial(task_id="tell", text="x", proxy=proxy).expand(
            recipient=["+86 147-1800-4557"]
        )
    with pytest.raises(AirflowFailException, match="ConfigurationError: proxy: must be an address"):
        itnio_sandbox.execute(mapped)

"""Every parameter of every operator is templated, takes default_args, and gets through .partial."""

from __future__ import annotations

import inspect
import typing

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_itnio.messages import MESSAGE_FIELDS, MessageDict, MessageFields
from airflow_provider_itnio.operators.whatsapp import WhatsAppMessageOperator, WhatsAppSendOperator

NUMBER = "+86 147-1800-4557"
OTHERS = ("message", "reply_to", "business_phone", "app_id", "itnio_conn_id", "delivery", "if_too_long")

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
    "if_too_long": "cut",
}


def own_parameters(operator):
    """Give the parameters that an operator class adds to those of its base."""
    parameters = list(inspect.signature(operator.__init__).parameters.values())
    return [one.name for one in parameters if one.name != "self" and one.kind is not one.VAR_KEYWORD]


def all_parameters(operator):
    """Give the parameters that an operator has beyond Airflow's own, those of its bases included."""
    bases = [base for base in operator.__mro__ if base.__module__.startswith("airflow_provider_itnio.")]
    return [name for base in bases for name in own_parameters(base)]


def with_a_text(name, value):
    """Give the fields of a valid message that has this one among them."""
    return {name: value} if name in (*MESSAGE_FIELDS, "message") else {"text": "hello", name: value}


def test_the_message_fields_stand_in_the_signature_in_their_order():
    assert tuple(own_parameters(WhatsAppMessageOperator)) == (*MESSAGE_FIELDS, *OTHERS)


def test_the_types_for_editors_have_the_same_fields():
    whole = set(typing.get_type_hints(MessageDict)) - {"type", "reply_to"}
    assert whole == set(MESSAGE_FIELDS)
    assert set(typing.get_type_hints(MessageFields)) == {*MESSAGE_FIELDS, "type", "reply_to", "message"}


@pytest.mark.parametrize("operator", [WhatsAppMessageOperator, WhatsAppSendOperator])
def test_every_parameter_is_templated(operator):
    assert sorted(operator.template_fields) == sorted(all_parameters(operator))
    assert operator.template_ext == (".j2",)


@pytest.mark.parametrize("operator", [WhatsAppMessageOperator, WhatsAppSendOperator])
def test_every_parameter_is_documented(operator):
    assert [name for name in own_parameters(operator) if f":param {name}:" not in operator.__doc__] == []


def test_what_may_be_an_object_is_shown_as_json():
    assert set(WhatsAppSendOperator.template_fields_renderers) == {*MESSAGE_FIELDS, "message"} - {"text"}


@pytest.mark.parametrize(("name", "value"), VALUES.items(), ids=VALUES)
def test_a_parameter_is_kept(name, value):
    operator = WhatsAppSendOperator(task_id="tell", recipient=NUMBER, **with_a_text(name, value))
    assert getattr(operator, name) == value


@pytest.mark.parametrize(("name", "value"), [*VALUES.items(), ("recipient", NUMBER)])
def test_default_args_reach_every_parameter(name, value):
    fields = {"recipient": "+55 11 91234-5678"} | with_a_text(name, value)
    del fields[name]
    with DAG("defaults", schedule=None, default_args={name: value}):
        operator = WhatsAppSendOperator(task_id="tell", **fields)
    assert getattr(operator, name) == value


@pytest.mark.parametrize(("name", "value"), VALUES.items(), ids=VALUES)
def test_partial_reaches_every_parameter(name, value):
    with DAG("mapped", schedule=None):
        mapped = WhatsAppSendOperator.partial(task_id="tell", **with_a_text(name, value)).expand(
            recipient=[NUMBER]
        )
    assert getattr(mapped.unmap({"recipient": NUMBER}), name) == value


@pytest.mark.parametrize(("name", "value"), VALUES.items(), ids=VALUES)
def test_every_parameter_can_be_expanded(name, value):
    rest = with_a_text(name, value)
    del rest[name]
    with DAG("mapped", schedule=None):
        mapped = WhatsAppSendOperator.partial(task_id="tell", recipient=NUMBER, **rest).expand(
            **{name: [value]}
        )
    assert getattr(mapped.unmap({name: value}), name) == value


@pytest.mark.parametrize(("name", "value"), VALUES.items(), ids=VALUES)
def test_default_args_reach_every_parameter_of_a_mapped_task(name, value):
    rest = with_a_text(name, value)
    del rest[name]
    with DAG("mapped", schedule=None, default_args={name: value}):
        mapped = WhatsAppSendOperator.partial(task_id="tell", **rest).expand(recipient=[NUMBER])
    assert getattr(mapped.unmap({"recipient": NUMBER}), name) == value


def test_a_parameter_that_does_not_exist_is_an_error():
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

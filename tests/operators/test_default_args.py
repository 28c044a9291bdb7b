"""``default_args`` are shared with other operators: the task's own arguments win."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from airflow.providers.common.compat.sdk import DAG, TaskGroup, task

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.messages import template_message
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_ask import WhatsAppAskOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from airflow_provider_itnio.transfers.sql_to_whatsapp import SqlToWhatsAppOperator
from tests.tables import for_each, pairs

NUMBER = "+86 147-1800-4557"
OTHERS = {
    "location": "us-central1",
    "image": "python:{{ nothing.of.the.sort }}",
    "document": 7,
    "message": {"Subject": "x"},
}

pytestmark = pytest.mark.usefixtures("hasty")


def places(defaults, make):
    """Make a task with ``default_args`` in each possible place: DAG, task group and task.

    (In Airflow ``default_args`` given to ``.partial`` do not reach an operator's own parameters.)
    """
    with DAG("dag", schedule=None, default_args=defaults) as dag:
        make()
    yield dag.tasks[0]
    with DAG("group", schedule=None) as dag, TaskGroup("group", default_args=defaults):
        make()
    yield dag.tasks[0]
    with DAG("task", schedule=None) as dag:
        make(default_args=defaults)
    yield dag.tasks[0]


MAKE = {
    "send": lambda **fields: WhatsAppSendOperator(task_id="tell", recipient=NUMBER, **fields),
    "broadcast": lambda **fields: WhatsAppBroadcastOperator(task_id="tell", recipients=[NUMBER], **fields),
    "mapped": lambda **fields: WhatsAppSendOperator.partial(task_id="tell", **fields).expand(
        recipient=[NUMBER]
    ),
    "mapped rows": lambda **fields: WhatsAppSendOperator.partial(
        task_id="tell", default_args=fields.pop("default_args", None)
    ).expand_kwargs([{"recipient": NUMBER, **fields}]),
}


PLACES = {"send": 3, "broadcast": 3, "mapped": 2, "mapped rows": 2}


@for_each(("kind", "fields"), zip(MAKE, [{"text": "own"}, {"message": {"text": "own"}}] * 2, strict=True))
def test_a_tasks_message_overrides_other_fields_in_default_args(kind, fields, itnio_sandbox):
    for each in places(OTHERS, lambda **more: MAKE[kind](**fields, **more)):
        itnio_sandbox.execute(each)
    assert [message.text for message in itnio_sandbox.messages] == ["own"] * 3


@for_each("kind", MAKE)
def test_a_tasks_message_overrides_the_same_field_in_default_args(kind, itnio_sandbox):
    for each in places({"text": "default"}, lambda **more: MAKE[kind](text="own", **more)):
        itnio_sandbox.execute(each)
    assert [message.text for message in itnio_sandbox.messages] == ["own"] * 3


@for_each("kind", MAKE)
def test_a_message_only_in_default_args_is_sent(kind, itnio_sandbox):
    for each in list(places({"text": "{{ 'default' }}"}, MAKE[kind]))[: PLACES[kind]]:
        itnio_sandbox.execute(each)
    assert [message.text for message in itnio_sandbox.messages] == ["default"] * PLACES[kind]


def test_a_subclasss_message_overrides_default_args(itnio_sandbox):
    class Report(WhatsAppSendOperator):
        def __init__(self, **kwargs):
            super().__init__(text="own", **kwargs)

    for each in places(OTHERS, lambda **more: Report(task_id="tell", recipient=NUMBER, **more)):
        itnio_sandbox.execute(each)
    assert [message.text for message in itnio_sandbox.messages] == ["own"] * 3


def test_a_functions_message_overrides_default_args(itnio_sandbox):
    with DAG("function", schedule=None, default_args=OTHERS) as dag:

        @task.whatsapp(recipient=NUMBER)
        def tell():
            return "own"

        @task.whatsapp(recipients=[NUMBER])
        def tell_many():
            return "own"

        @task.whatsapp(recipient=NUMBER)
        def tell_each(word):
            return word

        tell()
        tell_many()
        tell_each.expand(word=["own"])
    for each in dag.tasks:
        itnio_sandbox.execute(each)
    assert [message.text for message in itnio_sandbox.messages] == ["own"] * 3


@pairs(
    kind=["send", "broadcast", "mapped"],
    case=[
        ({"text": "x"}, "wamid.default"),
        ({"text": "x", "reply_to": "wamid.own"}, "wamid.own"),
        ({"message": {"text": "x", "reply_to": "wamid.own"}}, "wamid.own"),
        ({"template": template_message("a", "en")}, None),
        ({"message": {"template": template_message("a", "en")}}, None),
    ],
)
def test_reply_to_in_default_args_applies_only_if_the_message_allows_it(case, kind, itnio_sandbox):
    fields, reply = case
    defaults = {"reply_to": "wamid.{{ 'default' if true }}"}
    for each in list(places(defaults, lambda **more: MAKE[kind](**fields, **more)))[1 : PLACES[kind]]:
        itnio_sandbox.execute(each)
    answered = [message.body.get("context", {}).get("refMessageId") for message in itnio_sandbox.messages]
    assert answered == [reply] * (PLACES[kind] - 1)


def test_the_recipients_of_a_sql_task_override_default_args():
    kinds = {"recipient_column": "phone", "recipients": [NUMBER], "recipient": NUMBER}
    for kind, value in kinds.items():
        with DAG(
            "report", schedule=None, default_args={**dict.fromkeys(["recipient", "recipients"], "+1 555")}
        ):
            made = SqlToWhatsAppOperator(
                task_id="tell", sql="SELECT 1", sql_conn_id="db", text="x", **{kind: value}
            )
        assert {name for name in kinds if getattr(made, name)} == {kind}


def test_a_question_ignores_a_template_in_default_args():
    defaults = {"template": template_message("sale", "en")}
    with DAG("ask", schedule=None, default_args=defaults):
        ask = partial(
            WhatsAppAskOperator, recipients=[NUMBER], question="And now?", options={"a": "A", "b": "B"}
        )
        assert ask(task_id="ask").template is None
        own = template_message("ask", "en")
        assert ask(task_id="own", template=own).template is own


def test_a_functions_reply_to_overrides_default_args(itnio_sandbox):
    with DAG("function", schedule=None, default_args={"reply_to": "wamid.default"}) as dag:

        @task.whatsapp(recipient=NUMBER)
        def tell():
            return {"template": template_message("a", "en")}

        @task.whatsapp(recipients=[NUMBER])
        def tell_many():
            return {"text": "x", "reply_to": "wamid.own"}

        tell()
        tell_many()
    for each in dag.tasks:
        itnio_sandbox.execute(each)
    contexts = [message.body.get("context") for message in itnio_sandbox.messages]
    assert contexts == [None, {"refMessageId": "wamid.own"}]


def test_several_messages_in_default_args_only_are_refused_with_a_hint():
    sentence = (
        "location, text: more than one message field in default_args; give the task its own message field"
    )
    with (
        DAG("two", schedule=None, default_args={"location": "x", "text": "y"}),
        pytest.raises(InvalidMessageError, match=sentence),
    ):
        MAKE["send"]()


def test_two_messages_of_the_task_itself_are_refused():
    with (
        DAG("two", schedule=None, default_args=OTHERS),
        pytest.raises(InvalidMessageError, match=r"exactly one of .* text, image given"),
    ):
        MAKE["send"](text="x", image="https://example.com/a.png")


@for_each(("kind", "timeout"), zip(MAKE, [86_400, timedelta(hours=1)] * 2, strict=True))
def test_a_sensors_timeout_in_default_args_is_ignored(kind, timeout, itnio_sandbox):
    itnio_sandbox.execute(next(places({"timeout": timeout}, lambda **more: MAKE[kind](text="own", **more))))
    assert [message.text for message in itnio_sandbox.messages] == ["own"]


@for_each("kind", MAKE)
def test_wait_parameters_in_default_args_are_accepted_without_wait_for(kind, itnio_sandbox):
    defaults = {"wait_timeout": timedelta(minutes=1), "deferrable": True}
    assert len(list(places(defaults, lambda **more: MAKE[kind](text="own", **more)))) == 3

"""``@task.whatsapp(recipients=...)`` sends the result to all recipients."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    task,
)

from airflow_provider_itnio.api.errors import (
    InvalidMessageError,
    InvalidParameterError,
)
from airflow_provider_itnio.api.phone_numbers import normalize_phone
from airflow_provider_itnio.messages import MESSAGE_FIELDS, reply_buttons
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.decorators.decorated import NUMBER, VALUES, made, returns, run
from tests.tables import for_each

pytestmark = pytest.mark.usefixtures("connection")


ANA = "+55 11 91234-5678"


def run_for_many(function, *args, **parameters):
    return run(function, *args, recipient=None, messages_per_second=None, **parameters)


def test_with_recipients_it_is_a_broadcast():
    operator = made(returns("x"), recipient=None, recipients=[NUMBER])
    assert isinstance(operator, WhatsAppBroadcastOperator)
    assert (operator.task_id, operator.custom_operator_name) == ("report", "@task.whatsapp")
    assert {"recipients", "exclude", "op_args", "op_kwargs"} <= set(operator.template_fields)
    assert not {*MESSAGE_FIELDS, "message"} & set(operator.template_fields)


def test_the_returned_message_is_sent_to_all_recipients(sandbox):
    summary = run_for_many(returns("42 rows"), recipients=f"{NUMBER}, {ANA}")
    assert (summary["recipients"], summary["accepted"]) == (2, 2)
    assert sorted((message.recipient, message.text) for message in sandbox.messages) == [
        ("5511912345678", "42 rows"),
        ("8614718004557", "42 rows"),
    ]


def test_the_parameters_of_a_broadcast_are_accepted(sandbox):
    summary = run_for_many(
        returns({"image": "https://example.com/a.png"}),
        recipients=[NUMBER, {"phone": ANA}, "12"],
        exclude=[ANA],
        if_some_fail="warn",
        keep_receipts=True,
        max_in_flight=2,
        reply_to="wamid.1",
    )
    assert (summary["accepted"], summary["excluded"], summary["invalid"]) == (1, 1, 1)
    (message,) = sandbox.messages
    assert message.body["context"] == {"refMessageId": "wamid.1"}
    assert [receipt["type"] for receipt in summary["receipts"]] == ["image"]


def test_the_function_is_called_once_for_all_recipients(sandbox):
    called = []

    def report(team):
        called.append(team)
        return f"hello {team}"

    run_for_many(
        report, "{{ params.team }}", recipients=[NUMBER, ANA], context={"params": {"team": "finance"}}
    )
    assert called == ["finance"]
    assert {message.text for message in sandbox.messages} == {"hello finance"}


@for_each("jinja", ["{{ recipient.phone }}", "{% if %}", "{{ no_such_name }}", "report.j2"])
def test_a_returned_message_for_recipients_is_never_rendered_as_jinja(jinja, sandbox):
    run_for_many(returns(jinja), recipients=[NUMBER])
    run_for_many(returns({"interactive": reply_buttons(jinja, {"a": "A"})}), recipients=[NUMBER])
    assert [jinja in message.text for message in sandbox.messages] == [True] * 2


def test_recipients_may_come_from_upstream():
    with DAG("report", schedule=None):

        @task
        def customers():
            return [NUMBER]

        operator = task.whatsapp(recipients=customers())(returns("x"))().operator
    assert operator.upstream_task_ids == {"customers"}


def test_recipients_are_not_checked_when_the_dag_is_parsed():
    made(returns("x"), recipient=None, recipients=["12", None])


def test_recipient_and_recipients_together_are_an_error_when_the_dag_is_parsed():
    with pytest.raises(
        InvalidMessageError, match="give recipient, or recipients for several people; both given"
    ):
        made(returns("x"), recipients=[ANA])


@for_each("name", [*MESSAGE_FIELDS, "message"])
def test_a_message_field_with_recipients_is_an_error_when_the_dag_is_parsed(name):
    with pytest.raises(InvalidMessageError, match=f"{name}: @task.whatsapp sends what its function returns"):
        made(
            returns("x"),
            recipient=None,
            recipients=[NUMBER],
            **{name: VALUES.get(name, "https://example.com/a.png")},
        )


@for_each(
    ("parameters", "sentence"),
    [
        ({"max_in_flight": 0}, "max_in_flight: must be a whole number"),
        ({"if_some_fail": "ignore"}, "if_some_fail: must be one of"),
        ({"delivery": "twice"}, "delivery: must be one of"),
    ],
)
def test_an_invalid_parameter_with_recipients_is_an_error_when_the_dag_is_parsed(parameters, sentence):
    with pytest.raises((InvalidMessageError, InvalidParameterError), match=sentence):
        made(returns("x"), recipient=None, recipients=[NUMBER], **parameters)


@for_each(
    ("returned", "sentence"),
    [
        (None, "report returned None: is a return missing?"),
        (["a"], "report must return a text, or a message as a dict"),
        ("", "text.body: must not be empty"),
        ({"txt": "x"}, "message.txt: unknown key"),
    ],
)
def test_an_invalid_return_value_with_recipients_fails_at_once_and_nothing_is_sent(
    returned, sentence, sandbox
):
    with pytest.raises(AirflowFailException) as caught:
        run_for_many(returns(returned), recipients=[NUMBER, ANA])
    assert sentence in str(caught.value)
    assert sandbox.requests == []


def test_a_skip_in_the_function_skips_the_task_with_recipients_too(sandbox):
    def nothing_new():
        raise AirflowSkipException("nothing new")

    with pytest.raises(AirflowSkipException, match="nothing new"):
        run_for_many(nothing_new, recipients=[NUMBER])
    assert sandbox.requests == []


def test_default_args_apply_to_the_decorator_with_recipients_too(sandbox):
    run_for_many(
        returns("x" * 5000),
        recipients=[NUMBER],
        default_args={"if_too_long": "truncate", "exclude": [ANA], "text": "no"},
    )
    (message,) = sandbox.messages
    assert message.text == "x" * 4095 + "…"


def test_a_mapped_task_sends_to_all_recipients_per_map_index(sandbox):
    def report(team):
        return f"hello {team}"

    with DAG("report", schedule=None):
        mapped = (
            task.whatsapp(recipients=[NUMBER, ANA], messages_per_second=None)(report)
            .expand(team=["finance", "sales"])
            .operator
        )
    for team in ("finance", "sales"):
        mapped.unmap({"op_kwargs": {"team": team}}).execute({"params": {}})
    assert sorted(message.text for message in sandbox.messages) == ["hello finance"] * 2 + ["hello sales"] * 2


@for_each(
    ("parameters", "default_args"),
    [
        ({"recipients": [NUMBER]}, {"recipient": ANA, "location": "eu-west-1", "retries": 3}),
        ({"recipient": NUMBER}, {"recipients": [ANA], "max_in_flight": 4, "bucket": "reports"}),
    ],
)
def test_a_mapped_task_ignores_default_args_meant_for_other_operators(sandbox, parameters, default_args):
    def report(team):
        return f"hello {team}"

    with DAG("report", schedule=None, default_args=default_args):
        mapped = task.whatsapp(**parameters)(report).expand(team=["finance"]).operator
    operator = mapped.unmap({"op_kwargs": {"team": "finance"}})
    assert operator.retries == default_args.get("retries", 0)
    operator.execute({"params": {}})
    assert [message.recipient for message in sandbox.messages] == [normalize_phone(NUMBER)]


@for_each("wrong", ["txt", "body", "img", "file", "caption", "template_name", "buttons"])
@for_each("people", [{"recipient": NUMBER}, {"recipients": [NUMBER]}])
def test_the_error_of_an_unknown_argument_suggests_no_message_field(wrong, people):
    with pytest.raises((TypeError, AirflowException)) as caught:  # in Airflow 3 and 2
        made(returns("x"), **{"recipient": None, **people}, **{wrong: "x"})
    assert str(caught.value) == (
        f"task 'report': unknown argument '{wrong}'; the function returns the message"
    )


@for_each(("wrong", "right"), [("numbers", "recipients"), ("phones", "recipients"), ("to", "recipient")])
def test_the_error_of_a_synonym_suggests_recipient_or_recipients(wrong, right):
    with pytest.raises((TypeError, AirflowException), match=f"unknown argument '{wrong}'; give {right}=…$"):
        made(returns("x"), recipient=None, **{wrong: NUMBER})


def test_reply_to_of_a_broadcast_is_rendered(sandbox):
    run(returns("x"), recipient=None, recipients=[NUMBER], reply_to="{{ 6 * 7 }}")
    assert sandbox.messages[0].body["context"] == {"refMessageId": "42"}

"""``@task.whatsapp``: what a function returns is sent."""

from __future__ import annotations

import asyncio
import json
from types import MappingProxyType

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    task,
)

from airflow_provider_itnio.api.errors import (
    AuthenticationError,
    InvalidMessageError,
    InvalidParameterError,
    NotSentError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.api.phone_numbers import normalize_phone
from airflow_provider_itnio.decorators.whatsapp import whatsapp_task
from airflow_provider_itnio.get_provider_info import get_provider_info
from airflow_provider_itnio.messages import MESSAGE_FIELDS, reply_buttons
from airflow_provider_itnio.operators.whatsapp import WhatsAppMessageOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator

NUMBER = "+86 147-1800-4557"
pytestmark = pytest.mark.usefixtures("connection")


def made(function, *args, recipient=NUMBER, default_args=None, **parameters):
    """Make a function a task in a DAG, as a DAG author does, and give its operator."""
    called = parameters.pop("called", {})
    if recipient is not None:
        parameters["recipient"] = recipient
    with DAG("report", schedule=None, default_args=default_args or {}):
        return task.whatsapp(**parameters)(function)(*args, **called).operator


def run(function, *args, context=None, **parameters):
    """Run such a task as Airflow does: its fields are rendered, then it is executed."""
    operator = made(function, *args, **parameters)
    context = {"dag": operator.dag, "task": operator, "params": {}, **(context or {})}
    operator.render_template_fields(context)
    return operator.execute(context)


def returns(value):
    def report():
        return value

    return report


# --- what it is -------------------------------------------------------------------------------------------


def test_airflow_is_told_of_it():
    path = f"{whatsapp_task.__module__}.{whatsapp_task.__qualname__}"
    assert get_provider_info()["task-decorators"] == [{"name": "whatsapp", "class-name": path}]
    operator = made(returns("x"))
    assert isinstance(operator, WhatsAppMessageOperator)
    assert (operator.task_id, operator.custom_operator_name) == ("report", "@task.whatsapp")


def test_no_message_field_is_a_template_field():
    fields = made(returns("x")).template_fields
    assert {*MESSAGE_FIELDS, "message"} & set(fields) == set()
    others = set(WhatsAppMessageOperator.template_fields) - {*MESSAGE_FIELDS, "message"}
    assert set(fields) == {"op_args", "op_kwargs", "recipient"} | others


VALUES = {
    "text": "hello",
    "contacts": [{"name": {"formatted_name": "Ana", "first_name": "Ana"}}],
    "interactive": reply_buttons("x", {"a": "A"}),
    "message": {"text": "hello"},
}


@pytest.mark.parametrize("name", [*MESSAGE_FIELDS, "message"])
def test_a_message_field_is_an_error_when_the_dag_is_parsed(name):
    sentence = f"{name}: @task.whatsapp sends what its function returns, so it takes no message field"
    with pytest.raises(InvalidMessageError, match=sentence):
        made(returns("x"), **{name: VALUES.get(name, "https://example.com/a.png")})


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"recipient": "12"}, "recipient: 7 to 14 digits"),
        ({"business_phone": "12"}, "business_phone: 7 to 14 digits"),
        ({"delivery": "twice"}, "delivery: must be one of"),
    ],
)
def test_any_other_mistake_is_an_error_when_the_dag_is_parsed(parameters, sentence):
    with pytest.raises((InvalidMessageError, InvalidParameterError), match=sentence):
        made(returns("x"), **parameters)


def test_it_needs_a_recipient():
    with pytest.raises(Exception, match="recipient"), DAG("report", schedule=None):
        task.whatsapp()(returns("x"))()


# --- what is sent -----------------------------------------------------------------------------------------


def test_a_text_is_sent_and_its_receipt_returned(sandbox):
    receipt = run(returns("42 rows"))
    (message,) = sandbox.messages
    assert (message.recipient, message.type, message.text) == ("8614718004557", "text", "42 rows")
    assert receipt["message_id"] == message.id
    assert json.loads(json.dumps(receipt)) == receipt


class Words(str):
    """A text of a library's own kind."""


def test_a_text_of_a_librarys_own_kind_is_a_text(sandbox):
    run(returns(Words("42 rows")))
    assert sandbox.messages[0].text == "42 rows"


@pytest.mark.parametrize(
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
def test_a_dict_is_a_message(returned, kind, sandbox):
    run(returns(returned))
    (message,) = sandbox.messages
    assert message.type == kind
    if kind != "image":
        assert message.text.startswith(("42 rows", "daily"))


def test_a_reply_may_be_named_in_the_dict_or_beside_it(sandbox):
    run(returns({"text": "x", "reply_to": "wamid.1"}))
    run(returns({"text": "x"}), reply_to="wamid.{{ params.id }}", context={"params": {"id": 2}})
    run(returns("x"), reply_to="wamid.3")
    ids = [message.body["context"]["refMessageId"] for message in sandbox.messages]
    assert ids == ["wamid.1", "wamid.2", "wamid.3"]


@pytest.mark.parametrize("jinja", ["{{ 7 * 7 }}", "{% if %}", "{{ no_such_name }}", "{# x #}", "report.j2"])
def test_what_is_returned_is_never_run_as_jinja(jinja, sandbox):
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


# --- what the function is called with ---------------------------------------------------------------------


def test_it_is_called_with_its_arguments_rendered(sandbox):
    def report(team, *, rows):
        return f"{team}: {rows}"

    run(report, "{{ params.team }}", called={"rows": "{{ 40 + 2 }}"}, context={"params": {"team": "finance"}})
    assert sandbox.messages[0].text == "finance: 42"


def test_it_is_called_with_what_it_asks_of_the_context(sandbox):
    def report(params, run_id=None, **context):
        return f"{params['team']} {run_id} {context['reached']}"

    context = {"params": {"team": "finance"}, "run_id": "first_run", "reached": True}
    run(report, context=context)
    assert sandbox.messages[0].text == "finance first_run True"


def test_a_mapped_one_sends_for_each(sandbox):
    def report(team):
        return f"hello {team}"

    with DAG("report", schedule=None):
        mapped = task.whatsapp(recipient=NUMBER)(report).expand(team=["finance", "sales"]).operator
    for team in ("finance", "sales"):
        mapped.unmap({"op_kwargs": {"team": team}}).execute({"params": {}})
    assert [message.text for message in sandbox.messages] == ["hello finance", "hello sales"]


def test_whom_and_where_from_may_be_templated(connect, sandbox):
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


def test_what_default_args_say_reaches_it(sandbox):
    run(returns("x" * 5000), default_args={"if_too_long": "truncate", "reply_to": "wamid.1"})
    (message,) = sandbox.messages
    assert message.text == "x" * 4095 + "…"
    assert message.body["context"] == {"refMessageId": "wamid.1"}


# --- what is no message -----------------------------------------------------------------------------------


def fails_at_once(function, **parameters):
    with pytest.raises(AirflowFailException) as caught:
        run(function, **parameters)
    return caught.value


def test_none_is_an_error_that_names_the_function_and_what_to_do(sandbox):
    def monthly_report():
        "42 rows"

    words = str(fails_at_once(monthly_report))
    assert "monthly_report returned None: is its return forgotten?" in words
    assert "raise AirflowSkipException" in words
    assert sandbox.requests == []


@pytest.mark.parametrize("returned", [["a"], 42, b"42 rows", True, ("a", "b"), 0, object()])
def test_what_is_neither_text_nor_dict_is_an_error_that_names_its_type(returned, sandbox):
    words = str(fails_at_once(returns(returned)))
    assert "report must return a text, or a message as a dict" in words
    assert f"a value of type {type(returned).__name__} returned" in words
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        ("", "text.body: must not be empty"),
        ("x" * 4097, "text.body: at most 4096 characters, 4097 given"),
        ({}, "exactly one of text, image"),
        ({"txt": "x"}, "message.txt: unknown key"),
        ({"text": "x", "image": "https://example.com/a.png"}, "exactly one of"),
        ({"type": "image", "text": "x"}, "type: must agree with the message, which is text"),
        (
            {"interactive": reply_buttons("x", {f"{n}": f"{n}" for n in range(4)})},
            "at most 3 buttons, 4 given",
        ),
    ],
)
def test_a_message_that_breaks_a_rule_fails_at_once(returned, sentence, sandbox):
    error = fails_at_once(returns(returned))
    assert type(error.__cause__) is InvalidMessageError
    assert sentence in str(error)
    assert sandbox.requests == []


def test_a_reply_named_twice_is_an_error(sandbox):
    error = fails_at_once(returns({"text": "x", "reply_to": "wamid.1"}), reply_to="wamid.2")
    assert "reply_to: given twice" in str(error)
    assert sandbox.requests == []


def test_a_skip_of_the_function_is_a_skip_of_the_task(sandbox):
    def nothing_new():
        raise AirflowSkipException("nothing new")

    with pytest.raises(AirflowSkipException, match="nothing new"):
        run(nothing_new)
    assert sandbox.requests == []


# --- what becomes of it is as for the operator ------------------------------------------------------------


def test_a_refusal_fails_at_once(sandbox):
    sandbox.fail_next(status=-1)
    assert type(fails_at_once(returns("x")).__cause__) is AuthenticationError


def test_what_was_not_sent_leaves_the_tasks_retries(connect, sandbox):
    connect(extra={"max_attempts": 1})
    sandbox.fail_next(http_status=429)
    with pytest.raises(NotSentError):
        run(returns("x"))


@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
def test_an_unknown_outcome_leaves_them_at_least_once(delivery, sandbox):
    sandbox.fail_next(drop="after_accepting")
    with pytest.raises(UnknownOutcomeError if delivery == "at_least_once" else AirflowFailException):
        run(returns("x"), delivery=delivery)
    assert len(sandbox.messages) == 1


# --- recipients: what is returned goes to all of them -----------------------------------------------------

ANA = "+55 11 91234-5678"


def run_for_many(function, *args, **parameters):
    return run(function, *args, recipient=None, messages_per_second=None, **parameters)


def test_with_recipients_it_is_a_broadcast():
    operator = made(returns("x"), recipient=None, recipients=[NUMBER])
    assert isinstance(operator, WhatsAppBroadcastOperator)
    assert (operator.task_id, operator.custom_operator_name) == ("report", "@task.whatsapp")
    assert {"recipients", "exclude", "op_args", "op_kwargs"} <= set(operator.template_fields)
    assert not {*MESSAGE_FIELDS, "message"} & set(operator.template_fields)


def test_what_is_returned_goes_to_all_of_them(sandbox):
    summary = run_for_many(returns("42 rows"), recipients=f"{NUMBER}, {ANA}")
    assert (summary["recipients"], summary["accepted"]) == (2, 2)
    assert sorted((message.recipient, message.text) for message in sandbox.messages) == [
        ("5511912345678", "42 rows"),
        ("8614718004557", "42 rows"),
    ]


def test_it_takes_what_a_broadcast_takes(sandbox):
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


def test_its_function_is_called_once_for_all(sandbox):
    called = []

    def report(team):
        called.append(team)
        return f"hello {team}"

    run_for_many(
        report, "{{ params.team }}", recipients=[NUMBER, ANA], context={"params": {"team": "finance"}}
    )
    assert called == ["finance"]
    assert {message.text for message in sandbox.messages} == {"hello finance"}


@pytest.mark.parametrize("jinja", ["{{ recipient.phone }}", "{% if %}", "{{ no_such_name }}", "report.j2"])
def test_what_is_returned_for_many_is_never_run_as_jinja(jinja, sandbox):
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


def test_recipients_are_not_judged_when_the_dag_is_parsed():
    made(returns("x"), recipient=None, recipients=["12", None])


def test_recipient_and_recipients_together_are_an_error_when_the_dag_is_parsed():
    with pytest.raises(
        InvalidMessageError, match="give recipient, or recipients for several people; both given"
    ):
        made(returns("x"), recipients=[ANA])


@pytest.mark.parametrize("name", [*MESSAGE_FIELDS, "message"])
def test_a_message_field_beside_recipients_is_an_error_too(name):
    with pytest.raises(InvalidMessageError, match=f"{name}: @task.whatsapp sends what its function returns"):
        made(
            returns("x"),
            recipient=None,
            recipients=[NUMBER],
            **{name: VALUES.get(name, "https://example.com/a.png")},
        )


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"max_in_flight": 0}, "max_in_flight: must be a whole number"),
        ({"if_some_fail": "ignore"}, "if_some_fail: must be one of"),
        ({"delivery": "twice"}, "delivery: must be one of"),
    ],
)
def test_any_other_mistake_beside_recipients_is_an_error_too(parameters, sentence):
    with pytest.raises((InvalidMessageError, InvalidParameterError), match=sentence):
        made(returns("x"), recipient=None, recipients=[NUMBER], **parameters)


@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        (None, "report returned None: is its return forgotten?"),
        (["a"], "report must return a text, or a message as a dict"),
        ("", "text.body: must not be empty"),
        ({"txt": "x"}, "message.txt: unknown key"),
    ],
)
def test_a_message_for_many_that_is_none_fails_at_once_and_reaches_nobody(returned, sentence, sandbox):
    with pytest.raises(AirflowFailException) as caught:
        run_for_many(returns(returned), recipients=[NUMBER, ANA])
    assert sentence in str(caught.value)
    assert sandbox.requests == []


def test_a_skip_of_the_function_is_a_skip_of_the_task_for_many_too(sandbox):
    def nothing_new():
        raise AirflowSkipException("nothing new")

    with pytest.raises(AirflowSkipException, match="nothing new"):
        run_for_many(nothing_new, recipients=[NUMBER])
    assert sandbox.requests == []


def test_what_default_args_say_reaches_it_for_many_too(sandbox):
    run_for_many(
        returns("x" * 5000),
        recipients=[NUMBER],
        default_args={"if_too_long": "truncate", "exclude": [ANA], "text": "no"},
    )
    (message,) = sandbox.messages
    assert message.text == "x" * 4095 + "…"


def test_a_mapped_one_sends_to_many_for_each(sandbox):
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


@pytest.mark.parametrize(
    ("parameters", "default_args"),
    [
        ({"recipients": [NUMBER]}, {"recipient": ANA, "location": "eu-west-1", "retries": 3}),
        ({"recipient": NUMBER}, {"recipients": [ANA], "max_in_flight": 4, "bucket": "reports"}),
    ],
)
def test_a_mapped_one_passes_over_what_default_args_say_for_others(sandbox, parameters, default_args):
    def report(team):
        return f"hello {team}"

    with DAG("report", schedule=None, default_args=default_args):
        mapped = task.whatsapp(**parameters)(report).expand(team=["finance"]).operator
    operator = mapped.unmap({"op_kwargs": {"team": "finance"}})
    operator.execute({"params": {}})
    assert [message.recipient for message in sandbox.messages] == [normalize_phone(NUMBER)]
    assert operator.retries == default_args.get("retries", 0)


@pytest.mark.parametrize("wrong", ["txt", "body", "img", "file", "caption", "template_name", "buttons"])
@pytest.mark.parametrize("people", [{"recipient": NUMBER}, {"recipients": [NUMBER]}])
def test_no_error_advises_what_it_refuses(wrong, people):
    with pytest.raises((TypeError, AirflowException)) as caught:  # Airflow 3's and 2's
        made(returns("x"), **{"recipient": None, **people}, **{wrong: "x"})
    assert str(caught.value) == (
        f"task 'report': unknown argument '{wrong}'; what the function returns is the message"
    )


@pytest.mark.parametrize(
    ("wrong", "right"), [("numbers", "recipients"), ("phones", "recipients"), ("to", "recipient")]
)
def test_other_words_for_whom_it_is_for_are_understood(wrong, right):
    with pytest.raises((TypeError, AirflowException), match=f"unknown argument '{wrong}'; give {right}=…$"):
        made(returns("x"), recipient=None, **{wrong: NUMBER})


def test_a_reply_of_a_broadcast_is_rendered(sandbox):
    run(returns("x"), recipient=None, recipients=[NUMBER], reply_to="{{ 6 * 7 }}")
    assert sandbox.messages[0].body["context"] == {"refMessageId": "42"}


# --- an async def -----------------------------------------------------------------------------------------


def asynchronously(value, error=None):
    async def report(team="x"):
        await asyncio.sleep(0)
        if error is not None:
            raise error
        return value.replace("team", team) if isinstance(value, str) else value

    return report


@pytest.mark.parametrize("to", [{"recipient": NUMBER}, {"recipient": None, "recipients": [NUMBER]}])
def test_a_function_may_be_an_async_def(to, sandbox):
    run(asynchronously("hello team {{ 7 }}"), "finance", **to)
    run(asynchronously({"text": "hello"}), **to)
    assert [message.text for message in sandbox.messages] == ["hello finance {{ 7 }}", "hello"]


class Report:
    """A callable whose call is an async def."""

    __name__ = "report"

    async def __call__(self):
        return "hello"


def test_so_may_an_objects_call(sandbox):
    def report():
        return Report()()

    run(report)
    assert sandbox.messages[0].text == "hello"


@pytest.mark.parametrize("to", [{"recipient": NUMBER}, {"recipient": None, "recipients": [NUMBER]}])
def test_what_an_async_def_forgets_or_raises_is_told(to, sandbox):
    with pytest.raises(AirflowFailException, match="report returned None: is its return forgotten"):
        run(asynchronously(None), **to)
    with pytest.raises(ValueError, match="no rows"):
        run(asynchronously("x", ValueError("no rows")), **to)
    with pytest.raises(AirflowSkipException):
        run(asynchronously("x", AirflowSkipException("nothing new")), **to)
    assert sandbox.requests == []


def test_a_mapped_async_def_sends_for_each(sandbox):
    with DAG("report", schedule=None):
        mapped = (
            task.whatsapp(recipient=NUMBER)(asynchronously("hello team")).expand(team=["a", "b"]).operator
        )
    for team in ("a", "b"):
        mapped.unmap({"op_kwargs": {"team": team}}).execute({"params": {}})
    assert [message.text for message in sandbox.messages] == ["hello a", "hello b"]


class Hostile:
    def __str__(self):
        raise RuntimeError

    __repr__ = __str__


def test_what_a_function_returns_is_checked_without_being_written(sandbox):
    with pytest.raises(AirflowFailException, match="InvalidMessageError"):
        run(returns({"text": {"body": [Hostile()]}}), recipient=None, recipients=[NUMBER])
    assert sandbox.requests == []

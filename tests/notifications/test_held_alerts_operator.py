"""The operator for held alerts: each recipient with held alerts gets one summary, never repeated."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_itnio.api.errors import (
    InvalidMessageError,
    InvalidParameterError,
    NotSentError,
    RefusedError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.notifications import alert_state
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from airflow_provider_itnio.operators.whatsapp_held_alerts import WhatsAppHeldAlertsOperator
from tests.tables import for_each

from .events import of_dag

NUMBER, OTHER = "+86 1000 0000 11", "+86 1000 0000 12"
pytestmark = pytest.mark.usefixtures("connection", "clock")


def operator(recipients=NUMBER, **fields):
    return WhatsAppHeldAlertsOperator(task_id="tell", recipients=recipients, **fields)


@pytest.fixture
def held(variables, option, sandbox):
    """Let so many alerts to a number be held back."""
    option(alert_limit=1)

    def hold(number, *dags):
        notifier = WhatsAppNotifier(recipients=number)
        for dag_id in ("first", *dags):
            notifier.notify(of_dag(dag_id=dag_id))
        sandbox.clear()

    return hold


def test_it_tells_each_of_theirs_and_nothing_twice(held, sandbox, variables):
    held(NUMBER, "sales", "sales", "orders")
    held(OTHER, "stock")
    task = operator([NUMBER, OTHER, "+86 1000 0000 13"])
    assert task.execute({}) == 4
    assert [message.text for message in sandbox.sent_to(NUMBER)] == [
        "📥 *Alerts held back*\n_3 alerts were held back since 2026-11-25 12:00 UTC: sales (2), orders (1)_"
    ]
    assert [message.text for message in sandbox.sent_to(OTHER)] == [
        "📥 *Alerts held back*\n_1 alert was held back since 2026-11-25 12:00 UTC: stock (1)_"
    ]
    assert task.execute({}) == 0
    assert len(sandbox.messages) == 2


@pytest.mark.parametrize("again", [NUMBER, NUMBER.replace(" ", "-"), "00" + NUMBER.lstrip("+")])
def test_a_number_that_is_listed_twice_is_told_once(again, held, sandbox, variables):
    held(NUMBER, "sales")
    assert operator([NUMBER, again]).execute({}) == 1
    assert len(sandbox.sent_to(NUMBER)) == 1


class TimeIsOver(BaseException):
    """As Airflow's AirflowTaskTimeout, which is no ``Exception``."""


def test_a_task_that_is_ended_while_it_sends_tells_nothing_twice_and_the_others_later(
    held, sandbox, variables, monkeypatch
):
    held(NUMBER, "sales")
    held(OTHER, "stock")
    send = ItnioHook.send

    def send_and_end(hook, number, **fields):
        send(hook, number, **fields)
        raise TimeIsOver

    with monkeypatch.context() as patch:
        patch.setattr(ItnioHook, "send", send_and_end)
        with pytest.raises(TimeIsOver):
            operator([NUMBER, OTHER]).execute({})
    assert operator([NUMBER, OTHER]).execute({}) == 1
    assert [len(sandbox.sent_to(number)) for number in (NUMBER, OTHER)] == [1, 1]


def test_it_sends_nothing_where_nothing_is_held(variables, sandbox):
    assert operator().execute({}) == 0
    assert (sandbox.messages, variables.values) == ([], {})


def test_the_next_alert_does_not_tell_it_again(held, sandbox, variables, clock):
    held(NUMBER, "sales")
    operator().execute({})
    clock.now += 600
    WhatsAppNotifier(recipients=NUMBER).notify(of_dag())
    assert "were held back" not in sandbox.messages[-1].text
    assert "alert was held back" not in sandbox.messages[-1].text


@pytest.mark.parametrize(
    ("fault", "error"),
    [({"status": -70}, RefusedError), ({"http_status": 429}, NotSentError)],
)
def test_what_surely_did_not_go_out_a_retry_tells(fault, error, held, sandbox, connect):
    connect(extra={"max_attempts": 1})
    held(NUMBER, "sales")
    held(OTHER, "stock")
    sandbox.fail_next(**fault, recipient=NUMBER.replace("+", "").replace(" ", ""))
    task = operator([NUMBER, OTHER])
    with pytest.raises(error):
        task.execute({})
    assert len(sandbox.sent_to(OTHER)) == 1
    sandbox.clear()
    assert task.execute({}) == 1
    assert [len(sandbox.sent_to(number)) for number in (NUMBER, OTHER)] == [1, 0]


def test_what_may_have_gone_out_no_retry_tells(held, sandbox):
    held(NUMBER, "sales")
    sandbox.fail_next(drop="after_accepting")
    with pytest.raises(UnknownOutcomeError):
        operator().execute({})
    assert operator().execute({}) == 0
    assert len(sandbox.messages) == 1


def test_a_connection_that_is_not_there_leaves_it_held(held, sandbox):
    held(NUMBER, "sales")
    with pytest.raises(Exception, match="no_such_connection"):
        operator(itnio_conn_id="no_such_connection").execute({})
    assert operator().execute({})  # nothing was lost


@pytest.mark.parametrize("broken", ["unreadable", "unwritable"])
def test_a_variable_that_cant_be_kept_fails_the_task_before_anything_is_sent(
    broken, held, sandbox, variables
):
    held(NUMBER, "sales")
    setattr(variables, broken, True)
    with pytest.raises((RuntimeError, PermissionError)):
        operator().execute({})
    assert sandbox.messages == []
    setattr(variables, broken, False)
    assert operator().execute({})  # nothing was lost


def test_in_quiet_hours_it_tells_nothing(held, sandbox, option, clock):
    held(NUMBER, "sales")
    option(quiet_hours="11:00-13:00")
    assert operator().execute({}) == 0
    clock.now += 3600
    assert operator().execute({})  # nothing was lost


def test_nonsense_in_the_variable_is_nothing(sandbox, variables):
    variables.values[alert_state.VARIABLE] = "nonsense"
    assert operator().execute({}) == 0


def test_a_whatsapp_template_tells_it_in_its_fifth_value(held, sandbox):
    held(NUMBER, "sales")
    operator(alert_template="pipeline_alert").execute({})
    (body,) = sandbox.messages[-1].body["template"]["components"]
    values = [value["text"] for value in body["parameters"]]
    assert values == [
        "Alerts held back", "-", "-", "-", "1 alert was held back since 2026-11-25 12:00 UTC: sales (1)", "-",
    ]  # fmt: skip


def test_a_template_that_is_refused_becomes_a_text(held, sandbox):
    held(NUMBER, "sales")
    sandbox.fail_next(status=-132)
    assert operator(alert_template="pipeline_alert").execute({}) == 1
    assert [message.type for message in sandbox.messages] == ["text"]


@pytest.mark.parametrize("recipients", ["123", [], ["+86 1000 0000 11", "x"]])
def test_recipients_that_are_none_are_a_mistake_in_the_dag_file(recipients):
    with pytest.raises(InvalidMessageError, match="recipients"):
        operator(recipients)


def test_if_a_retry_helps_one_recipient_it_is_made(held, monkeypatch):
    held(NUMBER, "sales")
    held(OTHER, "stock")
    errors = [InvalidMessageError("a wrong value"), NotSentError("the server is away")]

    def fails(*args, **kwargs):
        raise errors.pop(0)

    monkeypatch.setattr(ItnioHook, "send", fails)
    with pytest.raises(NotSentError, match="the server is away"):
        operator([NUMBER, OTHER]).execute({})


def test_its_recipients_may_be_templates(held, itnio_sandbox):
    held(NUMBER, "sales")
    task = operator("{{ params.phones }}", params={"phones": f"{NUMBER}, {OTHER}"})
    assert itnio_sandbox.execute(task) == 1


@for_each(("field", "value"), [("recipients", "x"), ("recipients", ""), ("itnio_conn_id", "")])
def test_a_wrong_value_after_rendering_fails_at_once(field, value, held):
    held(NUMBER, "sales")
    task = operator()
    setattr(task, field, value)  # as rendering leaves it
    with pytest.raises(AirflowFailException, match=f"^Invalid(Message|Parameter)Error: .*{field}"):
        task.execute({})
    assert operator().execute({})  # nothing was lost


@for_each(
    ("fields", "problem"),
    [
        ({"itnio_conn_id": ["itnio_default"]}, "itnio_conn_id: must be text"),
        ({"itnio_conn_id": ""}, "itnio_conn_id"),
        ({"alert_template": 7}, "alert_template: must be text"),
        ({"alert_template": ""}, "alert_template"),
        ({"alert_language": ["en"]}, "alert_language: must be text"),
        ({"recipients": "12"}, "recipients"),
        ({"recipient": NUMBER}, "recipient"),
        ({"text": "hello"}, "text"),
    ],
)
def test_a_mistake_in_the_dag_file_names_the_task_and_the_argument(fields, problem):
    # Airflow 3 refuses a wrong name by a TypeError, Airflow 2 by its AirflowException.
    kinds = (InvalidMessageError, InvalidParameterError, TypeError, AirflowException)
    with pytest.raises(kinds, match=f"^task 'tell': .*{problem}"):
        WhatsAppHeldAlertsOperator(**{"task_id": "tell", "recipients": NUMBER} | fields)


def test_what_is_rendered_later_is_no_mistake():
    operator(
        "{{ var.value.oncall }}",
        alert_template="{{ var.value.t }}",
        alert_language="{{ params.l }}",
        itnio_conn_id="{{ params.c }}",
    )

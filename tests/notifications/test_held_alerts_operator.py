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
    """Hold back one alert to a number for each of these DAGs."""
    option(alert_limit=1)

    def hold(number, *dags):
        notifier = WhatsAppNotifier(recipients=number)
        for dag_id in ("first", *dags):
            notifier.notify(of_dag(dag_id=dag_id))
        sandbox.clear()

    return hold


def test_each_recipient_gets_one_summary_of_their_held_alerts_and_none_twice(held, sandbox, variables):
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
def test_a_number_listed_twice_gets_one_summary(again, held, sandbox, variables):
    held(NUMBER, "sales")
    assert operator([NUMBER, again]).execute({}) == 1
    assert len(sandbox.sent_to(NUMBER)) == 1


class TimeIsOver(BaseException):
    """Like Airflow's AirflowTaskTimeout, not a subclass of ``Exception``."""


def test_after_a_timeout_while_sending_only_the_other_recipients_are_sent(
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


def test_without_held_alerts_nothing_is_sent(variables, sandbox):
    assert operator().execute({}) == 0
    assert (sandbox.messages, variables.values) == ([], {})


def test_the_next_alert_does_not_report_summarised_alerts_again(held, sandbox, variables, clock):
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
def test_a_retry_sends_a_summary_that_was_refused_or_not_sent(fault, error, held, sandbox, connect):
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


def test_a_retry_does_not_send_a_summary_with_an_unknown_outcome(held, sandbox):
    held(NUMBER, "sales")
    sandbox.fail_next(drop="after_accepting")
    with pytest.raises(UnknownOutcomeError):
        operator().execute({})
    assert operator().execute({}) == 0
    assert len(sandbox.messages) == 1


def test_with_a_missing_connection_the_alerts_stay_held(held, sandbox):
    held(NUMBER, "sales")
    with pytest.raises(Exception, match="no_such_connection"):
        operator(itnio_conn_id="no_such_connection").execute({})
    assert operator().execute({})  # nothing was lost


@pytest.mark.parametrize("broken", ["unreadable", "unwritable"])
def test_a_variable_that_cannot_be_read_or_written_fails_the_task_before_sending(
    broken, held, sandbox, variables
):
    held(NUMBER, "sales")
    setattr(variables, broken, True)
    with pytest.raises((RuntimeError, PermissionError)):
        operator().execute({})
    assert sandbox.messages == []
    setattr(variables, broken, False)
    assert operator().execute({})  # nothing was lost


def test_in_quiet_hours_no_summary_is_sent(held, sandbox, option, clock):
    held(NUMBER, "sales")
    option(quiet_hours="11:00-13:00")
    assert operator().execute({}) == 0
    clock.now += 3600
    assert operator().execute({})  # nothing was lost


def test_an_invalid_variable_counts_as_no_held_alerts(sandbox, variables):
    variables.values[alert_state.VARIABLE] = "nonsense"
    assert operator().execute({}) == 0


def test_a_whatsapp_template_contains_the_summary_in_its_fifth_value(held, sandbox):
    held(NUMBER, "sales")
    operator(alert_template="pipeline_alert").execute({})
    (body,) = sandbox.messages[-1].body["template"]["components"]
    values = [value["text"] for value in body["parameters"]]
    assert values == [
        "Alerts held back", "-", "-", "-", "1 alert was held back since 2026-11-25 12:00 UTC: sales (1)", "-",
    ]  # fmt: skip


def test_a_summary_whose_template_is_refused_is_sent_as_a_text(held, sandbox):
    held(NUMBER, "sales")
    sandbox.fail_next(status=-132)
    assert operator(alert_template="pipeline_alert").execute({}) == 1
    assert [message.type for message in sandbox.messages] == ["text"]


@pytest.mark.parametrize("recipients", ["123", [], ["+86 1000 0000 11", "x"]])
def test_invalid_recipients_are_an_error_in_the_dag_file(recipients):
    with pytest.raises(InvalidMessageError, match="recipients"):
        operator(recipients)


def test_an_error_worth_a_retry_has_precedence_over_one_that_is_not(held, monkeypatch):
    held(NUMBER, "sales")
    held(OTHER, "stock")
    errors = [InvalidMessageError("a wrong value"), NotSentError("the server is away")]

    def fails(*args, **kwargs):
        raise errors.pop(0)

    monkeypatch.setattr(ItnioHook, "send", fails)
    with pytest.raises(NotSentError, match="the server is away"):
        operator([NUMBER, OTHER]).execute({})


def test_recipients_may_be_templated(held, itnio_sandbox):
    held(NUMBER, "sales")
    task = operator("{{ params.phones }}", params={"phones": f"{NUMBER}, {OTHER}"})
    assert itnio_sandbox.execute(task) == 1


@for_each(("field", "value"), [("recipients", "x"), ("recipients", ""), ("itnio_conn_id", "")])
def test_a_wrong_value_after_rendering_fails_at_once(field, value, held):
    held(NUMBER, "sales")
    task = operator()
    setattr(task, field, value)  # as after rendering
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
def test_the_error_of_a_wrong_argument_names_the_task_and_the_argument(fields, problem):
    # For an unknown argument Airflow 3 raises TypeError, Airflow 2 AirflowException.
    kinds = (InvalidMessageError, InvalidParameterError, TypeError, AirflowException)
    with pytest.raises(kinds, match=f"^task 'tell': .*{problem}"):
        WhatsAppHeldAlertsOperator(**{"task_id": "tell", "recipients": NUMBER} | fields)


def test_templated_arguments_are_accepted_in_the_dag_file():
    operator(
        "{{ var.value.oncall }}",
        alert_template="{{ var.value.t }}",
        alert_language="{{ params.l }}",
        itnio_conn_id="{{ params.c }}",
    )

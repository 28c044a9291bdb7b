"""One notifier for many events: it is never changed, and no event's data is rendered."""

from __future__ import annotations

import copy
from collections import UserDict

import pytest
from airflow.providers.common.compat.sdk import DAG, mask_secret

from airflow_provider_itnio.messages import reply_buttons, template_message
from airflow_provider_itnio.notifications.alert_facts import AlertFacts, alert_facts
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from tests.tables import for_each

from .events import EVENTS, RUN_ID, of_dag, of_deadline, of_task

NUMBER = "+86 147-1800-4557"
pytestmark = pytest.mark.usefixtures("connection")


def failed(words, **changes):
    return of_task(exception=ValueError(words), **changes)


def test_the_same_notifier_reports_each_events_own_facts(tell, sandbox):
    notifier = WhatsAppNotifier(recipients=NUMBER)
    tell(notifier, failed("no orders", run_id="first_run"))
    tell(notifier, of_dag(run_id="second_run"))
    first, second = (message.text for message in sandbox.messages)
    assert "Run: `first_run`" in first
    assert "```ValueError: no orders```" in first
    assert "Run: `second_run`" in second
    assert "orders" not in second


FORMS = {
    "text": {"text": "{{ alert.run_id }}: {{ alert.error }}"},
    "text as a dict": {"text": {"body": "{{ alert.run_id }}: {{ alert.error }}"}},
    "message": {"message": {"text": "{{ alert.run_id }}: {{ alert.error }}"}},
    "interactive": {"interactive": reply_buttons("{{ alert.run_id }}: {{ alert.error }}", {"a": "Again"})},
    "contacts": {
        "contacts": [{"name": {"formatted_name": "{{ alert.run_id }}: {{ alert.error }}", "first_name": "A"}}]
    },
    "template": {"template": template_message("a", "en", body=["{{ alert.run_id }}: {{ alert.error }}"])},
}


@for_each("fields", FORMS.values())
def test_each_event_renders_the_fields_and_leaves_the_notifier_unchanged(fields, notify, sandbox):
    notifier = WhatsAppNotifier(recipients=[NUMBER, "{{ params.phone }}"], **copy.deepcopy(fields))
    before = copy.deepcopy(vars(notifier))
    for run in ("first_run", "second_run"):
        notify(
            notifier, failed("{{ 7 * 7 }} {% if %}", run_id=run) | {"params": {"phone": "+86 1000 0000 11"}}
        )
    assert vars(notifier) == before
    sent = sandbox.messages
    assert len(sent) == 4
    for message, run in zip(sent, ["first_run", "first_run", "second_run", "second_run"], strict=True):
        assert f"{run}: ValueError: {{{{ 7 * 7 }}}} {{% if %}}" in str(message.body)
        assert "49" not in message.text


def test_jinja_in_an_error_is_not_rendered(sandbox):
    notifier = WhatsAppNotifier(recipients=NUMBER, text="{{ alert.error_line }}")
    notifier(failed("{{ run_id }}"))
    notifier(failed("{{ 7 * 7 }}"))
    notifier(failed("{{ there.is.no.such.name }}"))
    assert [message.text for message in sandbox.messages] == [
        "ValueError: {{ run_id }}",
        "ValueError: {{ 7 * 7 }}",
        "ValueError: {{ there.is.no.such.name }}",
    ]


@for_each("context", EVENTS.values())
def test_every_fact_is_available_to_templates_in_every_event(context, notify, sandbox):
    steady = [name for name in AlertFacts._fields if name != "duration"]  # the duration grows
    facts = ", ".join(f"{name}=[{{{{ alert.{name} }}}}]" for name in steady)
    event = context()
    known = alert_facts(event)
    notify(WhatsAppNotifier(recipients=NUMBER, text=facts), event)
    (message,) = sandbox.messages
    assert message.text == ", ".join(f"{name}=[{getattr(known, name)}]" for name in steady)


def test_airflows_context_is_available_to_templates(tell, sandbox):
    tell(WhatsAppNotifier(recipients=NUMBER, text="{{ run_id }}, {{ exception }}"), failed("no orders"))
    tell(WhatsAppNotifier(recipients=NUMBER, text="{{ dag_run.dag_run_id }}"), of_deadline())
    assert [message.text.split(", ")[-1] for message in sandbox.messages] == [
        "no orders",
        of_deadline()["dag_run"]["dag_run_id"],
    ]


@for_each(
    "own",
    [
        {"text": "{{ exception }}"},
        {"text": {"body": "{{ exception.__cause__ or exception }}"}},
        {"message": {"type": "text", "text": "{{ exception.args[0] }}"}},
        {"image": {"link": "https://example.com/a.png", "caption": "{{ exception }}"}},
        {"interactive": reply_buttons("{{ exception }}", {"yes": "Yes"})},
        {"template": template_message("a", "en", body=["{{ exception }}"])},
    ],
)
def test_values_that_airflow_masks_are_masked_in_a_custom_message(own, notify, sandbox):
    mask_secret("hunter2ofthetests")
    event = failed("login failed: hunter2ofthetests")
    notify(WhatsAppNotifier(recipients=NUMBER, **own), event)
    (message,) = sandbox.messages
    assert "login failed: ***" in f"{message.body}"
    assert "hunter2" not in f"{message.body}"


def test_masking_changes_neither_links_nor_recipients(notify, sandbox):
    mask_secret("8614718004557")
    link = "https://example.com/8614718004557.png"
    notify(WhatsAppNotifier(recipients=NUMBER, image=link), failed("no orders"))
    (message,) = sandbox.messages
    assert (message.recipient, message.body["image"]["link"]) == ("8614718004557", link)


def test_the_dags_filters_and_macros_are_available_to_templates(tell, sandbox):
    dag = DAG(
        "nightly_load",
        schedule=None,
        user_defined_macros={"team": "finance"},
        user_defined_filters={"loud": str.upper},
    )
    tell(WhatsAppNotifier(recipients=NUMBER, text="{{ team | loud }}"), of_task() | {"dag": dag})
    assert sandbox.messages[0].text == "FINANCE"


def test_with_native_rendering_numbers_become_texts_and_recipients(tell, sandbox):
    dag = DAG("nightly_load", schedule=None, render_template_as_native_obj=True)
    notifier = WhatsAppNotifier(recipients="{{ params.phone }}", text="{{ 40 + 2 }}")
    tell(notifier, of_task() | {"dag": dag, "params": {"phone": "+8614718004557"}})
    (message,) = sandbox.messages
    assert (message.recipient, message.text) == ("8614718004557", "42")


def test_the_connection_and_sender_may_be_templated(tell, connect, sandbox):
    connect("itnio_finance", extra={"app_id": None, "business_phone": None})
    context = of_task() | {
        "params": {"team": "finance", "app": sandbox.app_id, "phone": sandbox.business_phone}
    }
    notifier = WhatsAppNotifier(
        recipients=NUMBER,
        itnio_conn_id="itnio_{{ params.team }}",
        app_id="{{ params.app }}",
        business_phone="+{{ params.phone }}",
    )
    tell(notifier, context)
    (message,) = sandbox.messages
    assert message.body["businessPhone"] == sandbox.business_phone
    assert message.body["appId"] == sandbox.app_id


def test_reply_to_alert_template_and_alert_language_may_be_templated(tell, sandbox):
    context = of_task() | {"params": {"id": "wamid.1", "name": "pipeline_alert", "language": "de"}}
    tell(WhatsAppNotifier(recipients=NUMBER, text="x", reply_to="{{ params.id }}"), context)
    tell(
        WhatsAppNotifier(
            recipients=NUMBER, alert_template="{{ params.name }}", alert_language="{{ params.language }}"
        ),
        context,
    )
    reply, template = sandbox.messages
    assert reply.body["context"] == {"refMessageId": "wamid.1"}
    assert template.body["template"]["name"] == "pipeline_alert"
    assert template.body["template"]["language"] == {"code": "de"}


def test_a_notifier_accepts_the_five_arguments_of_airflow_2s_sla_callback(sandbox):
    dag = DAG("nightly_load", schedule=None)
    WhatsAppNotifier(recipients=NUMBER)(dag, "tasks", "blocking tasks", [], [])
    assert sandbox.messages[0].text.startswith("⏰ *Deadline missed*\nDAG: `nightly_load`\n")


def test_a_context_may_be_a_mapping_that_is_not_a_dict_as_in_airflow_2(tell, sandbox):
    tell(WhatsAppNotifier(recipients=NUMBER, text="{{ alert.task_id }} {{ run_id }}"), UserDict(of_task()))
    assert sandbox.messages[0].text == f"load_orders {RUN_ID}"


def test_a_notifier_does_not_change_the_context(tell):
    context = failed("no orders")
    before = dict(context)
    tell(WhatsAppNotifier(recipients=NUMBER, text="{{ alert.error }}"), context)
    assert context == before

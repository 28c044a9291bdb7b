"""An operator that Airflow does not render, as in a callback, never sends the Jinja of the DAG file."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator, literal

from airflow_provider_itnio.messages import reply_buttons
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.tables import for_each

NUMBER = "+86 147-1800-4557"
CONTEXT = {"params": {"word": "found {{ x }}"}, "ds": "2026-07-01"}
WHAT_TO_DO = r"Call render_template_fields\(context\) before it"

pytestmark = pytest.mark.usefixtures("hasty")


@for_each(
    ("fields", "path"),
    [
        ({"text": "closed on {{ ds }}"}, "text"),
        ({"text": "{% if ds %}x{% endif %}"}, "text"),
        ({"text": "report.j2"}, "text"),
        ({"text": {"body": "{{ ds }}"}}, "text.body"),
        ({"message": {"text": "{{ ds }}"}}, "message.text"),
        ({"interactive": reply_buttons("{{ ds }}", {"a": "A"})}, "interactive.body.text"),
        ({"text": "x", "recipient": "{{ params.to }}"}, "recipient"),
        ({"text": "x", "reply_to": "{{ params.id }}"}, "reply_to"),
        ({"text": "x", "itnio_conn_id": "{{ params.id }}"}, "itnio_conn_id"),
        ({"text": lambda context, jinja_env: "x"}, "text"),
    ],
)
def test_an_unrendered_field_is_refused_with_what_to_do(fields, path, sandbox):
    def callback(context):
        WhatsAppSendOperator(task_id="tell", **{"recipient": NUMBER} | fields).execute(context)

    with pytest.raises(AirflowFailException, match=rf"{path}: not rendered.*{WHAT_TO_DO}"):
        callback(CONTEXT)
    assert sandbox.requests == []


def test_an_unrendered_upstream_output_is_refused_with_what_to_do(sandbox):
    with DAG("upstream", schedule=None):
        output = BaseOperator(task_id="load").output
        operator = WhatsAppSendOperator(task_id="tell", recipient=NUMBER, text=output)
    with pytest.raises(AirflowFailException, match=f"text: not rendered.*{WHAT_TO_DO}"):
        operator.execute(CONTEXT)
    assert sandbox.requests == []


@for_each("name", ["recipients", "exclude", "shared", "business_phone"])
def test_an_unrendered_field_of_a_broadcast_is_refused_with_what_to_do(name, sandbox):
    value = {"word": "{{ ds }}"} if name == "shared" else ["{{ params.to }}"]
    value = value[0] if name == "business_phone" else value
    fields = {"recipients": [NUMBER], "text": "x"} | {name: value}
    with pytest.raises(AirflowFailException, match=rf"{name}.*: not rendered.*{WHAT_TO_DO}"):
        WhatsAppBroadcastOperator(task_id="tell", **fields).execute(CONTEXT)
    assert sandbox.requests == []


def test_the_message_of_a_broadcast_is_rendered_when_it_is_executed(sandbox):
    WhatsAppBroadcastOperator(task_id="tell", recipients=[NUMBER], text="on {{ ds }}").execute(CONTEXT)
    assert sandbox.messages[0].text == "on 2026-07-01"


def test_rendering_the_fields_as_the_error_says_lets_the_message_be_sent(sandbox):
    operator = WhatsAppSendOperator(
        task_id="tell", recipient=NUMBER, message={"text": {"body": "{{ ds }}: {{ params.word }}"}}
    )
    operator.render_template_fields(CONTEXT)
    operator.execute(CONTEXT)
    assert sandbox.messages[0].text == "2026-07-01: found {{ x }}"


def test_an_unrendered_field_without_jinja_is_sent(sandbox):
    WhatsAppSendOperator(task_id="tell", recipient=NUMBER, text="x { y } report.j2 ").execute(CONTEXT)
    assert sandbox.messages[0].text == "x { y } report.j2 "


def test_data_with_jinja_that_a_subclass_sets_is_sent(sandbox):
    class Report(WhatsAppSendOperator):
        def execute(self, context):
            self.text = f"{context['ds']}: {{{{ data }}}}"
            return super().execute(context)

    Report(task_id="tell", recipient=NUMBER, text="x").execute(CONTEXT)
    assert sandbox.messages[0].text == "2026-07-01: {{ data }}"


def test_unrendered_jinja_to_which_a_subclass_adds_data_is_refused(sandbox):
    class Report(WhatsAppSendOperator):
        def execute(self, context):
            self.text = f"{self.text}: data"
            return super().execute(context)

    with pytest.raises(AirflowFailException, match="text: not rendered"):
        Report(task_id="tell", recipient=NUMBER, text="{{ ds }}").execute(CONTEXT)
    assert sandbox.requests == []


def test_jinja_in_a_field_a_subclass_removed_from_template_fields_is_refused(sandbox):
    class Report(WhatsAppSendOperator):
        template_fields = ("recipient",)

    operator = Report(task_id="tell", recipient="{{ '+86 147-1800-4557' }}", text="{{ ds }}")
    operator.render_template_fields(CONTEXT)
    with pytest.raises(AirflowFailException, match="text: not rendered"):
        operator.execute(CONTEXT)
    assert sandbox.requests == []


@for_each("text", ["{% raw %}{{ ds }}{% endraw %}", "{{ '{{ ds }}' }}", literal("{{ ds }}")])
def test_jinja_that_is_left_after_rendering_is_sent(text, sandbox):
    operator = WhatsAppSendOperator(task_id="tell", recipient=NUMBER, text=text)
    operator.render_template_fields(CONTEXT)
    operator.execute(CONTEXT)
    assert sandbox.messages[0].text == "{{ ds }}"

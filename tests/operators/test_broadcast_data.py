"""Jinja files and data of a broadcast: data is never rendered."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import DAG, literal
from airflow.providers.standard.operators.empty import EmptyOperator

from airflow_provider_itnio.messages import reply_buttons
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.operators.broadcast_cases import ANA, BOTH, LI, texts
from tests.tables import for_each
from tests.task_runs import (
    broadcast_run,
    counts_of,
    fails_at_once,
)

pytestmark = pytest.mark.usefixtures("hasty")

# --- files ----------------------------------------------------------------------------------------------


def test_a_j2_file_is_found_on_the_dags_search_path(tmp_path, sandbox):
    (tmp_path / "hello.j2").write_text("{% include 'who.j2' %}, {{ shared.news }}")
    (tmp_path / "who.j2").write_text("Hi {{ recipient.name }}")
    run = broadcast_run(
        BOTH, text="hello.j2", shared={"news": "x"}, dag={"template_searchpath": str(tmp_path)}
    )
    assert counts_of(run.once()) == {"accepted": 2}
    assert texts(sandbox) == ["Hi Li, x", "Hi Ana, x"]


def test_a_j2_file_inside_a_message_is_found_too(tmp_path, sandbox):
    (tmp_path / "body.j2").write_text("Hi {{ recipient.name }}")
    run = broadcast_run(BOTH, text={"body": "body.j2"}, dag={"template_searchpath": str(tmp_path)})
    run.once()
    assert texts(sandbox) == ["Hi Li", "Hi Ana"]


# --- data is not rendered -------------------------------------------------------------------------------

JINJA = ["{{ 7 * 7 }}", "{% if %}", "{# x #}", "{{ no_such_name }}"]


@for_each("jinja", JINJA)
def test_jinja_in_recipients_and_shared_data_is_never_rendered(jinja, sandbox):
    run = broadcast_run(
        literal([{"phone": LI, "name": jinja}]),
        text="<{{ recipient.name }}> <{{ shared.news }}>",
        shared={"news": literal(jinja)},
    )
    run.once()
    assert sandbox.messages[0].text == f"<{jinja}> <{jinja}>"


def test_jinja_in_upstream_data_is_never_rendered(sandbox):
    def make():
        with DAG("report", schedule=None):
            upstream = EmptyOperator(task_id="load").output
            return WhatsAppBroadcastOperator(
                task_id="tell", recipients=upstream, text="<{{ recipient.name }}>", messages_per_second=None
            )

    operator = make()
    # As after rendering of an upstream task's output.
    operator.recipients = [{"phone": LI, "name": "{{ 7 * 7 }}"}, {"phone": ANA, "name": "x.j2"}]
    assert counts_of(operator.execute({"dag": operator.dag, "params": {}})) == {"accepted": 2}
    assert texts(sandbox) == ["<{{ 7 * 7 }}>", "<x.j2>"]


def test_a_literal_in_a_message_field_is_not_rendered(sandbox):
    broadcast_run([LI], text=literal("{{ recipient.name }}")).once()
    broadcast_run([LI], text={"body": literal("{{ 7 * 7 }}")}).once()
    broadcast_run(
        BOTH, text=None, interactive=reply_buttons(literal("{{ x }}"), {"a": "{{ recipient.name }}"})
    ).once()
    assert [message.text.split("\n")[0] for message in sandbox.messages][:2] == [
        "{{ recipient.name }}",
        "{{ 7 * 7 }}",
    ]
    assert sandbox.messages[2].body["interactive"]["body"]["text"] == "{{ x }}"


def test_a_literal_may_be_the_whole_message(sandbox):
    run = broadcast_run([LI], text=None, message=literal({"text": "{{ x }}"}))
    assert counts_of(run.once()) == {"accepted": 1}
    assert sandbox.messages[0].text == "{{ x }}"


def test_a_message_that_is_one_jinja_expression_fails_the_task_at_once(sandbox):
    run = broadcast_run([LI], text=None, message="{{ shared.found }}", shared={"found": {"text": "x"}})
    fails_at_once(run)
    assert sandbox.requests == []

"""A mistake in a plain value is an import error of the DAG file; templated values are checked later."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import DAG, literal
from airflow.providers.standard.operators.empty import EmptyOperator

from airflow_provider_itnio.api.errors import InvalidMessageError, InvalidParameterError
from airflow_provider_itnio.messages import reply_buttons, template_message
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from tests.tables import for_each

NUMBER = "+86 147-1800-4557"
LINK = "https://example.com/a.png"


def made(**fields):
    return WhatsAppSendOperator(task_id="tell", **({"recipient": NUMBER} | fields))


@for_each(
    ("fields", "sentence"),
    [
        ({}, "exactly one of text, image"),
        ({"text": "x", "image": LINK}, "text, image given"),
        (
            {"text": "x", "message": {"text": "y"}},
            "message: can't be combined with other message fields, text",
        ),
        ({"text": ""}, "text.body: must not be empty"),
        ({"text": "x" * 4097}, "text.body: at most 4096 characters, 4097 given"),
        ({"text": {"body": "x", "boddy": "y"}}, "text.boddy: unknown key; known are body"),
        ({"text": {}}, "text.body: required, not given"),
        ({"image": "a.png"}, "image.link: must be an http:// or https:// link"),
        ({"document": "https://example.com/"}, "filename is required"),
        (
            {"interactive": reply_buttons("x", {str(n): str(n) for n in range(4)})},
            "at most 3 buttons, 4 given",
        ),
        ({"interactive": reply_buttons("{{ x }}", {"a": "x" * 21})}, "reply.title: at most 20 characters"),
        (
            {"location": {"longitude": 200, "latitude": 1, "name": "a", "address": "b"}},
            "location.longitude: must be",
        ),
        ({"contacts": []}, "contacts"),
        ({"template": template_message("Daily Report", "en")}, "template.name: lower-case letters"),
        (
            {"template": template_message("a", "en"), "reply_to": "1"},
            "reply_to: a WhatsApp template can't be",
        ),
        ({"message": {"txt": "x"}}, "message.txt: unknown key"),
        ({"message": "hello"}, "message: must be an object (dict)"),
        ({"message": {"text": "{{ x }}", "image": "{{ y }}"}}, "exactly one of"),
        (
            {"message": {"type": "image", "text": "{{ x }}"}},
            "type: must match the message, which is text",
        ),
        ({"text": "x", "reply_to": ["a"]}, "reply_to: must be the id of an incoming message"),
        ({"text": "x", "recipient": "12"}, "recipient: 7 to 14 digits, 2 given"),
        (
            {"text": "x", "recipient": [NUMBER]},
            "recipient: one phone number, a list of 1 given; for several numbers use",
        ),
        ({"text": "x", "recipient": f"{NUMBER}, {NUMBER}"}, "recipient: one phone number, several given"),
        ({"text": "x", "recipient": None}, "recipient: a phone number is required"),
        ({"text": "x", "business_phone": "x"}, "business_phone: must be a phone number"),
        (
            {"text": "x", "delivery": "twice"},
            "delivery: must be one of at_least_once, at_most_once; 'twice' given",
        ),
        ({"text": "x", "delivery": "{{ x }}"}, "delivery: must be one of"),
        ({"text": "x", "if_too_long": "{{ x }}"}, "if_too_long: must be one of"),
        ({"text": "x", "if_too_long": "chop"}, "if_too_long: must be one of fail, truncate; 'chop' given"),
    ],
)
def test_a_mistake_is_an_error_when_the_dag_is_parsed(fields, sentence):
    with pytest.raises((InvalidMessageError, InvalidParameterError)) as caught:
        made(**fields)
    assert sentence in str(caught.value)


@for_each(
    "fields",
    [
        {"text": "{{ ds }}"},
        {"text": "{% for row in rows %}{{ row }}{% endfor %}"},
        {"text": "x" * 5000 + "{{ ds }}"},
        {"text": "report.j2"},
        {"image": "{{ link }}"},
        {"image": {"link": "{{ link }}", "caption": "x" * 2000 + "{{ y }}"}},
        {"document": "{{ link }}"},
        {
            "location": {
                "longitude": "{{ x }}",
                "latitude": "{{ y }}",
                "name": "{{ n }}",
                "address": "{{ a }}",
            }
        },
        {"interactive": "{{ ti.xcom_pull('menu') }}"},
        {"interactive": {"type": "{{ kind }}", "body": {"text": "x"}}},
        {
            "interactive": reply_buttons(
                "{{ x }}", {"a": "{{ a long expression }}", "b": "{{ a long expression }}"}
            )
        },
        {"interactive": "menu.j2"},
        {"contacts": "{{ people }}"},
        {"template": {"name": "{{ n }}", "language": {"code": "{{ l }}"}, "components": "{{ c }}"}},
        {"message": "{{ ti.xcom_pull('load') }}"},
        {"message": {"text": "{{ x }}"}},
        {"text": "x", "recipient": "{{ var.value.phone }}"},
        {"text": "x", "recipient": "phone.j2"},
        {"text": "x", "business_phone": "{{ x }}"},
        {"text": "x", "reply_to": "{{ x }}"},
        {"text": "x", "app_id": "{{ x }}"},
        {"text": "x", "itnio_conn_id": "{{ x }}"},
    ],
)
def test_templated_fields_are_not_checked_when_the_dag_is_parsed(fields):
    made(**fields)


@for_each("name", ["text", "image", "document", "interactive", "contacts", "template", "location", "message"])
def test_an_upstream_output_is_not_checked_and_is_a_dependency(name):
    with DAG("upstream", schedule=None):
        output = EmptyOperator(task_id="load").output
        operator = made(**{name: output})
    assert operator.upstream_task_ids == {"load"}


def test_an_upstream_output_inside_an_object_is_not_checked_and_is_a_dependency():
    with DAG("upstream", schedule=None):
        output = EmptyOperator(task_id="load").output
        operator = made(
            interactive=reply_buttons(output, {"a": output["title"]}),
            recipient=output["number"],
            reply_to=output["id"],
            business_phone=output["from"],
        )
    assert operator.upstream_task_ids == {"load"}


def test_a_literal_is_not_checked_when_the_dag_is_parsed():
    made(text=literal("{{ as it stands }}"), recipient=literal("12"))


@for_each(
    ("fields", "sentence"),
    [
        ({"text": {"body": "{{ x }}", "boddy": "{{ y }}"}}, "text.boddy: unknown key"),
        ({"image": {"caption": "{{ x }}"}}, "image.link: required, not given"),
        (
            {"interactive": reply_buttons("{{ x }}", {f"{{{{ {n} }}}}": "{{ t }}" for n in range(4)})},
            "at most 3",
        ),
        ({"template": {"name": "{{ n }}"}}, "template.language: required, not given"),
    ],
)
def test_missing_and_unknown_keys_beside_jinja_are_import_errors(fields, sentence):
    with pytest.raises(InvalidMessageError, match=sentence):
        made(**fields)


def test_all_mistakes_are_reported_together():
    buttons = reply_buttons("x" * 1025, {"a": "x" * 21, "b": "{{ y }}"}, footer="z" * 61)
    with pytest.raises(InvalidMessageError) as caught:
        made(interactive=buttons)
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "interactive.body.text",
        "interactive.footer.text",
        "interactive.action.buttons[0].reply.title",
    ]


def test_nothing_is_sent_and_no_connection_is_needed_when_a_dag_is_parsed(sandbox, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_ITNIO_DEFAULT", raising=False)
    made(text="x", itnio_conn_id="there_is_none")
    assert sandbox.requests == []

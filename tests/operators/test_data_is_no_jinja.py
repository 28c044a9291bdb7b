"""Data is never rendered: only Jinja in the DAG file is, in mapped tasks and everywhere else."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    BaseOperator,
    literal,
    task,
    task_group,
)

from airflow_provider_itnio.messages import reply_buttons
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.tables import for_each, pairs

NUMBER = "+86 147-1800-4557"
SECRET = "secretOfTheAccount7"
JINJA = "{{ conn.itnio_default.password }}"
MENU = reply_buttons(JINJA, {"a": "A"})

pytestmark = pytest.mark.usefixtures("account")


@pytest.fixture
def account(connect, sandbox, monkeypatch):
    """A connection with a unique secret."""
    monkeypatch.setattr(sandbox._vendor.account, "secret", SECRET)
    connect(password=SECRET, extra={"max_attempts": 1})


def sent(sandbox):
    """Return all sent messages as text, after checking that they do not contain the secret."""
    whole = json.dumps([message.body for message in sandbox.messages])
    assert SECRET not in whole
    return whole


def mapped(operator, over, *, by="expand", **partial):
    """Make a task mapped over what ``over`` returns for an upstream task's output."""
    with DAG("mapped", schedule=None):
        output = BaseOperator(task_id="load").output
        made = operator.partial(task_id="tell", **partial)
        return getattr(made, by)(**over(output)) if by == "expand" else made.expand_kwargs(over(output))


# --- upstream data in mapped tasks ----------------------------------------------------------------------

FIELDS = {
    "text": JINJA,
    "text as a dict": {"body": JINJA},
    "message": {"text": JINJA},
    "interactive": MENU,
    "contacts": [{"name": {"formatted_name": JINJA, "first_name": "x"}}],
    "image": {"link": "https://example.com/a.png", "caption": JINJA},
}
SEND = {"operator": WhatsAppSendOperator, "recipient": NUMBER}
BROADCAST = {"operator": WhatsAppBroadcastOperator, "recipients": [NUMBER], "messages_per_second": None}


@pairs(fields=[SEND, BROADCAST], by=["expand", "expand_kwargs"], name=[*FIELDS])
def test_upstream_data_in_a_mapped_field_are_not_rendered(name, by, fields, itnio_sandbox):
    value, field = FIELDS[name], name.split()[0]
    over = (lambda output: {field: output}) if by == "expand" else (lambda output: output)
    pushed = [value] if by == "expand" else [{field: value}]
    itnio_sandbox.execute(mapped(over=over, by=by, **fields), xcoms={"load": pushed})
    assert JINJA in sent(itnio_sandbox)


@for_each("fields", [SEND, BROADCAST])
@for_each("by", ["expand", "expand_kwargs"])
def test_upstream_data_in_a_mapped_reply_to_are_not_rendered(by, fields, itnio_sandbox):
    over = (lambda output: {"reply_to": output}) if by == "expand" else (lambda output: output)
    pushed = [JINJA] if by == "expand" else [{"reply_to": JINJA}]
    itnio_sandbox.execute(mapped(over=over, by=by, text="x", **fields), xcoms={"load": pushed})
    assert itnio_sandbox.messages[0].body["context"] == {"refMessageId": JINJA}
    sent(itnio_sandbox)


@for_each("by", ["expand", "expand_kwargs"])
def test_upstream_data_in_mapped_recipients_and_shared_are_not_rendered(by, itnio_sandbox):
    people, shared = [{"phone": NUMBER, "name": JINJA}], {"news": JINJA}
    if by == "expand":
        broadcast = mapped(
            WhatsAppBroadcastOperator,
            lambda output: {
                "recipients": output.map(lambda row: row["people"]),
                "shared": output.map(lambda row: row["shared"]),
            },
            text="{{ recipient.name }} {{ shared.news }}",
        )
        xcoms = {"load": [{"people": people, "shared": shared}]}
    else:
        broadcast = mapped(
            WhatsAppBroadcastOperator,
            lambda output: output,
            by="expand_kwargs",
            text="{{ recipient.name }} {{ shared.news }}",
        )
        xcoms = {"load": [{"recipients": people, "shared": shared}]}
    itnio_sandbox.execute(broadcast, xcoms=xcoms)
    assert itnio_sandbox.messages[0].text == f"{JINJA} {JINJA}"
    sent(itnio_sandbox)


WAYS = {
    "map": (lambda output: output.map(lambda row: row), [{"text": JINJA}]),
    "a row of its own": (lambda output: [output], {"text": JINJA}),
    "rows of both kinds": (lambda output: [output, {"text": "x"}], {"text": JINJA}),
    "default_args": (lambda output: output, [{"default_args": {"text": JINJA}}]),
}


@for_each("way", WAYS)
def test_upstream_rows_are_not_rendered_in_any_way_of_passing_them(way, itnio_sandbox):
    over, pushed = WAYS[way]
    itnio_sandbox.execute(
        mapped(WhatsAppSendOperator, over, by="expand_kwargs", recipient=NUMBER), xcoms={"load": pushed}
    )
    assert JINJA in sent(itnio_sandbox)


@for_each("by", ["expand", "expand_kwargs"])
def test_upstream_data_in_a_mapped_functions_arguments_are_not_rendered(by, itnio_sandbox):
    with DAG("mapped", schedule=None):
        output = BaseOperator(task_id="load").output

        @task.whatsapp(recipient=NUMBER)
        def tell(word, rows, more):
            return f"{word} {rows} {more}"

        made = tell.partial(more="{{ 40 + 2 }}")
        if by == "expand":
            told = made.expand(word=output, rows=[JINJA.replace("password", "host")])
        else:
            told = made.expand_kwargs(output)
    pushed = [JINJA] if by == "expand" else [{"word": JINJA, "rows": {"deep": [JINJA]}}]
    itnio_sandbox.execute(told, xcoms={"load": pushed})
    text = itnio_sandbox.messages[0].text
    assert text.startswith(JINJA)
    assert text.endswith(" 42")
    assert ("http://" in text) is (by == "expand")  # a list in the DAG file is written by the DAG author
    sent(itnio_sandbox)


def test_data_of_a_mapped_task_group_are_not_rendered(itnio_sandbox):
    with DAG("grouped", schedule=None) as dag:

        @task_group
        def tell_all(word):
            WhatsAppSendOperator(task_id="send", recipient=NUMBER, text=word)
            WhatsAppSendOperator(
                task_id="menu", recipient=NUMBER, interactive=reply_buttons(word, {"a": "A"})
            )
            WhatsAppBroadcastOperator(task_id="broadcast", recipients=[NUMBER], text=word)

        tell_all.expand(word=[JINJA])
    for name in ("send", "menu", "broadcast"):
        itnio_sandbox.execute_in_group(dag.get_task(f"tell_all.{name}"))
    assert sent(itnio_sandbox).count(JINJA) == 3


@pytest.fixture
def itnio_sandbox(itnio_sandbox):
    """A sandbox that can also run the first instance of a task in a mapped task group."""

    def execute_in_group(operator):
        context = {"ti": _InGroup(), "run_id": "run", "dag": operator.dag, "params": {}, "task": operator}
        operator.render_template_fields(context)
        operator.execute(context)

    itnio_sandbox.execute_in_group = execute_in_group
    return itnio_sandbox


class _InGroup:
    map_index, run_id, try_number, max_tries, _upstream_map_indexes = 0, "run", 1, 1, {}

    def xcom_push(self, key, value):
        pass


# --- Jinja in mapped tasks ------------------------------------------------------------------------------


@for_each("fields", [SEND, BROADCAST])
def test_jinja_in_partial_is_rendered(fields, itnio_sandbox):
    fields = {**fields, "text": "{{ params.word }}"}
    over = mapped(over=lambda output: {"reply_to": output}, **fields)
    itnio_sandbox.execute(over, xcoms={"load": ["x"]}, params={"word": "found"})
    assert itnio_sandbox.messages[0].text == "found"


@for_each("fields", [SEND, BROADCAST])
@for_each("by", ["expand", "expand_kwargs"])
def test_jinja_in_a_mapped_list_of_the_dag_file_is_rendered(by, fields, itnio_sandbox):
    written = "{{ params.word }}"
    if by == "expand":
        over = mapped(over=lambda output: {"text": [written]}, **fields)
    else:
        over = mapped(over=lambda output: [{"text": written}], by=by, **fields)
    itnio_sandbox.execute(over, params={"word": JINJA})
    assert itnio_sandbox.messages[0].text == JINJA


def test_jinja_in_default_args_of_a_mapped_task_is_rendered(itnio_sandbox):
    with DAG("mapped", schedule=None, default_args={"text": "{{ params.word }}"}):
        output = BaseOperator(task_id="load").output
        over = WhatsAppSendOperator.partial(task_id="tell").expand(recipient=output)
    itnio_sandbox.execute(over, xcoms={"load": [NUMBER]}, params={"word": "found"})
    assert itnio_sandbox.messages[0].text == "found"


def test_an_upstream_output_in_a_row_of_the_dag_file_is_resolved(itnio_sandbox):
    over = mapped(
        WhatsAppSendOperator,
        lambda output: [{"text": "x"}, {"message": {"text": output}}],
        by="expand_kwargs",
        recipient=NUMBER,
    )
    itnio_sandbox.execute(over, map_index=1, xcoms={"load": JINJA})
    assert itnio_sandbox.messages[0].text == JINJA


# --- other tasks ----------------------------------------------------------------------------------------

EXPRESSIONS = {
    "params": "{{ params.word }}",
    "the run's conf": "{{ dag_run.conf.word }}",
    "an XCom": "{{ ti.xcom_pull('load') }}",
    "a variable": "{{ var.value.word }}",
    "a variable's JSON": "{{ var.json.whole.word }}",
    "a macro": "{{ word() }}",
}


@for_each("native", [False, True])
@for_each("text", EXPRESSIONS.values())
def test_the_result_of_an_expression_is_not_rendered_again(text, native, itnio_sandbox):
    fields = {"messages_per_second": None, "recipients": [NUMBER]}
    with DAG(
        "data",
        schedule=None,
        params={"word": ""},
        user_defined_macros={"word": lambda: JINJA},
        render_template_as_native_obj=native,
    ):
        tasks = [
            WhatsAppSendOperator(task_id="send", recipient=NUMBER, text=text),
            WhatsAppSendOperator(
                task_id="deep", recipient=NUMBER, interactive=reply_buttons(text, {"a": "A"})
            ),
            WhatsAppBroadcastOperator(task_id="broadcast", text=text, **fields),
            WhatsAppBroadcastOperator(
                task_id="shared", text="{{ shared.word }}", shared={"word": text}, **fields
            ),
        ]
    for each in tasks:
        itnio_sandbox.execute(
            each,
            xcoms={"load": JINJA},
            params={"word": JINJA},
            variables={"word": JINJA, "whole": {"word": JINJA}},
            dag_run=type("Run", (), {"conf": {"word": JINJA}})(),
        )
    assert sent(itnio_sandbox).count(JINJA) == 4


def test_with_native_rendering_an_object_is_not_rendered_again(itnio_sandbox):
    with DAG("native", schedule=None, render_template_as_native_obj=True):
        menu = WhatsAppSendOperator(
            task_id="menu", recipient=NUMBER, interactive="{{ ti.xcom_pull('load')['interactive'] }}"
        )
        whole = WhatsAppSendOperator(task_id="whole", recipient=NUMBER, message="{{ ti.xcom_pull('load') }}")
    for each in (menu, whole):
        itnio_sandbox.execute(each, xcoms={"load": {"interactive": MENU}})
    assert sent(itnio_sandbox).count(JINJA) == 2


ROWS = {
    "with no Jinja but the data's": [{"phone": NUMBER, "name": JINJA, "more": [{"name": JINJA}]}],
    "with Jinja in a number": [
        {"phone": "{{ params.boss }}", "name": JINJA, "more": [{"name": JINJA}]},
        "{{ params.other }}",
    ],
    "one alone": {"phone": "{{ params.boss }}", "name": JINJA, "more": [{"name": JINJA}]},
}


@for_each("recipients", ROWS.values())
def test_recipients_data_in_the_dag_file_are_not_rendered(recipients, itnio_sandbox):
    text = "{{ recipient.name or '-' }} {{ recipient.more[0].name }}"
    with DAG("rows", schedule=None, params={"boss": "", "other": ""}):
        broadcast = WhatsAppBroadcastOperator(
            task_id="tell",
            recipients=recipients,
            text="{% if recipient.more is defined %}" + text + "{% else %}other{% endif %}",
        )
    itnio_sandbox.execute(broadcast, params={"boss": NUMBER, "other": "+55 11 91234-5678"})
    assert itnio_sandbox.sent_to(NUMBER)[0].text == f"{JINJA} {JINJA}"
    sent(itnio_sandbox)


def test_an_upstream_output_in_a_recipients_data_is_resolved(itnio_sandbox):
    with DAG("rows", schedule=None):
        output = BaseOperator(task_id="load").output
        broadcast = WhatsAppBroadcastOperator(
            task_id="tell",
            recipients=[{"phone": NUMBER, "more": {"name": [output]}}],
            text="{{ recipient.more.name[0] }}",
        )
    itnio_sandbox.execute(broadcast, xcoms={"load": JINJA})
    assert itnio_sandbox.messages[0].text == JINJA


@for_each("fields", [{"text": literal(JINJA)}, {"message": literal({"text": JINJA})}])
def test_a_literal_is_not_rendered(fields, itnio_sandbox):
    for each in (
        WhatsAppSendOperator(task_id="send", recipient=NUMBER, **fields),
        WhatsAppBroadcastOperator(task_id="broadcast", recipients=[NUMBER], **fields),
    ):
        itnio_sandbox.execute(each)
    assert [message.text for message in itnio_sandbox.messages] == [JINJA, JINJA]


def test_upstream_data_in_a_mapped_subclass_are_not_rendered(itnio_sandbox):
    class Report(WhatsAppSendOperator):
        template_fields = (*WhatsAppSendOperator.template_fields, "query")

        def __init__(self, *, query, **kwargs):
            super().__init__(**kwargs)
            self.query = query

        def execute(self, context):
            self.text = f"{self.text} {self.query}"
            return super().execute(context)

    over = mapped(Report, lambda output: output, by="expand_kwargs", recipient=NUMBER, text="{{ 40 + 2 }}")
    itnio_sandbox.execute(over, xcoms={"load": [{"query": JINJA}]})
    assert itnio_sandbox.messages[0].text == f"42 {JINJA}"


def test_rendering_the_fields_twice_does_not_render_data(itnio_sandbox):
    context = {"params": {"word": JINJA}}
    for fields in ({"text": "{{ params.word }}"}, {"message": {"text": {"body": "{{ params.word }}"}}}):
        operator = WhatsAppSendOperator(task_id="tell", recipient=NUMBER, **fields)
        operator.render_template_fields(context)
        operator.render_template_fields(context)
        operator.execute(context)
    assert [message.text for message in itnio_sandbox.messages] == [JINJA] * 2

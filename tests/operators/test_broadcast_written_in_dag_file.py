"""A mistake in a plain value is an import error of the DAG file; recipients are data, and checked later."""

from __future__ import annotations

import json

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, XComArg, literal
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_2_PLUS
from airflow.providers.standard.operators.empty import EmptyOperator

from airflow_provider_itnio.api.errors import InvalidMessageError, InvalidParameterError
from airflow_provider_itnio.messages import MESSAGE_FIELDS, reply_buttons
from airflow_provider_itnio.operators._broadcast_messages import resolve_literal
from airflow_provider_itnio.operators.whatsapp import WhatsAppMessageOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from airflow_provider_itnio.rendering.renderer import Renderer
from tests.operators.test_parameters import VALUES as OF_A_MESSAGE
from tests.operators.test_parameters import own_parameters
from tests.tables import for_each
from tests.task_runs import TaskRun, broadcast_run, counts_of, numbers

LI, ANA = "+86 147-1800-4557", "+55 11 91234-5678"
LINK = "https://example.com/a.png"


def made(**fields):
    return WhatsAppBroadcastOperator(task_id="tell", **({"recipients": [LI], "text": "x"} | fields))


# --- mistakes -------------------------------------------------------------------------------------------


@for_each(
    ("fields", "sentence"),
    [
        ({"text": None}, "exactly one of text, image"),
        ({"image": LINK}, "text, image given"),
        ({"text": ""}, "text.body: must not be empty"),
        ({"text": "x" * 4097}, "text.body: at most 4096 characters, 4097 given"),
        ({"text": {"body": "{{ recipient.name }}", "boddy": "y"}}, "text.boddy: unknown key"),
        ({"text": None, "message": {"txt": "x"}}, "message.txt: unknown key"),
        (
            {"text": None, "interactive": reply_buttons("{{ x }}", {str(n): "{{ y }}" for n in range(4)})},
            "at most 3 buttons, 4 given",
        ),
        ({"business_phone": "12"}, "business_phone: 7 to 14 digits, 2 given"),
        ({"delivery": "twice"}, "delivery: must be one of at_least_once, at_most_once; 'twice' given"),
        ({"if_too_long": "chop"}, "if_too_long: must be one of fail, truncate; 'chop' given"),
        ({"max_in_flight": 0}, "max_in_flight: must be a whole number from 1 to 1000, 0 given"),
        ({"max_in_flight": 1001}, "max_in_flight: must be a whole number from 1 to 1000, 1001 given"),
        ({"max_in_flight": 1.5}, "max_in_flight: must be a whole number from 1 to 1000, 1.5 given"),
        ({"max_in_flight": None}, "max_in_flight: must be a whole number"),
        ({"max_in_flight": "8"}, "max_in_flight: must be a whole number from 1 to 1000, '8' given"),
        ({"messages_per_second": 0}, "messages_per_second: must be a number from 0.001 to 100000, 0 given"),
        ({"messages_per_second": -1}, "messages_per_second: must be a number"),
        ({"messages_per_second": True}, "messages_per_second: must be a number"),
        ({"messages_per_second": float("nan")}, "messages_per_second: must be a number"),
        ({"messages_per_second": "80"}, "messages_per_second: must be a number"),
        ({"checkpoint_every": 0}, "checkpoint_every: must be a whole number from 1 to 10000, 0 given"),
        ({"checkpoint_every": 10_001}, "checkpoint_every: must be a whole number"),
        ({"checkpoint_every": True}, "checkpoint_every: must be a whole number"),
        ({"if_some_fail": "ignore"}, "if_some_fail: must be one of fail, warn; 'ignore' given"),
    ],
)
def test_a_mistake_is_an_error_when_the_dag_is_parsed(fields, sentence):
    with pytest.raises((InvalidMessageError, InvalidParameterError)) as caught:
        made(**fields)
    assert sentence in str(caught.value)


@for_each(
    "fields",
    [
        {"max_in_flight": 1000, "checkpoint_every": 10_000},
        {"max_in_flight": 1, "checkpoint_every": 1},
        {"messages_per_second": None},
        {"messages_per_second": 0.001},
        {"messages_per_second": 100_000},
        {"if_some_fail": "warn"},
    ],
)
def test_parameters_at_their_limits_are_accepted(fields):
    operator = made(**fields)
    assert {name: getattr(operator, name) for name in fields} == fields


RECIPIENTS = [
    None,
    "12",
    "12,nobody",
    ["12", "nobody", None],
    [{"name": "x"}],
    7,
    {"phone": "x"},
    object(),
    "{{ x }}",
]


@for_each("recipients", RECIPIENTS)
@for_each("name", ["recipients", "exclude"])
def test_recipients_are_not_checked_when_the_dag_is_parsed(name, recipients):
    made(**{name: recipients})


@for_each(
    ("recipients", "told"),
    [
        ("", "recipients: must contain at least one phone number, an empty text given"),
        (" ,;\n", r"recipients: must contain at least one phone number, ',;' given"),
        ("[12", r"recipients: a text that begins with \[ must be JSON"),
    ],
)
def test_a_recipients_string_without_a_number_is_an_import_error(recipients, told):
    with pytest.raises(InvalidMessageError, match=told):
        made(recipients=recipients)
    made(exclude=recipients)


def test_recipients_is_required():
    with pytest.raises(Exception, match="recipients"):
        WhatsAppBroadcastOperator(task_id="tell", text="x")


def test_recipient_is_not_a_parameter():
    with pytest.raises(Exception, match="recipient"):
        made(recipient=LI)


# --- upstream outputs -----------------------------------------------------------------------------------


@for_each("name", [*MESSAGE_FIELDS, "message", "reply_to"])
def test_an_upstream_output_in_a_message_field_is_refused_with_a_hint(name):
    fields = {"text": None} if name != "reply_to" else {}
    with DAG("report", schedule=None):
        output = EmptyOperator(task_id="load").output
        with pytest.raises(InvalidMessageError) as caught:
            made(**fields | {name: output})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name}: is rendered for each recipient and can't be the output")
    assert 'shared={"found": …} and write {{ shared.found }}' in str(caught.value)


def test_an_upstream_output_is_refused_at_any_depth_and_its_field_named():
    with DAG("report", schedule=None):
        output = EmptyOperator(task_id="load").output
        with pytest.raises(InvalidMessageError, match=r"^task 'one': text\.body: is rendered"):
            WhatsAppBroadcastOperator(task_id="one", recipients=[LI], text={"body": output})
        menu = reply_buttons("x", {"a": output["title"]})
        with pytest.raises(
            InvalidMessageError, match=r"^task 'other': interactive\.action\.buttons\[0\]\.reply\.title: "
        ):
            WhatsAppBroadcastOperator(task_id="other", recipients=[LI], interactive=menu)


@for_each("name", ["recipients", "exclude", "business_phone", "app_id", "itnio_conn_id"])
def test_an_upstream_output_in_another_field_is_a_dependency(name):
    with DAG("report", schedule=None):
        output = EmptyOperator(task_id="load").output
        operator = made(**{name: output})
    assert operator.upstream_task_ids == {"load"}


def test_an_upstream_output_in_shared_is_a_dependency_at_any_depth():
    with DAG("report", schedule=None):
        outputs = [EmptyOperator(task_id=f"load_{n}").output for n in range(3)]
        operator = made(
            shared={"a": outputs[0], "b": {"c": [outputs[1]["rows"]]}}, recipients=[LI, outputs[2]]
        )
    assert operator.upstream_task_ids == {"load_0", "load_1", "load_2"}


@for_each("fields", [{"text": literal("{{ x }}")}, {"text": {"body": literal("{{ x }}")}}])
def test_a_literal_in_a_message_field_is_accepted(fields):
    made(**fields)


# --- parameters -----------------------------------------------------------------------------------------

VALUES = {
    "recipients": [ANA],
    "exclude": [ANA],
    "shared": {"week": 7},
    "max_in_flight": 7,
    "messages_per_second": 7.5,
    "if_some_fail": "warn",
    "checkpoint_every": 7,
    "keep_receipts": True,
    "wait_for": "read",
    "wait_timeout": 7,
    "fallback": {"template": {"name": "late", "language": {"code": "en"}}},
    **OF_A_MESSAGE,
}


def test_the_parameters_tested_here_are_all_parameters():
    assert set(VALUES) == set(own_parameters(WhatsAppBroadcastOperator))


def held(operator, name):
    value = getattr(operator, name)
    return value.resolve({}) if hasattr(value, "iter_references") else value


def fields_with(name, value):
    """Return the fields of a valid broadcast that include this one."""
    words = {} if name in (*MESSAGE_FIELDS, "message") else {"text": "x"}
    waits = {"wait_for": "read"} if name == "wait_timeout" else {}
    return {"recipients": [LI]} | words | waits | {name: value}


@for_each(("name", "value"), VALUES.items())
def test_each_parameter_is_stored_on_the_operator(name, value):
    assert held(WhatsAppBroadcastOperator(task_id="tell", **fields_with(name, value)), name) == value


@for_each(("name", "value"), VALUES.items())
def test_default_args_reach_every_parameter(name, value):
    fields = fields_with(name, value)
    del fields[name]
    with DAG("defaults", schedule=None, default_args={name: value}):
        operator = WhatsAppBroadcastOperator(task_id="tell", **fields)
    assert held(operator, name) == value


@for_each(("name", "value"), VALUES.items())
def test_partial_reaches_every_parameter(name, value):
    fields = fields_with(name, value)
    expanded = "app_id" if name != "app_id" else "itnio_conn_id"
    with DAG("mapped", schedule=None):
        mapped = WhatsAppBroadcastOperator.partial(task_id="tell", **fields).expand(**{expanded: ["a"]})
    assert held(mapped.unmap({expanded: "a"}), name) == value


@for_each(("name", "value"), VALUES.items())
def test_every_parameter_can_be_expanded(name, value):
    fields = fields_with(name, value)
    del fields[name]
    with DAG("mapped", schedule=None):
        mapped = WhatsAppBroadcastOperator.partial(task_id="tell", **fields).expand(**{name: [value]})
    assert held(mapped.unmap({name: value}), name) == value


def test_fields_rendered_per_recipient_are_not_template_fields():
    fields = set(WhatsAppBroadcastOperator.template_fields)
    assert not fields & {*MESSAGE_FIELDS, "message", "reply_to"}
    others = set(WhatsAppMessageOperator.template_fields) - {*MESSAGE_FIELDS, "message", "reply_to"}
    assert fields == {"recipients", "exclude", "shared"} | others


@pytest.mark.usefixtures("connection")
def test_a_mapped_broadcast_is_checked_when_it_runs(sandbox):
    with DAG("mapped", schedule=None):
        mapped = WhatsAppBroadcastOperator.partial(
            task_id="tell", text="x" * 5000, max_in_flight=0, messages_per_second=None
        ).expand(recipients=[[LI]])
    for name, value, sentence in (
        ("max_in_flight", 0, "max_in_flight: must be a whole number"),
        ("max_in_flight", 8, "text.body: at most 4096 characters, 5000 given"),
    ):
        operator = mapped.unmap({"recipients": [LI]})
        setattr(operator, name, value)
        with pytest.raises(AirflowFailException, match=sentence):
            operator.execute({})
    assert sandbox.requests == []


@pytest.mark.usefixtures("connection")
def test_a_mapped_broadcast_sends_to_each_map_indexs_recipients(sandbox):
    with DAG("mapped", schedule=None):
        mapped = WhatsAppBroadcastOperator.partial(
            task_id="tell", text="Hi {{ recipient.name }}", messages_per_second=None
        ).expand(recipients=[[{"phone": LI, "name": "Li"}], [{"phone": ANA, "name": "{{ 7 }}"}]])
    for people in ([{"phone": LI, "name": "Li"}], [{"phone": ANA, "name": "{{ 7 }}"}]):
        assert counts_of(mapped.unmap({"recipients": people}).execute({"params": {}})) == {"accepted": 1}
    assert [message.text for message in sandbox.messages] == ["Hi Li", "Hi {{ 7 }}"]


# --- large lists, and the serialized DAG ----------------------------------------------------------------


def test_a_long_list_without_jinja_is_not_rendered(monkeypatch):
    people = [{"phone": number, "name": f"n{number}"} for number in numbers(20_000)]
    rendered = []
    render = Renderer.text

    def counted(self, text, *args, **kwargs):
        rendered.append(text)
        return render(self, text, *args, **kwargs)

    monkeypatch.setattr(Renderer, "text", counted)
    run = broadcast_run(people, exclude=people, shared={"x": "{{ 7 }}"})
    context = run.begin()
    assert rendered == ["{{ 7 }}", "itnio_default"]
    found = resolve_literal(run.operator.recipients, context)
    assert found[19_999]["name"] == "n8613900019999"
    assert found is people


@pytest.mark.usefixtures("connection")
def test_a_long_list_without_jinja_is_used_unchanged(sandbox):
    people = numbers(20_000)
    summary = broadcast_run(people, exclude=people[1:]).once()
    assert counts_of(summary) == {"accepted": 1, "excluded": 19_999}


def serialised(dag):
    """Return a DAG's serialized form, after deserializing it once."""
    from airflow.serialization import serialized_objects

    stores = getattr(serialized_objects, "DagSerialization" if AIRFLOW_V_3_2_PLUS else "SerializedDAG")
    stored = stores.to_dict(dag)
    stores.from_dict(json.loads(json.dumps(stored)))
    return json.dumps(stored)


def test_a_dag_with_broadcasts_can_be_serialized_and_deserialized():
    with DAG("report", schedule=None) as dag:
        output = EmptyOperator(task_id="load").output
        made(recipients=[{"phone": LI, "name": "Li"}], exclude=ANA, shared={"rows": output})
        WhatsAppBroadcastOperator(task_id="other", recipients=output, text="Hi {{ recipient.name }}")
        WhatsAppBroadcastOperator.partial(task_id="mapped", text="x").expand(recipients=[[LI], [ANA]])
        WhatsAppBroadcastOperator.partial(task_id="more", text="x", exclude=[LI]).expand(recipients=output)
    stored = serialised(dag)
    assert "tell" in stored
    assert "147-1800-4557" in stored


def test_two_parses_of_a_dag_file_serialize_equally():
    def parsed():
        with DAG("report", schedule=None) as dag:
            made(recipients=[{"phone": LI}], exclude=[ANA])
        return serialised(dag)

    assert parsed() == parsed()


def test_upstream_outputs_in_recipients_and_shared_are_resolved(monkeypatch, sandbox, connect):
    connect()
    with DAG("report", schedule=None):
        output = EmptyOperator(task_id="load").output
        operator = made(
            recipients=output,
            shared={"rows": output["rows"]},
            text="{{ shared.rows }}",
            messages_per_second=None,
        )
    assert isinstance(output, XComArg)
    given = {"load": [LI, ANA]}
    monkeypatch.setattr(
        type(output),
        "resolve",
        lambda self, context, *args, **kwargs: given["load"] if self.key == "return_value" else 7,
    )
    run = TaskRun(lambda: operator)
    assert counts_of(run.once()) == {"accepted": 2}
    assert {message.text for message in sandbox.messages} == {"7"}

"""A broadcast sends every message type, from any sender."""

from __future__ import annotations

import json
from importlib import import_module

import pytest

from airflow_provider_itnio.messages import MESSAGE_FIELDS, reply_buttons, template_message
from tests.operators.broadcast_cases import AIRFLOW_2, ANA, BOTH, LI, texts
from tests.tables import for_each
from tests.task_runs import (
    TaskStateStore,
    broadcast_run,
    counts_of,
    fails_at_once,
    may_be_tried_again,
    numbers,
)

pytestmark = pytest.mark.usefixtures("hasty")

# --- every type -----------------------------------------------------------------------------------------


LINK = "https://files.example.com/{{ recipient.file }}"
PERSONAL = {
    "text": {"body": "{{ recipient.file }}"},
    "image": {"link": LINK, "caption": "{{ recipient.file }}"},
    "audio": LINK,
    "video": {"link": LINK},
    "document": LINK,
    "sticker": LINK,
    "location": {
        "longitude": "{{ recipient.lon }}",
        "latitude": "1",
        "name": "{{ recipient.file }}",
        "address": "b",
    },
    "interactive": reply_buttons("x", {"{{ recipient.file }}": "Open"}),
    "contacts": [{"name": {"formatted_name": "{{ recipient.file }}", "first_name": "x"}}],
    "template": template_message("a", "en", body=["{{ recipient.file }}"]),
}


@for_each("kind", MESSAGE_FIELDS)
def test_every_message_type_is_rendered_for_each_recipient(kind, sandbox):
    value = PERSONAL[kind]
    people = [{"phone": LI, "file": "1.pdf", "lon": 1}, {"phone": ANA, "file": "2.pdf", "lon": 2}]
    run = broadcast_run(people, keep_receipts=True, **{"text": None, kind: value})
    summary = run.once()
    assert counts_of(summary) == {"accepted": 2}
    assert {receipt["type"] for receipt in summary["receipts"]} == {kind}
    for number, file in ((LI, "1.pdf"), (ANA, "2.pdf")):
        (message,) = sandbox.sent_to(number)
        assert message.type == kind
        assert file in json.dumps(message.body[kind])
    if kind == "document":
        assert sandbox.sent_to(LI)[0].body["document"]["filename"] == "1.pdf"


def test_a_message_given_as_one_dict_is_rendered_for_each_recipient(sandbox):
    run = broadcast_run(BOTH, text=None, message={"type": "text", "text": "Hi {{ recipient.name }}"})
    run.once()
    assert texts(sandbox) == ["Hi Li", "Hi Ana"]


def test_reply_to_is_rendered_for_each_recipient(sandbox):
    people = [{"phone": LI, "wamid": "wamid.1"}, {"phone": ANA, "wamid": "wamid.2"}]
    broadcast_run(people, reply_to="{{ recipient.wamid }}").once()
    got = [sandbox.sent_to(number)[0].body["context"]["refMessageId"] for number in (LI, ANA)]
    assert got == ["wamid.1", "wamid.2"]


def test_the_connection_and_sender_may_be_templated(connect, sandbox):
    connect("itnio_finance", extra={"app_id": None, "business_phone": None})
    run = broadcast_run(
        [LI],
        itnio_conn_id="itnio_{{ params.team }}",
        app_id="{{ params.app }}",
        business_phone="{{ params.own }}",
        context={"params": {"team": "finance", "app": sandbox.app_id, "own": f"+{sandbox.business_phone}"}},
    )
    assert counts_of(run.once()) == {"accepted": 1}
    assert sandbox.messages[0].body["businessPhone"] == sandbox.business_phone


@for_each("name", ["app_id", "business_phone"])
def test_a_sender_missing_in_connection_and_task_fails_at_once(name, connect, sandbox):
    connect(extra={name: None})
    assert f"extra.{name}: is missing" in str(fails_at_once(broadcast_run([LI])))
    assert sandbox.requests == []


# --- look-ups -------------------------------------------------------------------------------------------


class Counting:
    """Counts its look-ups, with the methods of Airflow's accessors."""

    def __init__(self, **values):
        self._values = values
        self.asked = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        self.asked.append(name)
        if name not in self._values:
            raise KeyError(name)
        return self._values[name]

    def get(self, name, default=None):
        self.asked.append(name)
        return self._values.get(name, default)


def test_variables_and_connections_are_looked_up_once_for_all_recipients(sandbox):
    value, as_json, conn = Counting(team="finance"), Counting(week={"n": 7}), Counting(crm=Counting(host="h"))
    text = (
        "{{ var.value.team }} {{ var.value.get('team') }} {{ var.value.get('no', 'none') }} "
        "{{ var.json.week.n }} {{ conn.crm.host }} {{ recipient.phone }}"
    )
    run = broadcast_run(
        numbers(20), text=text, context={"var": {"value": value, "json": as_json}, "conn": conn}
    )
    assert counts_of(run.once()) == {"accepted": 20}
    assert {message.text.rpartition(" ")[0] for message in sandbox.messages} == {"finance finance none 7 h"}
    assert (value.asked, as_json.asked, conn.asked) == (["team", "team", "no"], ["week"], ["crm"])


def test_xcoms_are_pulled_once_for_all_recipients(sandbox):
    run = broadcast_run(
        numbers(20),
        text="{{ ti.xcom_pull('load') }} {{ ti.xcom_pull(task_ids='load') }} {{ recipient.phone }}",
    )
    context = run.begin()
    run.ti.upstream = {"load": 42}
    assert counts_of(run.operator.execute(context)) == {"accepted": 20}
    assert len(run.ti.pulled) == 2
    assert all(message.text.startswith("42 42 ") for message in sandbox.messages)


def test_a_failed_variable_lookup_stops_a_broadcast_and_leaves_the_retries(sandbox):
    value = Counting()
    run = broadcast_run(
        numbers(20), text="{{ var.value.team }} {{ recipient.phone }}", context={"var": {"value": value}}
    )
    may_be_tried_again(run, KeyError)
    assert counts_of(run.summary) == {"not_attempted": 20}
    assert value.asked == ["team"]


def test_airflows_variable_accessor_is_called_once(monkeypatch, sandbox):
    reads = []
    module = "airflow.utils.context" if AIRFLOW_2 else "airflow.sdk.execution_time.context"
    VariableAccessor = import_module(module).VariableAccessor  # noqa: N806
    accessor = VariableAccessor(deserialize_json=False)
    ask = VariableAccessor.__getattr__

    def counted(self, key):
        reads.append(key)
        return ask(self, key)

    monkeypatch.setattr(VariableAccessor, "__getattr__", counted)
    monkeypatch.setenv("AIRFLOW_VAR_TEAM", "finance")
    run = broadcast_run(
        numbers(10), text="{{ var.value.TEAM }} {{ recipient.phone }}", context={"var": {"value": accessor}}
    )
    assert counts_of(run.once()) == {"accepted": 10}
    assert reads == ["TEAM"]
    assert all(message.text.startswith("finance ") for message in sandbox.messages)


def test_a_template_is_compiled_once_for_all_recipients(monkeypatch, sandbox):
    from jinja2 import Environment

    compiled = []
    compile_ = Environment.compile

    def counted(self, source, *args, **kwargs):
        compiled.append(source)
        return compile_(self, source, *args, **kwargs)

    monkeypatch.setattr(Environment, "compile", counted)
    text = "Hi {{ recipient.phone }}"
    assert counts_of(broadcast_run(numbers(20), text=text, store=TaskStateStore()).once()) == {"accepted": 20}
    assert compiled.count(text) == 1


@for_each(
    "field",
    [{"text": "Dear {{ recipient.name }}"}, {"document": "https://x.example/{{ recipient.name }}.pdf"}],
)
def test_a_database_null_is_never_sent(field, sandbox):
    people = [{"phone": "8613912345678", "name": None}, {"phone": "8613912345679", "name": "Ana"}]
    run = broadcast_run(people, **{"text": None, **field})
    error = fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 1, "invalid": 1}
    assert "a value is None" in str(error)


def test_a_jinja_default_for_a_database_null_is_sent(sandbox):
    broadcast_run(
        [{"phone": "8613912345678", "name": None}], text="Dear {{ recipient.name or 'customer' }}"
    ).once()
    assert sandbox.messages[0].text == "Dear customer"

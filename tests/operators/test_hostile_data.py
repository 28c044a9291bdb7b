"""For any data, an operator raises only errors of this package and of Airflow."""

from __future__ import annotations

from contextlib import suppress

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from airflow_provider_itnio.api.errors import InvalidMessageError, ItnioError
from airflow_provider_itnio.broadcast.recipients import Recipient
from airflow_provider_itnio.broadcast.rendering import PersonalMessage
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from tests.tables import for_each, pairs
from tests.task_runs import broadcast_run, counts_of, fails_at_once, numbers

LI, ANA = "+86 147-1800-4557", "+55 11 91234-5678"

pytestmark = pytest.mark.usefixtures("hasty")


class Hostile:
    """All its special methods raise."""

    def _fail(self, *args):
        raise RuntimeError("hostile")

    __str__ = __repr__ = __eq__ = __ne__ = __bool__ = __iter__ = __len__ = __html__ = __format__ = _fail
    __hash__ = __getattr__ = __float__ = __int__ = __index__ = __lt__ = __add__ = __contains__ = _fail


class HostileError(Exception):
    """An error whose ``str`` raises."""

    def __str__(self):
        raise RuntimeError("hostile")


class HostileWhenCalled:
    def __getattr__(self, name):
        raise HostileError


class HostileDict(dict):
    def items(self):
        raise HostileError


HOSTILE = {
    "object": Hostile(),
    "attribute": HostileWhenCalled(),
    "dict": HostileDict(a=1),
    "list": [Hostile()],
    "deep": {"a": [{"b": Hostile()}]},
    "class": Hostile,
    "function": lambda *args, **kwargs: 1 / 0,
}


def nested(depth, inner="x"):
    for _ in range(depth):
        inner = {"a": [inner]}
    return inner


def circle():
    around = {}
    around["a"] = [around]
    return around


DEEP = {"600 deep": nested(300), "5000 deep": nested(2500), "in a circle": circle()}
TEXTS = [
    "{{ recipient.x }}",
    "{{ recipient.x | upper }}",
    "{{ recipient.x | join(', ') }}",
    "{{ recipient.x.y.z }}",
    "{% for a in recipient.x %}{{ a }}{% endfor %}",
    "{{ 'yes' if recipient.x else 'no' }}{{ recipient.x == 1 }}",
    "{{ recipient }}",
    "{{ recipient.x | tojson }}",
    "{{ '%.2f' % recipient.x }}",
    "{{ '{:>3}'.format(recipient.x) }}",
]


@for_each("text", TEXTS)
def test_data_whose_methods_raise_are_one_failure_at_most(text, sandbox):
    people = [
        {"phone": number, "x": value}
        for number, value in zip(numbers(len(HOSTILE)), HOSTILE.values(), strict=True)
    ]
    try:
        counts = counts_of((run := broadcast_run([*people, {"phone": ANA, "x": "y"}], text=text)).once())
    except AirflowFailException:
        counts = counts_of(run.summary)
    assert sum(counts.values()) == len(HOSTILE) + 1
    assert set(counts) <= {"accepted", "invalid"}
    renders = text not in ("{{ recipient }}", "{{ recipient.x.y.z }}", "{{ '%.2f' % recipient.x }}")
    assert len(sandbox.sent_to(ANA)) == renders


@for_each("value", DEEP.values())
@for_each("text", ["Hi {{ recipient.name }}", "{{ recipient.x }}", "hello"])
def test_deeply_nested_data_are_one_failure_at_most(value, text, sandbox):
    people = [{"phone": LI, "name": "Li", "x": value}, {"phone": ANA, "name": "Ana", "x": "y"}]
    try:
        counts = counts_of((run := broadcast_run(people, text=text)).once())
    except AirflowFailException:
        counts = counts_of(run.summary)
        reason = run.summary["failures"][0]["reason"]
        assert (
            "nested too deep" in reason or "is no text" in reason
        )  # Python 3.12 and later can print deeper data
    assert counts in ({"accepted": 2}, {"accepted": 1, "invalid": 1})
    assert len(sandbox.sent_to(ANA)) == 1


@for_each("value", [*DEEP.values(), *HOSTILE.values()])
def test_hostile_shared_data_raise_no_unexpected_error(value, sandbox):
    def make(context, jinja_env):
        return {"x": value}

    run = broadcast_run([LI], text="{{ shared.x }}", shared=make)
    with suppress(AirflowFailException):
        run.once()


@pairs(
    name=["text", "message", "interactive", "contacts", "reply_to"],
    value=[*DEEP.values(), *HOSTILE.values()],
    given=[
        lambda value: value,
        lambda value: lambda context, jinja_env: value,
        lambda value: "{{ params.x }}",
    ],
    native=[False, True],
)
def test_hostile_data_in_a_field_of_the_send_operator_raise_no_unexpected_error(
    name, value, given, native, sandbox
):
    fields = {"recipient": LI, "text": "x"}
    if name not in ("text", "reply_to"):
        del fields["text"]
    with (
        suppress(ItnioError, AirflowFailException),
        DAG("hostile", schedule=None, render_template_as_native_obj=native),
    ):
        operator = WhatsAppSendOperator(task_id="tell", **fields | {name: given(value)})
        context = {"params": {"x": value}}
        operator.render_template_fields(context)
        operator.execute(context)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.decimals()
    | st.binary(max_size=4)
    | st.builds(Hostile)
    | st.sampled_from(["{{ conn }}", "{% if %}", "x.j2"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.dictionaries(st.text(max_size=6), VALUES, max_size=4), shared=VALUES)
def test_random_data_raise_no_unexpected_error(data, shared):
    environment = SandboxedEnvironment(undefined=StrictUndefined)
    for text in (*TEXTS, "{{ shared }}", "{{ shared.x | title }}"):
        try:
            message = PersonalMessage({"text": text}, environment, {}, {"x": shared})
            filled = message.fields_for(Recipient(0, "8614718004557", 0, {"x": "y"} | data))
        except InvalidMessageError:
            continue
        assert isinstance(filled["text"], str)
        assert not {"None", "nan", "NaN", "Undefined"} & set(filled["text"].split()) or any(
            word in str(_texts(data, shared)) for word in ("None", "nan", "NaN")
        )


def _texts(*values):
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from _texts(*value, *value.values())
        elif isinstance(value, list):
            yield from _texts(*value)


def test_an_invalid_recipient_beside_hostile_data_is_one_failure(sandbox):
    run = broadcast_run([{"phone": LI, "x": Hostile()}, {"phone": "12"}], text="x")
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 1, "invalid": 1}

"""A message rendered for each recipient. What is sent is tested with the broadcast operator."""

from __future__ import annotations

from types import SimpleNamespace

import pandas
import pytest
from airflow.providers.common.compat.sdk import literal
from jinja2 import DictLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.broadcast.recipients import Recipient
from airflow_provider_itnio.broadcast.rendering import PersonalMessage
from airflow_provider_itnio.rendering.missing_values import RecipientData
from tests.tables import for_each

LI = "8614718004557"


def environment(**files):
    return SandboxedEnvironment(
        undefined=StrictUndefined, loader=DictLoader({f"{name}.j2": text for name, text in files.items()})
    )


def message(fields, *, context=None, shared=None, env=None):
    return PersonalMessage(fields, env or environment(), context or {}, shared or {})


def filled(fields, data=None, **others):
    return message(fields, **others).fields_for(Recipient(0, LI, 0, data or {}))


# --- what is rendered -------------------------------------------------------------------------------------


def test_each_string_at_any_depth_is_rendered_and_other_values_are_unchanged():
    fields = {
        "interactive": {
            "type": "button",
            "body": {"text": "Hi {{ recipient.name }}"},
            "action": {"buttons": [{"id": "{{ recipient.phone }}"}, {"id": "b", "n": 7, "none": None}]},
        },
        "text": None,
    }
    assert filled(fields, {"name": "Li"}) == {
        "interactive": {
            "type": "button",
            "body": {"text": "Hi Li"},
            "action": {"buttons": [{"id": LI}, {"id": "b", "n": 7, "none": None}]},
        }
    }


def test_keys_are_never_rendered():
    assert filled({"text": {"{{ 1 }}": "{{ 2 }}"}}) == {"text": {"{{ 1 }}": "2"}}


def test_a_message_without_jinja_is_the_same_for_all_recipients():
    same = message({"text": {"body": "x"}, "reply_to": None})
    assert not same.is_personal
    assert same.fixed_fields == {"text": {"body": "x"}}
    assert message({"text": {"body": "{{ recipient.phone }}"}}).is_personal


def test_rendering_does_not_change_the_fields_or_the_recipients_data():
    fields = {"text": {"body": "{{ recipient.phone }}"}}
    for data in ({"a": 1}, {"a": 2}):
        filled(fields, data)
        assert data in ({"a": 1}, {"a": 2})
    assert fields == {"text": {"body": "{{ recipient.phone }}"}}


def test_one_recipients_data_are_not_visible_to_the_next():
    personal = message({"text": "{{ recipient.name | default('?') }}"})
    first = personal.fields_for(Recipient(0, LI, 0, {"name": "Li"}))
    second = personal.fields_for(Recipient(1, LI, 0, {}))
    assert (first, second) == ({"text": "Li"}, {"text": "?"})


@for_each(
    ("fields", "kind"),
    [
        ({"text": "{{ x }}"}, "text"),
        ({"text": None, "document": {"link": "{{ x }}"}}, "document"),
        ({"message": {"image": "{{ x }}"}}, "image"),
        ({"message": {"type": "text", "text": "x"}, "reply_to": "1"}, "text"),
        ({"message": literal({"text": "x"})}, "text"),
    ],
)
def test_the_messages_type_is_known_before_it_is_rendered(fields, kind):
    assert message(fields).kind == kind


def test_a_message_that_is_one_jinja_expression_is_checked_when_it_is_rendered():
    personal = message({"message": "{{ shared.found }}"}, shared={"found": {"text": "x"}})
    with pytest.raises(InvalidMessageError, match=r"message: .*shared\.found is no text"):
        personal.fields_for(Recipient(0, LI, 0, {}))


# --- names ------------------------------------------------------------------------------------------------


def test_recipient_and_shared_are_available_with_the_context():
    fields = {"text": "{{ recipient.phone }} {{ shared.news }} {{ ds }}"}
    assert filled(fields, context={"ds": "2026-07-01"}, shared={"news": "x"}) == {
        "text": f"{LI} x 2026-07-01"
    }


def test_recipient_and_shared_have_precedence_over_the_context():
    context = {"recipient": "other", "shared": {"news": "other"}}
    assert filled(
        {"text": "{{ recipient.phone }} {{ shared.news }}"}, context=context, shared={"news": "x"}
    ) == {"text": f"{LI} x"}


def test_the_context_has_precedence_over_globals_of_the_environment():
    env = environment()
    env.globals |= {"greet": lambda: "hello", "ds": "of the environment"}
    assert filled({"text": "{{ greet() }} {{ ds }}"}, env=env, context={"ds": "x"}) == {"text": "hello x"}


def test_a_file_may_extend_and_include_others():
    env = environment(
        base="<{% block body %}{% endblock %}>",
        hello="{% extends 'base.j2' %}{% block body %}{% include 'who.j2' %}{% endblock %}",
        who="{{ recipient.name }}",
    )
    assert filled({"text": "hello.j2"}, {"name": "Li"}, env=env) == {"text": "<Li>"}


# --- errors -----------------------------------------------------------------------------------------------


@for_each("text", ["{{ recipient", "{% if %}", "{{ x | no_such_filter }}", "gone.j2"])
def test_a_template_that_cannot_be_compiled_is_an_error_before_any_recipient(text):
    with pytest.raises(InvalidMessageError, match=r"^interactive\.body\.text: "):
        message({"interactive": {"body": {"text": text}}})


@for_each(
    ("text", "words"),
    [
        ("{{ recipient.X }}", "recipient has no 'X'; did you mean 'x'? It has x, phone"),
        ("{{ nobody }}", "'nobody' is undefined"),
        ("{{ 1 / 0 }}", "division by zero"),
    ],
)
def test_a_rendering_error_affects_only_its_recipient(text, words):
    personal = message({"text": {"body": text}})
    with pytest.raises(InvalidMessageError) as caught:
        personal.fields_for(Recipient(0, LI, 0, {"x": 1}))
    assert str(caught.value).startswith("text.body: ")
    assert words in str(caught.value)


class LikePolars:
    """A data frame with a special error for a missing column, like polars."""

    columns = ("name",)

    def __getitem__(self, name):
        raise RuntimeError(f"{name!r} not found")

    def __iter__(self):
        return iter(())

    def to_dicts(self):
        return []


@for_each(
    ("text", "words"),
    [
        ("{{ recipient.nmae }}", "recipient has no 'nmae'; did you mean 'name'? It has name, 'first name', "),
        ("{{ recipient['nmae'] | upper }}", "recipient has no 'nmae'; did you mean 'name'?"),
        ("{{ recipient.called }}", "recipient has no 'called'; it has name, 'first name', "),
        ("{{ recipient.first_name ~ '!' }}", "recipient has no 'first_name'; did you mean 'first name'?"),
        ("{{ recipient.orders.totl }}", "recipient.orders has no 'totl'; did you mean 'total'? It has total"),
        ("{{ recipient.empty.x }}", "recipient.empty has no 'x'; it has nothing"),
        ("{{ recipient.wide.x }}", "recipient.wide has no 'x'; it has c0, c1, c2, "),
        ("{{ shared.frame.nmae }}", "DataFrame has no 'nmae'; did you mean 'name'? It has name"),
        ("{{ shared.frame.iloc[0]['nmae'] }}", "Series has no 'nmae'; did you mean 'name'? It has name"),
        ("{{ shared.polars.nmae }}", "LikePolars has no 'nmae'; did you mean 'name'? It has name"),
        ("{{ shared.polars['nmae'] }}", "LikePolars has no 'nmae'; did you mean 'name'? It has name"),
        ("{{ shared.frame['name'][1] }}", " (an entry); give a default, as in {{ … | default('-') }}"),
        ("{{ [recipient] | map(attribute='nmae') | join }}", "recipient has no 'nmae'; did you mean 'name'?"),
        ("{{ shared.rows[3] }}", "the list has no element 3"),
    ],
)
def test_the_error_of_a_missing_name_lists_the_available_names(text, words):
    frame = pandas.DataFrame({"name": ["Li", None]})
    shared = {"frame": frame, "polars": LikePolars(), "rows": [{"a": 1}]}
    wide = {f"c{n}": n for n in range(60)}
    data = {"name": "Li", "first name": "x", "orders": {"total": 3}, "empty": {}, "wide": wide}
    with pytest.raises(InvalidMessageError) as caught:
        filled({"text": text}, data, shared=shared)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300


def test_an_error_shows_no_whole_number():
    with pytest.raises(InvalidMessageError) as caught:
        filled({"text": "{{ {}[recipient.phone] }}"})
    assert LI not in str(caught.value)
    assert "86…57" in str(caught.value)


# --- a recipient's data -----------------------------------------------------------------------------------


@for_each("name", ["items", "keys", "values", "get", "pop", "update", "copy"])
def test_data_have_precedence_over_the_methods_of_dict(name):
    data = {name: "own", "more": {name: 1}}
    text = f"{{{{ recipient.{name} }}}} {{{{ recipient['{name}'] }}}} {{{{ recipient.more | string }}}}"
    assert filled({"text": text}, data) == {"text": f"own own {{'{name}': 1}}"}
    for each in ("recipient.more | tojson", "recipient.more | dictsort", "recipient.more | list"):
        assert name in filled({"text": f"{{{{ {each} }}}}"}, data)["text"]


def test_data_are_attributes_in_python_code_too():
    assert RecipientData({"name": "own"}, phone=LI).name == "own"
    assert not hasattr(RecipientData({}, phone=LI), "name")


def test_the_methods_of_dict_are_available_if_no_data_has_their_name():
    assert filled({"text": "{{ recipient.get('name', 'you') }}"}) == {"text": "you"}
    assert filled({"text": "{% for k, v in recipient.items() %}{{ k }}{% endfor %}"}) == {"text": "phone"}


@for_each(
    ("text", "expected"),
    [
        ("{{ recipient.address.items }}", "3"),
        ("{{ recipient['address']['items'] }}", "3"),
        ("{{ recipient.address.more.keys }}", "4"),
        ("{% for order in recipient.orders %}{{ order.items }}{% endfor %}", "56"),
        ("{{ recipient.orders[1].items }}", "6"),
    ],
)
def test_nested_data_have_precedence_over_the_methods_of_dict(text, expected):
    data = {"address": {"items": 3, "more": {"keys": 4}}, "orders": [{"items": 5}, {"items": 6}]}
    assert filled({"text": text}, data) == {"text": expected}


def test_recipient_phone_is_always_digits():
    assert filled({"text": "{{ recipient.phone }}"}, {"phone": "+86 147-1800-4557"}) == {"text": LI}


# --- look-ups ---------------------------------------------------------------------------------------------


class Asked:
    """Records the names that are looked up."""

    def __init__(self):
        self.questions = []

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        self.questions.append(name)
        if name == "gone":
            raise KeyError(name)
        return f"<{name}>"

    def get(self, name, default=None):
        self.questions.append(f"get {name}")
        return default

    def xcom_pull(self, task_ids, key="return_value"):
        self.questions.append(f"pull {task_ids} {key}")
        return f"<{task_ids} {key}>"


def asked_by(text, name="ti", times=3):
    """Render a text several times; return the look-ups of a context object and the last result."""
    asked = Asked()
    context = {"var": {"value": asked}} if name == "var" else {name: asked}
    personal = message({"text": text}, context=context)
    result = None
    for position in range(times):
        try:
            result = personal.fields_for(Recipient(position, LI, 0, {}))["text"]
        except Exception as error:
            result = error
    return asked.questions, result


@for_each(
    ("text", "name", "questions", "result"),
    [
        ("{{ var.value.a }}{{ var.value.a }}{{ var.value.b }}", "var", ["a", "b"], "<a><a><b>"),
        ("{{ var.value.get('a', 'x') }}{{ var.value.get('a', 'y') }}", "var", ["get a", "get a"], "xy"),
        ("{{ conn.crm }}", "conn", ["crm"], "<crm>"),
        ("{{ ti.xcom_pull('a') }}", "ti", ["pull a return_value"], "<a return_value>"),
        ("{{ ti.xcom_pull('a', key='k') }}", "ti", ["pull a k"], "<a k>"),
        ("{{ task_instance.xcom_pull('a') }}", "task_instance", ["pull a return_value"], "<a return_value>"),
        ("{{ ti.try_number }}", "ti", ["try_number"], "<try_number>"),
    ],
)
def test_variables_connections_and_xcoms_are_looked_up_once(text, name, questions, result):
    assert asked_by(text, name) == (questions, result)


def test_a_missing_variable_is_not_looked_up_again():
    questions, error = asked_by("{{ var.value.gone }}", "var")
    assert questions == ["gone"]
    assert not isinstance(
        error, InvalidMessageError
    )  # the error may be temporary, so a retry of the task may help


def test_an_unused_variable_is_not_looked_up():
    assert asked_by("{{ recipient.phone }}")[0] == []


def test_rendering_does_not_change_the_context():
    ti = SimpleNamespace(xcom_pull=lambda task_ids: 1)
    context = {"ti": ti, "var": {"value": ti}}
    filled({"text": "{{ ti.xcom_pull('x') }}"}, context=context)
    assert context == {"ti": ti, "var": {"value": ti}}


# --- outputs of upstream tasks ----------------------------------------------------------------------------

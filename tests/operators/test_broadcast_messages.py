"""What a broadcast says to each: Jinja filled in per recipient, look-ups made once, and data never run."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest
from airflow.providers.common.compat.sdk import DAG, literal
from airflow.providers.standard.operators.empty import EmptyOperator

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.messages import MESSAGE_FIELDS, reply_buttons, template_message
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.task_runs import (
    TaskStateStore,
    broadcast_run,
    counts_of,
    fails_at_once,
    may_be_tried_again,
    numbers,
)

AIRFLOW_2 = version("apache-airflow").startswith("2.")
MACROS = "airflow.macros" if AIRFLOW_2 else "airflow.sdk.execution_time.macros"
SAMPLES = Path(__file__).parent.parent / "samples"
LI, ANA = "+86 147-1800-4557", "+55 11 91234-5678"
LI_DIGITS, ANA_DIGITS = "8614718004557", "5511912345678"
BOTH = [
    {"phone": LI, "name": "Li", "items": ["tea", "rice"], "address": {"city": "Wuhan", "items": 7}},
    {"phone": ANA, "name": "Ana", "items": [], "address": {"city": "Recife", "items": 8}},
]

pytestmark = pytest.mark.usefixtures("hasty")


def texts(sandbox):
    return [sandbox.sent_to(number)[0].text for number in (LI, ANA)]


# --- words of their own -----------------------------------------------------------------------------------

WORDS = {
    "a name": ("Hi {{ recipient.name }}", ["Hi Li", "Hi Ana"]),
    "a subscript": ("{{ recipient['name'] }}", ["Li", "Ana"]),
    "digits only": ("{{ recipient.phone }}", [LI_DIGITS, ANA_DIGITS]),
    "a filter": ("{{ recipient.name | upper | replace('A', '4') }}", ["LI", "4N4"]),
    "a filter of the DAG's": ("{{ recipient.name | loud }}", ["Li!", "Ana!"]),
    "a macro of the DAG's": ("{{ greet(recipient.name) }}", ["hello Li", "hello Ana"]),
    "Airflow's macros": ("{{ macros.json.dumps(recipient.name) }}", ['"Li"', '"Ana"']),
    "a key that dicts have a method for": (
        "{{ recipient.items | join('+') or 'none' }}",
        ["tea+rice", "none"],
    ),
    "a loop": (
        "{% for item in recipient.items %}{{ loop.index }}{{ item }} {% else %}none{% endfor %}",
        ["1tea 2rice ", "none"],
    ),
    "a condition": ("{% if recipient.items %}yes{% else %}no{% endif %}", ["yes", "no"]),
    "nested": ("{{ recipient.address.city }}", ["Wuhan", "Recife"]),
    "nested, a key that dicts have a method for": ("{{ recipient.address.items }}", ["7", "8"]),
    "a default": ("{{ recipient.title | default('you') }}", ["you", "you"]),
    "a set variable": ("{% set x = recipient.name %}{{ x }}{{ x }}", ["LiLi", "AnaAna"]),
    "a macro of its own": (
        "{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(recipient.name) }}",
        ["<Li>", "<Ana>"],
    ),
    "params": ("{{ params.week }} {{ recipient.name }}", ["7 Li", "7 Ana"]),
    "shared": ("{{ shared.news }} {{ shared.figures.week }}", ["good 7", "good 7"]),
    "a comment": ("{# why #}{{ recipient.name }}", ["Li", "Ana"]),
    "no Jinja": ("hello", ["hello", "hello"]),
}


@pytest.mark.parametrize(("text", "expected"), WORDS.values(), ids=WORDS)
def test_the_text_is_filled_in_for_each(text, expected, sandbox):
    run = broadcast_run(
        BOTH,
        text=text,
        shared={"news": "good", "figures": {"week": 7}},
        context={"params": {"week": 7}, "macros": import_module(MACROS)},
        dag={
            "user_defined_filters": {"loud": lambda text: f"{text}!"},
            "user_defined_macros": {"greet": lambda name: f"hello {name}"},
        },
    )
    assert counts_of(run.once()) == {"accepted": 2}
    assert texts(sandbox) == expected


def test_in_a_list_of_dicts_too_the_data_win_over_a_dicts_methods(sandbox):
    orders = [{"items": 3, "keys": "a"}, {"items": 5, "keys": "b"}]
    run = broadcast_run(
        [{"phone": LI, "orders": orders}],
        text="{% for order in recipient.orders %}{{ order.items }}{{ order.keys }} {% endfor %}",
    )
    run.once()
    assert sandbox.messages[0].text == "3a 5b "


def test_a_plain_number_has_a_phone_too(sandbox):
    broadcast_run([LI], text="{{ recipient.phone }} {{ recipient | length }}").once()
    assert sandbox.messages[0].text == f"{LI_DIGITS} 1"


def test_numbers_stay_text_in_a_dag_that_renders_natively(sandbox):
    run = broadcast_run(
        [{"phone": LI, "code": "007"}],
        text=None,
        template=template_message("code", "en", body=["{{ recipient.code }}", "{{ 40 + 2 }}"]),
        dag={"render_template_as_native_obj": True},
    )
    assert counts_of(run.once()) == {"accepted": 1}
    (component,) = sandbox.messages[0].body["template"]["components"]
    assert [parameter["text"] for parameter in component["parameters"]] == ["007", "42"]


def test_recipients_and_shared_of_a_dag_that_renders_natively_are_what_they_are(sandbox):
    run = broadcast_run(
        "{{ params.to }}",
        text="{{ shared.week }}",
        shared={"week": "{{ params.week }}"},
        context={"params": {"to": [{"phone": LI}, {"phone": ANA}], "week": 7}},
        dag={"render_template_as_native_obj": True},
    )
    assert counts_of(run.once()) == {"accepted": 2}


# --- what can't be filled in ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hi {{ recipient.nmae }}", "text: could not be rendered: "),
        ("{{ recipient.address.zip }}", "text: could not be rendered: "),
        ("{{ 1 / recipient.divisor }}", "text: could not be rendered: "),
        ("{{ recipient.name.no_method() }}", "text: could not be rendered: "),
        ("{{ recipient.nothing }}", "text.body: must not be empty"),
        ("{{ recipient.long }}", "text.body: at most 4096 characters, 5000 given"),
    ],
)
def test_who_lacks_what_the_text_needs_is_one_failure_that_names_the_field(text, words, sandbox):
    good = {"nmae": 1, "address": {"zip": 1}, "divisor": 1, "nothing": "x", "long": "x"}

    class Name(str):
        def no_method(self):
            return "x"

    whole = {"phone": ANA, "name": Name("Ana"), **good}
    lacking = {"phone": LI, "name": "Li", "address": {}, "divisor": 0, "nothing": ""}
    lacking |= {"long": "x" * 5000}
    run = broadcast_run(literal([whole, lacking]), text=text)
    fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 1, "invalid": 1}
    (failure,) = run.summary["failures"]
    assert (failure["position"], failure["last_digits"]) == (1, "4557")
    assert words in failure["reason"]
    assert "RecipientData" not in failure["reason"]


def test_the_place_in_a_message_is_named_to_any_depth(sandbox):
    menu = reply_buttons("Again?", {"a": "Yes", "b": "{{ recipient.no }}"})
    run = broadcast_run([LI], text=None, interactive=menu)
    fails_at_once(run)
    reason = run.summary["failures"][0]["reason"]
    assert reason.startswith("interactive.action.buttons[1].reply.title: could not be rendered: ")
    assert "'no'" in reason


def test_a_data_error_shows_no_whole_number(sandbox, logged):
    run = broadcast_run(
        [{"phone": LI, "n": LI_DIGITS}], text="{{ {}[recipient.n] + recipient.n | int(base=99) }}"
    )
    fails_at_once(run)
    assert LI_DIGITS not in json.dumps(run.summary) + logged()


@pytest.mark.parametrize(
    "text", ["{{ recipient.name", "{% for x in y %}", "{{ recipient.name | no_such }}", "gone.j2"]
)
def test_jinja_that_can_not_be_compiled_fails_the_whole_task_at_once(text, sandbox):
    error = fails_at_once(broadcast_run(BOTH, text=text), InvalidMessageError)
    assert str(error).startswith("InvalidMessageError: text: ")
    assert sandbox.requests == []


def test_a_mistake_that_is_everyones_fails_at_once(sandbox):
    operator_run = broadcast_run(BOTH, text="{{ x }}")
    context = operator_run.begin()
    operator_run.operator.text = ""
    with pytest.raises(Exception, match=r"text\.body: must not be empty"):
        operator_run.operator.execute(context)
    assert sandbox.requests == []


def test_jinja_is_sandboxed(sandbox):
    run = broadcast_run([LI], text="{{ recipient.__class__.__mro__ }}")
    fails_at_once(run)
    assert counts_of(run.summary) == {"invalid": 1}


def test_a_text_that_is_too_long_for_one_can_be_cut(sandbox):
    run = broadcast_run(
        [{"phone": LI, "t": "x" * 5000}, {"phone": ANA, "t": "y"}],
        text="{{ recipient.t }}",
        if_too_long="truncate",
    )
    assert counts_of(run.once()) == {"accepted": 2}
    assert texts(sandbox) == ["x" * 4095 + "…", "y"]


# --- files ------------------------------------------------------------------------------------------------


def test_a_j2_file_is_found_on_the_dags_search_path(tmp_path, sandbox):
    (tmp_path / "hello.j2").write_text("{% include 'who.j2' %}, {{ shared.news }}")
    (tmp_path / "who.j2").write_text("Hi {{ recipient.name }}")
    run = broadcast_run(
        BOTH, text="hello.j2", shared={"news": "x"}, dag={"template_searchpath": str(tmp_path)}
    )
    assert counts_of(run.once()) == {"accepted": 2}
    assert texts(sandbox) == ["Hi Li, x", "Hi Ana, x"]


def test_a_j2_file_inside_of_a_message_is_found_too(tmp_path, sandbox):
    (tmp_path / "body.j2").write_text("Hi {{ recipient.name }}")
    run = broadcast_run(BOTH, text={"body": "body.j2"}, dag={"template_searchpath": str(tmp_path)})
    run.once()
    assert texts(sandbox) == ["Hi Li", "Hi Ana"]


# --- data is data -----------------------------------------------------------------------------------------

JINJA = ["{{ 7 * 7 }}", "{% if %}", "{# x #}", "{{ no_such_name }}"]


@pytest.mark.parametrize("jinja", JINJA)
def test_what_stands_in_the_data_is_never_run_as_jinja(jinja, sandbox):
    run = broadcast_run(
        literal([{"phone": LI, "name": jinja}]),
        text="<{{ recipient.name }}> <{{ shared.news }}>",
        shared={"news": literal(jinja)},
    )
    run.once()
    assert sandbox.messages[0].text == f"<{jinja}> <{jinja}>"


def test_what_comes_from_upstream_is_never_run_as_jinja(sandbox):
    def make():
        with DAG("report", schedule=None):
            upstream = EmptyOperator(task_id="load").output
            return WhatsAppBroadcastOperator(
                task_id="tell", recipients=upstream, text="<{{ recipient.name }}>", messages_per_second=None
            )

    operator = make()
    # As the rendering of an upstream task's output leaves it.
    operator.recipients = [{"phone": LI, "name": "{{ 7 * 7 }}"}, {"phone": ANA, "name": "x.j2"}]
    assert counts_of(operator.execute({"dag": operator.dag, "params": {}})) == {"accepted": 2}
    assert texts(sandbox) == ["<{{ 7 * 7 }}>", "<x.j2>"]


def test_a_literal_in_a_message_field_stays_as_it_is(sandbox):
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


def test_a_message_that_is_jinja_as_a_whole_is_an_error_in_words(sandbox):
    run = broadcast_run([LI], text=None, message="{{ shared.found }}", shared={"found": {"text": "x"}})
    fails_at_once(run)
    assert sandbox.requests == []


# --- every type -------------------------------------------------------------------------------------------


@pytest.fixture
def any_account(sandbox, monkeypatch):
    """The sandbox's account has every application and number that a sample names."""
    monkeypatch.setattr(sandbox._vendor.account, "app_ids", None)
    monkeypatch.setattr(sandbox._vendor.account, "business_phones", None)


@pytest.mark.parametrize("name", sorted(file.stem for file in SAMPLES.glob("*.json")))
@pytest.mark.usefixtures("any_account")
def test_a_sample_arrives_as_it_stands(name, sandbox):
    sample = json.loads((SAMPLES / f"{name}.json").read_text())
    kind = sample.setdefault("type", "location")
    run = broadcast_run(
        [LI, ANA],
        reply_to=sample.get("context", {}).get("refMessageId"),
        app_id=sample["appId"],
        **{"text": None, kind: sample[kind]},
    )
    assert counts_of(run.once()) == {"accepted": 2}
    for message in sandbox.messages:
        assert message.body[kind] == sample[kind]
        assert message.body.get("context") == sample.get("context")
        assert message.type == kind


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


@pytest.mark.parametrize("kind", MESSAGE_FIELDS)
def test_every_type_may_say_something_else_to_each(kind, sandbox):
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


def test_the_same_as_one_dict(sandbox):
    run = broadcast_run(BOTH, text=None, message={"type": "text", "text": "Hi {{ recipient.name }}"})
    run.once()
    assert texts(sandbox) == ["Hi Li", "Hi Ana"]


def test_each_may_answer_a_message_of_their_own(sandbox):
    people = [{"phone": LI, "wamid": "wamid.1"}, {"phone": ANA, "wamid": "wamid.2"}]
    broadcast_run(people, reply_to="{{ recipient.wamid }}").once()
    got = [sandbox.sent_to(number)[0].body["context"]["refMessageId"] for number in (LI, ANA)]
    assert got == ["wamid.1", "wamid.2"]


def test_where_it_comes_from_is_rendered_once_for_the_task(connect, sandbox):
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


@pytest.mark.parametrize("name", ["app_id", "business_phone"])
def test_what_neither_connection_nor_task_gives_fails_at_once(name, connect, sandbox):
    connect(extra={name: None})
    assert f"extra.{name}: is missing" in str(fails_at_once(broadcast_run([LI])))
    assert sandbox.requests == []


# --- look-ups ---------------------------------------------------------------------------------------------


class Counting:
    """Counts what is looked up in it, as Airflow's accessors are asked."""

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


def test_variables_and_connections_are_looked_up_once_for_all(sandbox):
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


def test_xcoms_are_pulled_once_for_all(sandbox):
    run = broadcast_run(
        numbers(20),
        text="{{ ti.xcom_pull('load') }} {{ ti.xcom_pull(task_ids='load') }} {{ recipient.phone }}",
    )
    context = run.begin()
    run.ti.upstream = {"load": 42}
    assert counts_of(run.operator.execute(context)) == {"accepted": 20}
    assert len(run.ti.pulled) == 2
    assert all(message.text.startswith("42 42 ") for message in sandbox.messages)


def test_what_can_not_be_looked_up_stops_the_broadcast_and_is_left_to_the_retries(sandbox):
    value = Counting()
    run = broadcast_run(
        numbers(20), text="{{ var.value.team }} {{ recipient.phone }}", context={"var": {"value": value}}
    )
    may_be_tried_again(run, KeyError)
    assert counts_of(run.summary) == {"not_attempted": 20}
    assert value.asked == ["team"]


def test_airflows_own_variables_are_looked_up_once(monkeypatch, sandbox):
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


def test_a_template_is_compiled_once_for_all(monkeypatch, sandbox):
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


@pytest.mark.parametrize(
    "field",
    [{"text": "Dear {{ recipient.name }}"}, {"document": "https://x.example/{{ recipient.name }}.pdf"}],
)
def test_a_null_of_a_database_is_never_written_to_a_person(field, sandbox):
    people = [{"phone": "8613912345678", "name": None}, {"phone": "8613912345679", "name": "Ana"}]
    run = broadcast_run(people, **{"text": None, **field})
    error = fails_at_once(run)
    assert counts_of(run.summary) == {"accepted": 1, "invalid": 1}
    assert "a value is None" in str(error)


def test_what_stands_in_for_a_null_is_written(sandbox):
    broadcast_run(
        [{"phone": "8613912345678", "name": None}], text="Dear {{ recipient.name or 'customer' }}"
    ).once()
    assert sandbox.messages[0].text == "Dear customer"

"""Data in an alert: missing values are not sent, texts stay texts, data is never rendered."""

from __future__ import annotations

import json
import math

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_itnio.api.errors import InvalidMessageError
from airflow_provider_itnio.messages import reply_buttons, template_message
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from tests.tables import for_each

from .events import of_deadline, of_task

NUMBER = "+86 147-1800-4557"
SECRET = "secretOfTheAccount7"
JINJA = "{{ conn.itnio_default.password }}"


@pytest.fixture(autouse=True)
def account(connect, sandbox, monkeypatch):
    """A connection with a unique secret."""
    monkeypatch.setattr(sandbox._vendor.account, "secret", SECRET)
    connect(password=SECRET)


def event(*, native=False, **context):
    dag = DAG("nightly_load", schedule=None, render_template_as_native_obj=native)
    return of_task(exception=ValueError(JINJA)) | {"dag": dag, "params": {}} | context


# --- missing values ---------------------------------------------------------------------------------------


@for_each("native", [False, True])
@for_each("gap", [None, math.nan])
@for_each(
    "fields",
    [
        {"text": "closed with {{ params.rows }} rows"},
        {"text": "{{ params.rows }}"},
        {"text": "closed with {{ params.rows | title }} rows"},
        {"text": "{{ '{}'.format(params.rows) }}"},
        {"text": "{{ params.list | join(', ') }}"},
        {"text": "{{ rows | title }}"},
        {"message": {"text": {"body": "{{ params.rows }}"}}},
        {"message": "{{ params.rows }}"},
        {"interactive": reply_buttons("{{ params.rows | upper }}", {"a": "A"})},
        {"template": template_message("a", "en", body=["{{ params.rows }}"])},
        {"text": lambda context, jinja_env: context["params"]["rows"]},
    ],
)
def test_an_alert_with_a_missing_value_is_sent_as_the_default_text_with_the_reason(
    fields, gap, native, notify, sandbox
):
    context = event(native=native, params={"rows": gap, "list": ["a", gap]}, rows=gap)
    notify(WhatsAppNotifier(recipients=NUMBER, **fields), context)
    (message,) = sandbox.messages
    first, last = message.text.split("\n")[0], message.text.split("\n")[-1]
    assert first == "❌ *Task failed*"
    assert last.startswith(f"_The text of this alert could not be used:_ {next(iter(fields))}: ")
    assert str(gap) in last


def test_jinja_defaults_replace_a_missing_value(tell, sandbox):
    text = (
        "{{ params.rows or 'no' }} {{ params.rows | d('no') }} {{ 'no' if params.rows is none else 1 }} rows"
    )
    tell(WhatsAppNotifier(recipients=NUMBER, text=text), event(params={"rows": None}))
    assert sandbox.messages[0].text == "no no no rows"


def test_a_missing_recipient_does_not_affect_the_other_recipients(tell, sandbox):
    notifier = WhatsAppNotifier(recipients=[NUMBER, "{{ params.boss }}"])
    with pytest.raises(
        Exception, match=r"was not sent to 1 of 2 recipients: recipients\[1\]: .*a value is None"
    ):
        tell(notifier, event(params={"boss": None}))
    assert [message.recipient for message in sandbox.messages] == ["8614718004557"]


# --- a text is a text -------------------------------------------------------------------------------------


@for_each(
    ("text", "expected"),
    [
        ("{{ '%.2f' % 12.5 }}", "12.50"),
        ("{{ '{:,}'.format(1204) }}", "1,204"),
        ("{{ params.sha }}", "12e4567"),
        ("{{ params.sha }} {{ 7 }}", "12e4567 7"),
        ("please fix values.yaml.j2", "please fix values.yaml.j2"),
    ],
)
@for_each("native", [False, True])
def test_a_text_that_looks_like_another_type_is_sent_as_a_text(text, expected, native, notify, sandbox):
    context = event(native=native, params={"sha": "12e4567"})
    for fields in (
        {"text": text},
        {"message": {"text": {"body": text}}},
        {"text": lambda context, jinja_env: expected},
    ):
        notify(WhatsAppNotifier(recipients=NUMBER, **fields), context)
    assert [message.text for message in sandbox.messages] == [expected] * 3


def test_with_native_rendering_an_object_stays_an_object(tell, sandbox):
    notifier = WhatsAppNotifier(recipients="{{ params.to }}", interactive="{{ params.menu }}")
    context = event(native=True, params={"menu": reply_buttons("Again?", {"a": "A"}), "to": [NUMBER]})
    tell(notifier, context)
    assert sandbox.messages[0].body["interactive"]["body"] == {"text": "Again?"}


def test_the_name_of_a_jinja_file_is_refused():
    with pytest.raises(InvalidMessageError, match="text: a notifier can't read Jinja files"):
        WhatsAppNotifier(recipients=NUMBER, text="report.j2")


# --- functions --------------------------------------------------------------------------------------------


def test_any_field_may_be_given_by_a_function(connect, tell, sandbox):
    connect("itnio_other", password=SECRET)

    def giving(value):
        return lambda context, jinja_env: value if context["alert"].kind == "task_failed" else None

    notifier = WhatsAppNotifier(
        recipients=giving(NUMBER),
        text=giving(JINJA),
        reply_to=giving("wamid.1"),
        itnio_conn_id=giving("itnio_other"),
        business_phone=giving(sandbox.business_phone),
    )
    tell(notifier, event())
    (message,) = sandbox.messages
    assert (message.text, message.body["context"]) == (JINJA, {"refMessageId": "wamid.1"})


def test_an_alert_whose_function_raises_is_sent_as_the_default_text(tell, sandbox):
    tell(WhatsAppNotifier(recipients=NUMBER, text=lambda context, jinja_env: 1 / 0), event())
    assert sandbox.messages[0].text.endswith("text: ZeroDivisionError: division by zero")


# --- data is not rendered----------------------------------------------------------------------------------


@for_each("native", [False, True])
@for_each(
    "fields",
    [
        {},
        {"text": "{{ alert.error }}"},
        {"text": "{{ exception }}"},
        {"text": "{{ params.word }}"},
        {"message": {"text": {"body": "{{ params.word }}"}}},
        {"interactive": reply_buttons("{{ alert.error_line }}", {"a": "A"})},
        {"alert_template": "pipeline_alert"},
    ],
)
def test_jinja_in_an_events_data_is_not_rendered(fields, native, notify, sandbox):
    notify(WhatsAppNotifier(recipients=NUMBER, **fields), event(native=native, params={"word": JINJA}))
    whole = json.dumps([message.body for message in sandbox.messages])
    assert JINJA in whole
    assert SECRET not in whole


def test_a_deadlines_alert_may_take_its_text_from_a_function(tell, sandbox):
    tell(WhatsAppNotifier(recipients=NUMBER, text=lambda context, jinja_env: JINJA), of_deadline())
    assert sandbox.messages[0].text == JINJA


class Hostile:
    def _fail(self, *args):
        raise RuntimeError

    __str__ = __repr__ = __eq__ = __bool__ = __iter__ = __len__ = __html__ = __format__ = _fail
    __hash__ = object.__hash__


def nested(depth, inner="x"):
    for _ in range(depth):
        inner = [inner]
    return inner


@for_each("value", [Hostile(), [Hostile()], nested(600), nested(5000)])
@for_each("text", ["{{ params.x }}", "{{ params.x | join }}", "{{ params.x == 1 }}"])
def test_an_alert_is_sent_despite_hostile_or_deeply_nested_data(text, value, notify, sandbox):
    for fields in (
        {"text": text},
        {"text": lambda context, jinja_env: value},
        {"message": {"text": lambda context, jinja_env: value}},
    ):
        notify(WhatsAppNotifier(recipients=NUMBER, **fields), event(params={"x": value}))
    assert len(sandbox.messages) == 3

"""A notifier's parameters, and which mistakes are import errors of the DAG file."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest
from airflow.providers.common.compat.sdk import literal

from airflow_provider_itnio.api.errors import InvalidMessageError, InvalidParameterError
from airflow_provider_itnio.get_provider_info import get_provider_info
from airflow_provider_itnio.messages import MESSAGE_FIELDS, reply_buttons
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from airflow_provider_itnio.operators._message import SETTINGS
from tests.tables import for_each

from .events import EVENTS

NUMBER = "+86 1000 0000 11"
OF_A_NOTIFIER_ALONE = ["recipients", "alert_template", "alert_language", "only_after_failure"]
NOT_TEMPLATED = [
    *("if_too_long", "only_after_failure", "timeout", "connect_timeout", "max_attempts", "context"),
    *("link_expires_in", "check_link"),
]
# Names that Airflow 2 and 3 pass to templates.
NAMES_OF_AIRFLOW = {
    "alert", "conn", "conf", "dag", "dag_run", "data_interval_end", "data_interval_start", "deadline", "ds",
    "ds_nodash", "exception", "execution_date", "expanded_ti_count", "inlet_events", "inlets", "logical_date",
    "macros", "map_index_template", "next_ds", "outlet_events", "outlets", "params",
    "prev_data_interval_end_success", "prev_data_interval_start_success", "prev_end_date_success",
    "prev_start_date_success", "reason", "run_id", "start_date", "task", "task_instance",
    "task_instance_key_str", "task_reschedule_count", "task_state_store", "templates_dict", "test_mode", "ti",
    "triggering_asset_events", "triggering_dataset_events", "try_number", "ts", "ts_nodash",
    "ts_nodash_with_tz", "var", "yesterday_ds",
}  # fmt: skip


def parameters(of):
    kinds = inspect.signature(of.__init__).parameters.values()
    return [one.name for one in kinds if one.name != "self" and one.kind is not one.VAR_KEYWORD]


def test_a_notifier_has_the_operators_message_fields_in_the_same_order():
    operators = SETTINGS
    own = parameters(WhatsAppNotifier)
    assert tuple(name for name in own if name in MESSAGE_FIELDS) == MESSAGE_FIELDS
    assert set(operators) - set(own) == {"delivery", "proxy"}
    assert set(own) - set(operators) == {*OF_A_NOTIFIER_ALONE, "context"}


def test_every_parameter_is_documented():
    names = parameters(WhatsAppNotifier)
    assert [name for name in names if f":param {name}:" not in WhatsAppNotifier.__doc__] == []


def test_every_parameter_except_the_listed_ones_is_templated():
    assert sorted([*WhatsAppNotifier.template_fields, *NOT_TEMPLATED]) == sorted(parameters(WhatsAppNotifier))


def test_no_template_field_has_a_name_of_airflows_context():
    for context in EVENTS.values():
        assert set(context()) <= NAMES_OF_AIRFLOW
    assert set(WhatsAppNotifier.template_fields) & NAMES_OF_AIRFLOW == set()


def test_the_notifier_is_registered_in_the_provider_info():
    name = f"{WhatsAppNotifier.__module__}.{WhatsAppNotifier.__qualname__}"
    assert get_provider_info()["notifications"] == [name]


def test_recipients_is_the_only_required_parameter():
    assert WhatsAppNotifier(recipients=NUMBER).recipients == NUMBER
    with pytest.raises(TypeError, match="recipients"):
        WhatsAppNotifier()


def test_a_notifier_can_be_copied_and_pickled():
    notifier = WhatsAppNotifier(recipients=[NUMBER], interactive=reply_buttons("{{ run_id }}", {"a": "A"}))
    for copied in (copy.deepcopy(notifier), pickle.loads(pickle.dumps(notifier))):
        assert vars(copied) == vars(notifier)
        assert copied.interactive is not notifier.interactive


@for_each(
    ("fields", "sentence"),
    [
        ({"recipients": "12"}, "recipients[0]: 7 to 14 digits, 2 given"),
        ({"recipients": f"{NUMBER}, on call"}, "recipients[1]: must be a phone number of digits"),
        ({"recipients": ""}, "recipients: at least one phone number is required, none given"),
        ({"recipients": " , \n"}, "recipients: at least one phone number is required, none given"),
        ({"recipients": []}, "recipients: at least one phone number is required, none given"),
        ({"recipients": [NUMBER, "12"]}, "recipients[1]: 7 to 14 digits, 2 given"),
        ({"recipients": [NUMBER, None]}, "recipients[1]: a phone number is required, none given"),
        ({"recipients": ["{{ var.value.oncall }}", "12"]}, "recipients[1]: 7 to 14 digits, 2 given"),
        (
            {"recipients": {"a": 1}},
            "recipients[0]: a dict needs the key 'phone'; its keys are a",
        ),
        ({"recipients": "oncall.j2"}, "recipients: a notifier can't read Jinja files, 'oncall.j2' given"),
        ({"recipients": [NUMBER, "oncall.j2"]}, "recipients[1]: a notifier can't read Jinja files"),
        ({"business_phone": "12"}, "business_phone: 7 to 14 digits, 2 given"),
        ({"text": "x" * 4097}, "text.body: at most 4096 characters, 4097 given"),
        ({"text": ""}, "text.body: must not be empty"),
        ({"text": "alert.j2"}, "text: a notifier can't read Jinja files, 'alert.j2' given"),
        ({"text": {"body": "alert.j2"}}, "text.body: a notifier can't read Jinja files"),
        (
            {"interactive": reply_buttons("{{ run_id }}", {"a": "title.j2"})},
            "interactive.action.buttons[0].reply.title: a notifier can't read Jinja files",
        ),
        ({"reply_to": "id.j2"}, "reply_to: a notifier can't read Jinja files"),
        ({"text": "x", "image": "https://example.com/a.png"}, "text, image given"),
        (
            {"text": "{{ x }}", "message": {"text": "{{ y }}"}},
            "message: can't be combined with other message field",
        ),
        ({"message": {"txt": "x"}}, "message.txt: unknown key"),
        (
            {"interactive": reply_buttons("{{ x }}", {f"{n}": f"{{{{ {n} }}}}" for n in range(4)})},
            "interactive.action.buttons: at most 3 buttons, 4 given",
        ),
        ({"template": {"name": "a", "language": {"code": "en"}}, "reply_to": "1"}, "reply_to: a WhatsApp"),
        ({"alert_template": "Pipeline Alert"}, "alert_template: lower-case letters"),
        ({"alert_template": ""}, "alert_template: must not be empty"),
        (
            {"alert_template": "pipeline_alert", "alert_language": "English!"},
            "alert_language: must be a code",
        ),
        ({"timeout": 0}, "timeout: must be a number from 0.001 to 3600, 0 given"),
        ({"connect_timeout": "3"}, "connect_timeout: must be a number from 0.001 to 3600, '3' given"),
        ({"max_attempts": 0}, "max_attempts: must be a whole number from 1 to 10, 0 given"),
        ({"max_attempts": 11}, "max_attempts: must be a whole number from 1 to 10, 11 given"),
        ({"max_attempts": 1.5}, "max_attempts: must be a whole number from 1 to 10, 1.5 given"),
        ({"max_attempts": True}, "max_attempts: must be a whole number from 1 to 10, True given"),
        ({"if_too_long": "chop"}, "if_too_long: must be one of fail, truncate; 'chop' given"),
        ({"text": "x", "if_too_long": "chop"}, "if_too_long: must be one of fail, truncate; 'chop' given"),
        ({"text": "x", "if_too_long": "{{ params.x }}"}, "if_too_long: must be one of fail, truncate"),
    ],
)
def test_a_mistake_is_an_error_when_the_dag_is_parsed(fields, sentence):
    with pytest.raises((InvalidMessageError, InvalidParameterError)) as caught:
        WhatsAppNotifier(**{"recipients": NUMBER} | fields)
    assert sentence in str(caught.value)
    assert "861000000011" not in str(caught.value).replace(" ", "")


@for_each(
    "fields",
    [
        {"recipients": "{{ var.value.oncall }}"},
        {"recipients": [NUMBER, "{{ var.value.oncall }}"]},
        {"recipients": literal("{{ as it stands }}")},
        {"recipients": "{{ var.value.get('oncall', '12') }}"},
        {"recipients": f"{NUMBER}, {{{{ var.value.oncall }}}}"},
        {"recipients": "{% for n in params.numbers %}{{ n }};{% endfor %}"},
        {"text": "{{ alert.error }}" + "x" * 5000},
        {"image": "{{ params.chart }}"},
        {
            "interactive": reply_buttons(
                "{{ alert.error }}", {"{{ run_id }}": "{{ a long expression, long }}"}
            )
        },
        {"message": "{{ params.message }}"},
        {"message": {"text": "{{ x }}", "reply_to": "{{ y }}"}},
        {"text": "x" * 5000, "if_too_long": "truncate"},
        {"alert_template": "{{ var.value.alert_template }}"},
        {"alert_template": "pipeline_alert", "alert_language": "{{ var.value.language }}"},
        {"business_phone": "{{ x }}", "app_id": "{{ y }}", "itnio_conn_id": "{{ z }}"},
    ],
)
def test_templated_fields_are_not_checked_when_the_dag_is_parsed(fields):
    WhatsAppNotifier(**{"recipients": NUMBER} | fields)


@pytest.mark.usefixtures("sandbox")
def test_parsing_a_dag_with_a_notifier_needs_no_connection(monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_ITNIO_DEFAULT", raising=False)
    WhatsAppNotifier(recipients=NUMBER, text="x", itnio_conn_id="there_is_none")

from __future__ import annotations

from importlib.util import find_spec

import pytest

from airflow_provider_itnio.get_provider_info import get_provider_info
from airflow_provider_itnio.hooks.itnio import ItnioHook

(DECLARED,) = get_provider_info()["connection-types"]
PLAIN_FIELDS = {"login", "password", "host", "schema", "port", "extra", "description"}


def test_both_declarations_label_hide_and_explain_the_same():
    behaviour = DECLARED["ui-field-behaviour"]
    assert ItnioHook.get_ui_field_behaviour() == {
        "hidden_fields": behaviour["hidden-fields"],
        "relabeling": behaviour["relabeling"],
        "placeholders": behaviour["placeholders"],
    }


def test_the_form_shows_only_what_the_connection_has():
    behaviour = DECLARED["ui-field-behaviour"]
    shown = PLAIN_FIELDS - set(behaviour["hidden-fields"])
    assert shown == {"login", "password", "host", "port", "extra", "description"}
    assert set(behaviour["relabeling"]) | set(behaviour["placeholders"]) <= shown
    assert set(DECLARED["conn-fields"]) == {
        "app_id",
        "business_phone",
        "alert_template",
        "alert_language",
        "timeout",
        "connect_timeout",
        "max_attempts",
        "proxy",
        "receiver_url",
        "receiver_token",
    }


def test_no_field_of_the_form_is_required():
    assert all("null" in field["schema"]["type"] for field in DECLARED["conn-fields"].values())


def test_the_declaration_names_the_hook_as_the_hook_does():
    assert DECLARED["connection-type"] == ItnioHook.conn_type
    assert DECLARED["hook-name"] == ItnioHook.hook_name
    assert DECLARED["hook-class-name"] == f"{ItnioHook.__module__}.{ItnioHook.__name__}"


@pytest.mark.skipif(not find_spec("wtforms"), reason="Airflow 3 has no wtforms and asks for no widgets")
def test_both_declarations_of_the_form_have_the_same_fields():
    from wtforms import FloatField, Form, IntegerField, StringField

    widgets = ItnioHook.get_connection_form_widgets()
    form = type("ConnectionForm", (Form,), widgets)()
    kinds = {"string": StringField, "number": FloatField, "integer": IntegerField}
    assert list(widgets) == list(DECLARED["conn-fields"])
    for name, declared in DECLARED["conn-fields"].items():
        field = form[name]
        assert type(field) is kinds[declared["schema"]["type"][0]]
        assert (field.label.text, field.description) == (declared["label"], declared["description"])


@pytest.mark.skipif(not find_spec("wtforms"), reason="Airflow 3 has no wtforms and asks for no widgets")
def test_a_form_left_empty_is_valid():
    from werkzeug.datastructures import MultiDict
    from wtforms import Form

    widgets = ItnioHook.get_connection_form_widgets()
    form = type("ConnectionForm", (Form,), widgets)(MultiDict(dict.fromkeys(widgets, "")))
    assert form.validate(), form.errors

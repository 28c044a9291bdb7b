"""Invalid parameters; each error names the parameter as in the DAG file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, task
from airflow.providers.standard.operators.empty import EmptyOperator

from airflow_provider_itnio._compat import is_from_mapped
from airflow_provider_itnio.api.errors import (
    ConfigurationError,
    InvalidMessageError,
    InvalidParameterError,
    ItnioError,
)
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.tables import for_each

NUMBER = "+86 147-1800-4557"


def notifier(**fields):
    return WhatsAppNotifier(recipients=NUMBER, **fields)


def send(**fields):
    return WhatsAppSendOperator(**{"task_id": "tell", "recipient": NUMBER, "text": "x"} | fields)


def broadcast(**fields):
    return WhatsAppBroadcastOperator(**{"task_id": "tell", "recipients": [NUMBER], "text": "x"} | fields)


@for_each(
    ("fields", "sentence"),
    [
        (
            {"alert_template": "Pipeline Alert"},
            "alert_template: lower-case letters, digits and underscores only",
        ),
        ({"alert_template": "x" * 513}, "alert_template: at most 512 characters, 513 given"),
        ({"alert_template": {"name": "a"}}, "alert_template: must be text, an object given"),
        ({"alert_template": "a", "alert_language": "english"}, "alert_language: must be a code such as en"),
        ({"alert_language": "english"}, "alert_language: must be a code such as en or zh_TW"),
        ({"alert_language": 5}, "alert_language: must be text, 5 given"),
    ],
)
def test_the_error_of_a_notifiers_template_names_the_notifiers_parameter(fields, sentence):
    with pytest.raises(InvalidMessageError) as caught:
        notifier(**fields)
    assert str(caught.value).startswith(f"WhatsAppNotifier: {sentence}")


@pytest.mark.parametrize(
    "fields", [{"alert_template": "{{ var.value.t }}"}, {"alert_language": "{{ x }}"}, {}]
)
def test_templated_parameters_are_not_checked_when_the_dag_is_parsed(fields):
    notifier(**fields)


@for_each("make", [send, broadcast])
@for_each("proxy", ["proxy:3128", "proxy.example", "socks5://a:1", 3, "http://user:topsecret@"])
def test_proxy_must_be_an_http_address(make, proxy):
    with pytest.raises(InvalidParameterError) as caught:
        make(proxy=proxy)
    assert str(caught.value).startswith(
        "task 'tell': proxy: must be an address such as http://proxy.example:3128"
    )
    assert "topsecret" not in str(caught.value)


@for_each("shared", ["week 47", ["week"], 47, {1, 2}])
def test_shared_must_be_a_dict(shared):
    with pytest.raises(InvalidParameterError, match=r"^task 'tell': shared: must be a dict"):
        broadcast(shared=shared)


def test_shared_may_be_an_upstream_output():
    with DAG("report", schedule=None):
        assert broadcast(shared=EmptyOperator(task_id="load").output).upstream_task_ids == {"load"}


@for_each(
    "make",
    [
        lambda: send(delivery="twice"),
        lambda: send(if_too_long="split"),
        lambda: send(timeout=0),
        lambda: broadcast(max_in_flight=0),
        lambda: broadcast(if_some_fail="ignore"),
        lambda: notifier(timeout=0),
        lambda: notifier(if_too_long="split"),
        lambda: notifier(only_after_failure="false"),
    ],
)
def test_an_invalid_parameter_outside_the_message_is_an_invalid_parameter_error(make):
    with pytest.raises(InvalidParameterError) as caught:
        make()
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, ItnioError)
    assert not isinstance(caught.value, InvalidMessageError)


@for_each("make", [send, broadcast, notifier])
@for_each("blank", ["", "  "])
def test_an_empty_connection_id_is_refused_as_empty(make, blank):
    with pytest.raises(InvalidParameterError, match=r"itnio_conn_id: must not be empty$"):
        make(itnio_conn_id=blank)


@pytest.mark.usefixtures("connection")
@for_each("make", [send, broadcast, notifier])
@for_each("name", ["app_id", "business_phone"])
@for_each("value", [pd.NA, np.array(["a", "b"]), pd.DataFrame({"a": [1]})])
def test_the_error_of_data_whose_comparison_is_not_a_bool_names_the_parameter(make, name, value):
    with pytest.raises((InvalidMessageError, InvalidParameterError), match=f": {name}: "):
        make(**{name: value})
    with pytest.raises((InvalidMessageError, InvalidParameterError), match=f"^{name}: "):
        ItnioHook(**{name: value}).sender()


@for_each("name", ["timeout", "connect_timeout", "max_attempts"])
@pytest.mark.usefixtures("connection")
def test_the_hook_refuses_na_as_a_limit(name):
    with pytest.raises(ConfigurationError, match=f"^{name}: must be a .*<NA>"):
        ItnioHook(**{name: pd.NA}).account()


@task
def load():
    """An upstream task."""


@task
def build(**context):
    """An upstream task with the parameters that rendering passes to functions."""


@for_each("make", [send, broadcast, notifier])
@for_each(
    ("function", "sentence"),
    [
        (lambda context: "x", r"a function must take context and jinja_env, <lambda>\(context\) given"),
        (load, r"the task load is given, not its output; write load\(…\)"),
        (build, r"the task build is given, not its output; write build\(…\)"),
    ],
)
def test_a_function_with_wrong_parameters_is_an_error_in_the_dag_file(make, function, sentence):
    for field, path in ((function, "text"), ({"body": function}, "text.body")):
        with pytest.raises(InvalidMessageError, match=f": {path}: {sentence}$"):
            make(text=field)


@for_each("row", [{"recipient": NUMBER, "name": "Ana"}, {"recipent": NUMBER}])
def test_an_unknown_argument_from_upstream_fails_a_mapped_task_at_once(row, itnio_sandbox):
    with DAG("report", schedule=None):
        rows = EmptyOperator(task_id="rows").output
        tell = WhatsAppSendOperator.partial(task_id="tell", text="x", retries=3).expand_kwargs(rows)
    with pytest.raises(AirflowFailException, match=r"task 'tell': unknown argument '?(name|recipent)"):
        itnio_sandbox.execute(tell, xcoms={"rows": [row]})


class Unlucky(WhatsAppSendOperator):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        if is_from_mapped(self):
            raise ConnectionError("the server is away")


def test_another_error_of_a_subclass_leaves_a_mapped_tasks_retries(itnio_sandbox):
    with DAG("report", schedule=None):
        tell = Unlucky.partial(task_id="tell", text="x").expand(recipient=[NUMBER])
    with pytest.raises(ConnectionError, match="the server is away"):
        itnio_sandbox.execute(tell)


def test_in_a_mapped_task_a_function_with_wrong_parameters_fails_without_retries(itnio_sandbox):
    with DAG("report", schedule=None):
        tell = WhatsAppSendOperator.partial(task_id="tell", text=lambda: "x").expand(recipient=[NUMBER])
    with pytest.raises(AirflowFailException, match=r"text: a function must take context and jinja_env"):
        itnio_sandbox.execute(tell)

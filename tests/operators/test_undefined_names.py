"""Jinja with undefined names: an error that names the field, without retries."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_ask import WhatsAppAskOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from airflow_provider_itnio.transfers.sql_to_whatsapp import SqlToWhatsAppOperator
from tests.tables import for_each

NUMBER = "+86 147-1800-4557"
OPERATORS = {
    WhatsAppSendOperator: {"recipient": NUMBER, "text": "x"},
    WhatsAppBroadcastOperator: {"recipients": [NUMBER], "text": "x"},
    WhatsAppAskOperator: {"recipients": [NUMBER], "question": "x", "options": {"a": "A"}},
    SqlToWhatsAppOperator: {"recipient": NUMBER, "sql": "SELECT 1", "sql_conn_id": "db", "text": "x"},
}


@for_each("undefined", ["nope", "params.nope"])
@for_each(
    ("operator", "field", "path"),
    [
        (WhatsAppSendOperator, "recipient", "recipient"),
        (WhatsAppSendOperator, "business_phone", "business_phone"),
        (WhatsAppSendOperator, "itnio_conn_id", "itnio_conn_id"),
        (WhatsAppSendOperator, "text", "text"),
        (WhatsAppBroadcastOperator, "recipients", "recipients"),
        (WhatsAppBroadcastOperator, "exclude", "exclude"),
        (WhatsAppAskOperator, "recipients", "recipients"),
        (WhatsAppAskOperator, "question", "question"),
        (SqlToWhatsAppOperator, "recipient", "recipient"),
        (SqlToWhatsAppOperator, "sql_conn_id", "sql_conn_id"),
        (SqlToWhatsAppOperator, "as_file", "as_file"),
    ],
)
def test_an_undefined_name_is_an_error_that_names_the_field(operator, field, path, undefined, sandbox):
    given = OPERATORS[operator] | {field: f"{{{{ {undefined} }}}}"}
    with pytest.raises(
        AirflowFailException, match=rf"InvalidMessageError: {path}: could not be rendered: .*nope"
    ):
        sandbox.execute(operator(task_id="tell", **given))
    assert sandbox.requests == []


def test_an_undefined_name_in_a_list_is_an_error_that_names_the_entry(sandbox):
    with pytest.raises(
        AirflowFailException, match=r"recipients\[1\]: could not be rendered: 'nope' is undefined"
    ):
        sandbox.execute(
            WhatsAppBroadcastOperator(task_id="tell", recipients=[NUMBER, "{{ nope }}"], text="x")
        )


@for_each("name", ["ds", "ds_nodash", "ts", "ts_nodash_with_tz", "logical_date"])
def test_the_error_of_ds_in_a_run_without_a_logical_date_says_to_use_run_id(name):
    with DAG("report", schedule=None):
        operator = WhatsAppSendOperator(task_id="tell", recipient=NUMBER, text=f"{{{{ {name} }}}}")
    with pytest.raises(
        AirflowFailException, match=rf"a run without a logical date has no {name}, use run_id"
    ):
        operator.render_template_fields({})

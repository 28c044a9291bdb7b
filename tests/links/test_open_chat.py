from __future__ import annotations

import pytest

from airflow_provider_itnio.links import whatsapp
from airflow_provider_itnio.links.whatsapp import OpenChatLink
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator


@pytest.fixture
def receipt_in_xcom(monkeypatch):
    """Set the XCom value that the link reads; outside a task there is no database."""
    asked = []

    def put(value):
        def get_value(*, key, ti_key):
            asked.append((key, ti_key))
            return value

        monkeypatch.setattr(whatsapp.XCom, "get_value", get_value)
        return asked

    return put


@pytest.mark.parametrize("recipient", ["+86 147-1800-4557", "8614718004557", 8614718004557])
def test_a_number_in_the_dag_file_needs_no_xcom(recipient, receipt_in_xcom):
    asked = receipt_in_xcom({"recipient": "never asked for"})
    operator = WhatsAppSendOperator(task_id="tell", recipient=recipient, text="x")
    assert OpenChatLink().get_link(operator, ti_key="key") == "https://wa.me/8614718004557"
    assert asked == []


def test_a_templated_number_is_read_from_the_receipt_in_xcom(receipt_in_xcom):
    asked = receipt_in_xcom({"message_id": "a", "recipient": "8614718004557", "type": "text"})
    operator = WhatsAppSendOperator(task_id="tell", recipient="{{ params.number }}", text="x")
    assert OpenChatLink().get_link(operator, ti_key="key") == "https://wa.me/8614718004557"
    assert asked == [("return_value", "key")]


@pytest.mark.parametrize("held", [None, "text", [], {}, {"recipient": ""}])
def test_the_link_is_empty_without_a_receipt(held, receipt_in_xcom):
    receipt_in_xcom(held)
    operator = WhatsAppSendOperator(task_id="tell", recipient="{{ params.number }}", text="x")
    assert OpenChatLink().get_link(operator, ti_key="key") == ""


def test_the_link_is_on_the_operator():
    assert [link.name for link in WhatsAppSendOperator.operator_extra_links] == ["Open chat in your WhatsApp"]

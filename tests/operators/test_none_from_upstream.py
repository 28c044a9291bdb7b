"""An upstream task that returned None: no field is left out silently, and no other sender is used."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator

from airflow_provider_itnio.messages import reply_buttons
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.tables import for_each

NUMBER = "+86 147-1800-4557"
PICTURE = {"link": "https://example.com/a.png"}
TEMPLATE = {"name": "n", "language": {"code": "en"}}

pytestmark = pytest.mark.usefixtures("connection")

FIELDS = {
    "image.caption": lambda up: {"image": PICTURE | {"caption": up}},
    "document.filename": lambda up: {"document": PICTURE | {"filename": up}},
    "template.components": lambda up: {"template": TEMPLATE | {"components": up}},
    "interactive.footer": lambda up: {"interactive": reply_buttons("b", {"a": "A"}) | {"footer": up}},
    "text.body": lambda up: {"text": {"body": up}},
    "message.text": lambda up: {"message": {"text": up}},
    "business_phone": lambda up: {"text": "x", "business_phone": up},
    "app_id": lambda up: {"text": "x", "app_id": up},
    "reply_to": lambda up: {"text": "x", "reply_to": up},
}
SEND = (WhatsAppSendOperator, {"recipient": NUMBER})
BROADCAST = (WhatsAppBroadcastOperator, {"recipients": [NUMBER]})


def telling(operator, fields):
    with DAG("a_dag", schedule=None):
        return operator[0](task_id="tell", **operator[1], **fields(BaseOperator(task_id="load").output))


@for_each(
    ("path", "operator"),
    [
        *((path, SEND) for path in FIELDS),
        *((path, BROADCAST) for path in ("business_phone", "app_id")),
    ],
)
def test_a_none_from_upstream_is_an_error_that_names_the_field(path, operator, itnio_sandbox):
    with pytest.raises(AirflowFailException, match=f"{path}: its value is None"):
        itnio_sandbox.execute(telling(operator, FIELDS[path]), xcoms={"load": None})
    assert itnio_sandbox.requests == []


@for_each("name", ["business_phone", "app_id"])
def test_a_sender_that_renders_to_nothing_is_an_error(name, itnio_sandbox):
    with DAG("a_dag", schedule=None):
        task = WhatsAppSendOperator(task_id="tell", recipient=NUMBER, text="x", **{name: "{{ '' }}"})
    with pytest.raises(AirflowFailException, match=f"{name}: is empty after rendering"):
        itnio_sandbox.execute(task)
    assert itnio_sandbox.requests == []


@for_each("path", sorted({*FIELDS} - {"text.body", "message.text"}))  # those two are required
def test_a_none_in_the_dag_file_counts_as_absent(path, itnio_sandbox):
    with DAG("a_dag", schedule=None):
        task = WhatsAppSendOperator(task_id="tell", recipient=NUMBER, **FIELDS[path](None))
    itnio_sandbox.execute(task)
    assert len(itnio_sandbox.messages) == 1


def test_a_none_in_shared_may_be_replaced_by_a_jinja_default(itnio_sandbox):
    fields = {"text": "{{ shared.rows or 0 }} rows"}
    task = telling(BROADCAST, lambda up: {**fields, "shared": {"rows": up}})
    itnio_sandbox.execute(task, xcoms={"load": None})
    assert itnio_sandbox.messages[0].text == "0 rows"


def test_a_none_among_recipients_fails_only_that_message(itnio_sandbox):
    with DAG("a_dag", schedule=None):
        people = [NUMBER, BaseOperator(task_id="load").output]
        task = WhatsAppBroadcastOperator(task_id="tell", recipients=people, text="x")
    with pytest.raises(AirflowFailException, match="1 accepted, 1 invalid"):
        itnio_sandbox.execute(task, xcoms={"load": None})

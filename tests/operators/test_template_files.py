"""A name that ends in ``.j2`` is read as a file only in the DAG file, never in data."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, task

from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.tables import for_each

NUMBER = "+86 147-1800-4557"

pytestmark = pytest.mark.usefixtures("hasty")

NAMES = ["please fix values.yaml.j2", "report.j2", "../secrets.j2"]


@for_each("name", NAMES)
def test_an_upstream_text_that_ends_in_j2_is_not_read_as_a_file(name, itnio_sandbox, tmp_path):
    (tmp_path / "report.j2").write_text("from the file")
    with DAG("files", schedule=None, template_searchpath=str(tmp_path)):
        output = BaseOperator(task_id="load").output
        many = {"recipients": [NUMBER], "shared": {"word": output}}
        tasks = [
            WhatsAppSendOperator(task_id="a", recipient=NUMBER, text=output),
            WhatsAppSendOperator(task_id="b", recipient=NUMBER, text="{{ ti.xcom_pull('load') }}"),
            WhatsAppSendOperator(task_id="c", recipient=NUMBER, message={"text": {"body": output}}),
            WhatsAppSendOperator.partial(task_id="d", recipient=NUMBER).expand(text=output.map(str)),
            WhatsAppBroadcastOperator(task_id="e", text="{{ shared.word }}", **many),
        ]
    for each in tasks:
        pushed = [name] if each.task_id == "d" else name
        itnio_sandbox.execute(each, xcoms={"load": pushed})
    assert [message.text for message in itnio_sandbox.messages] == [name] * 5


def test_a_text_with_spaces_that_ends_in_j2_is_not_read_as_a_file(itnio_sandbox):
    text = "please fix values.yaml.j2"

    with DAG("files", schedule=None) as dag:
        WhatsAppSendOperator(task_id="send", recipient=NUMBER, text=text)
        WhatsAppSendOperator(task_id="deep", recipient=NUMBER, message={"text": {"body": text}})
        WhatsAppBroadcastOperator(task_id="broadcast", recipients=[NUMBER], text=text)

        @task.whatsapp(recipient=NUMBER)
        def tell(first, second):
            return f"{first}{second}"

        tell("", second=text)
        tell.override(task_id="by_place")(text, "")
    for each in dag.tasks:
        each.resolve_template_files()
        itnio_sandbox.execute(each)
    assert [message.text for message in itnio_sandbox.messages] == [text] * 5


def test_a_files_content_that_ends_in_j2_is_not_read_as_a_file(itnio_sandbox, tmp_path):
    (tmp_path / "a.j2").write_text("b.j2")
    (tmp_path / "b.j2").write_text("from the other file")
    with DAG("files", schedule=None, template_searchpath=str(tmp_path)):
        send = WhatsAppSendOperator(task_id="send", recipient=NUMBER, text="a.j2")
    send.resolve_template_files()
    itnio_sandbox.execute(send)
    assert itnio_sandbox.messages[0].text == "b.j2"


def test_a_missing_j2_file_is_an_error(itnio_sandbox, tmp_path):
    with DAG("files", schedule=None, template_searchpath=str(tmp_path)):
        send = WhatsAppSendOperator(task_id="send", recipient=NUMBER, message={"text": "gone.j2"})
    with pytest.raises(Exception, match=r"message\.text: the Jinja file 'gone\.j2' was not found"):
        itnio_sandbox.execute(send)
    assert itnio_sandbox.requests == []

"""Uses that type checkers must accept, and ones marked as wrong that they must refuse. Never run."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from airflow.providers.common.compat.sdk import DAG, BaseOperator, literal, task

from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.messages import (
    MessageDict,
    TextDict,
    contact_card,
    list_menu,
    location_request,
    reply_buttons,
    template_message,
)
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier, send_whatsapp_notification
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_ask import WhatsAppAskOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from airflow_provider_itnio.transfers.sql_to_whatsapp import SqlToWhatsAppOperator

PHONE = "+86 147-1800-4557"
LINK = "https://example.com/a.png"


@task
def load() -> dict[str, Any]:
    return {}


@task
def phone() -> str:
    return PHONE


def render(context: Any, jinja_env: Any) -> str:
    return "rendered by a function"


rows: list[dict[str, Any]] = []  # as returned by pandas' to_dict("records")


def alert(context: Any) -> None:
    """A stub for any callback."""


SqlToWhatsAppOperator(task_id="a", sql="SELECT 1", sql_conn_id="b", recipient=PHONE, text="{{ row_count }}")
SqlToWhatsAppOperator(task_id="a", sql=load(), sql_conn_id="b", recipient_column="phone", text=render)

# --- one message ----------------------------------------------------------------------------------------

WhatsAppSendOperator(task_id="a", recipient=PHONE, text="{{ ds }}")
WhatsAppSendOperator(task_id="a", recipient=8614718004557, text={"body": "x"})
WhatsAppSendOperator(task_id="a", recipient=phone(), text=load(), reply_to=load())
WhatsAppSendOperator(task_id="a", recipient=literal("12"), text=literal("{{ as it stands }}"))
WhatsAppSendOperator(task_id="a", recipient=PHONE, text=render)
WhatsAppSendOperator(task_id="a", recipient=PHONE, image=LINK)
WhatsAppSendOperator(task_id="a", recipient=PHONE, image={"link": load(), "caption": "x"})
WhatsAppSendOperator(task_id="a", recipient=PHONE, document={"link": LINK, "filename": "a.pdf"})
WhatsAppSendOperator(task_id="a", recipient=PHONE, document={"object": "s3://c@b/a.pdf", "caption": "x"})
WhatsAppSendOperator(
    task_id="a", recipient=PHONE, image={"object": load()}, link_expires_in=timedelta(hours=2)
)
WhatsAppSendOperator(
    task_id="a", recipient=PHONE, location={"longitude": 1.5, "latitude": "2", "name": "a", "address": "b"}
)
WhatsAppSendOperator(task_id="a", recipient=PHONE, interactive=load())
WhatsAppSendOperator(task_id="a", recipient=PHONE, contacts=[contact_card("Ana", phone=phone())])
WhatsAppSendOperator(task_id="a", recipient=PHONE, contacts=contact_card("Ana"))
WhatsAppSendOperator(
    task_id="a", recipient=PHONE, template=template_message("t", "en", body=["a", 7, load()])
)
WhatsAppSendOperator(task_id="a", recipient=PHONE, message={"text": "x", "reply_to": "y"})
WhatsAppSendOperator(task_id="a", recipient=PHONE, message=json.loads("{}"), delivery="at_most_once")
WhatsAppSendOperator(task_id="a", recipient=PHONE, text="x", business_phone=phone(), app_id=load())
WhatsAppSendOperator(
    task_id="a", recipient=PHONE, text="x", timeout=7, connect_timeout=2.5, max_attempts=1, proxy=LINK
)
WhatsAppSendOperator(
    task_id="a", recipient=PHONE, text="x", retries=3, retry_delay=timedelta(minutes=1), pool="p"
)
WhatsAppSendOperator(
    task_id="a", recipient=PHONE, text="x", on_failure_callback=WhatsAppNotifier(recipients=PHONE)
)
WhatsAppSendOperator(
    task_id="a", recipient=PHONE, text="x", on_failure_callback=[alert], trigger_rule="all_done"
)
WhatsAppSendOperator(
    task_id="a", recipient=PHONE, text="x", dag=DAG("d", schedule=None), params={"a": 1}, doc_md="x"
)

WhatsAppSendOperator(task_id="a", recipient=PHONE, txt="x")  # wrong
WhatsAppSendOperator(task_id="a", recipient=PHONE, image=3)  # wrong
WhatsAppSendOperator(task_id="a", recipient=PHONE, text="x", delivery="exactly_once")  # wrong
WhatsAppSendOperator(task_id="a", recipient=PHONE, template="pipeline_alert")  # wrong
WhatsAppSendOperator(task_id="a", recipient=PHONE, message="hello")  # wrong
WhatsAppSendOperator(task_id="a", recipient=PHONE, text=["x"])  # wrong
WhatsAppSendOperator(task_id="a", recipient=PHONE, text={"boddy": "x"})  # wrong
WhatsAppSendOperator(task_id="a", recipient=PHONE, image={"link": LINK, "filename": "x"})  # wrong
WhatsAppSendOperator(task_id="a", recipient=PHONE, location={"longitude": 1, "latitude": 2})  # wrong
WhatsAppSendOperator(task_id="a", recipient=[PHONE], text="x")  # wrong
WhatsAppSendOperator(task_id="a", recipients=[PHONE], text="x")  # wrong
WhatsAppSendOperator(task_id="a", text="x")  # wrong
WhatsAppSendOperator(recipient=PHONE, text="x")  # wrong
WhatsAppSendOperator(task_id="a", recipient=PHONE, text="x", conn_id="itnio_other")  # wrong
WhatsAppSendOperator(task_id="a", recipient=PHONE, text="x", if_too_long="split")  # wrong
WhatsAppSendOperator(task_id="a", recipient=PHONE, text="x", timeout="7")  # wrong
WhatsAppSendOperator(task_id="a", recipient=PHONE, text="x", max_attempts=1.5)  # wrong
WhatsAppSendOperator(task_id="a", recipient=PHONE, text="x", retrys=3)  # wrong
WhatsAppSendOperator(task_id="a", recipient=PHONE, text="x", retries="3")  # wrong
WhatsAppSendOperator(task_id="a", recipient=PHONE, text="x", retry_delay="1m")  # wrong
WhatsAppSendOperator("a", PHONE)  # wrong

# --- broadcasts -----------------------------------------------------------------------------------------

WhatsAppBroadcastOperator(
    task_id="a", recipients=[PHONE, {"phone": PHONE, "name": "Li"}], text="{{ recipient.name }}"
)
WhatsAppBroadcastOperator(task_id="a", recipients=load(), exclude=phone(), shared={"a": load()}, text="x")
WhatsAppBroadcastOperator(
    task_id="a", recipients="{{ var.value.all }}", text=render, shared=load(), if_some_fail="warn"
)
WhatsAppBroadcastOperator(
    task_id="a", recipients=8614718004557, text="x", messages_per_second=None, max_in_flight=8
)
WhatsAppBroadcastOperator(
    task_id="a", recipients=({"phone": PHONE},), interactive=reply_buttons("q", {"a": "A"})
)
WhatsAppBroadcastOperator(
    task_id="a", recipients=[PHONE], text="x", keep_receipts=True, checkpoint_every=7, max_attempts=1
)

WhatsAppBroadcastOperator(task_id="a", recipients=[phone(), literal(PHONE)], text="x", exclude=rows)
WhatsAppBroadcastOperator(task_id="a", recipients=rows, text="x", exclude=[{"phone": phone()}])

WhatsAppBroadcastOperator(task_id="a", recipient=PHONE, text="x")  # wrong
WhatsAppBroadcastOperator(task_id="a", recipients=[2.5], text="x")  # wrong
WhatsAppBroadcastOperator(task_id="a", recipients=[PHONE], text="x", exclude=2.5)  # wrong
WhatsAppBroadcastOperator(task_id="a", recipients=[PHONE], text="x", shared=["x"])  # wrong
WhatsAppBroadcastOperator(task_id="a", recipients=[PHONE], text="x", keep_receipts="yes")  # wrong
WhatsAppBroadcastOperator(task_id="a", recipients=[PHONE], text=load())  # wrong
WhatsAppBroadcastOperator(task_id="a", recipients=[PHONE], text="x", max_in_flight="8")  # wrong
WhatsAppBroadcastOperator(task_id="a", recipients=[PHONE], text="x", if_some_fail="ignore")  # wrong
WhatsAppBroadcastOperator(task_id="a", recipients=[PHONE], text="x", share={"a": 1})  # wrong
WhatsAppBroadcastOperator(task_id="a", recipients=2.5, text="x")  # wrong

# --- a question -----------------------------------------------------------------------------------------

YES_NO = {"yes": "Yes", "no": "No"}
WhatsAppAskOperator(task_id="a", recipients=PHONE, question="?", options=YES_NO, if_no_answer="yes")
WhatsAppAskOperator(task_id="a", recipients=[phone(), PHONE], question=phone(), options=load())
WhatsAppAskOperator(
    task_id="a",
    recipients=rows,
    question="{{ ds }}?",
    options=YES_NO,
    answer_within=90,
    template=template_message("a", "en"),
)

WhatsAppAskOperator(task_id="a", recipients=PHONE, options=YES_NO)  # wrong
WhatsAppAskOperator(task_id="a", recipients=PHONE, question="?", options=["yes"])  # wrong
WhatsAppAskOperator(task_id="a", recipients=PHONE, question="?", options=YES_NO, answer_within="2h")  # wrong
WhatsAppAskOperator(task_id="a", recipient=PHONE, question="?", options=YES_NO)  # wrong

# --- alerts ---------------------------------------------------------------------------------------------

WhatsAppNotifier(
    recipients=[PHONE, "{{ var.value.oncall }}"], alert_template="pipeline_alert", alert_language="en"
)
send_whatsapp_notification(recipients=PHONE, text="{{ alert.error_line }}", timeout=3, if_too_long="fail")
DAG("a", schedule=None, on_failure_callback=WhatsAppNotifier(recipients=PHONE))

WhatsAppNotifier(recipient=PHONE)  # wrong
WhatsAppNotifier(recipients=PHONE, template="pipeline_alert")  # wrong
WhatsAppNotifier(recipients=PHONE, text=load())  # wrong
WhatsAppNotifier(recipients=PHONE, timeout="3")  # wrong
send_whatsapp_notification(recipients=PHONE, txt="x")  # wrong

# --- builders -------------------------------------------------------------------------------------------

reply_buttons("q", {"a": "A", "b": phone()}, header="h", footer={"text": "f"})
reply_buttons({"text": "q"}, [{"type": "reply", "reply": {"id": "a", "title": "A"}}])
reply_buttons(phone(), load())
list_menu("q", "Open", {"S": {"a": "A", "b": ("B", "more"), "c": phone(), "d": {"id": "d", "title": "D"}}})
list_menu("q", phone(), {"S": load(), "T": [{"id": "a", "title": "A", "description": "x"}]})
list_menu("q", "Open", [{"title": "S", "rows": [{"id": "a", "title": "A"}]}])
list_menu("q", "Open", load())
location_request({"text": "q"})
contact_card(
    {"formatted_name": "Ana", "first_name": "Ana"}, phone=[{"phone": PHONE, "type": "HOME"}], email=phone()
)
template_message("t", {"code": "en"}, header={"image": LINK}, body=load(), buttons=[{"url": "a"}, None])
template_message(
    "t", "en", body=[{"type": "text", "text": "x"}, {"currency": {"code": "USD"}}], buttons=[load()]
)

contact_card("Ana", phone=[PHONE, 8614718004557, phone()], email=["ana@example.com", load()])
template_message("t", "en", body=[Decimal("1.50"), date(2026, 7, 1), 2.5])

reply_buttons("q", ["A", "B"])  # wrong
reply_buttons("q", {"a": None})  # wrong
contact_card("Ana", phone=[2.5])  # wrong
contact_card("Ana", email=[5])  # wrong
template_message("t", "en", body=[None])  # wrong
reply_buttons("q", "A")  # wrong
list_menu("q", "Open", {"S": "A"})  # wrong
list_menu("q", "Open", {"S": {"a": ("A", "B", "C")}})  # wrong
contact_card("Ana", phone=2.5)  # wrong
template_message("t", "en", buttons={"url": "x"})  # wrong
template_message("t")  # wrong

# --- the hook, and subclasses ---------------------------------------------------------------------------

ItnioHook().send(PHONE, text="x").message_id.upper()
ItnioHook("itnio_other", timeout=3, proxy=LINK).send(
    8614718004557, message={"text": "x"}, delivery="at_most_once"
)
text: TextDict = {"body": "x"}
whole: MessageDict = {"text": text}

ItnioHook().send(PHONE, txt="x")  # wrong
ItnioHook().send(PHONE, text="x", if_too_long="cut")  # wrong
ItnioHook(conn_id="itnio_other")  # wrong
ItnioHook().send(PHONE, text="x", delivery="twice")  # wrong
ItnioHook(timeout="3")  # wrong


class TellStock(WhatsAppSendOperator):
    def __init__(self, *, article: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.article = article

    def build_message(self, context: Any) -> MessageDict:
        return {"text": f"{self.article}: {self.hook.get_balance().balance}"}


class TellInExecute(WhatsAppSendOperator):
    def execute(self, context: Any) -> Any:
        self.text = "x"
        return super().execute(context)


operators: list[BaseOperator] = [TellStock(task_id="a", recipient=PHONE, article="tea")]

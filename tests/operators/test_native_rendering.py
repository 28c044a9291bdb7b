"""With native rendering, a text stays a text; only a field given as one expression becomes an object."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_itnio.messages import contact_card, reply_buttons, template_message
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.tables import for_each

NUMBER, DIGITS = "+86 147-1800-4557", "8614718004557"

pytestmark = pytest.mark.usefixtures("hasty")

TEXTS = {
    "{{ '%.2f' % 12.5 }}": "12.50",
    "{{ '{:,}'.format(1204) }}": "1,204",
    "{{ params.sha }}": "12e4567",
    "{{ '007' }}": "007",
    "{{ 6 * 7 }}": "42",
    "{{ 12.50 }}": "12.5",
    "{{ 1 == 1 }}": "True",
    "{{ '[1, 2]' }}": "[1, 2]",
    "{{ '1_000' }}": "1_000",
    "{{ \"'quoted'\" }}": "'quoted'",
    "{{ params.sha }} at {{ '%.2f' % 1 }}": "12e4567 at 1.00",
    "{% macro price() %}12.50{% endmacro %}{{ price() }}": "12.50",
    "{% set x %}1.0{% endset %}{{ x }}": "1.0",
    "{% if true %}{{ '0x10' }}{% endif %}": "0x10",
    "1,204": "1,204",
    "0.10": "0.10",
}


def made(name, **fields):
    with DAG("native", schedule=None, render_template_as_native_obj=True, params={"sha": "12e4567", "x": ""}):
        if name == "broadcast":
            return WhatsAppBroadcastOperator(task_id="tell", **({"recipients": [NUMBER]} | fields))
        if name == "mapped":
            return WhatsAppSendOperator.partial(task_id="tell", **fields).expand(recipient=[NUMBER])
        return WhatsAppSendOperator(task_id="tell", **({"recipient": NUMBER} | fields))


PLACES = [
    (lambda text: {"text": text}, lambda body: body["text"]["body"]),
    (lambda text: {"message": {"text": {"body": text}}}, lambda body: body["text"]["body"]),
    (
        lambda text: {"image": {"link": "https://example.com/a.png", "caption": text}},
        lambda body: body["image"]["caption"],
    ),
    (
        lambda text: {"template": template_message("a", "en", body=[text])},
        lambda body: body["template"]["components"][0]["parameters"][0]["text"],
    ),
    (lambda text: {"reply_to": text, "text": "x"}, lambda body: body["context"]["refMessageId"]),
]


@for_each(
    ("name", "text", "place"),
    # Every text in the send operator, and every place in the others, which use the same renderer.
    [
        *(("send", text, PLACES[at % 5]) for at, text in enumerate(TEXTS)),
        *((name, [*TEXTS][at], place) for at, place in enumerate(PLACES) for name in ("mapped", "broadcast")),
    ],
)
def test_a_text_that_looks_like_another_type_is_sent_as_a_text(text, place, name, itnio_sandbox):
    fields_with, text_in = place
    itnio_sandbox.execute(made(name, **fields_with(text)))
    assert text_in(itnio_sandbox.messages[0].body) == TEXTS[text]


@for_each("text", ["{{ params.sha }}", "x{{ '%.2f' % 1 }}"])
def test_a_text_in_shared_stays_a_text(text, itnio_sandbox):
    itnio_sandbox.execute(made("broadcast", text="{{ shared.x[0] }}", shared={"x": [text]}))
    assert itnio_sandbox.messages[0].text in ("12e4567", "x1.00")


OBJECTS = {
    "interactive": reply_buttons("Again?", {"a": "A"}),
    "contacts": [contact_card("Ana Lima", phone=NUMBER)],
    "location": {"longitude": 114.05, "latitude": 22.5, "name": "7", "address": "x"},
    "template": template_message("a", "en", body=["12.50"]),
    "image": {"link": "https://example.com/a.png", "caption": "12.50"},
    "message": {"text": {"body": "12.50"}},
    "text": {"body": "12.50"},
}


@for_each(("name", "field"), [*(("send", field) for field in OBJECTS), ("mapped", "interactive")])
def test_a_field_given_as_one_expression_becomes_an_object(field, name, itnio_sandbox):
    for expression in ("{{ ti.xcom_pull('load') }}", " {{ ti.xcom_pull('load') }}\n"):
        itnio_sandbox.execute(made(name, **{field: expression}), xcoms={"load": OBJECTS[field]})
    itnio_sandbox.execute(made(name, **{field: OBJECTS[field]}))
    first, second, plain = (message.body for message in itnio_sandbox.messages)
    assert first == second == plain


def test_an_object_written_as_text_is_parsed_like_in_airflow(itnio_sandbox):
    itnio_sandbox.execute(made("send", message="{'text': '{{ params.sha }}'}"))
    assert itnio_sandbox.messages[0].text == "12e4567"


def test_a_part_of_an_object_may_be_one_expression(itnio_sandbox):
    menu = reply_buttons("{{ '%.2f' % 1 }}", {"a": "A"})
    menu["action"]["buttons"] = "{{ ti.xcom_pull('load') }}"
    buttons = [{"type": "reply", "reply": {"id": "007", "title": "B"}}]
    itnio_sandbox.execute(made("send", interactive=menu), xcoms={"load": buttons})
    sent = itnio_sandbox.messages[0].body["interactive"]
    assert (sent["body"]["text"], sent["action"]["buttons"]) == ("1.00", buttons)


def test_a_none_in_an_upstream_object_is_left_out(itnio_sandbox):
    whole = {"image": {"link": "https://example.com/a.png", "caption": None}}
    itnio_sandbox.execute(made("send", message="{{ ti.xcom_pull('load') }}"), xcoms={"load": whole})
    assert itnio_sandbox.messages[0].body["image"] == {"link": "https://example.com/a.png"}


def test_a_list_in_place_of_a_text_or_a_recipient_is_refused(itnio_sandbox):
    with pytest.raises(AirflowFailException, match=r"text\.body: must be text, a list of 2 given"):
        itnio_sandbox.execute(made("send", text="{{ ti.xcom_pull('load') }}"), xcoms={"load": [1, 2]})
    several = made("send", text="x", recipient="{{ ti.xcom_pull('load') }}")
    with pytest.raises(AirflowFailException, match="recipient: one phone number, a list of 1 given"):
        itnio_sandbox.execute(several, xcoms={"load": [NUMBER]})


@for_each("number", ["{{ 8614718004557 }}", "{{ '+8614718004557' }}", "{{ '86 147 18004557' }}"])
def test_a_phone_number_may_render_to_an_int_or_a_string(number, itnio_sandbox):
    itnio_sandbox.execute(made("send", text="x", recipient=number))
    itnio_sandbox.execute(made("broadcast", text="x", recipients=[number, {"phone": number, "a": 1}]))
    itnio_sandbox.execute(made("broadcast", text="x", recipients=number))
    assert [message.recipient for message in itnio_sandbox.messages] == [DIGITS] * 4


@for_each("field", ["recipients", "exclude"])
def test_recipients_given_as_one_expression_stay_objects(field, itnio_sandbox):
    rows = [{"phone": NUMBER, "code": "007"}]
    fields = {"recipients": rows} | {field: "{{ ti.xcom_pull('load') }}"}
    summary = itnio_sandbox.execute(
        made("broadcast", text="{{ recipient.code }}", **fields), xcoms={"load": rows}
    )
    assert summary["accepted" if field == "recipients" else "excluded"] == 1
    assert [message.text for message in itnio_sandbox.messages] == ["007"][: summary["accepted"]]


def test_shared_may_be_given_as_one_expression(itnio_sandbox):
    broadcast = made("broadcast", text="{{ shared.a[1] }}", shared="{{ ti.xcom_pull('load') }}")
    itnio_sandbox.execute(broadcast, xcoms={"load": {"a": ["x", "007"]}})
    assert itnio_sandbox.messages[0].text == "007"


@for_each(
    ("number", "native"),
    zip(
        [float(DIGITS), Decimal(f"{DIGITS}.0"), np.float64(DIGITS), np.int64(DIGITS)],
        [False, True] * 2,
        strict=True,
    ),
)
def test_a_float_or_decimal_phone_number_in_an_expression_gets_no_decimal_point(
    number, native, itnio_sandbox
):
    with DAG("numbers", schedule=None, render_template_as_native_obj=native):
        tasks = [
            WhatsAppSendOperator(task_id="send", recipient="{{ found }}", text="x"),
            WhatsAppBroadcastOperator(task_id="broadcast", recipients="{{ found }}", text="x"),
            WhatsAppBroadcastOperator(task_id="dict", recipients=[{"phone": "{{ found }}"}], text="x"),
            WhatsAppBroadcastOperator(
                task_id="out", recipients=[NUMBER, "91856321322"], exclude="{{ found }}", text="x"
            ),
        ]
    for each in tasks:
        itnio_sandbox.execute(each, found=number)
    assert [message.recipient for message in itnio_sandbox.messages] == [DIGITS] * 3 + ["91856321322"]

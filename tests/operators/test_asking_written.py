"""A question in a DAG file: its mistakes, rendered fields and mapped tasks."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, task

from airflow_provider_itnio.api.errors import InvalidMessageError, InvalidParameterError
from airflow_provider_itnio.messages import template_message
from airflow_provider_itnio.operators.whatsapp_ask import WhatsAppAskOperator
from tests.operators.questions import (
    ANA,
    BEN,
    OPTIONS,
    asking,
    deferred,
    ended,
    heard,
    ids_in,
    tap,
    write,
)
from tests.tables import for_each
from tests.task_runs import fails_at_once

WHOLE = {"recipients": [ANA], "question": "And now?", "options": OPTIONS}


def many(count, length=1):
    return {f"k{number}": f"{number}".rjust(length, "x") for number in range(count)}


WRONG = {
    "no recipients": ({"recipients": []}, "recipients: must be 1 to 100 phone numbers, 0 given"),
    "too many recipients": ({"recipients": [ANA] * 101}, "recipients: must be 1 to 100"),
    "no number": ({"recipients": [ANA, "nobody"]}, r"recipients\[1\]: must be a phone number"),
    "empty question": ({"question": ""}, "question: must not be empty"),
    "no text": ({"question": {"a": 1}}, "question: must be text"),
    "long question": ({"question": "x" * 1025}, "question: at most 1,?024 characters, 1,?025 given"),
    "no options": ({"options": {}}, "options: must be 1 to 10, 0 given"),
    "too many options": ({"options": many(11)}, "options: must be 1 to 10, 11 given"),
    "None": ({"options": None}, "options: must be a dict of titles by key, .* nothing given"),
    "a list": ({"options": ["yes", "no"]}, "options: must be a dict of titles by key"),
    "a title that can't be seen": ({"options": {"a": "\u200b"}}, "options: key and title of 'a' must have"),
    "a key twice": ({"options": [["a", "A"], ["a", "B"]]}, "options: a key must be text that no other"),
    "long title": ({"options": {"a": "x" * 21}}, "options.a: at most 20 characters, 21 given"),
    "long title of a row": ({"options": many(4, 25)}, "options.k0: at most 24 characters, 25 given"),
    "empty title": ({"options": {"a": ""}}, "options.a: must not be empty"),
    "two alike": ({"options": {"a": "Yes", "b": " yES"}}, "options: 'yes' would mean 'a' and 'b'"),
    "key and title": ({"options": {"yes": "No", "no": "Yes"}}, "options: '(yes|no)' would mean"),
    "key with blanks": ({"options": {" a": "A"}}, "options: a key must be text of 1 to 100 characters"),
    "no key": ({"options": {"": "A"}}, "options: a key"),
    "number as key": ({"options": {1: "A"}}, "options: a key must be text"),
    "long key": ({"options": {"x" * 101: "A"}}, "options: a key must be text"),
    "unknown option": ({"if_no_answer": "never"}, "if_no_answer: must be fail, skip or the key of an option"),
    "both": (
        {"if_no_answer": "skip", "options": {"skip": "A"}},
        "if_no_answer: skip is also the key of an option",
    ),
    "too long": ({"answer_within": timedelta(days=8)}, "answer_within: .*, 8 days given"),
    "no time": ({"answer_within": 0}, "answer_within: must be a number from 1 to 604800"),
    "no template": ({"template": "what_now"}, "template: must be what template_message"),
    "template of nothing": ({"template": {}}, "template.language: required"),
    "other replies": (
        {"template": template_message("ask", "en", buttons=[{"quick_reply": "other"}])},
        "template: must have one quick reply for each option, whose value is the option's key: again, leave",
    ),
    "deferrable": ({"deferrable": "no"}, "deferrable: must be True or False, 'no' given"),
    "typed answers": ({"typed_answers": "no"}, "typed_answers: must be True or False, 'no' given"),
    "delivery": ({"delivery": "twice"}, "delivery: must be one of"),
    "timeout": ({"timeout": 0}, "timeout: must be a number"),
    "business phone": ({"business_phone": "me"}, "business_phone: "),
}


@for_each(("fields", "told"), WRONG.values())
def test_an_invalid_parameter_is_an_import_error(fields, told):
    with pytest.raises((InvalidMessageError, InvalidParameterError), match=f"task 'ask': {told}"):
        WhatsAppAskOperator(task_id="ask", **WHOLE | fields)


@for_each(
    ("name", "hint"),
    [("recipient", "give recipients=…"), ("text", ""), ("if_no_answr", "if_no_answer=…")],
)
def test_the_error_of_an_unknown_argument_names_it(name, hint):
    with pytest.raises(Exception, match=f"task 'ask': unknown argument '?{name}.*{hint}"):
        WhatsAppAskOperator(task_id="ask", **WHOLE, **{name: "x"})


def test_templated_fields_are_checked_after_rendering(sandbox, connection):
    fields = {"question": "{{ params.question }}", "options": {"a": "{{ params.a }}", "b": "B"}}
    run = asking(**fields)
    run.context["params"] = {"question": "x" * 1025, "a": "b"}
    assert "options: 'b' would mean 'a' and 'b'" in str(fails_at_once(run))
    run.context["params"]["a"] = "A"
    assert "question: at most 1" in str(fails_at_once(run))
    assert not sandbox.requests


@pytest.mark.usefixtures("people")
def test_all_fields_of_a_question_are_rendered(sandbox):
    run = asking(
        recipients="{{ params.people }}",
        question="*{{ params.what }}* has failed",
        options={"again": "{{ params.again }}", "leave": "Leave it"},
        itnio_conn_id="{{ params.conn }}",
        deferrable=True,
    )
    run.context["params"] = {
        "people": f"{ANA}, {BEN}", "what": "load", "again": "Again", "conn": "itnio_default",
    }  # fmt: skip
    left = deferred(run)
    assert [one.body["interactive"]["body"]["text"] for one in sandbox.messages] == ["*load* has failed"] * 2
    tap(sandbox, sandbox.messages[0])
    assert ended(run, left)["answer"] == "again"


@pytest.mark.usefixtures("people")
def test_a_mapped_question_from_upstream_is_sent_unrendered(sandbox):
    with DAG("report", schedule=None):

        @task
        def found():
            return None

        ask = WhatsAppAskOperator.partial(task_id="ask", recipients=[ANA], options=OPTIONS, deferrable=False)
        asks = ask.expand(question=found())
    later = threading.Thread(target=lambda: tap(sandbox, sandbox.wait_for(1)[0]))
    later.start()
    answer = sandbox.execute(asks, xcoms={"found": ["{{ 7 * 7 }}?", "other"]})
    later.join()
    assert answer["answer"] == "again"
    assert sandbox.messages[0].body["interactive"]["body"]["text"] == "{{ 7 * 7 }}?"


@pytest.mark.usefixtures("people")
def test_an_invalid_number_after_rendering_is_skipped_and_logged(sandbox, caplog):
    run = asking(recipients="{{ params.people }}", deferrable=True)
    run.context["params"] = {"people": f"{ANA}, nobody"}
    deferred(run)
    assert [one.recipient for one in sandbox.messages] == [ANA]
    assert "Not asked: recipients[1]: must be a phone number" in caplog.text


def test_default_args_apply_to_parameters_that_the_task_does_not_set(sandbox):
    defaults = {"options": OPTIONS, "if_no_answer": "leave", "timeout": 3600 * 24, "retries": 1}
    with DAG("report", schedule=None, default_args=defaults):
        ask = WhatsAppAskOperator(task_id="ask", recipients=[ANA], question="And now?", if_no_answer="skip")
    assert (ask.options, ask.if_no_answer, ask.timeout) == (OPTIONS, "skip", None)


def test_a_mapped_task_refuses_an_unknown_argument():
    with DAG("report", schedule=None):
        made = WhatsAppAskOperator.partial(task_id="ask", options=OPTIONS, question="And now?")
        assert made.expand(recipients=[[ANA], [BEN]])
        with pytest.raises(Exception, match=r"unknown argument '?recipient"):
            WhatsAppAskOperator.partial(task_id="other", options=OPTIONS, question="?", recipient=ANA)


@pytest.mark.usefixtures("people")
def test_the_template_may_set_the_order_of_the_options(sandbox):
    sandbox.window_open(BEN, is_open=False)
    buttons = [{"url": "runs/7"}, {"quick_reply": "leave"}, {"quick_reply": "again"}]
    for template, expected in (
        (template_message("ask", "en", buttons=buttons), ["leave", "again"]),
        (template_message("ask", "en", buttons=buttons[:1]), ["again", "leave"]),
    ):
        sandbox.clear()
        deferred(asking(recipients=["8615200000004"], template=template, deferrable=True))
        components = sandbox.messages[0].body["template"]["components"]
        replies = [one for one in components if one["sub_type"] == "quick_reply"]
        assert [one["index"] for one in replies] == ["1", "2"]
        payloads = [one["parameters"][0]["payload"] for one in replies]
        assert [payload.partition(".")[0] for payload in payloads] == expected


TURNED = {"leave": "Leave it", "again": "Load again"}
"""What PostgreSQL may return for ``OPTIONS``."""


@for_each("mapped", [False, True])
@for_each("options", [TURNED, [["again", "Load again"], ["leave", "Leave it"]]])
@pytest.mark.usefixtures("people")
def test_a_template_refuses_options_whose_order_the_database_may_change(mapped, options, sandbox):
    with DAG("report", schedule=None):

        @task
        def found():
            return None

        fields = {"task_id": "ask", "question": "And now?", "deferrable": False, "if_no_answer": "fail"}
        fields |= {"recipients": ["8615200000006"], "answer_within": 1}
        named = template_message("ask", "en", buttons=[{"quick_reply": key} for key in OPTIONS])
        if mapped:
            ask = WhatsAppAskOperator.partial(template=template_message("ask", "en"), **fields)
            ask = ask.expand(options=found())
        else:
            template = named if isinstance(options, dict) else template_message("ask", "en")
            ask = WhatsAppAskOperator(template=template, options=found(), **fields)
    given = [options] if mapped else options
    with pytest.raises(AirflowFailException) as raised:
        sandbox.execute(ask, xcoms={"found": given})
    if mapped and isinstance(options, dict):
        assert "template: must name the options in its quick replies" in str(raised.value)
        assert not sandbox.messages
    else:
        assert "No answer within" in str(raised.value)
        buttons = sandbox.messages[0].body["template"]["components"]
        payloads = [one["parameters"][0]["payload"] for one in buttons]
        assert [one.partition(".")[0] for one in payloads] == ["again", "leave"]


@pytest.mark.usefixtures("people")
def test_a_typed_position_does_not_count_if_the_template_has_another_order(sandbox, receiver, caplog):
    person = "8615200000005"
    buttons = [{"quick_reply": "leave"}, {"quick_reply": "again"}]
    template = template_message("ask", "en", buttons=buttons)
    left = deferred(run := asking(recipients=[person], template=template, deferrable=True))
    heard(receiver, lambda: write(sandbox, "1", person))
    sandbox.reply(message_id=sandbox.messages[0].id, quick_reply=0)
    with caplog.at_level("INFO"):
        assert ended(run, left)["answer"] == "leave"
    assert "none of the options" in caplog.text


@pytest.mark.usefixtures("people")
def test_typed_answers_may_be_turned_off(sandbox, receiver, caplog):
    left = deferred(run := asking(typed_answers=False, deferrable=True))
    heard(receiver, lambda: write(sandbox, "again"))
    tap(sandbox, sandbox.messages[0], 1)
    with caplog.at_level("INFO"):
        assert ended(run, left)["answer"] == "leave"
    assert "typed, and only a tap counts" in caplog.text


@pytest.mark.usefixtures("people")
def test_option_ids_are_at_most_200_characters_and_unique_per_question_and_recipient(sandbox):
    options = {f"{number}".rjust(100, "k"): f"option {number}" for number in range(10)}
    deferred(asking(options=options, recipients=[ANA, BEN], deferrable=True))
    ids = [option for message in sandbox.messages for option in ids_in(message)]
    assert len({*ids}) == 20
    assert max(map(len, ids)) <= 200


def test_a_connection_without_a_business_phone_fails_the_task_at_once(sandbox, connect):
    connect(extra={"business_phone": None})
    with pytest.raises(AirflowFailException, match="business_phone"):
        asking().once()

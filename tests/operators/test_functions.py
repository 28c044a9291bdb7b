"""All template fields take a function of ``(context, jinja_env)``; its result is data."""

from __future__ import annotations

import math

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, AirflowSkipException

from airflow_provider_itnio.api.errors import NotSentError
from airflow_provider_itnio.messages import reply_buttons
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.tables import for_each, pairs
from tests.task_runs import counts_of

LI, ANA = "+86 147-1800-4557", "+55 11 91234-5678"
JINJA = "{{ conn.itnio_default.password }} and report.j2"

pytestmark = pytest.mark.usefixtures("hasty")


def made(kind="send", *, native=False, **fields):
    with DAG("functions", schedule=None, params={"word": "found"}, render_template_as_native_obj=native):
        if kind == "mapped":
            return WhatsAppSendOperator.partial(task_id="tell", **fields).expand(recipient=[LI])
        if kind == "broadcast":
            many = {"recipients": [{"phone": LI, "name": "Li"}, {"phone": ANA, "name": "Ana"}]}
            return WhatsAppBroadcastOperator(task_id="tell", **many | fields)
        return WhatsAppSendOperator(task_id="tell", **{"recipient": LI} | fields)


def giving(value):
    def give(context, jinja_env):
        assert jinja_env.from_string("{{ 7 }}").render() in ("7", 7)
        assert context["params"]["word"] == "found"
        return value

    return give


@pairs(
    native=[False, True],
    kind=["send", "mapped", "broadcast"],
    fields=[
        {"text": giving(JINJA)},
        {"text": {"body": giving(JINJA)}},
        {"text": giving({"body": JINJA})},
        {"message": giving({"text": JINJA})},
        {"message": {"text": giving(JINJA)}},
        {"interactive": reply_buttons(JINJA.replace("{{", "").replace("}}", ""), {"a": "A"})},
        {"interactive": giving(reply_buttons(JINJA, {"a": "A"}))},
    ],
)
def test_a_message_may_be_given_by_a_function(fields, kind, native, itnio_sandbox):
    itnio_sandbox.execute(made(kind, native=native, **fields))
    for message in itnio_sandbox.messages:
        assert "itnio_default.password" in message.text
        assert message.text.split("\n")[0].endswith("and report.j2")


def test_all_other_template_fields_may_be_given_by_a_function(connect, itnio_sandbox):
    connect("itnio_other", extra={"business_phone": None, "app_id": None})
    fields = {
        "reply_to": giving("wamid.1"),
        "itnio_conn_id": giving("itnio_other"),
        "business_phone": giving(itnio_sandbox.business_phone),
        "app_id": giving(itnio_sandbox.app_id),
    }
    itnio_sandbox.execute(made(text="x", recipient=giving(ANA), **fields))
    itnio_sandbox.execute(
        made(
            "broadcast",
            text="{{ shared.word }}",
            recipients=giving([{"phone": LI}, ANA]),
            exclude=giving([LI]),
            shared=giving({"word": JINJA}),
            **fields,
        )
    )
    itnio_sandbox.execute(
        made("broadcast", text="{{ shared.word }}", recipients=[giving(ANA)], shared={"word": giving(JINJA)})
    )
    assert [message.recipient for message in itnio_sandbox.messages] == ["5511912345678"] * 3
    assert [message.text for message in itnio_sandbox.messages][1:] == [JINJA] * 2
    contexts = [message.body.get("context") for message in itnio_sandbox.messages]
    assert contexts == [{"refMessageId": "wamid.1"}] * 2 + [None]


def test_a_functions_result_is_checked(itnio_sandbox):
    with pytest.raises(AirflowFailException, match=r"text\.body: at most 4096 characters, 5000 given"):
        itnio_sandbox.execute(made(text=giving("x" * 5000)))
    with pytest.raises(AirflowFailException, match=r"text: .*None"):
        itnio_sandbox.execute(made(text=giving(None)))
    itnio_sandbox.execute(made(text="x", reply_to=giving(None)))
    assert [message.text for message in itnio_sandbox.messages] == ["x"]


def failing(error):
    def fail(context, jinja_env):
        raise error

    return fail


def test_a_function_that_raises_sends_nothing_and_leaves_the_retries(itnio_sandbox):
    with pytest.raises(NotSentError, match="text: its function failed: ValueError: no rows") as caught:
        itnio_sandbox.execute(made(text=failing(ValueError("no rows"))))
    assert isinstance(caught.value.__cause__, ValueError)
    assert itnio_sandbox.requests == []


@for_each("error", [AirflowSkipException("nothing new"), AirflowFailException("never")])
def test_a_skip_or_fail_exception_of_a_function_is_raised_unchanged(error, itnio_sandbox):
    with pytest.raises(type(error)) as caught:
        itnio_sandbox.execute(made(text={"body": failing(error)}))
    assert caught.value is error


# --- in a broadcast -------------------------------------------------------------------------------------


def test_a_function_in_a_broadcasts_message_is_called_once_per_recipient(itnio_sandbox):
    seen = []

    def text(context, jinja_env):
        seen.append(context["recipient"])
        return f"{context['shared']['word']} {context['recipient']['name']} {context['params']['word']}"

    summary = itnio_sandbox.execute(made("broadcast", text=text, shared={"word": "Hi"}))
    assert counts_of(summary) == {"accepted": 2}
    assert seen == [{"phone": "8614718004557", "name": "Li"}, {"phone": "5511912345678", "name": "Ana"}]
    assert {message.text for message in itnio_sandbox.messages} == {"Hi Li found", "Hi Ana found"}


@for_each("gap", [None, math.nan])
def test_a_function_that_returns_none_or_raises_for_a_recipient_is_one_failure(gap, itnio_sandbox):
    def text(context, jinja_env):
        name = context["recipient"]["name"]
        if name == "Eve":
            raise RuntimeError("no rows")
        return gap if name == "Li" else name

    people = [{"phone": f"861390000{n}", "name": name} for n, name in enumerate(("Li", "Ana", "Eve"))]
    with pytest.raises(AirflowFailException, match="2 invalid"):
        itnio_sandbox.execute(made("broadcast", text=text, recipients=people))
    assert [message.text for message in itnio_sandbox.messages] == ["Ana"]


def test_a_function_may_return_no_reply_to_for_some_recipients(itnio_sandbox):
    def reply_to(context, jinja_env):
        return "wamid.1" if context["recipient"]["name"] == "Li" else None

    itnio_sandbox.execute(made("broadcast", text="x", reply_to=reply_to))
    (li,), (ana,) = itnio_sandbox.sent_to(LI), itnio_sandbox.sent_to(ANA)
    assert li.body["context"] == {"refMessageId": "wamid.1"}
    assert "context" not in ana.body

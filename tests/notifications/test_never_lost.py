"""An alert is never lost to its own text, and never sent twice."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import DAG, mask_secret
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_itnio.api.errors import ItnioError
from airflow_provider_itnio.notifications import rendering
from airflow_provider_itnio.notifications.alert_facts import AlertFacts
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from tests.tables import for_each

from .events import of_dag, of_deadline, of_task

NUMBER = "+86 147-1800-4557"
REASON = "_The text of this alert could not be used:_ "
pytestmark = pytest.mark.usefixtures("connection")


def types(sandbox):
    return [message.type for message in sandbox.messages]


# --- its own text can't be used ---------------------------------------------------------------------------


@for_each(
    ("fields", "reason"),
    [
        ({"text": "{{ ds }}"}, "text: UndefinedError: 'ds' is undefined"),
        ({"text": "{{ 1 / 0 }}"}, "text: ZeroDivisionError: division by zero"),
        ({"text": "{% if %}"}, "text: TemplateSyntaxError: "),
        ({"text": "{{ 'x' * 4097 }}"}, "text.body: at most 4096 characters, 4097 given"),
        ({"text": "{{ '' }}"}, "text.body: must not be empty"),
        ({"image": "{{ 'a.png' }}"}, "image.link: must be an http:// or https:// link"),
        ({"message": {"text": "{{ ds }}"}}, "message: UndefinedError: 'ds' is undefined"),
        ({"text": "x", "reply_to": "{{ ds }}"}, "reply_to: UndefinedError: 'ds' is undefined"),
    ],
)
@for_each("context", [of_task, of_dag, of_deadline])
def test_the_default_goes_out_with_the_reason_in_its_last_line(fields, reason, context, told, sandbox):
    told(WhatsAppNotifier(recipients=NUMBER, **fields), context())
    (message,) = sandbox.messages
    *alert, last = message.text.split("\n")
    assert alert[1] == "DAG: `nightly_load`"
    assert last.startswith(f"{REASON}{reason}")


def test_a_text_that_is_too_long_is_cut_on_demand(tell, sandbox):
    tell(WhatsAppNotifier(recipients=NUMBER, text="{{ 'x' * 5000 }}", if_too_long="truncate"), of_task())
    assert sandbox.messages[0].text == "x" * 4095 + "…"


@for_each("code", [-132, -135])
def test_the_default_goes_out_if_the_message_is_refused_for_what_it_holds(code, tell, sandbox, logged):
    sandbox.fail_next(status=code)
    tell(WhatsAppNotifier(recipients=NUMBER, text="own words"), of_task())
    (message,) = sandbox.messages
    assert message.text.split("\n")[0] == "❌ *Task failed*"
    assert f"status {code}" in message.text.split("\n")[-1]
    assert "WhatsApp alert to 86…57: " in logged()


def test_each_recipient_gets_the_default_only_if_theirs_was_refused(tell, sandbox):
    sandbox.fail_next(status=-132, recipient="861000000022")
    tell(WhatsAppNotifier(recipients=["861000000011", "861000000022"], text="own words"), of_task())
    assert [message.text for message in sandbox.sent_to("861000000011")] == ["own words"]
    (message,) = sandbox.sent_to("861000000022")
    assert message.text.startswith("❌ *Task failed*")


def test_a_default_that_is_refused_too_is_an_error(tell, sandbox):
    sandbox.fail_next(9, status=-132)
    with pytest.raises(ItnioError, match=r"was not sent to 1 of 1 recipients: .*status -132"):
        tell(WhatsAppNotifier(recipients=NUMBER, text="own words"), of_task())
    assert len(sandbox.requests) == 2


@for_each("code", [-1, -13, -70, -96])
def test_no_other_words_help_against_any_other_refusal(code, tell, sandbox):
    sandbox.fail_next(9, status=code)
    with pytest.raises(ItnioError, match=f"was not sent to 1 of 1 recipients: .*status {code},"):
        tell(WhatsAppNotifier(recipients=NUMBER, text="own words"), of_task())
    assert len(sandbox.requests) == 1


@pytest.mark.usefixtures("quick_tries")
@for_each("code", [-5, -12, -18])
def test_a_refusal_that_may_pass_is_tried_again(code, tell, sandbox):
    """A callback has no retries of a task behind it."""
    sandbox.fail_next(status=code)
    tell(WhatsAppNotifier(recipients=NUMBER, text="own words"), of_task())
    assert [message.text for message in sandbox.messages] == ["own words"]
    sandbox.fail_next(2, status=code)
    with pytest.raises(ItnioError, match=rf"\({code}\)|{code}"):
        tell(WhatsAppNotifier(recipients=NUMBER, text="own words"), of_task())
    assert len(sandbox.messages) == 1


def test_a_reason_holds_nothing_that_airflow_masks(tell, sandbox):
    mask_secret("hunter2ofthetests")
    context = of_task() | {"params": {"password": "hunter2ofthetests"}}
    tell(WhatsAppNotifier(recipients=NUMBER, image="{{ params.password }}"), context)
    tell(WhatsAppNotifier(recipients=NUMBER, text="{{ {}[params.password] }}"), context)
    assert len(sandbox.messages) == 2
    for message in sandbox.messages:
        assert REASON in message.text
        assert "hunter2" not in message.text


# --- the default as a WhatsApp template -------------------------------------------------------------------


def names_and_languages(sandbox):
    templates = [message.body["template"] for message in sandbox.messages]
    return [(template["name"], template["language"]["code"]) for template in templates]


@for_each(
    ("extra", "fields", "sent"),
    [
        ({"alert_template": "of_connection"}, {}, ("of_connection", "en")),
        ({"alert_template": "of_connection", "alert_language": "fr"}, {}, ("of_connection", "fr")),
        ({}, {"alert_template": "own"}, ("own", "en")),
        ({"alert_template": "of_connection"}, {"alert_template": "own"}, ("own", "en")),
        ({"alert_language": "fr"}, {"alert_template": "own"}, ("own", "fr")),
        ({"alert_language": "fr"}, {"alert_template": "own", "alert_language": "de"}, ("own", "de")),
        (
            {"alert_template": "of_connection", "alert_language": "fr"},
            {"alert_language": "de"},
            ("of_connection", "de"),
        ),
    ],
)
def test_its_name_and_language_are_the_notifiers_or_else_the_connections(
    extra, fields, sent, *, tell, connect, sandbox
):
    connect(extra=extra)
    tell(WhatsAppNotifier(recipients=NUMBER, **fields), of_task())
    assert names_and_languages(sandbox) == [sent]


@for_each("extra", [{"alert_template": "No Name!"}, {"alert_template": "a", "alert_language": "!"}])
def test_a_connection_that_names_an_impossible_one_gets_a_text(extra, tell, connect, sandbox):
    connect(extra=extra)
    tell(WhatsAppNotifier(recipients=NUMBER), of_task())
    (message,) = sandbox.messages
    assert message.type == "text"
    assert f"{REASON}template." in message.text


@for_each("code", [-38, -44, -2])
def test_one_that_whatsapp_does_not_know_becomes_a_text(code, tell, sandbox):
    sandbox.fail_next(status=code, path="/wa/template/sendMsg")
    tell(WhatsAppNotifier(recipients=NUMBER, alert_template="pipeline_alert"), of_task())
    (message,) = sandbox.messages
    assert message.type == "text"
    assert f"status {code}" in message.text.split("\n")[-1]


def test_one_whose_name_cant_be_filled_in_becomes_a_text(tell, sandbox, logged):
    tell(WhatsAppNotifier(recipients=NUMBER, alert_template="{{ no_such_name }}"), of_task())
    assert types(sandbox) == ["text"]
    assert "alert_template: UndefinedError: 'no_such_name' is undefined" in logged()


def test_own_words_go_before_the_template(tell, sandbox):
    tell(WhatsAppNotifier(recipients=NUMBER, text="own words", alert_template="pipeline_alert"), of_task())
    assert [message.text for message in sandbox.messages] == ["own words"]


@for_each("rendered", [True, False])
def test_the_template_goes_before_the_text_if_own_words_cant_be_used(rendered, tell, sandbox):
    text = "{{ 'x' * 5000 }}" if rendered else "{{ ds }}"
    tell(WhatsAppNotifier(recipients=NUMBER, text=text, alert_template="pipeline_alert"), of_task())
    (message,) = sandbox.messages
    assert message.type == "template"
    assert ("4096" if rendered else "'ds' is undefined") in message.text


def test_at_last_the_text_goes_out(tell, sandbox):
    sandbox.fail_next(2, status=-135)
    tell(WhatsAppNotifier(recipients=NUMBER, text="own words", alert_template="pipeline_alert"), of_task())
    assert types(sandbox) == ["text"]
    paths = [request.path for request in sandbox.requests]
    assert paths == ["/wa/custom/sendMsg", "/wa/template/sendMsg", "/wa/custom/sendMsg"]
    assert sandbox.messages[0].text.startswith("❌ *Task failed*")


# --- not twice, not late ----------------------------------------------------------------------------------


@for_each(
    "fault",
    [{"drop": "after_accepting"}, {"drop": "before_accepting"}, {"http_status": 500}, {"body": "<html>"}],
)
@for_each("fields", [{}, {"text": "own words"}, {"alert_template": "pipeline_alert"}])
def test_what_may_have_arrived_is_not_sent_again(fault, fields, tell, sandbox):
    sandbox.fail_next(9, **fault)
    with pytest.raises(ItnioError, match="accepted the"):
        tell(WhatsAppNotifier(recipients=NUMBER, **fields), of_task())
    assert len(sandbox.requests) == 1


@pytest.mark.usefixtures("quick_tries")
def test_what_did_not_leave_is_tried_twice(tell, sandbox):
    sandbox.fail_next(9, http_status=503, headers={"Retry-After": "0"})
    with pytest.raises(ItnioError, match="HTTP 503"):
        tell(WhatsAppNotifier(recipients=NUMBER), of_task())
    assert len(sandbox.requests) == 2


@pytest.mark.usefixtures("quick_tries")
@for_each("max_attempts", [1, 3])
def test_or_as_often_as_is_said(max_attempts, tell, sandbox):
    sandbox.fail_next(9, http_status=429, headers={"Retry-After": "0"})
    with pytest.raises(ItnioError):
        tell(WhatsAppNotifier(recipients=NUMBER, max_attempts=max_attempts), of_task())
    assert len(sandbox.requests) == max_attempts


def test_six_seconds_are_not_waited_for(tell, sandbox):
    sandbox.fail_next(9, http_status=429, headers={"Retry-After": "6"})
    with pytest.raises(ItnioError, match="asks to wait 6 s"):
        tell(WhatsAppNotifier(recipients=NUMBER), of_task())
    assert len(sandbox.requests) == 1


def test_an_answer_is_waited_for_as_long_as_is_said(tell, sandbox):
    sandbox.fail_next(delay=0.5)
    with pytest.raises(ItnioError, match="No complete answer came"):
        tell(WhatsAppNotifier(recipients=NUMBER, timeout=0.1), of_task())
    assert len(sandbox.wait_for(1)) == len(sandbox.requests) == 1


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ({}, (10.0, 3.0, 2, 5.0)),
        ({"timeout": 7, "connect_timeout": 1.5, "max_attempts": 4}, (7, 1.5, 4, 5.0)),
    ],
)
def test_it_is_quick_whatever_the_connection_says_unless_it_is_told_otherwise(given, settings, connect):
    connect(extra={"timeout": 60, "connect_timeout": 30, "max_attempts": 9})
    _, hook = WhatsAppNotifier(recipients=NUMBER, **given)._rendered(of_task(), AlertFacts())
    found = hook.account().settings
    assert (found.timeout, found.connect_timeout, found.max_attempts, found.max_retry_after) == settings


# --- broken contexts --------------------------------------------------------------------------------------


class Broken:
    """Nothing about it can be read."""

    def __getattr__(self, name):
        raise RuntimeError(f"no {name}")

    def __str__(self):
        raise RuntimeError("no words")

    __repr__ = __str__


class WordlessError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def test_an_exception_that_cant_be_read_leaves_the_alert(tell, sandbox):
    tell(WhatsAppNotifier(recipients=NUMBER), of_task(exception=WordlessError()))
    lines = sandbox.messages[0].text.split("\n")
    assert lines[0] == "❌ *Task failed*"
    assert "```WordlessError```" in lines


@for_each("fields", [{}, {"text": "{{ alert.error }}"}, {"alert_template": "pipeline_alert"}])
def test_an_error_that_is_no_valid_text_goes_out_with_the_rest_of_it(fields, tell, sandbox):
    tell(WhatsAppNotifier(recipients=NUMBER, **fields), of_task(exception=ValueError("file \udcff.csv")))
    (message,) = sandbox.messages
    assert "ValueError: file ?.csv" in message.text
    assert REASON not in message.text


def test_a_reason_that_is_no_valid_text_leaves_the_alert(tell, sandbox):
    def fail():
        raise ValueError("file \udcff.csv")

    tell(WhatsAppNotifier(recipients=NUMBER, text="{{ fail() }}"), of_task() | {"fail": fail})
    assert sandbox.messages[0].text.endswith(f"{REASON}text: ValueError: file ?.csv")


@for_each("fields", [{}, {"text": "own words"}])
def test_a_dag_whose_jinja_cant_be_set_up_leaves_the_alert(fields, tell, sandbox, logged):
    dag = DAG("nightly_load", schedule=None, jinja_environment_kwargs={"extensions": ["no.such.extension"]})
    tell(WhatsAppNotifier(recipients=NUMBER, **fields), of_task() | {"dag": dag})
    assert sandbox.messages[0].text.startswith(fields.get("text", "❌ *Task failed*\nDAG: `nightly_load`"))
    assert "The DAG's Jinja environment could not be created" in logged()


class BrokenQuestion:
    def generate_link_to_ui_from_context(self, *, context):
        raise RuntimeError("no link")


def test_a_question_whose_form_has_no_link_comes_with_the_tasks(tell, sandbox):
    tell(WhatsAppNotifier(recipients=NUMBER), of_task("running", task=BrokenQuestion()))
    lines = sandbox.messages[0].text.split("\n")
    assert lines[0] == "✋ *Your answer is wanted*"
    assert lines[-1] == of_task()["ti"].log_url


def test_facts_that_cant_be_gathered_leave_the_alert(tell, sandbox, logged, monkeypatch):
    def fail(context):
        raise RuntimeError("no facts")

    monkeypatch.setattr(rendering, "alert_facts", fail)
    tell(WhatsAppNotifier(recipients=NUMBER), of_task())
    assert sandbox.messages[0].text == "ℹ️ *Airflow*"
    assert "The facts of this alert could not be gathered: RuntimeError: no facts" in logged()


def test_a_business_phone_that_is_no_number_leaves_the_alert_to_the_connections(tell, sandbox, logged):
    notifier = WhatsAppNotifier(recipients=NUMBER, business_phone="{{ params.phone }}")
    tell(notifier, of_task() | {"params": {"phone": "12"}})
    (message,) = sandbox.messages
    assert message.body["businessPhone"] == sandbox.business_phone
    assert "business_phone: 7 to 14 digits, 2 given" in logged()


ODD = st.sampled_from(
    [None, "", "text", 7, -1, 2.5, True, [], {}, {"dag_id": 3, "dag_run_id": []}, object(), Broken(), b"\xff"]
)
CONTEXTS = st.dictionaries(
    st.sampled_from(
        ["ti", "task_instance", "task", "dag_run", "deadline", "exception", "reason", "run_id", "params"]
    ),
    ODD | st.sampled_from([KeyboardInterrupt(), WordlessError(), ValueError("\udc80")]),
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(context=CONTEXTS)
def test_whatever_the_context_holds_the_alert_goes_out(sandbox, context):
    sandbox.clear()
    WhatsAppNotifier(recipients=NUMBER)(context)
    assert types(sandbox) == ["text"]
    sandbox.clear()
    WhatsAppNotifier(recipients=NUMBER, alert_template="pipeline_alert")(context)
    assert types(sandbox) == ["template"]

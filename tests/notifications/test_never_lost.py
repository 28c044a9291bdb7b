"""An error in an alert's own text does not prevent the alert, and no alert is sent twice."""

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


# --- the alert's text is unusable -------------------------------------------------------------------------


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
def test_an_unusable_text_is_replaced_by_the_default_with_the_reason_in_its_last_line(
    fields, reason, context, notify, sandbox
):
    notify(WhatsAppNotifier(recipients=NUMBER, **fields), context())
    (message,) = sandbox.messages
    *alert, last = message.text.split("\n")
    assert alert[1] == "DAG: `nightly_load`"
    assert last.startswith(f"{REASON}{reason}")


def test_a_text_over_the_limit_is_truncated_with_if_too_long_truncate(tell, sandbox):
    tell(WhatsAppNotifier(recipients=NUMBER, text="{{ 'x' * 5000 }}", if_too_long="truncate"), of_task())
    assert sandbox.messages[0].text == "x" * 4095 + "…"


@for_each("code", [-132, -135])
def test_a_message_refused_for_its_content_is_replaced_by_the_default(code, tell, sandbox, logged):
    sandbox.fail_next(status=code)
    tell(WhatsAppNotifier(recipients=NUMBER, text="own words"), of_task())
    (message,) = sandbox.messages
    assert message.text.split("\n")[0] == "❌ *Task failed*"
    assert f"status {code}" in message.text.split("\n")[-1]
    assert "WhatsApp alert to 86…57: " in logged()


def test_only_a_recipient_whose_message_was_refused_gets_the_default(tell, sandbox):
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
def test_after_another_refusal_the_default_is_not_sent(code, tell, sandbox):
    sandbox.fail_next(9, status=code)
    with pytest.raises(ItnioError, match=f"was not sent to 1 of 1 recipients: .*status {code},"):
        tell(WhatsAppNotifier(recipients=NUMBER, text="own words"), of_task())
    assert len(sandbox.requests) == 1


@pytest.mark.usefixtures("quick_tries")
@for_each("code", [-5, -12, -18])
def test_a_transient_refusal_is_tried_again_once(code, tell, sandbox):
    """A callback has no task retries."""
    sandbox.fail_next(status=code)
    tell(WhatsAppNotifier(recipients=NUMBER, text="own words"), of_task())
    assert [message.text for message in sandbox.messages] == ["own words"]
    sandbox.fail_next(2, status=code)
    with pytest.raises(ItnioError, match=rf"\({code}\)|{code}"):
        tell(WhatsAppNotifier(recipients=NUMBER, text="own words"), of_task())
    assert len(sandbox.messages) == 1


def test_a_reason_contains_no_value_that_airflow_masks(tell, sandbox):
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
def test_the_templates_name_and_language_are_the_notifiers_or_else_the_connections(
    extra, fields, sent, *, tell, connect, sandbox
):
    connect(extra=extra)
    tell(WhatsAppNotifier(recipients=NUMBER, **fields), of_task())
    assert names_and_languages(sandbox) == [sent]


@for_each("extra", [{"alert_template": "No Name!"}, {"alert_template": "a", "alert_language": "!"}])
def test_with_an_invalid_template_name_in_the_connection_a_text_is_sent(extra, tell, connect, sandbox):
    connect(extra=extra)
    tell(WhatsAppNotifier(recipients=NUMBER), of_task())
    (message,) = sandbox.messages
    assert message.type == "text"
    assert f"{REASON}template." in message.text


@for_each("code", [-38, -44, -2])
def test_with_a_template_unknown_to_whatsapp_a_text_is_sent(code, tell, sandbox):
    sandbox.fail_next(status=code, path="/wa/template/sendMsg")
    tell(WhatsAppNotifier(recipients=NUMBER, alert_template="pipeline_alert"), of_task())
    (message,) = sandbox.messages
    assert message.type == "text"
    assert f"status {code}" in message.text.split("\n")[-1]


def test_with_a_template_name_that_cannot_be_rendered_a_text_is_sent(tell, sandbox, logged):
    tell(WhatsAppNotifier(recipients=NUMBER, alert_template="{{ no_such_name }}"), of_task())
    assert types(sandbox) == ["text"]
    assert "alert_template: UndefinedError: 'no_such_name' is undefined" in logged()


def test_a_custom_text_has_precedence_over_the_template(tell, sandbox):
    tell(WhatsAppNotifier(recipients=NUMBER, text="own words", alert_template="pipeline_alert"), of_task())
    assert [message.text for message in sandbox.messages] == ["own words"]


@for_each("rendered", [True, False])
def test_an_unusable_custom_text_is_replaced_by_the_template(rendered, tell, sandbox):
    text = "{{ 'x' * 5000 }}" if rendered else "{{ ds }}"
    tell(WhatsAppNotifier(recipients=NUMBER, text=text, alert_template="pipeline_alert"), of_task())
    (message,) = sandbox.messages
    assert message.type == "template"
    assert ("4096" if rendered else "'ds' is undefined") in message.text


def test_after_a_refused_text_and_template_the_default_text_is_sent(tell, sandbox):
    sandbox.fail_next(2, status=-135)
    tell(WhatsAppNotifier(recipients=NUMBER, text="own words", alert_template="pipeline_alert"), of_task())
    assert types(sandbox) == ["text"]
    paths = [request.path for request in sandbox.requests]
    assert paths == ["/wa/custom/sendMsg", "/wa/template/sendMsg", "/wa/custom/sendMsg"]
    assert sandbox.messages[0].text.startswith("❌ *Task failed*")


# --- retries and timeouts ---------------------------------------------------------------------------------


@for_each(
    "fault",
    [{"drop": "after_accepting"}, {"drop": "before_accepting"}, {"http_status": 500}, {"body": "<html>"}],
)
@for_each("fields", [{}, {"text": "own words"}, {"alert_template": "pipeline_alert"}])
def test_an_alert_with_an_unknown_outcome_is_not_sent_again(fault, fields, tell, sandbox):
    sandbox.fail_next(9, **fault)
    with pytest.raises(ItnioError, match="accepted the"):
        tell(WhatsAppNotifier(recipients=NUMBER, **fields), of_task())
    assert len(sandbox.requests) == 1


@pytest.mark.usefixtures("quick_tries")
def test_an_alert_that_was_not_sent_is_tried_twice_by_default(tell, sandbox):
    sandbox.fail_next(9, http_status=503, headers={"Retry-After": "0"})
    with pytest.raises(ItnioError, match="HTTP 503"):
        tell(WhatsAppNotifier(recipients=NUMBER), of_task())
    assert len(sandbox.requests) == 2


@pytest.mark.usefixtures("quick_tries")
@for_each("max_attempts", [1, 3])
def test_an_alert_that_was_not_sent_is_tried_max_attempts_times(max_attempts, tell, sandbox):
    sandbox.fail_next(9, http_status=429, headers={"Retry-After": "0"})
    with pytest.raises(ItnioError):
        tell(WhatsAppNotifier(recipients=NUMBER, max_attempts=max_attempts), of_task())
    assert len(sandbox.requests) == max_attempts


def test_a_retry_after_of_6_seconds_is_not_waited_for(tell, sandbox):
    sandbox.fail_next(9, http_status=429, headers={"Retry-After": "6"})
    with pytest.raises(ItnioError, match="asks to wait 6 s"):
        tell(WhatsAppNotifier(recipients=NUMBER), of_task())
    assert len(sandbox.requests) == 1


def test_the_wait_for_an_answer_ends_after_timeout(tell, sandbox):
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
def test_a_notifiers_short_timeouts_override_the_connections(given, settings, connect):
    connect(extra={"timeout": 60, "connect_timeout": 30, "max_attempts": 9})
    _, hook = WhatsAppNotifier(recipients=NUMBER, **given)._render_alert(of_task(), AlertFacts())
    found = hook.account().settings
    assert (found.timeout, found.connect_timeout, found.max_attempts, found.max_retry_after) == settings


# --- broken contexts --------------------------------------------------------------------------------------


class Broken:
    """Every attribute raises."""

    def __getattr__(self, name):
        raise RuntimeError(f"no {name}")

    def __str__(self):
        raise RuntimeError("no words")

    __repr__ = __str__


class WordlessError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def test_an_exception_whose_str_raises_does_not_prevent_the_alert(tell, sandbox):
    tell(WhatsAppNotifier(recipients=NUMBER), of_task(exception=WordlessError()))
    lines = sandbox.messages[0].text.split("\n")
    assert lines[0] == "❌ *Task failed*"
    assert "```WordlessError```" in lines


@for_each("fields", [{}, {"text": "{{ alert.error }}"}, {"alert_template": "pipeline_alert"}])
def test_a_surrogate_in_an_error_is_replaced(fields, tell, sandbox):
    tell(WhatsAppNotifier(recipients=NUMBER, **fields), of_task(exception=ValueError("file \udcff.csv")))
    (message,) = sandbox.messages
    assert "ValueError: file ?.csv" in message.text
    assert REASON not in message.text


def test_a_surrogate_in_a_reason_is_replaced(tell, sandbox):
    def fail():
        raise ValueError("file \udcff.csv")

    tell(WhatsAppNotifier(recipients=NUMBER, text="{{ fail() }}"), of_task() | {"fail": fail})
    assert sandbox.messages[0].text.endswith(f"{REASON}text: ValueError: file ?.csv")


@for_each("fields", [{}, {"text": "own words"}])
def test_a_jinja_environment_that_cannot_be_created_does_not_prevent_the_alert(fields, tell, sandbox, logged):
    dag = DAG("nightly_load", schedule=None, jinja_environment_kwargs={"extensions": ["no.such.extension"]})
    tell(WhatsAppNotifier(recipients=NUMBER, **fields), of_task() | {"dag": dag})
    assert sandbox.messages[0].text.startswith(fields.get("text", "❌ *Task failed*\nDAG: `nightly_load`"))
    assert "The DAG's Jinja environment could not be created" in logged()


class BrokenQuestion:
    def generate_link_to_ui_from_context(self, *, context):
        raise RuntimeError("no link")


def test_a_question_whose_form_link_raises_contains_the_tasks_link(tell, sandbox):
    tell(WhatsAppNotifier(recipients=NUMBER), of_task("running", task=BrokenQuestion()))
    lines = sandbox.messages[0].text.split("\n")
    assert lines[0] == "✋ *Your answer is wanted*"
    assert lines[-1] == of_task()["ti"].log_url


def test_facts_that_cannot_be_gathered_do_not_prevent_the_alert(tell, sandbox, logged, monkeypatch):
    def fail(context):
        raise RuntimeError("no facts")

    monkeypatch.setattr(rendering, "alert_facts", fail)
    tell(WhatsAppNotifier(recipients=NUMBER), of_task())
    assert sandbox.messages[0].text == "ℹ️ *Airflow*"
    assert "The facts of this alert could not be gathered: RuntimeError: no facts" in logged()


def test_an_invalid_business_phone_is_replaced_by_the_connections(tell, sandbox, logged):
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
def test_an_alert_is_sent_for_any_context(sandbox, context):
    sandbox.clear()
    WhatsAppNotifier(recipients=NUMBER)(context)
    assert types(sandbox) == ["text"]
    sandbox.clear()
    WhatsAppNotifier(recipients=NUMBER, alert_template="pipeline_alert")(context)
    assert types(sandbox) == ["template"]

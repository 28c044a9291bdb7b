"""What a subclass may do: compute the message when the task runs, and use the task's hook."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_itnio.api.errors import (
    InvalidMessageError,
    InvalidParameterError,
    NotSentError,
    RefusedError,
)
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.messages import reply_buttons, template_message
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.api.servers import Server, answer
from tests.tables import for_each
from tests.task_runs import TaskRun

NUMBER, OTHER = "+86 147-1800-4557", "+55 11 91234-5678"


class TellStock(WhatsAppSendOperator):
    """Computes its message, as the docstring of WhatsAppSendOperator says."""

    def __init__(self, *, article: str, **kwargs) -> None:
        super().__init__(**kwargs)
        self.article = article

    def build_message(self, context):
        return {"text": f"{self.article}: 7 left {{{{ ds }}}}", "reply_to": "wamid.1"}


class TellInExecute(WhatsAppSendOperator):
    """Sets a field when it runs."""

    def execute(self, context):
        self.interactive = reply_buttons("Order more?", {"yes": "Yes"})
        return super().execute(context)


class TellInPreExecute(WhatsAppSendOperator):
    """Sets a field before it runs."""

    def pre_execute(self, context):
        self.text = "from pre_execute"


class TellAll(WhatsAppBroadcastOperator):
    """Computes the text for each recipient."""

    def build_message(self, context):
        return {"text": "{{ recipient.name }}: 7 left"}


def test_the_result_of_build_message_is_sent(sandbox):
    receipt = sandbox.execute(TellStock(task_id="tell", recipient=NUMBER, article="tea"))
    (message,) = sandbox.messages
    # Its result is data: Jinja in it is not rendered.
    assert message.text == "tea: 7 left {{ ds }}"
    assert message.body["context"]["refMessageId"] == "wamid.1"
    assert receipt["message_id"] == message.id


def test_build_message_may_extend_the_tasks_fields(sandbox):
    class Signed(WhatsAppSendOperator):
        def build_message(self, context):
            fields = dict(super().build_message(context))
            return {**fields, "text": f"{fields['text']}\nyour pipeline"}

    sandbox.execute(Signed(task_id="tell", recipient=NUMBER, text="{{ ds }}"), ds="2026-07-01")
    assert sandbox.messages[0].text == "2026-07-01\nyour pipeline"


@for_each(("operator", "kind"), [(TellInExecute, "interactive"), (TellInPreExecute, "text")])
def test_execute_and_pre_execute_may_set_the_message(operator, kind, sandbox):
    sandbox.execute(operator(task_id="tell", recipient=NUMBER))
    assert [message.type for message in sandbox.messages] == [kind]


def test_a_broadcasts_build_message_is_rendered_for_each_recipient(sandbox):
    recipients = [{"phone": NUMBER, "name": "Li"}, {"phone": OTHER, "name": "Ana"}]
    sandbox.execute(TellAll(task_id="tell", recipients=recipients))
    assert {message.text for message in sandbox.messages} == {"Li: 7 left", "Ana: 7 left"}


def test_a_subclass_is_checked_when_the_dag_is_parsed():
    with pytest.raises(InvalidMessageError, match="task 'tell': recipient: 7 to 14 digits"):
        TellStock(task_id="tell", recipient="12", article="tea")
    with pytest.raises(InvalidMessageError, match=r"task 'tell': text\.body: at most 4096"):
        TellInExecute(task_id="tell", recipient=NUMBER, text="x" * 5000)


def test_a_subclass_without_own_methods_needs_a_message():
    class Plain(WhatsAppSendOperator):
        pass

    with pytest.raises(InvalidMessageError, match="exactly one of text"):
        Plain(task_id="tell", recipient=NUMBER)


@for_each(
    ("message", "sentence"),
    [
        ({}, "exactly one of text"),
        ({"text": "x" * 5000}, "at most 4096"),
        ({"txt": "x"}, "txt: unknown field"),
    ],
)
def test_the_result_of_build_message_is_checked_before_sending(message, sentence, sandbox):
    class Tell(WhatsAppSendOperator):
        def build_message(self, context):
            return message

    with pytest.raises(AirflowFailException, match=sentence):
        sandbox.execute(Tell(task_id="tell", recipient=NUMBER))
    assert sandbox.requests == []


@for_each("fallback", [None, {"template": template_message("sale", "en")}])
@for_each(
    ("returned", "told"),
    [(None, "nothing returned; is a return missing?"), ("hello", "'hello' returned"), (5, "5 returned")],
)
def test_a_wrong_result_of_build_message_is_an_error_and_sends_no_fallback(returned, told, fallback, sandbox):
    class Tell(WhatsAppSendOperator):
        def build_message(self, context):
            return returned

    class TellAll(WhatsAppBroadcastOperator):
        build_message = Tell.build_message

    for tell in (
        Tell(task_id="tell", recipient=NUMBER, fallback=fallback),
        TellAll(task_id="all", recipients=[NUMBER], fallback=fallback),
    ):
        with pytest.raises(AirflowFailException, match=f"build_message: must return message fields.*{told}"):
            sandbox.execute(tell)
    assert sandbox.requests == []


class TellTwice(WhatsAppSendOperator):
    """Sends two messages to one number, and may fail after the first."""

    fails = False

    def execute(self, context):
        for words in ("one", "two"):
            self.text = words
            receipt = super().execute(context)
        if self.fails:
            raise OSError("of the task's own code")
        return receipt


@pytest.mark.usefixtures("connection")
@for_each("delivery", ["at_least_once", "at_most_once"])
def test_a_retry_sends_the_missing_one_of_two_messages_to_one_number(delivery, sandbox, store):
    run = TaskRun(lambda: TellTwice(task_id="tell", recipient=NUMBER, delivery=delivery), store=store)
    TellTwice.fails = True
    with pytest.raises(OSError, match="own code"):
        run.once()
    TellTwice.fails = False
    run.once()
    assert [message.text for message in sandbox.messages] == ["one", "two"]

    run.clear()
    sandbox.fail_next(delay=0.001)
    sandbox.fail_next(status=-12)
    with pytest.raises(RefusedError if delivery == "at_least_once" else AirflowFailException):
        run.once()
    if delivery == "at_least_once":
        run.once()
        assert [message.text for message in sandbox.messages[2:]] == ["one", "two"]


@pytest.mark.usefixtures("connection")
def test_a_subclass_may_send_another_text_after_a_refusal_in_the_same_try(sandbox, store):
    class Plainly(WhatsAppSendOperator):
        def execute(self, context):
            try:
                return super().execute(context)
            except AirflowFailException:
                self.text = "plain"
                return super().execute(context)

    run = TaskRun(lambda: Plainly(task_id="tell", recipient=NUMBER, text="bold"), store=store)
    sandbox.fail_next(status=-132)
    run.once(ends="failing")
    run.once()
    assert [message.text for message in sandbox.messages] == ["plain"]


# --- the task's hook ------------------------------------------------------------------------------------


def test_the_hook_has_the_tasks_connection_and_sender(sandbox, connect):
    connect("itnio_finance")
    operator = WhatsAppSendOperator(
        task_id="tell", recipient=NUMBER, text="x", itnio_conn_id="itnio_finance", app_id="OtherApp"
    )
    assert isinstance(operator.hook, ItnioHook)
    assert operator.hook is operator.hook
    assert (operator.hook.itnio_conn_id, operator.hook.app_id) == ("itnio_finance", "OtherApp")
    assert operator.hook.get_balance().balance


def settings_of(made):
    return made.hook.account().settings


def made(operator, **fields):
    given = {"recipient": NUMBER} if operator is WhatsAppSendOperator else {"recipients": [NUMBER]}
    with DAG("tell", schedule=None):
        return operator(task_id="tell", text="x", **given, **fields)


BOTH = pytest.mark.parametrize("operator", [WhatsAppSendOperator, WhatsAppBroadcastOperator])


@BOTH
def test_a_tasks_settings_override_the_connections(operator, connect):
    connect(extra={"timeout": 20, "connect_timeout": 4, "max_attempts": 3, "proxy": "http://127.0.0.1:9"})
    of_connection = settings_of(made(operator))
    assert (of_connection.timeout, of_connection.connect_timeout, of_connection.max_attempts) == (20, 4, 3)
    own = settings_of(
        made(operator, timeout=7, connect_timeout=0.5, max_attempts=1, proxy="http://127.0.0.1:8")
    )
    assert (own.timeout, own.connect_timeout, own.max_attempts, own.proxy) == (
        7,
        0.5,
        1,
        "http://127.0.0.1:8",
    )


@BOTH
def test_a_tasks_max_attempts_limits_the_tries(operator, sandbox, connect):
    connect(extra={"max_attempts": 4})
    sandbox.fail_next(2, http_status=429, headers={"Retry-After": "0"})
    if operator is WhatsAppSendOperator:
        with pytest.raises(NotSentError):
            made(operator, max_attempts=1).execute({})
    else:
        with pytest.raises(Exception, match="429"):
            made(operator, max_attempts=1).execute({})
    assert len(sandbox.requests) == 1


@BOTH
def test_a_tasks_proxy_is_used(operator, sandbox):
    with (
        Server(lambda _: answer(b"{}", 407, Connection="close")) as proxy,
        pytest.raises(Exception, match="407"),
    ):
        made(operator, proxy=proxy.url, max_attempts=1).execute({})
    assert proxy.requests
    assert sandbox.requests == []


@BOTH
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"timeout": 0}, "timeout: must be a number from 0.001 to 3600, 0 given"),
        ({"timeout": "10"}, "timeout: must be a number from 0.001 to 3600, '10' given"),
        ({"connect_timeout": 3601}, "connect_timeout: must be a number from 0.001 to 3600, 3601 given"),
        ({"max_attempts": 1.5}, "max_attempts: must be a whole number from 1 to 10, 1.5 given"),
        ({"max_attempts": 11}, "max_attempts: must be a whole number from 1 to 10, 11 given"),
    ],
)
def test_settings_out_of_range_are_errors_when_the_dag_is_parsed(operator, fields, sentence):
    with pytest.raises(InvalidParameterError) as caught:
        made(operator, **fields)
    assert str(caught.value) == f"task 'tell': {sentence}"

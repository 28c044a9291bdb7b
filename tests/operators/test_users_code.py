"""User code around a message: a subclass, hooks of the task, and a decorated function."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, task

from airflow_provider_itnio.api.errors import (
    AccountError,
    ConfigurationError,
    InvalidMessageError,
    ItnioError,
    NotSentError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from tests.operators.ways import NUMBER
from tests.tables import for_each
from tests.task_runs import TaskRun

pytestmark = pytest.mark.usefixtures("connection")

BASES = [WhatsAppSendOperator, WhatsAppBroadcastOperator]


def made(cls):
    whom = {"recipients": [NUMBER]} if issubclass(cls, WhatsAppBroadcastOperator) else {"recipient": NUMBER}
    return cls(task_id="tell", text="42 rows", **whom)


# --- the success mark is written last -------------------------------------------------------------------


def without_super(base):
    class Own(base):
        def post_execute(self, context, result=None):
            self.was_run = True

    return Own


def with_super(base):
    class Own(base):
        def post_execute(self, context, result=None):
            super().post_execute(context, result)
            self.was_run = True

    return Own


def with_context_alone(base):
    class Own(base):
        def post_execute(self, context):
            self.was_run = True

    return Own


def by_a_mixin(base):
    class Mixin:
        def post_execute(self, context, result=None):
            self.was_run = True

    class Own(Mixin, base):
        pass

    return Own


def further_down(base):
    class Own(without_super(base)):
        def post_execute(self, context, result=None):
            super().post_execute(context, result)

    return Own


def with_other_methods(base):
    class Own(base):
        def pre_execute(self, context):
            pass

        def execute(self, context):
            result = super().execute(context)
            self.was_run = True
            return result

        def post_execute(self, context, result=None):
            pass

    return Own


KINDS = [without_super, with_super, with_context_alone, by_a_mixin, further_down, with_other_methods]


@for_each("base", BASES)
@for_each("kind", KINDS)
def test_a_subclass_with_any_post_execute_sends_again_after_success_and_a_clear(kind, base, store, sandbox):
    cls = kind(base)
    run = TaskRun(lambda: made(cls), store=store)
    for clears in range(2):
        run.once()
        assert run.operator.was_run
        assert len(sandbox.messages) == 1 + clears
        run.clear()


@for_each("base", BASES)
def test_a_subclass_whose_post_execute_fails_does_not_send_again_after_a_clear(base, store, sandbox):
    class Fails(base):
        def post_execute(self, context, result=None):
            raise RuntimeError("of its own")

    run = TaskRun(lambda: made(Fails), store=store)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="of its own"):
            run.once()
        run.clear()
    assert len(sandbox.messages) == 1


@for_each("base", BASES)
def test_a_post_execute_that_is_a_generator_stays_one_and_marks_success_at_its_end(base, store, sandbox):
    from inspect import isgeneratorfunction

    class Yields(base):
        def post_execute(self, context, result=None):
            yield "asset"
            self.was_run = True

    run = TaskRun(lambda: made(Yields), store=store)
    context = run.begin()
    run.operator.execute(context)
    assert isgeneratorfunction(run.operator.post_execute)
    assert list(run.operator.post_execute(context)) == ["asset"]
    assert run.operator.was_run
    run.clear()
    run.once(ends="failing")
    assert len(sandbox.messages) == 2


def test_an_operator_executed_twice_in_a_try_marks_success_once(store, sandbox):
    operator = made(WhatsAppSendOperator)
    run = TaskRun(lambda: operator, store=store)
    context = run.begin()
    operator.execute(context)
    operator.execute(context)
    operator.post_execute(context)
    assert store.written.count("whatsapp/finished") == 1


def test_build_message_is_not_called_in_a_retry_that_sends_nothing(store, sandbox):
    asked = []

    class Builds(WhatsAppSendOperator):
        def build_message(self, context):
            asked.append(context["ti"].try_number)
            return {"text": "{{ not a template }}"}

    run = TaskRun(lambda: made(Builds), store=store)
    run.once(ends="failing")
    run.once()
    assert [message.text for message in sandbox.messages] == ["{{ not a template }}"]
    assert asked == [1]


# --- an error of this package raised in a decorated function is not changed -----------------------------


ERRORS = [
    InvalidMessageError("x"),
    ConfigurationError("x"),
    NotSentError("x"),
    UnknownOutcomeError("x"),
    AccountError("x", code=-68),
    ItnioError("x"),
    RuntimeError("x"),
    AirflowFailException("x"),
]


@for_each("whom", [{"recipient": NUMBER}, {"recipients": [NUMBER]}])
@for_each("delivery", ["at_least_once", "at_most_once"])
@for_each("error", ERRORS)
def test_an_error_of_the_function_is_raised_unchanged(error, delivery, whom, store, sandbox):
    def report():
        raise error

    def make():
        with DAG("report", schedule=None):
            return task.whatsapp(task_id="tell", delivery=delivery, **whom)(report)().operator

    run = TaskRun(make, store=store)
    with pytest.raises(type(error)) as caught:
        run.once()
    assert caught.value is error
    assert sandbox.requests == []

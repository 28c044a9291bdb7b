"""``@task.whatsapp``: return values that are not a message, and the same errors as the operator's."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSkipException,
)

from airflow_provider_itnio.api.errors import (
    AuthenticationError,
    InvalidMessageError,
    NotSentError,
    UnknownOutcomeError,
)
from airflow_provider_itnio.messages import reply_buttons
from tests.decorators.decorated import returns, run
from tests.tables import for_each

pytestmark = pytest.mark.usefixtures("connection")


def fails_at_once(function, **parameters):
    with pytest.raises(AirflowFailException) as caught:
        run(function, **parameters)
    return caught.value


def test_the_error_of_a_returned_none_names_the_function_and_what_to_do(sandbox):
    def monthly_report():
        "42 rows"

    words = str(fails_at_once(monthly_report))
    assert "monthly_report returned None: is a return missing?" in words
    assert "raise AirflowSkipException" in words
    assert sandbox.requests == []


@for_each("returned", [["a"], 42, b"42 rows", True, ("a", "b"), 0, object()])
def test_the_error_of_a_return_value_of_another_type_names_the_type(returned, sandbox):
    words = str(fails_at_once(returns(returned)))
    assert "report must return a text, or a message as a dict" in words
    assert f"a value of type {type(returned).__name__} returned" in words
    assert sandbox.requests == []


@for_each(
    ("returned", "sentence"),
    [
        ("", "text.body: must not be empty"),
        ("x" * 4097, "text.body: at most 4096 characters, 4097 given"),
        ({}, "exactly one of text, image"),
        ({"txt": "x"}, "message.txt: unknown key"),
        ({"text": "x", "image": "https://example.com/a.png"}, "exactly one of"),
        ({"type": "image", "text": "x"}, "type: must match the message, which is text"),
        (
            {"interactive": reply_buttons("x", {f"{n}": f"{n}" for n in range(4)})},
            "at most 3 buttons, 4 given",
        ),
    ],
)
def test_an_invalid_message_fails_at_once(returned, sentence, sandbox):
    error = fails_at_once(returns(returned))
    assert type(error.__cause__) is InvalidMessageError
    assert sentence in str(error)
    assert sandbox.requests == []


def test_reply_to_in_the_dict_and_as_a_parameter_is_an_error(sandbox):
    error = fails_at_once(returns({"text": "x", "reply_to": "wamid.1"}), reply_to="wamid.2")
    assert "reply_to: given twice" in str(error)
    assert sandbox.requests == []


def test_a_skip_in_the_function_skips_the_task(sandbox):
    def nothing_new():
        raise AirflowSkipException("nothing new")

    with pytest.raises(AirflowSkipException, match="nothing new"):
        run(nothing_new)
    assert sandbox.requests == []


def test_a_refusal_fails_the_task_at_once(sandbox):
    sandbox.fail_next(status=-1)
    assert type(fails_at_once(returns("x")).__cause__) is AuthenticationError


def test_an_error_before_sending_leaves_the_tasks_retries(connect, sandbox):
    connect(extra={"max_attempts": 1})
    sandbox.fail_next(http_status=429)
    with pytest.raises(NotSentError):
        run(returns("x"))


@for_each("delivery", ["at_least_once", "at_most_once"])
def test_an_unknown_outcome_leaves_the_tasks_retries_only_at_least_once(delivery, sandbox):
    sandbox.fail_next(drop="after_accepting")
    with pytest.raises(UnknownOutcomeError if delivery == "at_least_once" else AirflowFailException):
        run(returns("x"), delivery=delivery)
    assert len(sandbox.messages) == 1

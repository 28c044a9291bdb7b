"""``@task.whatsapp`` of an ``async def``."""

from __future__ import annotations

import asyncio

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowFailException,
    AirflowSkipException,
    task,
)

from tests.decorators.decorated import NUMBER, returns, run
from tests.tables import for_each

pytestmark = pytest.mark.usefixtures("connection")


def asynchronously(value, error=None):
    async def report(team="x"):
        await asyncio.sleep(0)
        if error is not None:
            raise error
        return value.replace("team", team) if isinstance(value, str) else value

    return report


@for_each("to", [{"recipient": NUMBER}, {"recipient": None, "recipients": [NUMBER]}])
def test_a_function_may_be_an_async_def(to, sandbox):
    run(asynchronously("hello team {{ 7 }}"), "finance", **to)
    run(asynchronously({"text": "hello"}), **to)
    assert [message.text for message in sandbox.messages] == ["hello finance {{ 7 }}", "hello"]


class Report:
    """A callable object with an async ``__call__``."""

    __name__ = "report"

    async def __call__(self):
        return "hello"


def test_a_function_may_return_the_coroutine_of_a_callable_object(sandbox):
    def report():
        return Report()()

    run(report)
    assert sandbox.messages[0].text == "hello"


@for_each("to", [{"recipient": NUMBER}, {"recipient": None, "recipients": [NUMBER]}])
def test_a_missing_return_and_exceptions_of_an_async_def_are_reported(to, sandbox):
    with pytest.raises(AirflowFailException, match="report returned None: is a return missing"):
        run(asynchronously(None), **to)
    with pytest.raises(ValueError, match="no rows"):
        run(asynchronously("x", ValueError("no rows")), **to)
    with pytest.raises(AirflowSkipException):
        run(asynchronously("x", AirflowSkipException("nothing new")), **to)
    assert sandbox.requests == []


def test_a_mapped_async_def_sends_one_message_per_map_index(sandbox):
    with DAG("report", schedule=None):
        mapped = (
            task.whatsapp(recipient=NUMBER)(asynchronously("hello team")).expand(team=["a", "b"]).operator
        )
    for team in ("a", "b"):
        mapped.unmap({"op_kwargs": {"team": team}}).execute({"params": {}})
    assert [message.text for message in sandbox.messages] == ["hello a", "hello b"]


class Hostile:
    def __str__(self):
        raise RuntimeError

    __repr__ = __str__


def test_a_return_value_whose_str_raises_is_an_invalid_message(sandbox):
    with pytest.raises(AirflowFailException, match="InvalidMessageError"):
        run(returns({"text": {"body": [Hostile()]}}), recipient=None, recipients=[NUMBER])
    assert sandbox.requests == []

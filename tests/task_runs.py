"""Runs a task like Airflow, try after try, with the task state store of Airflow 3.3 or without."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator

RETURNED = "return_value"


class TaskStateStore:
    """A stub for ``context["task_state_store"]`` of Airflow 3.3: JSON values, ``None`` is refused.

    :param kept: its content, as JSON text by key.
    """

    def __init__(self, kept: dict[str, str] | None = None) -> None:
        self.kept = dict(kept or {})
        self.written: list[str] = []
        self.tried = 0
        self.before_write: Callable[[str, Any], None] = lambda key, value: None

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.kept[key]) if key in self.kept else default

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        if value is None:
            raise ValueError("None can't be stored")
        text = json.dumps(value, allow_nan=False)
        self.tried += 1
        self.before_write(key, value)
        self.written.append(key)
        self.kept[key] = text

    def delete(self, key: str) -> None:
        self.kept.pop(key, None)

    def clear(self) -> None:
        self.kept.clear()

    @property
    def text(self) -> str:
        """Its whole content."""
        return "\n".join(f"{key} {value}" for key, value in self.kept.items())

    def fail(self, error: BaseException, times: int = 1_000_000, *, after: int = 0) -> None:
        """Make writes fail.

        :param error: the error to raise.
        :param times: how many writes fail.
        :param after: how many writes succeed before.
        """
        first = self.tried + after

        def failing(key: str, value: Any) -> None:
            if first < self.tried <= first + times:
                raise error

        self.before_write = failing


class DeadlockImminentError(BaseException):
    """Like Airflow's, not a subclass of ``Exception``."""


class TaskInstance:
    """A stub for the task instance in a task's context."""

    def __init__(self, task_id: str, try_number: int, max_tries: int, map_index: int = -1) -> None:
        self.task_id = task_id
        self.run_id = "manual__2026-07-01T02:00:00+00:00"
        self.map_index = map_index
        self.try_number = try_number
        self.max_tries = max_tries
        self.pushed: dict[str, Any] = {}
        self.upstream: dict[str, Any] = {}
        self.pulled: list[str] = []

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = json.loads(json.dumps(value, allow_nan=False))

    def xcom_pull(self, task_ids: str, key: str = RETURNED) -> Any:
        self.pulled.append(task_ids)
        return self.upstream[task_ids]


class TaskRun:
    """One task of one DAG run.

    :param make: makes the operator for each try, as each try has a separate process.
    :param store: the task state store; ``None`` as before Airflow 3.3.
    :param context: other values of the context.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        *,
        store: TaskStateStore | None = None,
        task_id: str | None = None,
        context: dict[str, Any] | None = None,
    ) -> None:
        self.make = make
        self.store = store
        self.task_id = task_id
        self.context = context or {}
        self.retries = 2
        self.max_tries = 2
        self.try_number = 0
        self.clear_number = 0
        self.ti: TaskInstance
        self.operator: Any

    def clear(self) -> None:
        """Clear the task as Airflow does."""
        self.max_tries = self.try_number + self.retries
        self.clear_number += 1

    def clear_another_task(self) -> None:
        """Clear another task of the DAG run."""
        self.clear_number += 1

    def begin(self) -> dict[str, Any]:
        """Start the next try: make the operator, render its fields, and return the context."""
        self.operator = self.make()
        self.operator.retries = self.retries
        self.try_number += 1
        self.ti = TaskInstance(self.task_id or self.operator.task_id, self.try_number, self.max_tries)
        context = {
            "dag": self.operator.get_dag(),
            "task": self.operator,
            "ti": self.ti,
            "task_instance": self.ti,
            "dag_run": SimpleNamespace(clear_number=self.clear_number),
            "params": {},
            **self.context,
        }
        if self.store is not None:
            context["task_state_store"] = self.store
        self.operator.render_template_fields(context)
        return context

    def once(self, *, ends: str = "as on 3.3") -> Any:
        """Run one try.

        :param ends: ``as on 3.3``, ``as on 2.11``, or ``failing``: the worker is lost after ``execute``.
        """
        context = self.begin()
        result = self.operator.execute(context)
        if ends == "failing":
            return result
        if ends == "as on 3.3":
            self.operator.post_execute(context)
        else:
            self.operator.post_execute(context, result)
        return result

    @property
    def summary(self) -> dict[str, Any]:
        """The summary that a failed broadcast pushed to XCom."""
        return self.ti.pushed[RETURNED]


def broadcast_run(
    recipients: Any,
    *,
    store: TaskStateStore | None = None,
    context: dict[str, Any] | None = None,
    dag: dict[str, Any] | None = None,
    **fields: Any,
) -> TaskRun:
    """Return the task of a broadcast, by default without a rate limit and with a text.

    :param recipients: the recipients.
    :param dag: the DAG's arguments.
    :param fields: the operator's other parameters.
    """
    given: dict[str, Any] = {"text": "x", "messages_per_second": None} | fields

    def make() -> WhatsAppBroadcastOperator:
        with DAG("report", schedule=None, **(dag or {})):
            return WhatsAppBroadcastOperator(task_id="tell", recipients=recipients, **given)

    return TaskRun(make, store=store, context=context)


def numbers(count: int, first: int = 0) -> list[str]:
    """Return this many different phone numbers."""
    return [f"86139{number:08d}" for number in range(first, first + count)]


COUNTS = (
    "accepted",
    "accepted_earlier",
    "refused",
    "invalid",
    "not_sent",
    "unknown",
    "excluded",
    "duplicates",
    "not_attempted",
)


STATUSES = ("sent", "delivered", "read", "not_delivered", "waiting")


def counts_of(summary: dict[str, Any]) -> dict[str, int]:
    """Return a summary's counts that are not zero, after checking that they add up."""
    assert summary["recipients"] == sum(summary[name] for name in COUNTS)
    failed = sum(summary[name] for name in ("refused", "invalid", "not_sent", "unknown"))
    failed += summary.get("not_delivered", 0)
    assert failed == len(summary["failures"]) + summary["failures_not_listed"]
    if "waiting" in summary:
        come_so_far = sum(summary[name] for name in STATUSES)
        assert come_so_far == summary["accepted"] + summary["accepted_earlier"]
    return {name: summary[name] for name in (*COUNTS, *STATUSES, "fallbacks") if summary.get(name)}


def fails_at_once(run: TaskRun, family: type[BaseException] | None = None) -> AirflowFailException:
    """Run a try that fails without retries.

    :param family: the class of the error behind it.
    """
    with pytest.raises(AirflowFailException) as caught:
        run.once()
    assert family is None or type(caught.value.__cause__) is family
    return caught.value


def may_be_tried_again(run: TaskRun, family: type[BaseException]) -> BaseException:
    """Run a try that fails and leaves the retries."""
    with pytest.raises(family) as caught:
        run.once()
    assert type(caught.value) is family
    return caught.value


def times_sent(sandbox):
    """The number of messages to each number."""
    return Counter(message.recipient for message in sandbox.messages)


def outcomes_in(store):
    """The outcome of each entry in the store, ``None`` for the record's head."""
    return [json.loads(text).get("outcome") for key, text in store.kept.items() if "/message/" in key]

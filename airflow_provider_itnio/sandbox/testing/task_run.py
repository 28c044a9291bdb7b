"""Run a task with Airflow 3's task runner; only its supervisor is replaced."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
import traceback
import uuid
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pkgutil import resolve_name
from typing import Any

import structlog
from airflow.providers.common.compat.sdk import AirflowSkipException, TaskInstanceState
from airflow.sdk.api.datamodels._generated import DagRun, TIRunContext
from airflow.sdk.bases.xcom import BaseXCom
from airflow.sdk.execution_time.supervisor import set_supervisor_comms
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance, finalize, run

from airflow_provider_itnio.sandbox.testing.run_spec import (
    RETURNED,
    RunSpec,
    check_map_index,
    is_mapped,
    operator_of,
    run_spec,
)
from airflow_provider_itnio.sandbox.testing.supervisor import TestSupervisor, as_json, decoded
from airflow_provider_itnio.sandbox.testing.turns import environment

TRIGGER_FAILED = "__fail__"  # the method with which Airflow resumes a task whose trigger has failed


def run_task(task: Any, given: Mapping[str, Any]) -> Any:
    """Run a task, and its trigger if it defers, and return its return value from XCom."""
    operator = operator_of(task)
    instances = is_mapped(operator) or operator.get_closest_mapped_task_group() is not None
    if instances:
        given = {"map_index": 0, **given}
    elif given.get("map_index", -1) != -1:
        raise ValueError(f"map_index: the task is not mapped, {given['map_index']!r} given")
    with run_spec(operator, given, datetime.now(UTC)) as spec, supervised(spec) as supervisor:
        resumed: dict[str, Any] = {}
        while True:
            ti, context = begin(spec, **resumed)
            supervisor.instances = check_map_index(spec, context)
            log = _TaskLog()
            with _restored_signals(), environment({}):
                state, msg, error = run(ti, context, log.bound)
                stopped = log.exception
                context["exception"] = error
                finalize(ti, state, context, log.bound, error)
            if state != TaskInstanceState.DEFERRED:
                break
            resumed = _run_trigger(msg, ti)
        if error is not None:
            raise error
        if state != TaskInstanceState.SUCCESS:
            raise stopped or AirflowSkipException(f"the task ended as {state}")
        return supervisor.returned


@contextmanager
def supervised(spec: RunSpec) -> Iterator[TestSupervisor]:
    """Answer Airflow's requests with the data of the test, and add missing data as notes to an error."""
    state = spec.context.get("task_state_store")
    if isinstance(state, MutableMapping):
        del spec.context["task_state_store"]
    else:
        state = {}
    supervisor = TestSupervisor(spec, state)
    try:
        with set_supervisor_comms(supervisor):
            yield supervisor
    except BaseException as error:
        for missing in dict.fromkeys(supervisor.missing):
            error.add_note(f"the test gives {missing}")
        if "receiver_url: is missing" in str(error):
            error.add_note("the fixture itnio_receiver starts a receiver and names it in itnio_default")
        raise


def begin(spec: RunSpec, **resumed: Any) -> tuple[RuntimeTaskInstance, Any]:
    """
    Create the task instance and its context, as Airflow does from its API server's answer.

    :param resumed: the method with which a deferred task resumes, and its arguments
    """
    task = spec.task
    dag_run = {
        "dag_id": spec.dag.dag_id,
        "run_id": spec.run_id,
        "run_type": "manual",
        "state": "running",
        "conf": spec.conf,
        "logical_date": spec.logical_date,
        "data_interval_start": spec.data_interval[0],
        "data_interval_end": spec.data_interval[1],
        "start_date": spec.start_date,
        "run_after": spec.logical_date or spec.start_date,
        "end_date": None,
        "consumed_asset_events": [],
        "partition_key": None,
    }
    max_tries = task.retries or 0
    from_server: dict[str, Any] = {
        "dag_run": {name: value for name, value in dag_run.items() if name in DagRun.model_fields},
        "max_tries": max_tries,
        "should_retry": spec.try_number <= max_tries,
        **resumed,
    }
    if "upstream_map_indexes" in TIRunContext.model_fields:  # before Airflow 3.2
        from_server["upstream_map_indexes"] = dict(_upstream_map_indexes(spec))
    fields: dict[str, Any] = {
        "id": uuid.uuid4(),
        "dag_version_id": uuid.uuid4(),
        "task_id": task.task_id,
        "dag_id": spec.dag.dag_id,
        "run_id": spec.run_id,
        "try_number": spec.try_number,
        "map_index": spec.map_index,
        "hostname": "localhost",
        "task": task,
        "max_tries": max_tries,
        "start_date": spec.start_date,
        "state": TaskInstanceState.RUNNING,
        "_ti_context_from_server": TIRunContext.model_validate(from_server),
    }
    # Not by keyword: the fields differ between versions of Airflow, and a task needs no bundle.
    ti = RuntimeTaskInstance.model_construct(**fields)
    context: Any = ti.get_template_context()
    context.update(spec.context)
    return ti, context


def _upstream_map_indexes(spec: RunSpec) -> Iterator[tuple[str, Any]]:
    own = spec.task.get_closest_mapped_task_group()
    for upstream in spec.task.upstream_list:
        group = upstream.get_closest_mapped_task_group()
        if group is None:
            yield upstream.task_id, None
        elif group == own:
            yield upstream.task_id, spec.map_index
        else:
            # Missing data is only an error if the task reads it.
            given = spec.xcoms.get((upstream.task_id, RETURNED))
            yield upstream.task_id, list(range(len(given))) if isinstance(given, Sequence) else None


def _run_trigger(msg: Any, ti: RuntimeTaskInstance) -> dict[str, Any]:
    """Run the trigger of a deferred task, and return the arguments with which the task resumes."""
    from airflow.serialization.serialized_objects import BaseSerialization

    message = msg.model_dump(mode="json")
    is_old_format = set(message["trigger_kwargs"]) == {"__type", "__var"}  # before Airflow 3.2
    read = BaseSerialization.deserialize if is_old_format else decoded
    trigger = resolve_name(message["classpath"])(**read(message["trigger_kwargs"]))
    trigger.task_instance = ti
    timeout = msg.trigger_timeout and msg.trigger_timeout.total_seconds()

    async def first_event() -> Any:
        return await asyncio.wait_for(anext(trigger.run()), timeout)

    method, kwargs = message["next_method"], read(message["next_kwargs"])
    try:
        kwargs["event"] = asyncio.run(first_event()).payload
    except Exception as error:
        method, kwargs = TRIGGER_FAILED, {"error": "Trigger timeout"}
        if timeout is None or not isinstance(error, TimeoutError):
            kwargs = {"error": "Trigger failure", "traceback": traceback.format_exception(error)}
    write = BaseSerialization.serialize if is_old_format else BaseXCom.serialize_value
    return {"next_method": method, "next_kwargs": as_json(write(kwargs))}


class _TaskLog:
    """Forwards the log of Airflow's task runner to ``logging``, for pytest's ``caplog``."""

    def __init__(self) -> None:
        self.exception: BaseException | None = None
        """The last exception of the task, even if it is not a failure."""
        logger = logging.getLogger("airflow.task")
        self.bound = structlog.wrap_logger(
            logger,
            processors=[structlog.stdlib.PositionalArgumentsFormatter(), self._line],
            wrapper_class=structlog.stdlib.BoundLogger,
        )

    def _line(self, _logger: Any, _method: str, entry: MutableMapping[str, Any]) -> Any:
        self.exception = sys.exc_info()[1] or self.exception
        event = str(entry.pop("event"))
        if event.startswith(("::group::", "::endgroup::")):  # markers that fold the log in Airflow's UI
            raise structlog.DropEvent
        exc_info = entry.pop("exc_info", None)
        details = "".join(f" {name}={value!r}" for name, value in entry.items() if name != "ti")
        return ("%s", event.strip() + details), {"exc_info": exc_info}


@contextmanager
def _restored_signals() -> Iterator[None]:
    """Restore the signal handlers that Airflow sets; in a thread, where Python allows none, skip them."""
    if threading.current_thread() is threading.main_thread():
        handlers = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGALRM)}
        try:
            yield
        finally:
            for one, handler in handlers.items():
                signal.signal(one, handler or signal.SIG_DFL)
        return
    thread, set_handler = threading.get_ident(), signal.signal

    def set_if_possible(number: int, handler: Any) -> Any:
        if number == signal.SIGTERM and threading.get_ident() == thread:
            return None
        return set_handler(number, handler)

    signal.signal = set_if_possible  # type: ignore[assignment]
    try:
        yield
    finally:
        signal.signal = set_handler

"""Differences between Airflow 2.11 and 3.3, and missing public names; each with the version that ends it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import quote


class XComPushOfAirflow2:
    """The last base of a decorated operator, with an ``xcom_push`` that its other bases may lack.

    Airflow 3.0's ``DecoratedOperator`` refers to this method, but neither has nor calls it. 3.1 ends that.
    Airflow 2 has the method, which comes first in the method resolution order.
    """

    xcom_push: Any = None


def current_task_group() -> Any:
    """Return the task group whose ``with`` block is open in the DAG file.

    No version up to 3.3 has a public name for this, and its module differs between Airflow 2 and 3. The
    module is looked up, not imported: if it was not imported yet, there is no group.
    """
    if (of_3 := sys.modules.get("airflow.sdk.definitions._internal.contextmanager")) is not None:
        return of_3.TaskGroupContext.get_current(None)
    if (of_2 := sys.modules.get("airflow.utils.task_group")) is not None:
        return of_2.TaskGroupContext.get_current_task_group(None)
    return None


def read_variable(key: str) -> str | None:
    """Read an Airflow Variable from the store that ``Variable.set`` writes to.

    ``Variable.get`` can't be used: it treats a failed read as a missing variable, and may return a value from
    a cache of 15 minutes. Airflow 3's API server treats a failed read as a missing variable, too; from 3.3 on
    it has a list of names to tell them apart. No version up to 3.3 ends that.

    :return: ``None`` if there is no such variable.
    :raises Exception: if it can't be read.
    """
    if not is_airflow_3():
        from airflow.secrets.metastore import MetastoreBackend

        stored: str | None = MetastoreBackend().get_variable(key)
        return stored
    from airflow.sdk import Variable
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import GetVariable, VariableResult

    comms: Any = task_runner.SUPERVISOR_COMMS
    if not hasattr(comms, "send"):  # 3.1 ends that
        value: str | None = Variable.get(key, None)
        return value
    answer = comms.send(GetVariable(key=key))
    if isinstance(answer, VariableResult):
        return answer.value
    keys = getattr(Variable, "keys", lambda prefix: ())  # of 3.3
    if answer.error is ErrorType.VARIABLE_NOT_FOUND and key not in keys(prefix=key):
        return None
    raise AirflowRuntimeError(answer)


def failed_task_instances(dag_id: str, run_id: str, dag_run: Any, dag: Any) -> list[tuple[str, bool]]:
    """Return the failed task instances of a run that has ended, in the callbacks of its DAG.

    On Airflow 2, the ``dag_run`` of the context reads the database. On Airflow 3 the supervisor answers; it
    names a mapped task instance ``<task id>_<map index>``. In ``dag.test()`` no supervisor answers; there the
    context has a ``SerializedDAG``, and the database is read. No version up to 3.3 has one way for all.

    :param dag_id: the DAG.
    :param run_id: the run.
    :param dag_run: the run from the callback's context.
    :param dag: the DAG from the callback's context.
    :return: for each, the task's id and whether the task is mapped.
    :raises Exception: if Airflow does not return the states.
    """
    if not is_airflow_3():
        failed = dag_run.get_task_instances(state=["failed"])
        return [(str(ti.task_id), ti.map_index >= 0) for ti in failed]
    if type(dag).__name__ == "SerializedDAG":
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from airflow.utils.state import TaskInstanceState

        # Not the session of this thread: closing that would break the run that dag.test() still changes.
        with create_session(scoped=False) as session:
            failed = DagRun.fetch_task_instances(
                dag_id, run_id, state=TaskInstanceState.FAILED, session=session
            )
            return [(str(ti.task_id), ti.map_index >= 0) for ti in failed]
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    states = RuntimeTaskInstance.get_task_states(dag_id=dag_id, run_ids=[run_id]).get(run_id, {})
    task_ids = set(getattr(dag, "task_ids", ()))
    return [_task_of(name, task_ids) for name, state in states.items() if state == "failed"]


def _task_of(name: str, task_ids: Collection[str]) -> tuple[str, bool]:
    task_id, _, map_index = name.rpartition("_")
    is_mapped = name not in task_ids and map_index.isdecimal() and task_id in task_ids
    return (task_id, True) if is_mapped else (name, False)


def previous_runs(dag_run: Any) -> Iterator[Any]:
    """Iterate over the runs of the same DAG with earlier logical dates, the latest first.

    No version up to 3.3 has a public name for this in the callbacks of a DAG.

    :param dag_run: a run with a logical date, from a callback's context.
    :raises Exception: if Airflow does not answer.
    """
    if not is_airflow_3():
        while (dag_run := dag_run.get_previous_dagrun(dag_run)) is not None:
            yield dag_run
        return
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import GetPreviousDagRun

    comms: Any = task_runner.SUPERVISOR_COMMS
    while (date := dag_run.logical_date) is not None:
        message = GetPreviousDagRun(dag_id=dag_run.dag_id, logical_date=date)
        if (dag_run := comms.send(message).dag_run) is None:
            return
        yield dag_run


def previous_task_instances(ti: Any, dag_run: Any) -> Iterator[Any]:
    """Iterate over the task instances of the same task in runs with earlier logical dates, the latest first.

    The method's parameters differ between Airflow 2 and 3.2. 3.0 and 3.1 have no such method.

    :param ti: a task instance from a callback's context.
    :param dag_run: its run, with a logical date.
    :raises Exception: if Airflow does not answer.
    """
    if not is_airflow_3():
        while (ti := ti.get_previous_ti()) is not None:
            yield ti
        return
    index = -1 if ti.map_index is None else ti.map_index
    date = dag_run.logical_date
    while date is not None and (previous := ti.get_previous_ti(logical_date=date, map_index=index)):
        yield previous
        date = previous.logical_date


def base_url() -> str:
    """Return the URL of Airflow's UI from its configuration, without a trailing slash.

    Airflow 3.0 moved the option from ``[webserver]`` to ``[api]``.
    """
    from airflow.providers.common.compat.sdk import conf

    section = "api" if is_airflow_3() else "webserver"
    return str(conf.get(section, "base_url", fallback="") or "http://localhost:8080").rstrip("/")


def run_path(dag_id: str, run_id: str) -> str:
    """Return the path of a run's page, or of the DAG's page without a run. Airflow 2 and 3 differ."""
    page = f"/dags/{quote(dag_id)}"
    if not run_id:
        return page
    return (
        f"{page}/runs/{quote(run_id)}"
        if is_airflow_3()
        else f"{page}/grid?dag_run_id={quote(run_id, safe='')}"
    )


def is_airflow_3() -> bool:
    """Return whether this is Airflow 3 or later."""
    from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

    return bool(AIRFLOW_V_3_0_PLUS)


def is_from_mapped(operator: Any) -> bool:
    """Return whether an operator was made from a mapped task when it runs.

    No version up to 3.3 has a public name for this.
    """
    return bool(getattr(operator, "_BaseOperator__from_mapped", False))


def is_task_terminated(error: BaseException) -> bool:
    """Return whether an exception means that Airflow terminates the task.

    Airflow 2 raises ``AirflowTaskTerminated``, which is no ``Exception``. 3.0 and later do not have it.
    """
    return type(error).__name__ == "AirflowTaskTerminated"


def is_failed_write(error: BaseException) -> bool:
    """Return whether an exception means that a call of Airflow failed.

    On 3.3 ``DeadlockImminentError`` is no ``Exception``, and in no public module.
    """
    return isinstance(error, Exception) or type(error).__name__ == "DeadlockImminentError"


def is_error_of_lost_worker(error: str) -> bool:
    """Return whether a callback's error means that a task sent no heartbeat.

    Airflow 2 then passes a dict of the task's ids as a text. 3.0 and later pass no error.
    """
    return error.startswith("{'DAG Id': ")


def without_guard(execute: Any) -> Any:
    """Return the function of an ``execute``, for the ``execute`` of a subclass to call with ``self``.

    Airflow 2 warns when one calls the other, and raises with ``allow_nested_operators=False``. 3.0 ends that.
    """
    return inspect.unwrap(execute)

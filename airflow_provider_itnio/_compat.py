"""Where Airflow's versions differ or lack a public name; each with the version that ends it."""

from __future__ import annotations

import sys
from typing import Any

__all__ = [
    "XComPushOfAirflow2",
    "current_task_group",
    "forget_cached_variable",
    "is_failed_write",
    "is_from_mapped",
    "is_task_terminated",
]


class XComPushOfAirflow2:
    """The last base of a decorated operator, for the ``xcom_push`` that its other bases may lack.

    Airflow 3.0's ``DecoratedOperator`` hands this method on, and neither has nor calls it. 3.1 ends that.
    Airflow 2 has the method, which goes before this.
    """

    xcom_push: Any = None


def current_task_group() -> Any:
    """Give the task group in whose ``with`` block a DAG file is.

    No version up to 3.3 has a public name for this; Airflow 2 has it elsewhere than 3. It is looked up, not
    imported: this module is free of Airflow, and without these there is no group.
    """
    if (of_3 := sys.modules.get("airflow.sdk.definitions._internal.contextmanager")) is not None:
        return of_3.TaskGroupContext.get_current(None)
    if (of_2 := sys.modules.get("airflow.utils.task_group")) is not None:
        return of_2.TaskGroupContext.get_current_task_group(None)
    return None


def forget_cached_variable(key: str) -> None:
    """Let the next read of an Airflow Variable see what other processes have written.

    With ``[secrets] use_cache`` the DAG processor keeps variables for 15 minutes. No version up to 3.3 has a
    public name for this; Airflow 2 has it elsewhere than 3.

    :param key: the variable's key.
    """
    for name in ("airflow.sdk.execution_time.cache", "airflow.secrets.cache"):
        # Not by getattr, which warns of the name that Airflow 3 has kept for Airflow 2's.
        if (cache := vars(sys.modules.get(name, object)).get("SecretCache")) is not None:
            cache.invalidate_variable(key)


def is_from_mapped(operator: Any) -> bool:
    """Say whether an operator was made from a mapped task, which happens when it runs.

    No version up to 3.3 has a public name for this.

    :param operator: an operator.
    """
    return bool(getattr(operator, "_BaseOperator__from_mapped", False))


def is_task_terminated(error: BaseException) -> bool:
    """Say whether Airflow ends the task from outside.

    Airflow 2 raises its ``AirflowTaskTerminated``, which is no ``Exception``; 3.0 and later don't have it.

    :param error: what was raised.
    """
    return type(error).__name__ == "AirflowTaskTerminated"


def is_failed_write(error: BaseException) -> bool:
    """Say whether Airflow's store could not be asked.

    On 3.3 its ``DeadlockImminentError`` is no ``Exception``, and stands in no public module.

    :param error: what was raised.
    """
    return isinstance(error, Exception) or type(error).__name__ == "DeadlockImminentError"

"""What Airflow's own task runner uses and no public name leads to, from where each version has it."""

from __future__ import annotations

from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AIRFLOW_V_3_0_PLUS",
    "PlainXComArg",
    "execute_operator",
    "macros",
    "params_of",
    "set_current_context",
]

if AIRFLOW_V_3_0_PLUS:
    from airflow.sdk.bases.operator import ExecutorSafeguard
    from airflow.sdk.definitions.param import process_params
    from airflow.sdk.definitions.xcom_arg import PlainXComArg
    from airflow.sdk.execution_time import macros
    from airflow.sdk.execution_time.context import set_current_context
else:
    from airflow import macros  # type: ignore[no-redef]
    from airflow.models import baseoperator
    from airflow.models.param import process_params  # type: ignore[no-redef,import-not-found]
    from airflow.models.taskinstance import set_current_context  # type: ignore[no-redef,attr-defined]
    from airflow.models.xcom_arg import PlainXComArg  # type: ignore[no-redef,attr-defined]


def params_of(dag: Any, task: Any, run: Any) -> dict[str, Any]:
    """
    Merge and check the params of a DAG, of its task and of a run.

    :param dag: the DAG, None if the task has none
    :param task: the operator
    :param run: the run, with what it was triggered with in ``conf``
    """
    return process_params(dag, task, run.conf if AIRFLOW_V_3_0_PLUS else run, suppress_exception=False)


def execute_operator(operator: Any, context: Mapping[str, Any]) -> Any:
    """
    Execute an operator with its hooks before and after, as the one that Airflow means to run.

    Airflow warns of, or refuses, an ``execute`` that its task runner did not announce.

    :param operator: the operator, rendered
    :param context: its context
    """
    if AIRFLOW_V_3_0_PLUS:
        return copy_context().run(_execute_announced, operator, context)
    operator.pre_execute(context)
    announced = {f"{type(operator).__name__}__sentinel": baseoperator._sentinel}
    result = operator.execute(context, **announced)
    operator.post_execute(context, result)
    return result


def _execute_announced(operator: Any, context: Mapping[str, Any]) -> Any:
    ExecutorSafeguard.tracker.set(operator)
    if operator._pre_execute_hook is not None:
        operator._pre_execute_hook(context)
    operator.pre_execute(context)
    result = operator.execute(context)
    if operator._post_execute_hook is not None:
        operator._post_execute_hook(context, result)
    operator.post_execute(context, result)
    return result

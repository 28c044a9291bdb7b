"""One task through the task instance of Airflow 2, for tests of what operators do on either Airflow.

The package's fixture runs tasks on Airflow 3 alone. Here the task instance, its context, its rendering and
its execution are Airflow 2's. The test gives what its database would say of upstream tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from airflow.models.taskinstance import set_current_context
from airflow.models.xcom_arg import PlainXComArg

from airflow_provider_itnio.sandbox.testing.airflow_2 import begin
from airflow_provider_itnio.sandbox.testing.run_spec import check_map_index, is_mapped, operator_of, run_spec
from airflow_provider_itnio.sandbox.testing.sandbox import _run_exclusively


def execute(
    task: Any,
    *,
    xcoms: Mapping[Any, Any] | None = None,
    variables: Mapping[str, Any] | None = None,
    **given: Any,
) -> Any:
    """Run a task as ``TestingSandbox.execute`` does on Airflow 3, without its callbacks and retries."""
    operator = operator_of(task)
    if is_mapped(operator):
        given = {"map_index": 0, **given}
    return _run_exclusively(variables, lambda: _executed(operator, given | {"xcoms": xcoms or {}}))


def _executed(operator: Any, given: Mapping[str, Any]) -> Any:
    with run_spec(operator, given, datetime.now(UTC)) as spec:
        pulled = spec.xcoms.pull

        def length(arg: Any, run_id: str, *, session: Any) -> int:
            return len(pulled(arg.operator.task_id, arg.key, arg.operator))

        with patch.object(PlainXComArg, "get_task_map_length", length):
            ti, context = begin(spec)
            check_map_index(spec, context)
            context["task"] = ti.task = spec.task.prepare_for_execution()
            with set_current_context(context):
                original = ti.render_templates(context)
                ti.task.pre_execute(context)
                result = ti._execute_task(context, original)
                ti.task.post_execute(context, result)
                return result

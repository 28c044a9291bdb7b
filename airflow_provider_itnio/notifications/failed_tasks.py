"""Lists the failed tasks of a DAG run, short enough for one value of a WhatsApp template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from airflow_provider_itnio._compat import failed_task_instances
from airflow_provider_itnio.api.describe import truncate

_MAX_NAMES: Final = 5
_LIMIT: Final = 180
"""Characters in all: a value of the WhatsApp template has 200."""
_NAME_LIMIT: Final = 80


def failed_tasks(context: Mapping[str, Any], dag_id: str, run_id: str) -> str:
    """Return the names of the tasks that failed in the run of a DAG's callback.

    :return: empty if no task failed, or if Airflow does not answer.
    """
    try:
        dag = context.get("dag")
        order = list(getattr(dag, "task_ids", ()))
        failed = Counter(failed_task_instances(dag_id, run_id, context.get("dag_run"), dag))
    except Exception:  # an alert without the names is better than none
        return ""
    position = {task_id: index for index, task_id in enumerate(order)}
    in_order = sorted(failed.items(), key=lambda item: position.get(item[0][0], len(order)))
    return describe_failed_tasks(
        [_name(task_id, count if is_mapped else 0) for (task_id, is_mapped), count in in_order]
    )


def _name(task_id: str, mapped: int) -> str:
    name = truncate(task_id, _NAME_LIMIT)
    return f"{name} ({mapped} mapped)" if mapped else name


def describe_failed_tasks(names: Sequence[str]) -> str:
    """Return the first five names, or as many as fit into 180 characters, and the number of further ones.

    :param names: all names in order, each of at most 100 characters.
    """
    for count in range(min(_MAX_NAMES, len(names)), 0, -1):
        more = f", and {len(names) - count} more" if len(names) > count else ""
        text = ", ".join(names[:count]) + more
        if len(text) <= _LIMIT:
            return text
    return ""

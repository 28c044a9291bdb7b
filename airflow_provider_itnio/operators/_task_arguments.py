"""The arguments of Airflow's base operators, so that type checkers and editors report a typo."""

from __future__ import annotations

from collections.abc import Callable, Collection, MutableMapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Required, TypeAlias, TypedDict

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import DAG, Context, TaskGroup

if TYPE_CHECKING:
    StateChangeCallback: TypeAlias = Callable[[Context], Any] | Collection[Callable[[Context], Any]] | None


class TaskArguments(TypedDict, total=False):
    """The arguments of ``BaseOperator`` on Airflow 2.11 to 3.3."""

    task_id: Required[str]
    allow_nested_operators: bool
    dag: DAG | None
    default_args: dict[str, Any] | None
    depends_on_past: bool
    do_xcom_push: bool
    doc: str | None
    doc_json: str | None
    doc_md: str | None
    doc_rst: str | None
    doc_yaml: str | None
    email: str | Collection[str] | None
    email_on_failure: bool
    email_on_retry: bool
    end_date: datetime | None
    execution_timeout: timedelta | None
    executor: str | None
    executor_config: dict[str, Any] | None
    ignore_first_depends_on_past: bool
    inlets: Any
    logger_name: str | None
    map_index_template: str | None
    max_active_tis_per_dag: int | None
    max_active_tis_per_dagrun: int | None
    max_retry_delay: timedelta | float | None
    multiple_outputs: bool
    on_execute_callback: StateChangeCallback
    on_failure_callback: StateChangeCallback
    on_retry_callback: StateChangeCallback
    on_skipped_callback: StateChangeCallback
    on_success_callback: StateChangeCallback
    outlets: Any
    owner: str
    params: MutableMapping[str, Any] | None
    pool: str | None
    pool_slots: int
    post_execute: Callable[[Context, Any], None] | None
    pre_execute: Callable[[Context], None] | None
    priority_weight: int
    queue: str
    render_template_as_native_obj: bool | None
    resources: dict[str, Any] | None
    retries: int | None
    retry_delay: timedelta | float
    retry_exponential_backoff: bool | float
    retry_policy: Any
    run_as_user: str | None
    sla: timedelta | None
    start_date: datetime | None
    task_concurrency: int | None
    task_display_name: str | None
    task_group: TaskGroup | None
    trigger_rule: str
    wait_for_downstream: bool
    wait_for_past_depends_before_skipping: bool
    weight_rule: Any


class SensorArguments(TaskArguments, total=False):
    """The arguments of ``BaseSensorOperator`` on Airflow 2.11 to 3.3."""

    exponential_backoff: bool
    max_wait: timedelta | float | None
    mode: str
    never_fail: bool
    poke_interval: timedelta | float
    silent_fail: bool
    soft_fail: bool
    timeout: timedelta | float

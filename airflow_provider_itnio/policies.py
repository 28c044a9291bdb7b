"""A cluster policy: alerts for all DAGs by one line of Airflow's configuration.

Airflow loads this module whenever it starts, so at module level it imports only the standard library and
``hookimpl``. It does nothing unless ``[itnio] alert_recipients`` is set. An invalid option never fails the
import of a DAG: it is logged once per process that parses DAG files.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.policies import hookimpl

if TYPE_CHECKING:
    from airflow_provider_itnio.notifications.alert_options import DagAlerts

__all__ = ["dag_policy", "task_policy"]

_LOG = logging.getLogger(__name__)
_VARIABLE = "AIRFLOW__ITNIO__"


@hookimpl
def dag_policy(dag: Any) -> None:
    """Add alerts to a DAG: for its failure and its recovery.

    :param dag: the DAG. Its own callbacks are kept. A DAG with a notifier of this package in its
        ``on_failure_callback`` is not changed.
    """
    _CurrentDag.dag = None  # it may be parsed again with another configuration
    _add_safely(_add_dag_alerts, dag, lambda: dag)


@hookimpl
def task_policy(task: Any) -> None:
    """Add an alert to a task for its failure, if ``[itnio] alert_on`` has ``task_failure``.

    :param task: the task, mapped or not. Its own callbacks are kept.
    """
    _add_safely(_add_task_alert, task, lambda: task.dag)


class _CurrentDag:
    """The alerts of the DAG that is parsed now, so that they are not looked up for each of its tasks."""

    dag: Any = None
    alerts: DagAlerts | None = None


def _add_safely(add: Callable[[Any, DagAlerts], None], subject: Any, get_dag: Callable[[], Any]) -> None:
    try:
        if _CurrentDag.dag is not (dag := get_dag()):
            _CurrentDag.dag, _CurrentDag.alerts = dag, None
            _CurrentDag.alerts = _alerts_of(dag)
        if _CurrentDag.alerts:
            add(subject, _CurrentDag.alerts)
    except Exception as error:
        with suppress(Exception):  # an error in formatting or logging must not fail the DAG file
            error_text = f"{type(error).__name__}: {error}"[:300]
            _LOG.warning("[itnio]: no alerts could be set up for DAG %r: %s", subject.dag_id, error_text)


def _alerts_of(dag: Any) -> DagAlerts | None:
    from airflow.configuration import conf

    _warn_of_unknown_options()
    # Read first: without recipients, nothing else is needed.
    if not (recipients := str(conf.get("itnio", "alert_recipients", fallback="") or "").strip()):
        return None
    from airflow_provider_itnio.notifications.alert_options import alerts_of

    return alerts_of(dag, recipients)


@cache
def _warn_of_unknown_options() -> None:
    """Log misspelt options, also if ``alert_recipients`` is misspelt."""
    if not (variables := [name for name in os.environ if name.startswith(_VARIABLE)]):
        return
    from airflow_provider_itnio.get_provider_info import get_provider_info

    options = [_VARIABLE + option.upper() for option in get_provider_info()["config"]["itnio"]["options"]]
    known = {option + ending for option in options for ending in ("", "_CMD", "_SECRET")}
    for name in sorted({*variables} - known):
        _LOG.warning("[itnio]: %s is no option; the options are %s", name, ", ".join(options))


def _add_dag_alerts(dag: Any, alerts: DagAlerts) -> None:
    if _has_notifier(dag.on_failure_callback):
        return
    if "dag_failure" in alerts.events:
        dag.on_failure_callback = [*_callbacks(dag.on_failure_callback), _notifier(alerts, False)]
        dag.has_on_failure_callback = True
    if "dag_recovery" in alerts.events and not _has_notifier(dag.on_success_callback):
        dag.on_success_callback = [*_callbacks(dag.on_success_callback), _notifier(alerts, True)]
        dag.has_on_success_callback = True


def _add_task_alert(task: Any, alerts: DagAlerts) -> None:
    if "task_failure" in alerts.events and not _has_notifier(task.on_failure_callback):
        task.on_failure_callback = [*_callbacks(task.on_failure_callback), _notifier(alerts, False)]


def _callbacks(callbacks: Any) -> list[Any]:
    if not callbacks:
        return []
    return list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]


def _has_notifier(callbacks: Any) -> bool:
    from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier

    return any(
        isinstance(getattr(callback, "__self__", callback), WhatsAppNotifier)
        for callback in _callbacks(callbacks)
    )


@cache
def _notifier(alerts: DagAlerts, only_after_failure: bool) -> Any:
    from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier

    return WhatsAppNotifier(
        recipients=list(alerts.recipients),
        itnio_conn_id=alerts.conn_id,
        only_after_failure=only_after_failure,
    )

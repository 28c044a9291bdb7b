"""Alerts for every DAG by one line of Airflow's configuration: a cluster policy.

Airflow loads this module whenever it starts, so it imports the standard library and the marker of a policy
alone. It does nothing unless ``[itnio] alert_recipients`` is set, and whatever is set there, no DAG fails to
import because of it: what can't be used is one line in the log of the process that reads the DAG files.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from airflow.policies import hookimpl

__all__ = ["dag_policy", "task_policy"]

_LOG = logging.getLogger(__name__)
_EVENTS: Final = ("dag_failure", "task_failure", "dag_recovery")
_DEFAULT_EVENTS: Final = "dag_failure,dag_recovery"


@hookimpl
def dag_policy(dag: Any) -> None:
    """Let a DAG alert when it has failed, and when it has recovered.

    :param dag: the DAG, which keeps the callbacks it has. A DAG with a notifier of this package in its
        ``on_failure_callback`` is not changed.
    """
    _without_harm(_alert_of_dag, dag)


@hookimpl
def task_policy(task: Any) -> None:
    """Let a task alert when it has failed, if ``[itnio] alert_on`` says so.

    :param task: the task, mapped or not, which keeps the callbacks it has.
    """
    _without_harm(_alert_of_task, task)


def _without_harm(policy: Callable[[_Settings, Any], None], subject: Any) -> None:
    try:
        if settings := _settings():
            policy(settings, subject)
    except Exception as error:
        _LOG.warning("[itnio]: no alerts could be set up: %s", f"{type(error).__name__}: {error}"[:300])


class _Settings(NamedTuple):
    """What the configuration says: recipients by ``default``, ``tag:…`` and ``owner:…``."""

    recipients: Mapping[str, Sequence[str]]
    events: frozenset[str]
    skip_tags: frozenset[str]
    conn_id: str


def _alert_of_dag(settings: _Settings, dag: Any) -> None:
    recipients = _recipients_of(settings, dag)
    if not recipients or _has_notifier(dag.on_failure_callback):
        return
    if "dag_failure" in settings.events:
        notifier = _notifier(recipients, settings.conn_id, False)
        dag.on_failure_callback = [*_callbacks(dag.on_failure_callback), notifier]
        dag.has_on_failure_callback = True
    if "dag_recovery" in settings.events and not _has_notifier(dag.on_success_callback):
        notifier = _notifier(recipients, settings.conn_id, True)
        dag.on_success_callback = [*_callbacks(dag.on_success_callback), notifier]
        dag.has_on_success_callback = True


def _alert_of_task(settings: _Settings, task: Any) -> None:
    if "task_failure" not in settings.events or _has_notifier(task.on_failure_callback):
        return
    if recipients := _recipients_of(settings, getattr(task, "dag", None)):
        notifier = _notifier(recipients, settings.conn_id, False)
        task.on_failure_callback = [*_callbacks(task.on_failure_callback), notifier]


def _recipients_of(settings: _Settings, dag: Any) -> tuple[str, ...]:
    """Give whom a DAG alerts: those of its tags and owners, or else those of ``default``."""
    tags = [str(tag) for tag in getattr(dag, "tags", None) or ()]
    if settings.skip_tags.intersection(tags):
        return ()
    owners = [owner.strip() for owner in str(getattr(dag, "owner", "")).split(",")]
    keys = [*(f"tag:{tag}" for tag in tags), *(f"owner:{owner}" for owner in owners)]
    own = [number for key in keys for number in settings.recipients.get(key, ())]
    return tuple(dict.fromkeys(own or settings.recipients.get("default", ())))


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


def _settings() -> _Settings | None:
    """Read the configuration; what was read before from the same texts is not checked again."""
    names = ("alert_recipients", "alert_on", "alert_skip_tags", "alert_conn_id")
    return _settings_of(*map(_option, names))


def _option(name: str) -> str:
    from airflow.configuration import conf

    try:
        return str(conf.get("itnio", name, fallback="") or "").strip()
    except Exception as error:  # such as a command for its value that fails
        _LOG.warning("[itnio] %s: can't be read: %s", name, type(error).__name__)
        return ""


@cache
def _settings_of(recipients: str, events: str, skip_tags: str, conn_id: str) -> _Settings | None:
    if not recipients:
        return None
    usable = {key: numbers for key, given in _by_key(recipients).items() if (numbers := _usable(key, given))}
    named = _words(events)
    if unknown := sorted(named - set(_EVENTS)):
        shown = ", ".join(unknown)[:100]
        _LOG.warning("[itnio] alert_on: must be one or more of %s, %r given", ", ".join(_EVENTS), shown)
    named = named & set(_EVENTS) or _words(_DEFAULT_EVENTS)
    return _Settings(usable, named, _words(skip_tags), conn_id or "itnio_default") if usable else None


def _by_key(written: str) -> dict[str, Any]:
    """Read a list of numbers, Jinja, or JSON that gives lists by tag and owner."""
    if not written.startswith(("{", "[")) or written.startswith(("{{", "{%", "{#")):
        return {"default": written}
    try:
        given = json.loads(written)
    except ValueError as error:
        _LOG.warning("[itnio] alert_recipients: must be phone numbers or JSON: %s", error)
        return {}
    by_key = given if isinstance(given, dict) else {"default": given}
    for key in by_key:
        if key != "default" and not key.startswith(("tag:", "owner:")):
            _LOG.warning("[itnio] alert_recipients: keys are default, tag:… and owner:…, %.60r given", key)
    return by_key


def _usable(key: str, given: Any) -> list[str]:
    """Give the recipients that are phone numbers or Jinja, and log what is wrong with the others."""
    from airflow_provider_itnio.notifications.notifier_checks import check_recipient
    from airflow_provider_itnio.templating import recipient_entries

    usable = []
    try:
        entries = recipient_entries(given)
    except Exception:
        entries = [given]
    for index, entry in enumerate(entries):
        try:
            check_recipient(entry, f"{key[:60]}[{index}]")
            usable.append(str(entry))
        except Exception as error:
            _LOG.warning("[itnio] alert_recipients: %s", str(error)[:300])
    return usable


def _words(written: str) -> frozenset[str]:
    return frozenset(filter(None, (word.strip() for word in written.split(","))))


@cache
def _notifier(recipients: tuple[str, ...], conn_id: str, only_after_failure: bool) -> Any:
    from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier

    return WhatsAppNotifier(
        recipients=list(recipients), itnio_conn_id=conn_id, only_after_failure=only_after_failure
    )

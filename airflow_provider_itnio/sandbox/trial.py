"""The sandbox as tests of a DAG use it: it also connects, runs a task and calls a notifier."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from unittest.mock import patch

from .server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["EventKind", "TrialSandbox"]

EventKind: TypeAlias = Literal[
    "failure", "retry", "success", "skipped", "dag_failure", "dag_success", "deadline"
]

PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy"})


class TrialSandbox(Sandbox):
    """
    A sandbox that runs single tasks and notifiers against itself, without a database.

    It is what the pytest fixture ``itnio_sandbox`` gives. Airflow is imported when the first task runs.
    """

    _set_variable: Callable[[str, str], None] | None = None

    def begin_test(self, set_variable: Callable[[str, str], None]) -> None:
        """
        Forget what earlier tests left and make ``itnio_default`` a connection to this sandbox.

        :param set_variable: sets an environment variable until the test ends, as ``monkeypatch.setenv`` does
        """
        self.clear()
        self.clear_faults()
        self._set_variable = set_variable
        if PROXIES & {name.lower() for name in os.environ}:
            for name in ("NO_PROXY", "no_proxy"):
                set_variable(name, ",".join(filter(None, (os.environ.get(name), self.host))))
        self.connect()

    def end_test(self) -> None:
        """Take no further connections; whoever gave ``set_variable`` puts the environment back."""
        self._set_variable = None

    def connect(
        self, conn_id: str = "itnio_default", *, extra: Mapping[str, Any] | None = None, **changes: Any
    ) -> None:
        """
        Make a connection to this sandbox, in the environment and until the test ends.

        :param conn_id: the connection's id
        :param extra: changes in its extras, such as ``{"alert_template": "pipeline_alert"}``
        :param changes: changes in its other fields, such as ``password="wrong"``; None leaves a field out
        :raises RuntimeError: outside of a test
        """
        if self._set_variable is None:
            raise RuntimeError("connect: a connection lasts as long as a test, and none runs")
        fields = json.loads(self.connection_json()) | changes
        if isinstance(fields["extra"], dict):
            fields["extra"] |= extra or {}
        fields = {name: value for name, value in fields.items() if value is not None}
        self._set_variable(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))

    def execute(
        self,
        task: Any,
        *,
        xcoms: Mapping[str | tuple[str, str], Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        **context: Any,
    ) -> Any:
        """
        Run one task as Airflow does: render its fields, then execute it.

        No database is needed. The task itself stays as it is, so it can be run again. Its callbacks,
        ``retries`` and ``execution_timeout`` play no part.

        :param task: an operator, what a function with a decorator such as ``@task.whatsapp`` returns when it
            is called in a DAG, or a mapped task, of which the instance ``map_index`` runs (0 if not given)
        :param xcoms: what upstream tasks returned, by task id; what they pushed under another key, by the
            pair of both
        :param variables: Airflow variables that are there meanwhile
        :param context: ``logical_date`` or ``ds``, ``data_interval_start`` and ``data_interval_end``,
            ``run_id``, ``map_index``, ``try_number``, ``params`` (as given to the run) make the context;
            anything else goes into it as it is
        :return: what the task returns
        :raises Exception: what the task raises, unchanged
        """
        from .trial_run import run_task

        with _variables(variables or {}):
            return run_task(task, xcoms or {}, context)

    def alert(
        self,
        notifier: Any,
        kind: EventKind = "failure",
        exception: BaseException | str | None = None,
        *,
        xcoms: Mapping[str | tuple[str, str], Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        **context: Any,
    ) -> None:
        """
        Call a notifier as Airflow does when something has happened.

        :param notifier: a notifier, any other callback, a list of them as a task holds it, or the callback of
            a deadline
        :param kind: ``failure``, ``retry``, ``success`` and ``skipped`` are of a task, ``dag_failure`` and
            ``dag_success`` of a DAG's run; ``deadline`` is a run that is late
        :param exception: what a task failed with; only with ``failure`` and ``retry``
        :param xcoms: as for :meth:`execute`
        :param variables: as for :meth:`execute`
        :param context: as for :meth:`execute`; ``task`` or ``dag`` say of which the event is
        :raises ValueError: if there is no such kind, or an exception is given with another kind
        :raises Exception: what the notifier raises, unchanged
        """
        from .trial_run import tell

        with _variables(variables or {}):
            tell(notifier, kind, exception, xcoms or {}, context)


@contextmanager
def _variables(variables: Mapping[str, Any]) -> Iterator[None]:
    texts = {
        f"AIRFLOW_VAR_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in variables.items()
    }
    with patch.dict(os.environ, texts):
        yield

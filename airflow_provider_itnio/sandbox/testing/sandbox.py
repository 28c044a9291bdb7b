"""The sandbox for tests of a DAG: it also sets connections, runs a task and calls a notifier."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BeforeValidator, Field

from airflow_provider_itnio.sandbox.api_models import Given, read, read_value
from airflow_provider_itnio.sandbox.server import Sandbox
from airflow_provider_itnio.sandbox.testing.turns import environment, turn

__all__ = ["EventKind", "TestingSandbox"]

EventKind: TypeAlias = Literal[
    "failure", "retry", "success", "skipped", "dag_failure", "dag_success", "deadline"
]

PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy"})
DEFAULT_KEEP = 100_000


def environment_text(value: object) -> str:
    """Check that a text is valid in an environment variable."""
    if not isinstance(value, str):
        raise ValueError("a text")
    if "\0" in value or any("\ud800" <= one <= "\udfff" for one in value):
        raise ValueError("a text without NUL and lone surrogates")
    return value


EnvironmentText: TypeAlias = Annotated[str, BeforeValidator(environment_text)]
Result = TypeVar("Result")


class ConnectionGiven(Given):
    """The fields of a connection that a test may change, as environment variables can hold them."""

    conn_type: EnvironmentText | None = None
    login: EnvironmentText | None = None
    password: EnvironmentText | None = None
    host: EnvironmentText | None = None
    port: int | None = Field(None, ge=0, le=65535, description="a whole number from 0 to 65535")
    schema_: EnvironmentText | None = Field(None, alias="schema")
    description: EnvironmentText | None = None
    extra: Mapping[str, Any] | None = Field(None, description="a dict of changes in the extras")


class TestingSandbox(Sandbox):
    """
    A sandbox that can also run single tasks and notifiers, which send to it. No database is needed.

    The pytest fixture ``itnio_sandbox`` returns it. Airflow is imported when the first task runs.
    """

    __test__ = False  # no test class for pytest, whatever its name

    _set_variable: Callable[[str, str], None] | None = None

    def __init__(self, *, keep: int = DEFAULT_KEEP, push_scale: float = 0.0, **options: Any) -> None:
        """
        Configure the sandbox without starting it.

        :param keep: as for :class:`Sandbox`; the default is large enough for tests
        :param push_scale: as for :class:`Sandbox`; by default a message has all its statuses at once
        :param options: as for :class:`Sandbox`
        """
        super().__init__(keep=keep, push_scale=push_scale, **options)

    def begin_test(self, set_variable: Callable[[str, str], None]) -> None:
        """
        Reset this sandbox, start it if it was stopped, and set the connection ``itnio_default`` to it.

        :param set_variable: sets an environment variable until the test ends, such as ``monkeypatch.setenv``
        """
        if self._server is None:
            self.start()
        self.reset()
        self._set_variable = set_variable
        if PROXIES & {name.lower() for name in os.environ}:
            for name in ("NO_PROXY", "no_proxy"):
                set_variable(name, ",".join(filter(None, (os.environ.get(name), self.host))))
        self.connect()

    def end_test(self) -> None:
        """Allow no more calls of :meth:`connect`. The owner of ``set_variable`` restores the environment."""
        self._set_variable = None

    def connect(
        self, conn_id: str = "itnio_default", *, extra: Mapping[str, Any] | None = None, **changes: Any
    ) -> None:
        """
        Set a connection to this sandbox in the environment until the test ends.

        :param conn_id: the connection's id
        :param extra: changes of its extras, such as ``{"alert_template": "pipeline_alert"}``
        :param changes: changes of its other fields, such as ``password="wrong"``; None removes a field.
            They are ``conn_type``, ``login``, ``password``, ``host``, ``port``, ``schema``, ``description``
        :raises RuntimeError: outside of a test
        :raises ValueError: if the id, the extras or a field is invalid; the text names it
        """
        if self._set_variable is None:
            raise RuntimeError("connect: can only be called during a test")
        name = f"AIRFLOW_CONN_{_id('conn_id', conn_id)}"
        read(ConnectionGiven, changes | {"extra": extra})
        fields = json.loads(self.connection_json()) | changes
        fields["extra"] |= extra or {}
        fields = {field: value for field, value in fields.items() if value is not None}
        self._set_variable(name, _json("connect", fields))

    def execute(
        self,
        task: Any,
        *,
        xcoms: Mapping[str | tuple[str, str], Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        **context: Any,
    ) -> Any:
        """
        Run one try of a task with Airflow's task runner, without a database or an API server.

        The try runs as in Airflow, with templates, callbacks, ``execution_timeout``, XComs and the
        environment. If the task defers, its trigger runs here and the task resumes. The task of the DAG file
        is not changed, so it can be run again. In an async test it runs in a separate thread, since a task
        may start an event loop. Calls from several threads run one after the other.

        :param task: an operator, the result of calling a decorated function (such as ``@task.whatsapp``) in a
            DAG, or a mapped task, whose instance ``map_index`` runs (default 0)
        :param xcoms: the return values of upstream tasks by task id; XComs with another key by the pair of
            task id and key
        :param variables: Airflow variables for this run
        :param context: ``logical_date`` or ``ds``, ``data_interval_start`` and ``data_interval_end``,
            ``run_id``, ``map_index``, ``try_number``, ``params`` (as given to the run) describe the run; a
            dict ``task_state_store`` is the content of Airflow's store; anything else is added to the context
        :return: the task's return value, as other tasks get it; None if it pushes no XCom
        :raises ValueError: if an argument is invalid; the text names it
        :raises RuntimeError: on Airflow 2; if the task needs something that only Airflow's database has; if
            another run does not end within 300 s
        :raises Exception: the task's error, unchanged
        """
        from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

        if not AIRFLOW_V_3_0_PLUS:
            raise RuntimeError(
                "execute: needs Airflow 3. On Airflow 2, test the DAG with dag.test(): while this fixture is "
                "active, it sends to the sandbox"
            )
        from airflow_provider_itnio.sandbox.testing.task_run import run_task

        given = context | {"xcoms": _mapping("xcoms", xcoms)}
        return _run_exclusively(variables, lambda: run_task(task, given))

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
        Call a notifier as Airflow does after an event.

        :param notifier: a notifier, another callback, a list of callbacks, a deadline or its callback. All
            callbacks of a list are called, even if one raises
        :param kind: the event: ``failure``, ``retry``, ``success`` or ``skipped`` of a task, ``dag_failure``
            or ``dag_success`` of a DAG run, or ``deadline`` for a late run
        :param exception: the task's error; only with ``failure`` and ``retry``
        :param xcoms: as for :meth:`execute`
        :param variables: as for :meth:`execute`
        :param context: as for :meth:`execute`; ``task`` or ``dag`` is the task or DAG of the event
        :raises ValueError: if an argument is invalid, such as an exception with ``success``
        :raises Exception: the notifier's error, unchanged; of several errors, the first
        """
        from airflow_provider_itnio.sandbox.testing.alerts import call_callbacks

        given = context | {"xcoms": _mapping("xcoms", xcoms)}
        _run_exclusively(variables, lambda: call_callbacks(notifier, kind, exception, given))


def _run_exclusively(variables: Mapping[str, Any] | None, task: Callable[[], Result]) -> Result:
    """Run a task or notifier while no other one runs, in a thread without a running event loop."""
    given = _mapping("variables", variables)

    def run() -> Result:
        with turn(), environment(dict(_in_environment(given))):
            return task()

    if not _is_in_a_loop():
        return run()
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, run).result()


def _is_in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _in_environment(variables: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield Airflow variables as environment variables."""
    for name, value in variables.items():
        text = value if isinstance(value, str) else _json("variables", value)
        yield (
            f"AIRFLOW_VAR_{_id('variables', name)}",
            read_value(f"variables[{name!r}]", environment_text, text),
        )


def _id(parameter: str, given: Any) -> str:
    """Return the id of a variable or connection as in an environment variable."""
    if not isinstance(given, str) or not given or "=" in given:
        raise ValueError(f"{parameter}: an id without '=', {given!r:.60} given")
    return read_value(parameter, environment_text, given).upper()


def _json(parameter: str, value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{parameter}: must be valid as JSON ({error})") from None


def _mapping(parameter: str, given: object) -> Mapping[Any, Any]:
    """Check a dict; None counts as an empty one."""
    if given is not None and not isinstance(given, Mapping):
        raise ValueError(f"{parameter}: a dict, {given!r:.60} given")
    return given or {}

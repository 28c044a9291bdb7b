"""The sandbox as tests of a DAG use it: it also connects, runs a task and calls a notifier."""

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
KEPT_IN_A_TEST = 100_000


def environment_text(value: object) -> str:
    """Check a text that the environment of a process can hold."""
    if not isinstance(value, str):
        raise ValueError("a text")
    if "\0" in value or any("\ud800" <= one <= "\udfff" for one in value):
        raise ValueError("a text without NUL and lone surrogates")
    return value


EnvironmentText: TypeAlias = Annotated[str, BeforeValidator(environment_text)]
Result = TypeVar("Result")


class ConnectionGiven(Given):
    """The fields of a connection that a test may change; its environment holds them."""

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
    A sandbox that runs single tasks and notifiers against itself, without a database.

    It is what the pytest fixture ``itnio_sandbox`` gives. Airflow is imported when the first task runs.
    """

    __test__ = False  # no test class for pytest, whatever its name

    _set_variable: Callable[[str, str], None] | None = None

    def __init__(self, *, keep: int = KEPT_IN_A_TEST, push_scale: float = 0.0, **options: Any) -> None:
        """
        Describe the sandbox as :class:`Sandbox` takes it; nothing is started yet.

        :param keep: as for :class:`Sandbox`, but so many that no test misses one
        :param push_scale: as for :class:`Sandbox`, but without pauses: a message has all its statuses at once
        :param options: as for :class:`Sandbox`
        """
        super().__init__(keep=keep, push_scale=push_scale, **options)

    def begin_test(self, set_variable: Callable[[str, str], None]) -> None:
        """
        Reset this sandbox, start it if a test has stopped it, and make ``itnio_default`` a connection to it.

        :param set_variable: sets an environment variable until the test ends, as ``monkeypatch.setenv`` does
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
        """Take no further connections; whoever gave ``set_variable`` puts the environment back."""
        self._set_variable = None

    def connect(
        self, conn_id: str = "itnio_default", *, extra: Mapping[str, Any] | None = None, **changes: Any
    ) -> None:
        """
        Make a connection to this sandbox, in the environment and until the test ends.

        :param conn_id: the connection's id
        :param extra: changes in its extras, such as ``{"alert_template": "pipeline_alert"}``
        :param changes: changes in its other fields, such as ``password="wrong"``; None leaves a field out.
            They are ``conn_type``, ``login``, ``password``, ``host``, ``port``, ``schema``, ``description``
        :raises RuntimeError: outside of a test
        :raises ValueError: if the id, the extras or a field can't be; the text names it
        """
        if self._set_variable is None:
            raise RuntimeError("connect: a connection lasts as long as a test, and none runs")
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
        Run one task through Airflow's own task runner, which asks this test instead of its server.

        No database is needed. One try runs as in Airflow, with templates, callbacks, ``execution_timeout``,
        XComs and the environment. If the task defers, its trigger runs here and the task resumes. The task
        of the DAG file is not changed, so it can be run again. In an async test it runs in a thread of its
        own, since a task may begin a loop. Threads that call this take turns.

        :param task: an operator, what a function with a decorator such as ``@task.whatsapp`` returns when it
            is called in a DAG, or a mapped task, of which the instance ``map_index`` runs (0 if not given)
        :param xcoms: what upstream tasks returned, by task id; what they pushed under another key, by the
            pair of both
        :param variables: Airflow variables that are there meanwhile
        :param context: ``logical_date`` or ``ds``, ``data_interval_start`` and ``data_interval_end``,
            ``run_id``, ``map_index``, ``try_number``, ``params`` (as given to the run) describe the run; a
            dict ``task_state_store`` is what Airflow's keeps; anything else goes into the context as it is
        :return: what the task returns, as Airflow hands it to other tasks; None if it pushes no XCom
        :raises ValueError: if an argument can't be; the text names it
        :raises RuntimeError: on Airflow 2; if the task asks for what only Airflow's database has; if it waits
            for its turn and no other one ends for 300 s
        :raises Exception: what the task raises, unchanged
        """
        from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

        if not AIRFLOW_V_3_0_PLUS:
            raise RuntimeError(
                "execute: needs Airflow 3. On Airflow 2, test the DAG with dag.test(): while this fixture is "
                "there, it sends to the sandbox"
            )
        from airflow_provider_itnio.sandbox.testing.task_run import run_task

        given = context | {"xcoms": _mapping("xcoms", xcoms)}
        return _alone(variables, lambda: run_task(task, given))

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

        :param notifier: a notifier, any other callback, a list of them as a task holds it, a deadline or its
            callback; of a list, each is called though one before it raises
        :param kind: ``failure``, ``retry``, ``success`` and ``skipped`` are of a task, ``dag_failure`` and
            ``dag_success`` of a DAG's run; ``deadline`` is a run that is late
        :param exception: what a task failed with; only with ``failure`` and ``retry``
        :param xcoms: as for :meth:`execute`
        :param variables: as for :meth:`execute`
        :param context: as for :meth:`execute`; ``task`` or ``dag`` say of which the event is
        :raises ValueError: if an argument can't be, such as an exception with ``success``; the text names it
        :raises Exception: what the notifier raises, unchanged; of several, what the first raises
        """
        from airflow_provider_itnio.sandbox.testing.alerts import tell

        given = context | {"xcoms": _mapping("xcoms", xcoms)}
        _alone(variables, lambda: tell(notifier, kind, exception, given))


def _alone(variables: Mapping[str, Any] | None, task: Callable[[], Result]) -> Result:
    """Run a task or notifier while no other one runs, and in a thread without a running loop."""
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
    """Write Airflow variables as the environment holds them."""
    for name, value in variables.items():
        written = value if isinstance(value, str) else _json("variables", value)
        yield (
            f"AIRFLOW_VAR_{_id('variables', name)}",
            read_value(f"variables[{name!r}]", environment_text, written),
        )


def _id(parameter: str, given: Any) -> str:
    """Write the id of a variable or connection as it stands in the environment."""
    if not isinstance(given, str) or not given or "=" in given:
        raise ValueError(f"{parameter}: an id without '=', {given!r:.60} given")
    return read_value(parameter, environment_text, given).upper()


def _json(parameter: str, value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError) as unfit:
        raise ValueError(f"{parameter}: what JSON can hold ({unfit})") from None


def _mapping(parameter: str, given: object) -> Mapping[Any, Any]:
    """Check a dict, for which None is an empty one."""
    if given is not None and not isinstance(given, Mapping):
        raise ValueError(f"{parameter}: a dict, {given!r:.60} given")
    return given or {}

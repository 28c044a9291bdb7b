"""Run a complete Airflow: scheduler, DAG processor, triggerer and API server, with a fresh SQLite home.

The demo and the system tests use it: DAG callbacks, deadlines and questions only work in a complete Airflow.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

from cryptography.fernet import Fernet

from scripts.airflow_api import AirflowApi
from scripts.airflow_processes import BY_TASKS, AirflowForks
from scripts.ports import free_port
from scripts.processes import stop

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
AIRFLOW_3 = (BIN / "airflow").exists() and not list(BIN.parent.glob("lib/*/site-packages/airflow/www"))

HEALTH = "/api/v2/monitor/health" if AIRFLOW_3 else "/health"

PARTS = ("scheduler", "dag-processor", "triggerer", "api-server") if AIRFLOW_3 else ("scheduler",)
"""The parts of Airflow that DAGs need."""

PAGE = () if AIRFLOW_3 else ("triggerer", "webserver")
"""The additional parts that Airflow's UI needs."""

EXECUTION_API = ("scripts.warm_execution_api",) if AIRFLOW_3 else ()

NEEDED = (
    "airflow.jobs.scheduler_job_runner",
    "airflow.jobs.triggerer_job_runner",
    *(("airflow.jobs.dag_processor_job_runner", "airflow.api_fastapi.main") if AIRFLOW_3 else ()),
    *EXECUTION_API,
)


def airflow_environment(home: Path, dags: Path, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of an Airflow with a separate home and DAG folder.

    :param home: an empty folder.
    :param dags: the folder of its DAGs.
    :param settings: additional environment variables, such as connections.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    return {
        **kept,
        "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}",
        "PYTHONPATH": str(ROOT),
        "AIRFLOW_HOME": str(home),
        # SQLite allows one write at a time; the default timeout for others is 5 s.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=30",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        # Requests stay on this machine, without any proxy.
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        **({} if AIRFLOW_3 else {"AIRFLOW__CORE__EXECUTOR": "scripts.forking_executor.ForkingExecutor"}),
        **(settings or {}),
    }


class RunningAirflow:
    """Airflow, running until the end of the block.

    :param environment: the result of :func:`airflow_environment`.
    :param log: the file for its output.
    :param parts: the parts of Airflow to run.
    """

    def __init__(self, environment: Mapping[str, str], log: Path, *, parts: Sequence[str] = PARTS) -> None:
        self.log = log
        self._parts = parts
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._key = Fernet.generate_key()
        self._environment = {
            **environment,
            "AIRFLOW__CORE__FERNET_KEY": self._key.decode(),
            "AIRFLOW__API__BASE_URL": self.url,
            # So that answers of the API contain database errors.
            "AIRFLOW__API__EXPOSE_STACKTRACE": "True",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self._port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            # Changed files are parsed at once anyway; this is for files that could not be stored.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "10",
            "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "60",
            # SQLite has no row locks: a task could schedule again what the scheduler has queued.
            "AIRFLOW__SCHEDULER__SCHEDULE_AFTER_TASK_EXECUTION": "False",
            "AIRFLOW__WEBSERVER__BASE_URL": self.url,
            "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(self._port),
            "AIRFLOW__WEBSERVER__WORKERS": "1",
            # A task is lost if the API server answers too late, and the first request is the slowest.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        }
        self._forks: AirflowForks | None = None
        self._pids: dict[str, int] = {}
        self._api = AirflowApi(self.url)

    def __enter__(self) -> Self:
        """Start Airflow, and return when it can run DAGs."""
        with closing(sqlite3.connect(self.database)) as database:
            database.execute("PRAGMA journal_mode = WAL")  # readers do not block writers
        home = Path(self._environment["AIRFLOW_HOME"])
        # Make all users admins in Airflow 2's UI, as the setting above does in Airflow 3.
        (home / "webserver_config.py").write_text("AUTH_ROLE_PUBLIC = 'Admin'\n")
        self._forks = AirflowForks(NEEDED + BY_TASKS, self._environment, home, self.log)
        try:
            self._command("db", "migrate")
            for part in self._parts:
                self._pids[part] = self._forks.begin(part)
            if AIRFLOW_3:
                self._forks.begin("api-server", "--port", str(self._api.writing_port))
            self._wait_until_it_answers()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop Airflow."""
        self._stop()

    @property
    def is_running(self) -> bool:
        """Whether it is still running."""
        return self._forks is not None and self._forks.process.poll() is None

    def restart_triggerer(self) -> None:
        """Stop the triggerer of Airflow 3, and start a new one.

        It does not wait for the new one: deferred tasks resume when it runs.
        """
        import psutil

        assert self._forks is not None
        triggerer = psutil.Process(self._pids["triggerer"])
        children = triggerer.children(recursive=True)
        triggerer.terminate()
        _, alive = psutil.wait_procs([triggerer], timeout=30)
        for process in (*alive, *(one for one in children if one.is_running())):
            process.kill()
        self._pids["triggerer"] = self._forks.begin("triggerer")

    def trigger(self, dag_id: str, *run_ids: str) -> None:
        """Wait until Airflow has parsed a DAG, and trigger runs of it.

        :param dag_id: the DAG.
        :param run_ids: the ids of the runs.
        """
        deadline = time.monotonic() + 240
        trigger = self._trigger_on_3 if AIRFLOW_3 else self._trigger_on_2
        while not trigger(dag_id, run_ids):
            if time.monotonic() > deadline or not self.is_running:
                raise TimeoutError(f"{dag_id} could not be started within 240 s; see {self.log}")
            time.sleep(0.5)

    def _trigger_on_3(self, dag_id: str, run_ids: Sequence[str]) -> bool:
        for run_id in run_ids:
            try:
                body = {"dag_run_id": run_id, "logical_date": None}
                self._api.write("POST", f"dags/{dag_id}/dagRuns", body)
            except HTTPError as error:
                if error.code != HTTPStatus.CONFLICT:  # a previous request succeeded, but timed out
                    return False
            except OSError:
                return False
        return True

    def _trigger_on_2(self, dag_id: str, run_ids: Sequence[str]) -> bool:
        known = "SELECT 1 FROM dag JOIN serialized_dag USING (dag_id) WHERE dag_id = ?"  # stored one by one
        if self._stored(known, dag_id) is None:
            return False
        program = "import sys; from airflow.api.common.trigger_dag import trigger_dag\n"
        # `airflow dags trigger` refuses a second run within one second.
        program += "exactly = {'replace_microseconds': False}\n"
        program += "for run_id in sys.argv[2:]: trigger_dag(sys.argv[1], run_id=run_id, **exactly)"
        self._command(dag_id, *run_ids, program=program)
        return True

    @property
    def database(self) -> Path:
        """Airflow's SQLite database."""
        return Path(self._environment["AIRFLOW_HOME"]) / "airflow.db"

    def variable(self, key: str) -> str | None:
        """Return an Airflow Variable, ``None`` if there is none.

        :param key: its key.
        """
        stored = self._stored("SELECT val FROM variable WHERE key = ?", key)
        return None if stored is None else Fernet(self._key).decrypt(stored.encode()).decode()

    def set_variable(self, key: str, value: str | None) -> None:
        """Set an Airflow Variable, or delete it.

        :param key: its key.
        :param value: its value, ``None`` to delete it.
        """
        if not AIRFLOW_3:
            self._command("variables", *(["delete", key] if value is None else ["set", key, value]))
        elif value is None:
            self._api.write("DELETE", f"variables/{key}")
        elif self.variable(key) is None:
            self._api.write("POST", "variables", {"key": key, "value": value})
        else:
            self._api.write("PATCH", f"variables/{key}", {"key": key, "value": value})

    def wait_for(self, dag_id: str, run_id: str, timeout: float = 300) -> str:
        """Wait until a run has ended, and return its state.

        :param dag_id: the DAG.
        :param run_id: the run.
        :param timeout: seconds to wait at most.
        :raises TimeoutError: if it has not ended by then.
        """
        deadline = time.monotonic() + timeout
        while (state := self._state(dag_id, run_id)) not in ("success", "failed"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{dag_id} is still {state} after {timeout:.0f} s; see {self.log}")
            time.sleep(0.5)
        return state

    def tasks(self, dag_id: str, run_id: str) -> dict[str, tuple[str, int]]:
        """Return the state and the number of tries of each task instance.

        :param dag_id: the DAG.
        :param run_id: the run.
        :return: by task, and map index if it has one.
        """
        return {
            _name(task_id, map_index): (str(state), int(tries))
            for task_id, map_index, state, tries in self._rows(
                "SELECT task_id, map_index, state, try_number FROM task_instance"
                " WHERE dag_id = ? AND run_id = ?",
                *(dag_id, run_id),
            )
        }

    def returned(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> Any:
        """Return the return value of a task from XCom.

        :param dag_id: the DAG.
        :param run_id: the run.
        :param task_id: the task.
        :param map_index: the map index of a mapped task's instance.
        :return: the value; on Airflow 2, ``None`` if there is none.
        """
        if AIRFLOW_3:
            path = f"dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}/xcomEntries/return_value"
            return self._api.get(f"{path}?map_index={map_index}&stringify=false")["value"]
        pushed = self._stored(
            "SELECT value FROM xcom WHERE key = 'return_value'"
            " AND dag_id = ? AND run_id = ? AND task_id = ? AND map_index = ?",
            *(dag_id, run_id, task_id, map_index),
        )
        return None if pushed is None else json.loads(pushed)

    def clear(self, dag_id: str, run_id: str, *task_ids: str, on_latest_version: bool = False) -> None:
        """Clear tasks, as in the UI, on Airflow 3.

        :param dag_id: the DAG.
        :param run_id: the run.
        :param task_ids: the tasks.
        :param on_latest_version: run them with the latest version of the DAG.
        """
        what = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": list(task_ids),
            "only_failed": False,
            "run_on_latest_version": on_latest_version,
        }
        self._api.write("POST", f"dags/{dag_id}/clearTaskInstances", what)

    def retries_of(self, dag_id: str, task_id: str) -> int:
        """Return the ``retries`` of a task in the last parsed version of its DAG, on Airflow 3.

        :param dag_id: the DAG.
        :param task_id: the task.
        """
        return int(self._api.get(f"dags/{dag_id}/tasks/{task_id}")["retries"])

    def state_of(self, dag_id: str, run_id: str, task_id: str, key: str) -> Any:
        """Return a value in a task's state store, on Airflow 3.3 and later.

        :param dag_id: the DAG.
        :param run_id: the run.
        :param task_id: the task.
        :param key: the key.
        """
        instance = f"dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}"
        return self._api.get(f"{instance}/state-store/{key}")["value"]

    def mark(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Set a task's state, as in the UI, on Airflow 3.

        :param dag_id: the DAG.
        :param run_id: the run.
        :param task_id: the task.
        :param state: ``failed`` or ``success``.
        """
        path = f"dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}"
        self._api.write("PATCH", path, {"new_state": state})

    def log_of(self, dag_id: str, run_id: str, task_id: str, try_number: int) -> str:
        """Return the log of a task's try, in the format of this Airflow version.

        :param dag_id: the DAG.
        :param run_id: the run.
        :param task_id: the task.
        :param try_number: the try, from 1.
        """
        logs = Path(self._environment["AIRFLOW_HOME"]) / "logs"
        folder = logs / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        return (folder / f"attempt={try_number}.log").read_text()

    def _state(self, dag_id: str, run_id: str) -> str:
        return str(self._stored("SELECT state FROM dag_run WHERE dag_id = ? AND run_id = ?", dag_id, run_id))

    def _stored(self, query: str, *values: Any) -> Any:
        """Read one value directly from the database, to put no load on Airflow."""
        rows = self._rows(query, *values)
        return rows[0][0] if rows else None

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)) as connection:
            return connection.execute(query, values).fetchall()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 300
        while not self._answers():
            if not self.is_running:
                raise RuntimeError(f"Airflow ended while it started; see {self.log}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"Airflow was not healthy after 300 s; see {self.log}")
            time.sleep(0.5)

    def _answers(self) -> bool:
        if not {"api-server", "webserver"} & {*self._parts}:
            return True
        with suppress(OSError, ValueError):
            health = json.load(urlopen(f"{self.url}{HEALTH}", timeout=5))
            parts = {"scheduler", "dag-processor", "triggerer"} & {*self._parts}
            states = [health[part.replace("-", "_")]["status"] for part in parts]
            return states == ["healthy"] * len(parts) and (not AIRFLOW_3 or self._api.can_write)
        return False

    def _command(self, *arguments: str, program: str | None = None) -> str:
        assert self._forks is not None
        done = self._forks.run(*arguments, program=program)
        if done.returncode:
            raise RuntimeError(f"{' '.join(done.args)}: {done.stdout}{done.stderr}")
        return done.stdout

    def _stop(self) -> None:
        # They are killed: the triggerer may sleep for ten seconds, and the scheduler waits for tasks.
        if self._forks is not None:
            stop(self._forks.process)


def _name(task_id: str, map_index: int) -> str:
    return task_id if map_index == -1 else f"{task_id}[{map_index}]"

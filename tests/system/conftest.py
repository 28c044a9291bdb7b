from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pytest

from airflow_provider_itnio.sandbox import Sandbox
from scripts.running_airflow import RunningAirflow, airflow_environment
from tests.system.seen import seen  # noqa: F401 - a fixture
from tests.system.slow_server import SlowServer

AIRFLOW_2 = version("apache-airflow").startswith("2.")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Show with a failure what Airflow has logged: where tests run, its files are gone afterwards."""
    report = yield
    if report.failed and (running := item.funcargs.get("running")):
        lines = running.airflow.log.read_text("utf-8", "replace").splitlines()
        failures = [line for line in lines if re.search(r"(?i)error|critical|killed|traceback", line)]
        report.sections.append(("Airflow's log", "\n".join([*failures[-30:], "…", *lines[-20:]])))
    return report


@pytest.fixture(scope="session")
def python():
    """Run Python in a process of its own, with changes to the environment."""

    def run(*arguments, env=None):
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            env=os.environ | (env or {}),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def airflow(python):
    """Run a command of Airflow, whose database is there."""
    migrated = python("-m", "airflow", "db", "migrate")
    assert migrated.returncode == 0, migrated.stdout + migrated.stderr
    return lambda *arguments, env=None: python("-m", "airflow", *arguments, env=env)


# As docs/alerts.md gives it, but for the number and that other tests' DAGs alert nobody.
CLUSTER_POLICY = """\
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier

ON_CALL = WhatsAppNotifier(recipients=["+86 1000 0000 60"])


def task_policy(task):
    if task.dag_id not in ("failing", "own_words"):
        return
    own = task.on_failure_callback or []
    task.on_failure_callback = [*(own if isinstance(own, (list, tuple)) else [own]), ON_CALL]
"""


class Running(NamedTuple):
    """A whole Airflow, and the servers that alerts and the tasks of other tests send to."""

    airflow: RunningAirflow
    alerts: Sandbox
    tasks: Sandbox
    slow: SlowServer
    place: Path


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    """One Airflow for all tests, since it takes most of a minute to start, with ``running_dags``."""
    home, place = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("place")
    with Sandbox() as alerts, Sandbox(keep=100_000) as tasks, SlowServer() as slow:
        environment = airflow_environment(
            home,
            Path(__file__).parent / "running_dags",
            {
                "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
                "AIRFLOW_CONN_ITNIO_DEFAULT": alerts.connection_json(),
                "AIRFLOW_CONN_ITNIO_TASKS": tasks.connection_json(),
                "AIRFLOW_CONN_ITNIO_SLOW": json.dumps(
                    json.loads(tasks.connection_json()) | {"host": slow.url}
                ),
                "SANDBOX_OF_TASKS": tasks.url,
                "PLACE_OF_TASKS": str(place),
                "AIRFLOW__ITNIO__ALERT_RECIPIENTS": '{"tag:by_policy": ["+86 1000 0000 70"]}',
            },
        )
        policy = home / "config" / "airflow_local_settings.py"
        policy.parent.mkdir()
        policy.write_text(CLUSTER_POLICY)
        with RunningAirflow(environment, home / "airflow.log") as airflow:
            yield Running(airflow, alerts, tasks, slow, place)

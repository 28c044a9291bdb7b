from __future__ import annotations

import os
import re
from importlib.metadata import version

import pytest

from scripts.airflow_processes import AirflowForks
from scripts.processes import stop
from scripts.running_airflow import EXECUTION_API, ROOT
from tests.system.running import running_airflow
from tests.system.seen import runs, seen, seen_data  # noqa: F401 - fixtures

AIRFLOW_2 = version("apache-airflow").startswith("2.")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Add Airflow's log to a failure, since its files are deleted afterwards."""
    report = yield
    if report.failed and (running := item.funcargs.get("running")):
        lines = running.airflow.log.read_text("utf-8", "replace").splitlines()
        failures = [line for line in lines if re.search(r"(?i)error|critical|killed|traceback", line)]
        report.sections.append(("Airflow's log", "\n".join([*failures[-30:], "…", *lines[-20:]])))
    return report


@pytest.fixture(scope="session")
def forks(tmp_path_factory):
    """Run Airflow commands with an existing database, and programs in forks that have imported Airflow."""
    folder = tmp_path_factory.mktemp("forks")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    forks = AirflowForks(["airflow.models.dagbag", *EXECUTION_API], environment, folder, folder / "log")
    try:
        migrated = forks.run("db", "migrate")
        assert migrated.returncode == 0, migrated.stdout + migrated.stderr
        yield forks
    finally:
        stop(forks.process)


@pytest.fixture(scope="session")
def airflow(forks):
    """Run an Airflow command with changes to the environment."""
    return forks.run


@pytest.fixture(scope="package")
def running(request, tmp_path_factory):
    """One Airflow for all system tests, as it starts slowly; all scenarios run in it concurrently."""
    home, place = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("place")
    with running_airflow(home, place, request.session.items) as running:
        yield running

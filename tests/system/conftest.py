from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version

import pytest

AIRFLOW_2 = version("apache-airflow").startswith("2.")


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

"""Type checkers accept the correct uses in ``uses.py`` and refuse each wrong one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.providers.common.compat.version_compat import AIRFLOW_V_3_0_PLUS

ROOT = Path(__file__).parent.parent.parent
USES = Path(__file__).parent / "uses.py"
WRONG = {number for number, line in enumerate(USES.read_text().splitlines(), 1) if line.endswith("# wrong")}

pytestmark = pytest.mark.skipif(not AIRFLOW_V_3_0_PLUS, reason="types are checked against Airflow 3")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip(command[0], reason=f"{command[0]} is not installed")
    ran = subprocess.run(
        [sys.executable, "-m", *command, str(USES)],
        cwd=ROOT,
        env=os.environ | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    return ran


def test_mypy_reports_exactly_the_wrong_uses() -> None:
    said = run("mypy", "--no-error-summary", "--hide-error-context").stdout
    errors = dict(re.findall(r"^tests/types/uses\.py:(\d+): error: (.*)$", said, re.MULTILINE))
    assert {int(line) for line in errors} == WRONG, said


def test_pyright_reports_exactly_the_wrong_uses() -> None:
    said = json.loads(run("pyright", "--outputjson", "--pythonpath", sys.executable).stdout)
    errors = [one for one in said["generalDiagnostics"] if one["severity"] == "error"]
    assert {one["range"]["start"]["line"] + 1 for one in errors} == WRONG, errors

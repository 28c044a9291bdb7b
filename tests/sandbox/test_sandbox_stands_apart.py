"""The sandbox is the other side of the wire: it shares nothing with the rest of the package."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_provider_itnio.sandbox as package

FOLDER = Path(package.__file__).parent
ALLOWED = {"starlette", "uvicorn", "jinja2"} | set(sys.stdlib_module_names)
# What belongs to people's tests: the plugin is pytest's, and a task that is tried out is Airflow's.
FOR_TESTS = {
    "pytest_plugin.py": {"pytest"},
    "trial_accessors.py": {"airflow"},
    "trial_airflow.py": {"airflow"},
    "trial_arguments.py": {"airflow", "pendulum"},
    "trial_context.py": {"pendulum"},
}


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.name)
def test_a_module_imports_only_the_sandbox_and_its_three_libraries(path):
    allowed = ALLOWED | FOR_TESTS.get(path.name, set())
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert {name.name.split(".")[0] for name in node.names} <= allowed
        if isinstance(node, ast.ImportFrom):
            inside = node.level == 1
            # The texts of the vendor's status codes are data that both ends show.
            itself = node.level == 2 and (node.module or node.names[0].name) in ("sandbox", "status_texts")
            assert inside or itself or (node.level == 0 and node.module.split(".")[0] in allowed), (
                ast.unparse(node)
            )


def test_a_running_sandbox_has_loaded_nothing_else():
    script = """
import sys
from airflow_provider_itnio.sandbox import Sandbox
with Sandbox():
    pass
loaded = {name.split(".")[0] for name in sys.modules}
print(sorted(loaded & {"airflow", "requests", "aiohttp", "pydantic"}))
ours = {n.split(".")[1] for n in sys.modules if n.startswith("airflow_provider_itnio.")}
print(sorted(ours - {"sandbox", "status_texts"}))
"""
    ended = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=FOLDER.parents[1],
        timeout=30,
    )
    assert ended.stdout.split("\n")[:2] == ["[]", "[]"]


def test_the_package_loads_no_server_until_it_is_asked_for_one():
    script = """
import sys, airflow_provider_itnio.sandbox
print("uvicorn" in sys.modules, "starlette" in sys.modules)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=FOLDER.parents[1],
        timeout=30,
    )
    assert ended.stdout == "False False\n"


def test_without_the_extra_the_import_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "airflow_provider_itnio.sandbox.server")
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'airflow-provider-itnio\[sandbox\]'"):
        _ = package.Sandbox


def test_unknown_names_are_unknown():
    with pytest.raises(AttributeError, match="no attribute 'Inbox'"):
        _ = package.Inbox

"""The sandbox stands for the vendor, so it imports nothing else of the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import airflow_provider_itnio.sandbox as package

FOLDER = Path(package.__file__).parent


def test_the_sandbox_imports_no_other_part_and_the_server_only_on_demand():
    script = """
import sys, airflow_provider_itnio.sandbox
print("uvicorn" in sys.modules, "starlette" in sys.modules)
from airflow_provider_itnio.sandbox import Sandbox
with Sandbox():
    pass
loaded = {name.split(".")[0] for name in sys.modules}
print(sorted(loaded & {"airflow", "requests", "aiohttp"}))
ours = {n.split(".")[1] for n in sys.modules if n.startswith("airflow_provider_itnio.")}
print(sorted(ours - {"sandbox", "status_texts", "timed_http_protocol"}))
"""
    ended = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=FOLDER.parents[1],
        timeout=30,
    )
    assert ended.stdout.split("\n")[:3] == ["False False", "[]", "[]"]


def test_without_the_extra_the_import_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "airflow_provider_itnio.sandbox.server")
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'airflow-provider-itnio\[sandbox\]'"):
        _ = package.Sandbox


def test_an_unknown_name_raises_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Inbox'"):
        _ = package.Inbox

"""The pages about testing and the sandbox: their tests run like a user's, and their tables are true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from airflow_provider_itnio.sandbox import Sandbox
from airflow_provider_itnio.sandbox.api import SandboxApi
from airflow_provider_itnio.sandbox.api_models import REPLIES
from airflow_provider_itnio.sandbox.faults.test_numbers import TABLE
from airflow_provider_itnio.sandbox.inbox.page import Page
from airflow_provider_itnio.sandbox.operations import routes_of
from tests.tables import for_each

GUIDES = Path(__file__).parent.parent / "docs"
PAGE = "".join((GUIDES / name).read_text() for name in ("testing.md", "sandbox.md"))
pytestmark = pytest.mark.xdist_group("project")  # whose tests run once

AIRFLOW_2 = version("apache-airflow").startswith("2.")
COLLECTION = "error::pytest.PytestCollectionWarning"
"""Pytest must not collect classes of the package that a test imports."""
FILES = dict(re.findall(r"```python\n# (\S+\.py)\n(.*?)```", PAGE, re.DOTALL))


SHARING = re.findall(r"^def (test_\w+)", FILES["tests/test_module.py"], re.M)
"""The tests that share a sandbox."""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A user's project with the files of the pages, an empty Airflow home, and no database."""
    folder = tmp_path_factory.mktemp("project")
    for name, text in (FILES | {"tests/test_reversed.py": FILES["tests/test_module.py"]}).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "home").mkdir()
    return folder


@pytest.fixture(scope="module")
def ran(project):
    """Run the project's tests, and those that share a sandbox also in reverse order."""
    tests = [name for name in FILES if name.startswith("tests/")]
    tests += [f"tests/test_reversed.py::{name}" for name in reversed(SHARING)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rA", "-W", COLLECTION, *tests],
        cwd=project,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")},
            "AIRFLOW_HOME": str(project / "home"),
            # A missing folder: any access to the database would fail.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{project}/nowhere/airflow.db",
            # Nothing listens there: messages must not use this proxy.
            "HTTP_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "intra.example",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_the_pages_tests_pass_without_a_database(project, ran):
    tests = {
        name: text
        for file in FILES.values()
        for name, text in re.findall(r"^def (test_\w+)(.*?)(?=^\S|\Z)", file, re.M | re.DOTALL)
    }
    # On Airflow 2 the fixture runs no task; its error is checked below.
    failing = {name for name, text in tests.items() if AIRFLOW_2 and ".execute(" in text}
    for outcome, names in (("PASSED", tests.keys() - failing), ("FAILED", failing)):
        assert {*re.findall(rf"^{outcome} \S+?::(\w+)", ran.stdout, re.M)} == names, ran.stdout + ran.stderr
    assert ran.stdout.count("RuntimeError: execute: needs Airflow 3") >= len(failing)
    assert not list(project.rglob("*.db"))


def test_the_tests_that_share_a_sandbox_pass_in_any_order(ran):
    passed = re.findall(r"^PASSED tests/test_reversed.py::(\w+)", ran.stdout, re.M)
    assert passed == SHARING[::-1], ran.stdout + ran.stderr


def test_every_python_block_of_the_pages_is_run():
    assert len(FILES) == PAGE.count("```python")
    assert "dags/sales.py" in FILES
    assert len([name for name in FILES if name.startswith("tests/test_")]) == len(FILES) - 1


@for_each("number", TABLE)
def test_the_page_lists_the_test_numbers(number):
    assert re.search(rf"^\| `{re.escape(number)}` \| {re.escape(TABLE[number])}[ :]", PAGE, re.MULTILINE)


IN_A_PATH = {"number": "7", "recipient": "8614718004557", "message_id": "782c746fe6eb48a3b8e01273973ffaee"}


def test_the_page_lists_each_request_of_the_json_api():
    sandbox = Sandbox()
    vendor = sandbox._vendor
    routes = {
        (method, re.sub(r"\{(\w+).*?\}", lambda named: IN_A_PATH[named[1]], route.path))
        for route in (*routes_of(SandboxApi(vendor, sandbox.connection_json)), *Page(vendor.store).routes())
        for method in route.methods - {"HEAD"}
        if route.path.startswith("/sandbox/")
    }
    part = PAGE[PAGE.index("## The JSON API") : PAGE.index("Messages have the fields")]
    listed = {
        (method, path)
        for methods, path in re.findall(r"^\| (`[A-Z`, ]+) (/sandbox/[\w./-]+)`", part, re.M)
        for method in re.findall(r"[A-Z]+", methods)
    }
    assert listed == routes | {("GET", "/sandbox/events"), ("GET", "/sandbox/openapi.json")}


def test_the_page_lists_each_kind_of_reply():
    part = PAGE[PAGE.index("A reply is given with one of") :]
    fields = re.findall(r"^\| `(\w+)` \|", part[: part.index("and with `message_id`")], re.M)
    assert fields == list(REPLIES)


def test_each_link_in_the_page_has_a_target():
    parts = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^## (.*)$", PAGE, re.M)
    }
    assert set(re.findall(r"\]\(#(.*?)\)", PAGE)) <= parts

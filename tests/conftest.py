"""A separate Airflow for the tests: its home and settings are set before anything imports Airflow."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Generator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.logs import FullDisk, lines_go_to
from tests.receiver.running import running_receiver

gc.disable()  # during collection, whose objects all stay

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

# The user's environment must not affect the tests: no connection, no setting, no proxy.
for name in list(os.environ):
    if name.startswith("AIRFLOW_") or name.lower() in _PROXIES:
        del os.environ[name]

_HOME = tempfile.mkdtemp(prefix="airflow-home-")
os.environ |= {
    "AIRFLOW_HOME": _HOME,
    "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "system" / "dags"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    # Tests that share a database, as on Airflow 2, would hold back each other's alerts.
    "AIRFLOW__ITNIO__ALERT_LIMIT": "0",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}


# Few, always the same examples; `make test-thorough` draws many random ones.
hypothesis.settings.register_profile("quick", max_examples=12, derandomize=True, database=None, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=1000, deadline=None)
hypothesis.settings.load_profile("quick")

# These tests wait for deadlines.
_LONGER = ("tests/api/", "tests/operators/", "tests/receiver/", "tests/sandbox/", "tests/sensors/")
_LONGER += ("tests/test_docs_testing", "tests/triggers/")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the longest tests; group tests that share an Airflow, a database or a browser."""
    in_browser = sorted({item.path for item in items if item.path.parent.name == "browser"})

    def rank(item: pytest.Item) -> int:
        if item.get_closest_marker("system") is None:
            return 2 if item.path in in_browser else 4 - item.nodeid.startswith(_LONGER)
        return item.path.name == "test_storm.py"  # most other tests must end before these

    items.sort(key=rank)
    for item in items:
        if item.get_closest_marker("system"):
            is_running = "running" in item.fixturenames
            item.add_marker(pytest.mark.xdist_group("running" if is_running else "commands"))
        elif item.path in in_browser:  # starting one costs as much as ten tests
            item.add_marker(pytest.mark.xdist_group(f"browser {in_browser.index(item.path) % 2}"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Schedule the tests by file or group, which is faster than xdist's scheduling of single tests."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadGroupScheduling

    class Files(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return super()._split_scope(nodeid).partition("::")[0]

    config.option.loadscopereorder = False  # already sorted
    return Files(config, log)


def pytest_collection_finish() -> None:
    """Exclude the collected tests and Airflow from garbage collection."""
    gc.freeze()
    gc.enable()


def pytest_sessionfinish() -> None:
    """Collect garbage once; pytest does it five times."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a test's log valid UTF-8, since hostile data may not be."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "replace").decode()) for name, text in report.sections]
    return report


def pytest_unconfigure() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture
def failing_log():
    """The package's log lines at INFO or above can't be written."""
    with lines_go_to(FullDisk()):
        yield


if version("apache-airflow").startswith("2."):

    @pytest.fixture(autouse=True)
    def unmask_afterwards():
        """Airflow 2 would mask in all later tests what a test gives as a secret, even a single letter."""
        from airflow.utils.log.secrets_masker import _secrets_masker

        masker = _secrets_masker()
        patterns, replacer = masker.patterns.copy(), masker.replacer
        yield
        masker.patterns, masker.replacer = patterns, replacer

    @pytest.fixture
    def itnio_sandbox(itnio_sandbox, monkeypatch):
        """The package's fixture, with a way to run tasks on Airflow 2 for the tests of operators."""
        from tests.airflow_2_tasks import execute

        monkeypatch.setattr(itnio_sandbox, "execute", execute)
        return itnio_sandbox


@pytest.fixture
def sandbox(itnio_sandbox):
    """An empty sandbox with the credentials of the vendor's documentation."""
    return itnio_sandbox


@pytest.fixture
def connect(itnio_sandbox):
    """Set a connection to the sandbox in the environment, with changes; ``None`` leaves a field out."""
    return itnio_sandbox.connect


@pytest.fixture
def connection(itnio_sandbox):
    """``itnio_default`` is a connection to the sandbox."""


@pytest.fixture
def quick_tries(monkeypatch):
    """The client tries again without a pause, except for pauses of seconds."""
    from airflow_provider_itnio.api.retries import RetryAfterOrBackoff

    pause = RetryAfterOrBackoff.__call__
    monkeypatch.setattr(
        RetryAfterOrBackoff, "__call__", lambda *given: 0.0 if (asked := pause(*given)) < 2 else asked
    )


@pytest.fixture
def closed_port():
    """A port of this machine on which nothing listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def logged(caplog, capsys):
    """Return all log lines from DEBUG on and all output; Airflow 3 does not log through ``logging``."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "airflow.task")
    printed = []

    def text():
        printed.extend(capsys.readouterr())
        return "".join([caplog.text, *printed])

    def begin_again():
        text()
        printed.clear()
        caplog.clear()

    text.begin_again = begin_again
    return text


@pytest.fixture(scope="session")
def receiver(tmp_path_factory):
    """A running receiver on SQLite, with data from other tests."""
    folder = tmp_path_factory.mktemp("receiver")
    with running_receiver(f"sqlite:///{folder}/receipts.db", folder) as running:
        yield running


@pytest.fixture
def pushed_to_receiver(sandbox, connect, receiver):
    """``itnio_default`` is a connection to the sandbox and to the receiver; the sandbox pushes to it."""
    connect(extra=receiver.extra)
    sandbox.push_to(receiver.push_url)
    yield
    sandbox.push_to(None)


@pytest.fixture(scope="session")
def running_s3():
    """A running S3. Only one, since Airflow caches the first storage of a connection id."""
    from tests.object_storage import running_storage

    with running_storage() as storage:
        yield storage


@pytest.fixture
def storage(running_s3, monkeypatch):
    """An S3 with the connection ``storage``."""
    monkeypatch.setenv("AIRFLOW_CONN_STORAGE", running_s3.connection())
    return running_s3

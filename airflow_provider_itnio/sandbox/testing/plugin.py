"""The fixtures ``itnio_sandbox`` and ``itnio_receiver``, which pytest finds if the package is installed.

All pytest runs in that environment import this module, so it only imports pytest until a fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_itnio.sandbox.testing.sandbox import TestingSandbox


@pytest.fixture(scope="session")
def _itnio_running_sandbox() -> Iterator[TestingSandbox]:
    """Start one sandbox for all tests."""
    from airflow_provider_itnio import sandbox as package

    with package.TestingSandbox() as running:
        yield running


@pytest.fixture
def itnio_sandbox(
    _itnio_running_sandbox: TestingSandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestingSandbox]:
    """Return an empty local sandbox of Itniotech; the connection ``itnio_default`` leads to it."""
    _itnio_running_sandbox.begin_test(monkeypatch.setenv)
    yield _itnio_running_sandbox
    _itnio_running_sandbox.end_test()


@pytest.fixture
def itnio_receiver(itnio_sandbox: TestingSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of an empty receiver. The sandbox pushes to it, and ``itnio_default`` refers to it."""
    from airflow_provider_itnio.sandbox.testing.receiver import running_receiver

    with running_receiver(tmp_path_factory.mktemp("receiver")) as receiver:
        itnio_sandbox.connect(extra=receiver.extra)
        itnio_sandbox.push_to(receiver.push_url)
        yield receiver.extra["receiver_url"]
        itnio_sandbox.push_to(None)

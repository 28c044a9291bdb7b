"""The fixtures ``itnio_sandbox`` and ``itnio_receiver``, which pytest finds once the package is installed.

Every pytest run in such an environment imports this module, also one that has nothing to do with WhatsApp:
so it loads nothing but pytest until a fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_itnio.sandbox.testing.sandbox import TestingSandbox


@pytest.fixture(scope="session")
def _itnio_running_sandbox() -> Iterator[TestingSandbox]:
    """Run one sandbox for all tests."""
    from airflow_provider_itnio import sandbox as package

    with package.TestingSandbox() as running:
        yield running


@pytest.fixture
def itnio_sandbox(
    _itnio_running_sandbox: TestingSandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestingSandbox]:
    """Return a local Itniotech that has got nothing yet; ``itnio_default`` is a connection to it."""
    _itnio_running_sandbox.begin_test(monkeypatch.setenv)
    yield _itnio_running_sandbox
    _itnio_running_sandbox.end_test()


@pytest.fixture
def itnio_receiver(itnio_sandbox: TestingSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a receiver that knows of nothing yet: the sandbox pushes to it.

    ``itnio_default`` names it.
    """
    from airflow_provider_itnio.sandbox.testing.receiver import running_receiver

    with running_receiver(tmp_path_factory.mktemp("receiver")) as receiver:
        itnio_sandbox.connect(extra=receiver.extra)
        itnio_sandbox.push_to(receiver.push_url)
        yield receiver.extra["receiver_url"]
        itnio_sandbox.push_to(None)

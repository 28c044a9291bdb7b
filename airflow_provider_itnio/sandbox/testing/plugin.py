"""The fixture ``itnio_sandbox``, which pytest finds by itself once the package is installed.

Every pytest run in such an environment imports this module, also one that has nothing to do with WhatsApp:
so it loads nothing but pytest until the fixture is used.
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

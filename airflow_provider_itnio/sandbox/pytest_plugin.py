"""The fixture ``itnio_sandbox``, which pytest finds by itself once the package is installed.

Every pytest run in such an environment imports this module, also one that has nothing to do with WhatsApp:
so it loads nothing but pytest until the fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .trial import TrialSandbox


@pytest.fixture(scope="session")
def _itnio_running_sandbox() -> Iterator[TrialSandbox]:
    """Run one sandbox for all tests."""
    from .. import sandbox as package

    with package.TrialSandbox() as running:
        yield running


@pytest.fixture
def itnio_sandbox(
    _itnio_running_sandbox: TrialSandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TrialSandbox]:
    """Give a local Itniotech that has got nothing yet; ``itnio_default`` is a connection to it."""
    _itnio_running_sandbox.begin_test(monkeypatch.setenv)
    yield _itnio_running_sandbox
    _itnio_running_sandbox.end_test()

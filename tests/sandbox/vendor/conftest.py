from __future__ import annotations

import pytest

from tests.sandbox.receiving import Receiver


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def pushing(receiver, start_sandbox, wire_to):
    """A sandbox that pushes without pauses, and a client for it."""

    def start(**options):
        sandbox = start_sandbox(**{"webhook": receiver.url, "push_scale": 0, **options})
        return sandbox, wire_to(sandbox)

    return start

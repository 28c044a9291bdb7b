from __future__ import annotations

import pytest

from tests.task_runs import TaskStateStore


@pytest.fixture
def store():
    return TaskStateStore()


@pytest.fixture
def quick_writes(monkeypatch):
    """Failed writes are tried again without a pause."""
    monkeypatch.setattr("airflow_provider_itnio.delivery.state_store._WRITE_RETRY_DELAY", 0)

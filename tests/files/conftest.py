from __future__ import annotations

import pytest

from tests.object_storage import running_storage


@pytest.fixture(scope="package")
def running_s3():
    """An S3 that runs."""
    with running_storage() as storage:
        yield storage


@pytest.fixture
def storage(running_s3, monkeypatch):
    """An S3 to which ``storage`` is a connection."""
    monkeypatch.setenv("AIRFLOW_CONN_STORAGE", running_s3.connection())
    return running_s3

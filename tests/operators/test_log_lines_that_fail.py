"""A line that the log does not take, from INFO on, changes nothing of what is sent."""

from __future__ import annotations

import logging

import pytest

from tests.task_runs import TaskRun

pytestmark = pytest.mark.usefixtures("connection")


class Failing(logging.Handler):
    def emit(self, record):
        if "airflow_provider_itnio" in record.pathname and "sandbox" not in record.pathname:
            raise OSError("No space left on device")


@pytest.fixture(autouse=True)
def failing_log():
    """No line of the package can be written, whichever part of it says it."""
    package = logging.getLogger("airflow_provider_itnio")
    before, handler = package.level, Failing()
    package.setLevel(logging.INFO)
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)
    package.setLevel(before)


@pytest.mark.parametrize("fault", [{"http_status": 429}, {"status": -4}], ids=str)
def test_what_the_client_says_between_its_tries_ends_no_message(fault, delivery, way, store, sandbox):
    sandbox.fail_next(**fault)
    TaskRun(lambda: way(delivery=delivery), store=store).once()
    assert len(sandbox.messages) == 1

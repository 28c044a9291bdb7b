"""An error in logging at INFO or above does not change what is sent."""

from __future__ import annotations

import pytest

from tests.operators.ways import DELIVERIES, WAYS
from tests.tables import pairs
from tests.task_runs import TaskRun

pytestmark = pytest.mark.usefixtures("connection", "failing_log", "quick_tries")


@pairs(fault=[{"http_status": 429}, {"status": -4}], delivery=DELIVERIES, way=WAYS)
def test_a_failing_log_line_between_the_clients_tries_does_not_end_the_message(
    fault, delivery, way, store, sandbox
):
    sandbox.fail_next(**fault)
    TaskRun(lambda: way(delivery=delivery), store=store).once()
    assert len(sandbox.messages) == 1

"""How a wait for statuses uses the receiver's answers."""

from __future__ import annotations

import pendulum

from airflow_provider_itnio.api.receiver import MessageStatus
from airflow_provider_itnio.api.status_wait import StatusWait
from tests.tables import for_each


def statuses_of(**statuses):
    at = pendulum.datetime(2026, 1, 1)
    return {name: MessageStatus(name, status, at) for name, status in statuses.items()}


@for_each(
    ("before", "after", "known"),
    [
        ("delivered", "none", "delivered"),
        ("failed", "none", "failed"),
        ("failed", "delivered", "failed"),
        ("failed", "read", "read"),
        ("sent", "delivered", "delivered"),
    ],
)
def test_a_status_never_moves_back_even_if_the_receiver_has_a_new_database(before, after, known):
    wait = StatusWait(["a", "b"], "delivered", ends_at=100.0, now=lambda: 0.0)
    assert wait.take(statuses_of(a=before, b="none")) is not None
    assert wait.take(statuses_of(a=after, b="delivered")) is None
    assert wait.result()["statuses"]["a"]["status"] == known

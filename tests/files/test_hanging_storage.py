"""Object storage that accepts a request and never answers."""

from __future__ import annotations

import socket
import threading

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from tests.operators.time_limits import limit_set
from tests.task_runs import TaskStateStore, broadcast_run, counts_of

NUMBER = "+86 147-1800-4557"
pytestmark = pytest.mark.usefixtures("connection", "storage")


def test_a_hanging_storage_does_not_delay_the_end_of_a_broadcast(storage, sandbox, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as hanging, limit_set() as time_is_over:
        extra = {
            "endpoint_url": f"http://127.0.0.1:{hanging.getsockname()[1]}",
            "region_name": "us-east-1",
            "config_kwargs": {"read_timeout": 600},
        }
        monkeypatch.setattr("airflow_provider_itnio.operators._broadcast_run._GRACE", 0.1)
        monkeypatch.setenv("AIRFLOW_CONN_HANGING", storage.connection(extra=extra))
        asked = []

        def wait_for_a_request():
            asked.append(hanging.accept()[0])
            asked[0].recv(1)
            time_is_over()

        threading.Thread(target=wait_for_a_request, daemon=True).start()
        run = broadcast_run(
            [{"phone": NUMBER, "n": 1}],
            text=None,
            store=TaskStateStore(),
            document={"object": "s3://hanging@reports/{{ recipient.n }}.pdf"},
        )
        with pytest.raises(AirflowTaskTimeout, match="execution_timeout is over"):
            run.once()
        asked[0].settimeout(1)
        with asked[0], pytest.raises(TimeoutError):  # the request to the storage is still open
            all(iter(lambda: asked[0].recv(10_000), b""))
    assert counts_of(run.summary) == {"not_attempted": 1}
    assert sandbox.messages == []

"""The first message of a task's process over TLS, including imports: the usual case in Airflow.

    python -m benchmarks.first_message

Each way runs once in a new process, forked from one that has imported Airflow, as Airflow forks its tasks.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.by_hand import RECIPIENT, TEXT, body_by_hand, connection_to, headers_by_hand
from benchmarks.local_server import LocalServer, trusted_certificate
from benchmarks.side_by_side import Figure, airflow_of_its_own, cpu_in_forks, figure, main

ROUNDS = 20


def measure() -> list[Figure]:
    """Send with the operator, with requests alone, and with Slack's operator."""
    airflow_of_its_own()
    with (
        tempfile.TemporaryDirectory(prefix="itnio-benchmark-tls-") as folder,
        LocalServer(trusted_certificate(Path(folder))) as server,
    ):
        return _measure(server.url)


def _measure(url: str) -> list[Figure]:
    os.environ["AIRFLOW_CONN_ITNIO_DEFAULT"] = connection_to(url)
    os.environ["AIRFLOW_CONN_SLACK_API_DEFAULT"] = json.dumps(
        {"conn_type": "slack", "password": "xoxb-benchmark", "extra": {"base_url": f"{url}/api/"}}
    )
    from airflow.providers.common.compat.sdk import BaseHook, BaseNotifier, BaseOperator, BaseOperatorLink

    # A task's process has imported these before any operator.
    loaded = (BaseNotifier, BaseOperatorLink)
    assert all(loaded)
    sys.modules[BaseOperator.__module__].ExecutorSafeguard.test_mode = True  # else it warns at each call
    BaseOperator(task_id="any")
    BaseHook.get_connection("itnio_default")

    def by_operator() -> None:
        from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator

        WhatsAppSendOperator(task_id="tell", recipient=RECIPIENT, text=TEXT).execute({})

    def by_requests() -> None:
        import requests

        with requests.Session() as session:
            response = session.post(
                f"{url}/wa/custom/sendMsg", data=body_by_hand(), headers=headers_by_hand(), timeout=30
            )
            assert response.json()["status"] == "0"

    def by_slack_operator() -> None:
        from airflow.providers.slack.operators.slack import SlackAPIPostOperator

        SlackAPIPostOperator(task_id="tell", channel="#finance", text=TEXT).execute({})

    ways = {"itnio": by_operator, "requests": by_requests, "slack": by_slack_operator}
    sys.dont_write_bytecode = False
    cpu_in_forks(ways, rounds=1)  # compile everything before the measurement
    costs = cpu_in_forks(ways, rounds=ROUNDS)
    in_ms = {name: [cost / 1000 for cost in turns] for name, turns in costs.items()}
    ours = in_ms["itnio"]
    return [
        figure(
            ("first message of a process over TLS, imports included", ours),
            ("requests: import, session, one signed post", in_ms["requests"]),
            unit="ms",
            at_most=1.25,
        ),
        figure(
            ("the same", ours), ("SlackAPIPostOperator, its first", in_ms["slack"]), unit="ms", at_most=0.60
        ),
    ]


if __name__ == "__main__":
    main(measure)

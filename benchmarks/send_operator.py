"""``WhatsAppSendOperator`` created and executed, against ``HttpOperator`` with the same POST.

    python -m benchmarks.send_operator

Over TLS, like the API, and over plain HTTP, without the cost of TLS.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.by_hand import RECIPIENT, TEXT, body_by_hand, connection_to, headers_by_hand
from benchmarks.local_server import LocalServer, trusted_certificate
from benchmarks.side_by_side import Figure, airflow_of_its_own, cpu_in_forks, cpu_in_turns, figure, main

HTTP_BLOCKS, HTTP_CALLS = 80, 20
TLS_BLOCKS, TLS_CALLS = 40, 5
FORKS = 10


def measure() -> list[Figure]:
    """Create and execute both operators outside of a DAG."""
    airflow_of_its_own()
    from airflow.providers.common.compat.sdk import BaseHook, BaseOperator

    # Otherwise Airflow warns at each call that only a task runner should execute a task.
    sys.modules[BaseOperator.__module__].ExecutorSafeguard.test_mode = True
    ways = {"itnio": _by_send_operator, "http": _by_http_operator}
    with tempfile.TemporaryDirectory(prefix="itnio-benchmark-tls-") as folder:
        certificate = trusted_certificate(Path(folder))
        with LocalServer(certificate) as server:
            _connect_to(server.url)
            # A task's process has imported these before any operator.
            BaseOperator(task_id="any")
            BaseHook.get_connection("itnio_default")
            first = cpu_in_forks(ways, rounds=FORKS)
            over_tls = cpu_in_turns(ways, blocks=TLS_BLOCKS, calls=TLS_CALLS)
        with LocalServer() as server:
            _connect_to(server.url)
            over_http = cpu_in_turns(ways, blocks=HTTP_BLOCKS, calls=HTTP_CALLS)
    return [
        _figure("WhatsAppSendOperator over TLS, made and executed", over_tls, at_most=0.50),
        _figure("the same over plain HTTP", over_http),
        _figure("the same over TLS, first in its process, with its import", first),
    ]


def _by_send_operator() -> None:
    from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator

    WhatsAppSendOperator(task_id="tell_finance", recipient=RECIPIENT, text=TEXT).execute({})


def _by_http_operator() -> None:
    from airflow.providers.http.operators.http import HttpOperator

    HttpOperator(
        task_id="tell_finance",
        http_conn_id="itnio_by_http",
        endpoint="/wa/custom/sendMsg",
        data=body_by_hand().decode(),
        headers=headers_by_hand(),
        response_check=lambda response: bool(response.json()["status"] == "0"),
    ).execute({})


def _connect_to(url: str) -> None:
    os.environ["AIRFLOW_CONN_ITNIO_DEFAULT"] = connection_to(url)
    os.environ["AIRFLOW_CONN_ITNIO_BY_HTTP"] = json.dumps({"conn_type": "http", "host": url})


def _figure(what: str, costs: dict[str, list[float]], *, at_most: float | None = None) -> Figure:
    in_ms = {name: [cost / 1000 for cost in turns] for name, turns in costs.items()}
    return figure(
        (what, in_ms["itnio"]),
        ("HttpOperator, the same POST signed by hand", in_ms["http"]),
        unit="ms",
        at_most=at_most,
    )


if __name__ == "__main__":
    main(measure)

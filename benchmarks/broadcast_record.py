"""The time that a broadcast at 80 messages per second spends on the delivery record in Airflow 3.3's store.

python -m benchmarks.broadcast_record

A DAG runs with ``dag.test()``, which uses the real task runner and an in-process execution API.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from benchmarks.by_hand import connection_to
from benchmarks.local_server import ROOT, LocalServer
from benchmarks.side_by_side import Figure, airflow_of_its_own, main

_DAG = """
import json, os, time
import pendulum
from airflow.providers.common.compat.sdk import DAG
from airflow_provider_itnio.delivery import state_store
from airflow_provider_itnio.operators.whatsapp_broadcast import WhatsAppBroadcastOperator
from benchmarks.broadcasting import people

spent = []
for name in ("set", "get"):
    def timed(self, *arguments, of=getattr(state_store.TaskStateStore, name), name=name):
        start = time.perf_counter()
        try:
            return of(self, *arguments)
        finally:
            spent.append((name, time.perf_counter() - start))
    setattr(state_store.TaskStateStore, name, timed)

class Timed(WhatsAppBroadcastOperator):
    def execute(self, context):
        spent.clear()
        start = time.perf_counter()
        summary = super().execute(context)
        whole = time.perf_counter() - start
        with open(os.environ["ITNIO_BENCHMARK_RESULT"], "a") as file:
            file.write(json.dumps([self.delivery, whole, spent, summary["accepted"]]) + chr(10))
        return summary

with DAG("benchmark", schedule=None, start_date=pendulum.datetime(2026, 1, 1, tz="UTC")) as dag:
    for delivery in ("at_least_once", "at_most_once"):
        Timed(task_id=delivery, delivery=delivery, recipients=people(1600), text="Dear {{ recipient.name }}")
"""
_RUN = """
import sys, runpy
import airflow.models.dagbag
from pathlib import Path
from tests.system.run_dags import dags_of
for dag in dags_of(Path(sys.argv[1])): dag.test()
"""


def measure() -> list[Figure]:
    """Broadcast to 1,600 people with each ``delivery``, and add up the time for the record."""
    if version("apache-airflow").startswith("2."):
        return [Figure("delivery record", "Airflow before 3.3 keeps none")]
    airflow_of_its_own()
    with tempfile.TemporaryDirectory(prefix="itnio-benchmark-record-") as folder, LocalServer() as server:
        dag, result = Path(folder) / "benchmark.py", Path(folder) / "result"
        dag.write_text(_DAG)
        environment = os.environ | {
            "AIRFLOW_CONN_ITNIO_DEFAULT": connection_to(server.url),
            "AIRFLOW__CORE__DAGS_FOLDER": folder,
            "ITNIO_BENCHMARK_RESULT": str(result),
            "PYTHONPATH": str(ROOT),
        }
        for command in (["-m", "airflow", "db", "migrate"], ["-c", _RUN, str(dag)]):
            done = subprocess.run(
                [sys.executable, *command],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(done.stderr[-2000:])
        return [_figure(*json.loads(line)) for line in result.read_text().splitlines()]


def _figure(delivery: str, whole: float, spent: list[tuple[str, float]], accepted: int) -> Figure:
    assert accepted == 1600
    record = sum(seconds for _, seconds in spent)
    writes = sum(name == "set" for name, _ in spent)
    return Figure(
        f"delivery record, {delivery}, {writes} writes for 1,600 messages",
        f"{record * 1000:,.0f} ms",
        "the broadcast at 80/s",
        f"{whole:,.1f} s",
        record / whole,
        "less than 0.05",
        record / whole < 0.05,
    )


if __name__ == "__main__":
    main(measure)

"""The cost of importing operator, hook and notifier in a DAG file, against the Slack operator.

Only the imports in addition to Airflow's own are counted.

    python -m benchmarks.imports

Each import runs in a new process, alternating between this package and Slack.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from benchmarks.side_by_side import Figure, airflow_of_its_own, figure, in_new_process, main

ROUNDS = 8
IMPORT_AT_MOST: Final = 5.0

_BEFORE: Final = """
import json, sys, time
from airflow.providers.common.compat.sdk import (
    AirflowFailException, AirflowNotFoundException, AirflowTaskTimeout, BaseHook, BaseNotifier, BaseOperator,
    BaseOperatorLink, XCom, mask_secret,
)
BaseOperator(task_id="any")
def packages():
    return {name.partition(".")[0] for name in tuple(sys.modules)} - set(sys.stdlib_module_names)
before = packages()
start = time.process_time()
"""
_OURS: Final = """
from airflow_provider_itnio.hooks.itnio import ItnioHook
from airflow_provider_itnio.notifications.whatsapp import WhatsAppNotifier
from airflow_provider_itnio.operators.whatsapp import WhatsAppSendOperator
imported = time.process_time()
after_import = packages()
print(json.dumps({"import": (imported - start) * 1000, "new": sorted(after_import - before)}))
"""
_SLACK: Final = """
from airflow.providers.slack.operators.slack import SlackAPIPostOperator
print(json.dumps({"import": (time.process_time() - start) * 1000, "new": sorted(packages() - before)}))
"""


def measure() -> list[Figure]:
    """Import both in new processes that have imported Airflow's modules."""
    airflow_of_its_own()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    in_new_process(_BEFORE + _OURS)  # compile both before the measurement
    in_new_process(_BEFORE + _SLACK)
    ours, slack = [], []
    for _ in range(ROUNDS):
        ours.append(in_new_process(_BEFORE + _OURS))
        slack.append(in_new_process(_BEFORE + _SLACK))
    imported = [run["import"] for run in ours]
    slack_import = ("import of the Slack operator", [run["import"] for run in slack])
    loaded = sorted({name for run in ours for name in run["new"]} - {"airflow_provider_itnio"})
    beside = figure(
        ("import of operator, hook and notifier", imported), slack_import, unit="ms", at_most=0.04
    )
    return [
        replace(
            beside,
            target=f"{beside.target}, {IMPORT_AT_MOST:.0f} ms",
            met=bool(beside.met) and statistics.median(imported) <= IMPORT_AT_MOST,
        ),
        Figure(
            "packages loaded by the import",
            _listed(loaded),
            "packages loaded by the Slack operator",
            str(len({name for run in slack for name in run["new"]})),
            target="none",
            met=not loaded,
        ),
    ]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


if __name__ == "__main__":
    main(measure)

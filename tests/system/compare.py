"""A test of a user's project that runs the DAG of ``compared.py`` in both ways."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path

import compared

AIRFLOW_2 = version("apache-airflow").startswith("2.")


def test_both(itnio_sandbox):
    dag, runs = compared.dag, compared.RUNS
    if AIRFLOW_2:  # where execute has nothing to compare
        dag, runs = dag.partial_subset(["tell"]), [("tell", {})]
    run = dag.test()
    seen = {
        "states": {f"{ti.task_id} {ti.map_index}": f"{ti.state}" for ti in run.get_task_instances()},
        "messages": [message.text for message in itnio_sandbox.messages],
        "dag.test": {key: [*notes] for key, notes in compared.NOTES.items()},
        "execute": compared.NOTES,
        "ends": {},
    }
    compared.NOTES.clear()
    for task_id, given in runs:
        try:
            returned = itnio_sandbox.execute(dag.get_task(task_id), xcoms=compared.XCOMS, **given)
            end = "success", f"{returned}"
        except BaseException as error:  # a timeout is not an Exception
            end = type(error).__name__, f"{error}"
        seen["ends"][f"{task_id} {given.get('map_index', -1)}"] = end
    Path(os.environ["COMPARED"]).write_text(json.dumps(seen))

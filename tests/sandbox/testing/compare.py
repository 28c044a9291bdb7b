"""Run the DAG of ``compared_dag.py`` in both ways; a test of a user's project, with a database of its own."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path

import compared_dag
from airflow.cli.cli_parser import get_parser

IS_AIRFLOW_3 = not version("apache-airflow").startswith("2.")


def airflow(*words):
    arguments = get_parser().parse_args(words)
    arguments.func(arguments)


def test_both(itnio_sandbox):
    airflow("db", "migrate")
    if IS_AIRFLOW_3:
        airflow("dags", "reserialize")
    run = compared_dag.dag.test()
    states = {f"{ti.task_id} {ti.map_index}": f"{ti.state}" for ti in run.get_task_instances()}
    result = {
        "states": states,
        "messages": [message.text for message in itnio_sandbox.messages],
        "dag.test": {key: [*notes] for key, notes in compared_dag.NOTES.items()},
    }
    compared_dag.NOTES.clear()
    raised = result["raised"] = {}
    for task_id, runs in compared_dag.RUNS.items() if IS_AIRFLOW_3 else ():
        for given in runs:
            try:
                returned = itnio_sandbox.execute(
                    compared_dag.dag.get_task(task_id), xcoms=compared_dag.XCOMS, **given
                )
                raised[f"{task_id} {given.get('map_index', -1)}"] = f"returned {returned!r}"
            except BaseException as error:  # a timeout is no Exception
                raised[f"{task_id} {given.get('map_index', -1)}"] = type(error).__name__
    result["execute"] = compared_dag.NOTES
    Path(os.environ["COMPARED"]).write_text(json.dumps(result))
